# cmake -D CHECK=<check_floors.cmake> -D SCRATCH=<dir> -P floors_go_red.cmake
# Breaks each rule of the floors once, in a tree of its own, and wants the check to say so.

cmake_minimum_required(VERSION 3.23)

# A whole house that keeps the rules: what each case starts from.
function(build_house)
    file(REMOVE_RECURSE ${SCRATCH})
    set(root ${SCRATCH}/multiprocessing)
    file(WRITE ${root}/config.hpp "// Floor 0.\n#pragma once\n")
    file(WRITE ${root}/os/low.hpp "#pragma once\n#include <unistd.h>\n#include <multiprocessing/config.hpp>\n")
    file(WRITE ${root}/memory/high.hpp "#include <vector> // [a;\n#include <fmt/format.h>\n#include <multiprocessing/os/low.hpp>\nint code;\n")
    file(WRITE ${root}/memory/beside.hpp "// #include <multiprocessing/pool.hpp>\n#include <multiprocessing/memory/high.hpp>\n")
    file(WRITE ${root}/pool.hpp "// The door.\n#pragma once\n\n#include <multiprocessing/memory/beside.hpp>\n")
    file(WRITE ${root}/multiprocessing.hpp "/* All\n   of it */\n#pragma once\n#include <multiprocessing/pool.hpp> // one door\n")
endfunction()

function(run_check)
    execute_process(
        COMMAND ${CMAKE_COMMAND} -D INCLUDE_DIR=${SCRATCH} -P ${CHECK}
        RESULT_VARIABLE result
        ERROR_VARIABLE said
    )
    set(result ${result} PARENT_SCOPE)
    set(said "${said}" PARENT_SCOPE)
endfunction()

build_house()
run_check()
if(NOT result EQUAL 0)
    message(FATAL_ERROR "The house that keeps every rule was refused:\n${said}")
endif()

# goes_red(<words of the verdict> <header> <line added to it>)
function(goes_red verdict header line)
    build_house()
    file(APPEND ${SCRATCH}/multiprocessing/${header} "${line}\n")
    run_check()
    string(FIND "${said}" "${verdict}" found)
    if(result EQUAL 0 OR found EQUAL -1)
        message(SEND_ERROR "With\n    ${line}\nin ${header}, the check was to say\n    ${verdict}\nbut it said (${result})\n${said}")
    endif()
endfunction()

goes_red("os/low.hpp looks up to memory/high.hpp" os/low.hpp "#include <multiprocessing/memory/high.hpp>")
goes_red("config.hpp looks up to os/low.hpp" config.hpp "#  include <multiprocessing/os/low.hpp>")
goes_red("memory/high.hpp goes through the door pool.hpp" memory/high.hpp "#include <multiprocessing/pool.hpp>")
goes_red("memory/high.hpp includes what isn't there" memory/high.hpp "#include <multiprocessing/os/gone.hpp>")
goes_red("cellar/deep.hpp stands in a folder that isn't a floor" cellar/deep.hpp "int code;")
goes_red("memory/high.hpp includes the system's <sys/mman.h>" memory/high.hpp "#include <sys/mman.h>")
goes_red("memory/high.hpp includes the system's <poll.h>" memory/high.hpp "#include <poll.h>")
goes_red("config.hpp includes the system's <unistd.h>" config.hpp "#include <unistd.h>")
goes_red("os/low.hpp makes everybody pay for <iostream>" os/low.hpp "#include <iostream>")
goes_red("memory/high.hpp includes something by a name" memory/high.hpp "#include \"beside.hpp\"")
goes_red("memory/high.hpp includes something by a name" memory/high.hpp "#include MACRO")
goes_red("pool.hpp is a door, and holds more than includes: int code" pool.hpp "int code;")
goes_red("a circle: memory/" memory/high.hpp "#include <multiprocessing/memory/beside.hpp>")
goes_red("a circle: config.hpp -> config.hpp" config.hpp "#include <multiprocessing/config.hpp>")
goes_red("os/lonely.hpp can't be reached from any door" os/lonely.hpp "int code;")
goes_red("multiprocessing.hpp doesn't lead to the door queues.hpp" queues.hpp "#include <multiprocessing/os/low.hpp>")
goes_red("memory/high.hpp gives a class a key function" memory/high.hpp "struct s { //\n    virtual int f();\n};")
goes_red("memory/high.hpp gives a class a key function" memory/high.hpp "struct s : t {\n    [[nodiscard]] int f() const override;\n};")
