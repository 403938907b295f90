# cmake [-D CONFIGURATION=<name>] [-D ONLY="<label> ..."] [-D EXCEPT="<label> ..."] -P cmake/check.cmake
#
# Installs what is missing here, builds the tests in build/<name> and runs them; fails if one fails, or if there is none.
#
#   CONFIGURATION   a file of cmake/configs: dev (what is taken otherwise), clang, asan, tsan, portable, cxx23, fuzz
#   ONLY            builds and runs the tests with these labels alone: folders of tests/, as in "os memory", and "headers"
#   EXCEPT          builds everything, but doesn't run those

cmake_minimum_required(VERSION 3.23)

include(${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/build.cmake)

if(NOT DEFINED CONFIGURATION)
    set(CONFIGURATION dev)
endif()
if(NOT EXISTS ${root}/cmake/configs/${CONFIGURATION}.cmake)
    message(FATAL_ERROR "There is no cmake/configs/${CONFIGURATION}.cmake.")
endif()

provide(library tests)

set(build ${root}/build/${CONFIGURATION})
configure(${build} -C ${root}/cmake/configs/${CONFIGURATION}.cmake)

set(targets "")
set(selection "")
if(ONLY)
    separate_arguments(ONLY)
    list(TRANSFORM ONLY PREPEND tests_ OUTPUT_VARIABLE targets)
    list(PREPEND targets --target)
    list(JOIN ONLY "|" labels)
    list(APPEND selection --label-regex "^(${labels})$")
endif()
if(EXCEPT)
    separate_arguments(EXCEPT)
    list(JOIN EXCEPT "|" labels)
    list(APPEND selection --label-exclude "^(${labels})$")
endif()
must(${CMAKE_COMMAND} --build ${build} --parallel ${jobs} ${targets})

get_filename_component(ctest ${CMAKE_COMMAND} DIRECTORY)
must(${ctest}/ctest --test-dir ${build} --output-on-failure --no-tests=error --parallel ${cores} ${selection})
