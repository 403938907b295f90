# cmake [-D ONLY="<question> ..."] [-D ROUNDS=<n>] [-D RESULTS=<directory>] -P benchmarks/run.cmake
#
# Installs what is missing here, builds the benchmarks in build/benchmarks, asks one question after the other with nothing else running,
# and writes into benchmarks/results: <question>.txt, .json, .md, .svg of each, trace.svg, and README.md about all that is there.
# It takes a quarter of an hour, a third of it to build.
#
#   ONLY      asks these questions alone: folders of benchmarks/, as in "dispatch locks"; of the others what is there stays
#   ROUNDS    of each question, instead of its own number
#   RESULTS   another directory, for a look that isn't to be kept

cmake_minimum_required(VERSION 3.23)

include(${CMAKE_CURRENT_LIST_DIR}/../cmake/dependencies.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../cmake/build.cmake)

if(DEFINED RESULTS)
    get_filename_component(RESULTS ${RESULTS} ABSOLUTE)
else()
    set(RESULTS ${CMAKE_CURRENT_LIST_DIR}/results)
endif()
file(GLOB questions RELATIVE ${CMAKE_CURRENT_LIST_DIR} ${CMAKE_CURRENT_LIST_DIR}/*/main.cpp)
list(TRANSFORM questions REPLACE "/main.cpp" "")
set(asked ${questions})
if(ONLY)
    separate_arguments(asked UNIX_COMMAND "${ONLY}")
    foreach(question IN LISTS asked)
        if(NOT question IN_LIST questions)
            message(FATAL_ERROR "There is no question ${question}; there are: ${questions}.")
        endif()
    endforeach()
endif()

# ---- How busy the machine is, before this makes it so ----

file(READ /proc/loadavg load)
string(REGEX MATCH "^[0-9.]+" load "${load}")
set(words "The load average was ${load} on ${cores} cores at the start")
if(load GREATER 0.3)
    string(APPEND words ": **others were at work, and the numbers are not to be trusted**")
    message("The load average is ${load}: something else is at work here, and the numbers won't be worth keeping.")
endif()

# ---- Building ----

provide(library benchmarks)

set(build ${root}/build/benchmarks)
configure(
    ${build} -D CMAKE_BUILD_TYPE=Release -D MULTIPROCESSING_BUILD_BENCHMARKS=ON -D MULTIPROCESSING_BUILD_TESTS=OFF -D
    MULTIPROCESSING_BUILD_EXAMPLES=OFF
)
must(${CMAKE_COMMAND} --build ${build} --parallel ${jobs} --target publish traced_run ${asked})

# ---- Asking ----

file(MAKE_DIRECTORY ${RESULTS})
set(programs ${build}/benchmarks)
set(spent "")
foreach(question IN LISTS asked)
    string(TIMESTAMP begin "%s")
    execute_process(
        COMMAND ${programs}/${question} ${ROUNDS} --json ${RESULTS}/${question}.json
        COMMAND_ECHO STDOUT
        OUTPUT_VARIABLE said ECHO_OUTPUT_VARIABLE
        COMMAND_ERROR_IS_FATAL ANY
    )
    string(TIMESTAMP end "%s")
    math(EXPR seconds "${end} - ${begin}")
    string(APPEND spent "\n  ${question} ${seconds} s")
    file(WRITE ${RESULTS}/${question}.txt "${said}")
endforeach()

# ---- Pages and pictures ----

must(${programs}/traced_run ${build}/trace.json)
must(${programs}/publish --trace ${build}/trace.json ${RESULTS}/trace.svg)
must(${programs}/publish ${RESULTS} "${words}.")
message("It took:${spent}")
