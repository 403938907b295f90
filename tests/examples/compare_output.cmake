# [ARGUMENT=<argument>] cmake -D PROGRAM=<program> -D OUTPUT=<file> -P compare_output.cmake
# Passes if the program ends with 0 and prints what the file holds (anything, if there is no file). Its stderr is its own.

cmake_minimum_required(VERSION 3.23)

execute_process(
    COMMAND ${PROGRAM} $ENV{ARGUMENT}
    RESULT_VARIABLE result
    OUTPUT_VARIABLE printed
    ERROR_VARIABLE complained
    TIMEOUT 120
)
if(NOT result STREQUAL 0)
    message(FATAL_ERROR "${PROGRAM} ended with ${result}, having printed\n${printed}${complained}")
endif()
if(NOT OUTPUT)
    message("${printed}")
    return()
endif()

# Lines that CMake's lists and regular expressions don't trip over.
function(get_lines variable text)
    string(REPLACE "[" "<(" text "${text}")
    string(REPLACE "]" ")>" text "${text}")
    string(REPLACE "\\" "<backslash>" text "${text}")
    string(REPLACE ";" "<semicolon>" text "${text}")
    string(REPLACE "\n" ";" text "${text}")
    if(OUTPUT MATCHES "\\.sorted\\.out$")
        list(SORT text)
    endif()
    set(${variable} "${text}" PARENT_SCOPE)
endfunction()

file(READ ${OUTPUT} expected)
get_lines(printed_lines "${printed}")
get_lines(expected_lines "${expected}")
list(LENGTH printed_lines printed_count)
list(LENGTH expected_lines expected_count)
set(same TRUE)
if(NOT printed_count EQUAL expected_count)
    set(same FALSE)
else()
    foreach(is should IN ZIP_LISTS printed_lines expected_lines)
        if(should MATCHES "<n>")
            string(REGEX REPLACE "[0-9]+" "<n>" is "${is}")
            string(REGEX REPLACE "[0-9]+" "<n>" should "${should}")
        endif()
        if(NOT is STREQUAL should)
            set(same FALSE)
        endif()
    endforeach()
endif()
if(NOT same)
    message(FATAL_ERROR "${PROGRAM} printed\n${printed}\nbut ${OUTPUT} has\n${expected}")
endif()
