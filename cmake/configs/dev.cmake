# cmake -C cmake/configs/dev.cmake -S . -B build/dev
# What one works with: optimised a little, because that shows more races, with assertions and line numbers.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1" CACHE STRING "")
set(MULTIPROCESSING_WARNINGS_AS_ERRORS ON CACHE BOOL "")
