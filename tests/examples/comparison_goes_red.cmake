# cmake -D SCRATCH=<dir> -P comparison_goes_red.cmake
# Shows compare_output.cmake a program that prints what it should, and programs that don't.

cmake_minimum_required(VERSION 3.23)

# try(<0 or 1, the verdict> <file name> <what it holds> <what the program prints> [<more shell>])
function(try verdict name expected printed)
    file(WRITE ${SCRATCH}/${name} "${expected}")
    file(WRITE ${SCRATCH}/program "printf '%s' '${printed}'\n${ARGN}\n")
    file(WRITE ${SCRATCH}/run "#!/bin/sh\nexec sh ${SCRATCH}/program\n")
    file(CHMOD ${SCRATCH}/run PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
    execute_process(
        COMMAND ${CMAKE_COMMAND} -D PROGRAM=${SCRATCH}/run -D OUTPUT=${SCRATCH}/${name}
                -P ${CMAKE_CURRENT_LIST_DIR}/compare_output.cmake
        RESULT_VARIABLE result
        OUTPUT_QUIET
        ERROR_QUIET
    )
    if(NOT result EQUAL verdict)
        message(SEND_ERROR "Printing\n${printed}\nagainst ${name} with\n${expected}\nwas judged ${result}, not ${verdict}.")
    endif()
endfunction()

try(0 a.out "[1, 4; 9]\nb\n" "[1, 4; 9]\nb\n")
try(0 a.out "process <n> of 2\n" "process 4711 of 2\n")
try(0 a.out "a\n" "a\n" "echo and this >&2")
try(0 a.sorted.out "a\nb\n" "b\na\n")
try(1 a.out "a\nb\n" "b\na\n")
try(1 a.out "a\n" "a\na\n")
try(1 a.out "a\n" "a")
try(1 a.out "number 1\n" "number 2\n")
try(1 a.out "process <n>\n" "process x\n")
try(1 a.sorted.out "a\nb\n" "a\na\n")
try(1 a.out "a\n" "a\n" "exit 1")
try(1 a.out "a\n" "a\n" "kill -9 $$")
