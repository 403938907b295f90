# cmake -C cmake/configs/cxx23.cmake -S . -B build/cxx23
# dev by the next standard, which a user's program may be written in.
set(CMAKE_CXX_STANDARD 23 CACHE STRING "")
include(${CMAKE_CURRENT_LIST_DIR}/dev.cmake)
