# cmake -C cmake/configs/clang.cmake -S . -B build/clang
# dev by the other compiler. The file of commands is for clang-tidy and clangd.
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON CACHE BOOL "")
include(${CMAKE_CURRENT_LIST_DIR}/dev.cmake)
