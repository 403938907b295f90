# The shared libraries that os.module loads: with a build id, and without one.
foreach(build_id sha1 none)
    add_library(module_fixture_${build_id} MODULE ${CMAKE_CURRENT_LIST_DIR}/../support/module_fixture.cpp)
    target_link_options(module_fixture_${build_id} PRIVATE LINKER:--build-id=${build_id})
    add_dependencies(os.module module_fixture_${build_id})
endforeach()
target_compile_definitions(
    os.module PRIVATE MODULE_FIXTURE="$<TARGET_FILE:module_fixture_sha1>"
                      MODULE_FIXTURE_WITHOUT_BUILD_ID="$<TARGET_FILE:module_fixture_none>"
)
