# cmake -C cmake/configs/tsan.cmake -S . -B build/tsan
# Races between threads. It can't see races between processes, so it is for tests that drive shared structures by threads.
set(MULTIPROCESSING_SANITIZE thread CACHE STRING "")
include(${CMAKE_CURRENT_LIST_DIR}/dev.cmake)
