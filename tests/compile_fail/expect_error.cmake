# cmake -D FILE=<file> -P expect_error.cmake -- <compiler> <option>...
# Passes if the compiler refuses the file with the words that its first line expects.

cmake_minimum_required(VERSION 3.23)

file(STRINGS ${FILE} expected LIMIT_COUNT 1)
if(NOT expected MATCHES "^// expect: (.+)")
    message(FATAL_ERROR "The first line of ${FILE} doesn't say what to // expect:")
endif()
set(expected "${CMAKE_MATCH_1}")

set(command "")
set(found FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
    if(found)
        list(APPEND command "${CMAKE_ARGV${i}}")
    elseif("${CMAKE_ARGV${i}}" STREQUAL "--")
        set(found TRUE)
    endif()
endforeach()

execute_process(COMMAND ${command} ${FILE} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(result EQUAL 0)
    message(FATAL_ERROR "${FILE} compiles, but ought not to.")
elseif(NOT said MATCHES "error: [^\n]*${expected}")
    message(FATAL_ERROR "${FILE} was refused, but no error says \"${expected}\":\n${said}")
endif()
