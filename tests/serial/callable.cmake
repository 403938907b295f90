# The shared library that serial.callable loads, as a plugin: in two builds, which differ in their build id alone.
foreach(build one other)
    add_library(callable_fixture_${build} MODULE ${CMAKE_CURRENT_LIST_DIR}/../support/callable_fixture.cpp)
    target_link_libraries(callable_fixture_${build} PRIVATE multiprocessing_settings)
    set_target_properties(callable_fixture_${build} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    target_compile_definitions(callable_fixture_${build} PRIVATE MULTIPROCESSING_KILL_STEPS=0)
    add_dependencies(serial.callable callable_fixture_${build})
endforeach()
target_link_options(callable_fixture_one PRIVATE LINKER:--build-id=0x1111111111111111)
target_link_options(callable_fixture_other PRIVATE LINKER:--build-id=0x2222222222222222)
target_compile_definitions(
    serial.callable PRIVATE CALLABLE_FIXTURE="$<TARGET_FILE:callable_fixture_one>"
                            OTHER_CALLABLE_FIXTURE="$<TARGET_FILE:callable_fixture_other>"
)
# The other translation unit, in which things have the names that they have in the first.
target_sources(serial.callable PRIVATE ${CMAKE_CURRENT_LIST_DIR}/../support/callable_elsewhere.cpp)
