# cmake -C cmake/configs/asan.cmake -S . -B build/asan
# Memory errors, leaks and undefined behaviour. Not optimised: the checks take three times as long to compile otherwise.
set(MULTIPROCESSING_SANITIZE address,undefined CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1" CACHE STRING "")
include(${CMAKE_CURRENT_LIST_DIR}/dev.cmake)
