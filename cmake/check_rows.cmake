# cmake -P cmake/check_rows.cmake
#
# tests/conformance/README.md says of each row which test it has. Fails when a row is missing or stands twice, or when a test that
# is named there has nothing of that number in it.

cmake_minimum_required(VERSION 3.23)

get_filename_component(folder ${CMAKE_CURRENT_LIST_DIR}/../tests/conformance ABSOLUTE)
set(rows 324)
set(faults "")

file(STRINGS ${folder}/README.md lines REGEX "^\\| T[0-9]+ \\|")
set(seen "")
foreach(line IN LISTS lines)
    string(REGEX MATCH "^\\| (T[0-9]+) \\|" ignored "${line}")
    set(row ${CMAKE_MATCH_1})
    if(row IN_LIST seen)
        string(APPEND faults "\n  ${row} stands there twice")
    endif()
    list(APPEND seen ${row})
    # The last column. One with words beside the name was looked up by hand.
    if(NOT line MATCHES "\\| (\\[[^|]*\\.cpp\\)) \\|$")
        continue()
    endif()
    string(REGEX REPLACE "\\[[^]]*\\]" "" links "${CMAKE_MATCH_1}") # CMake's lists trip over brackets
    string(REGEX MATCHALL "[^() ,]+\\.cpp" links "${links}")
    foreach(file IN LISTS links)
        if(NOT EXISTS ${folder}/${file})
            string(APPEND faults "\n  ${row}: there is no ${file}")
            continue()
        endif()
        # "T051", or within "T014 to T016"
        file(READ ${folder}/${file} text)
        string(FIND "${text}" ${row} at)
        if(at LESS 0)
            set(found FALSE)
            string(REGEX MATCHALL "T[0-9]+ to T[0-9]+" ranges "${text}")
            foreach(range IN LISTS ranges)
                string(REGEX MATCH "T([0-9]+) to T([0-9]+)" ignored "${range}")
                if(row STRGREATER_EQUAL "T${CMAKE_MATCH_1}" AND row STRLESS_EQUAL "T${CMAKE_MATCH_2}")
                    set(found TRUE)
                endif()
            endforeach()
            if(NOT found)
                string(APPEND faults "\n  ${row}: ${file} doesn't name it")
            endif()
        endif()
    endforeach()
endforeach()
list(LENGTH seen count)
if(NOT count EQUAL rows)
    string(APPEND faults "\n  there are ${count} rows, not ${rows}")
endif()

if(faults)
    message(FATAL_ERROR "tests/conformance/README.md:${faults}")
endif()
