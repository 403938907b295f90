# cmake [-D DIRECTORY=<dir>] -P cmake/demo.cmake
#
# Installs what is missing here, builds examples/40_word_count, and has it count the words of the C and C++ headers under
# /usr/include, or of all text files under DIRECTORY: by a pool of processes, then by none.

cmake_minimum_required(VERSION 3.23)

include(${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/build.cmake)

provide(library)

set(build ${root}/build/demo)
configure(${build} -D CMAKE_BUILD_TYPE=Release -D MULTIPROCESSING_BUILD_TESTS=OFF)
must(${CMAKE_COMMAND} --build ${build} --parallel ${jobs} --target 40_word_count)

if(DEFINED DIRECTORY)
    get_filename_component(DIRECTORY ${DIRECTORY} ABSOLUTE)
endif()
must(${build}/examples/40_word_count ${DIRECTORY})
