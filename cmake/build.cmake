# The steps that demo.cmake and check.cmake have in common.

get_filename_component(root ${CMAKE_CURRENT_LIST_DIR}/.. ABSOLUTE)

# As many jobs as there are cores, but a gigabyte and a half for each, which a compiler may take.
cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
cmake_host_system_information(RESULT megabytes QUERY AVAILABLE_PHYSICAL_MEMORY)
math(EXPR jobs "${megabytes} / 1500")
if(jobs GREATER cores)
    set(jobs ${cores})
elseif(jobs LESS 1)
    set(jobs 1)
endif()

# Runs a command with its output shown; the script ends if it fails.
macro(must)
    execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT RESULT_VARIABLE result)
    if(NOT result STREQUAL 0)
        message(FATAL_ERROR "That failed, with ${result}.")
    endif()
endmacro()

# configure(<build directory> <option>...)
macro(configure directory)
    set(generator "")
    find_program(ninja NAMES ninja NO_CACHE)
    if(ninja AND NOT DEFINED ENV{CMAKE_GENERATOR} AND NOT EXISTS ${directory}/CMakeCache.txt)
        set(generator -G Ninja)
    endif()
    must(${CMAKE_COMMAND} ${ARGN} -S ${root} -B ${directory} ${generator})
endmacro()
