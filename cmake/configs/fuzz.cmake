# cmake -C cmake/configs/fuzz.cmake -S . -B build/fuzz
# libFuzzer on every parser of foreign bytes, twelve seconds each (MULTIPROCESSING_FUZZ_SECONDS).
set(MULTIPROCESSING_FUZZ ON CACHE BOOL "")
include(${CMAKE_CURRENT_LIST_DIR}/clang.cmake)
