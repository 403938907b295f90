# What does including a door cost? (../README.md)
#
#     cmake [-D CXX=clang++] [-D ROUNDS=5] -P benchmarks/header_cost/measure.cmake
#
# A file that includes one door and nothing else: the lines that the compiler reads, and how long it takes to look at them
# (-fsyntax-only: what is instantiated costs where it is used). Beside <thread>, <vector>, <string> and <functional> together.

cmake_minimum_required(VERSION 3.23)

if(NOT CXX)
    set(CXX g++)
endif()
if(NOT ROUNDS)
    set(ROUNDS 5)
endif()
get_filename_component(include ${CMAKE_CURRENT_LIST_DIR}/../../include ABSOLUTE)
file(GLOB doors RELATIVE ${include}/multiprocessing ${include}/multiprocessing/*.hpp)
set(scratch ${CMAKE_CURRENT_BINARY_DIR}/header_cost.tmp)
file(MAKE_DIRECTORY ${scratch})

# ---- One file: its lines, and the median of its times in milliseconds ----

function(measure name text)
    file(WRITE ${scratch}/one.cpp "${text}\n")
    set(command ${CXX} -std=c++20 -I ${include})
    execute_process(COMMAND ${command} -E -P ${scratch}/one.cpp OUTPUT_FILE ${scratch}/one.ii COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND wc -l INPUT_FILE ${scratch}/one.ii OUTPUT_VARIABLE count OUTPUT_STRIP_TRAILING_WHITESPACE)
    set(times "")
    foreach(round RANGE 1 ${ROUNDS})
        string(TIMESTAMP begin "%s%f")
        execute_process(COMMAND ${command} -fsyntax-only ${scratch}/one.cpp COMMAND_ERROR_IS_FATAL ANY)
        string(TIMESTAMP end "%s%f")
        math(EXPR spent "(${end} - ${begin}) / 1000")
        list(APPEND times ${spent})
    endforeach()
    list(SORT times COMPARE NATURAL)
    math(EXPR middle "${ROUNDS} / 2")
    list(GET times ${middle} median)
    list(GET times 0 least)
    list(GET times -1 most)
    message("| ${name} | ${count} | ${median} (${least}, ${most}) |")
endfunction()

message("| included | lines | ms, median of ${ROUNDS} (least, most) |")
message("| --- | ---: | ---: |")
measure("`<thread> <vector> <string> <functional>`" "#include <thread>\n#include <vector>\n#include <string>\n#include <functional>")
measure("`<fmt/format.h>`" "#include <fmt/format.h>")
foreach(door IN LISTS doors)
    measure("`${door}`" "#include <multiprocessing/${door}>")
endforeach()
file(REMOVE_RECURSE ${scratch})
