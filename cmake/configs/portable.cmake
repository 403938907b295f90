# cmake -C cmake/configs/portable.cmake -S . -B build/portable
# The back ends that other platforms use, on this one.
set(MULTIPROCESSING_FORCE_PORTABLE ON CACHE BOOL "")
include(${CMAKE_CURRENT_LIST_DIR}/dev.cmake)
