# What demo.cmake, check.cmake and benchmarks/run.cmake need of this machine: looked for by asking the compiler, and installed
# with the system's package manager where it is missing.
#
#     include(dependencies.cmake)
#     provide(library)            # or: provide(library tests), provide(library benchmarks)
#
# Says what it is about to do and why before it does it. Where it can't, the script ends, with one sentence that names the
# packages and the command that installs them.

cmake_minimum_required(VERSION 3.23)

set(gcc_oldest 12)
set(clang_oldest 14)
set(boost_oldest 107500) # BOOST_VERSION: 1.75 brought PFR
set(boost_minor_oldest 75)

# What each set of needs consists of: parts, in the words below.
set(parts_of_library compiler build_tool boost cereal fmt)
set(parts_of_tests catch2 pkg_config)
set(parts_of_benchmarks nlohmann_json)

set(name_of_compiler "a C++20 compiler (g++ ${gcc_oldest} or clang++ ${clang_oldest}, or newer)")
set(name_of_build_tool "make or ninja")
set(name_of_boost "Boost 1.75 or newer (boost/interprocess, boost/pfr.hpp)")
set(name_of_cereal "cereal")
set(name_of_fmt "fmt")
set(name_of_catch2 "Catch2")
set(name_of_pkg_config "pkg-config")
set(name_of_nlohmann_json "nlohmann-json")

# ---- What is here ----

# Sets `missing` to those of the parts that are, and `reasons` to why, in words.
function(find_missing)
    set(missing "")
    set(reasons "")
    macro(miss part reason)
        list(APPEND missing ${part})
        list(APPEND reasons "${reason}")
    endmacro()

    find_program(make_found NAMES ninja make gmake NO_CACHE)
    if(build_tool IN_LIST ARGN AND NOT make_found)
        miss(build_tool "${name_of_build_tool}")
    endif()
    find_program(pkg_config_found NAMES pkg-config NO_CACHE)
    if(pkg_config IN_LIST ARGN AND NOT pkg_config_found)
        miss(pkg_config "${name_of_pkg_config}")
    endif()

    if(DEFINED ENV{CXX})
        separate_arguments(compiler_found UNIX_COMMAND "$ENV{CXX}") # it may have options
    else()
        find_program(compiler_found NAMES c++ g++ clang++ NO_CACHE)
    endif()
    set(headers ${ARGN})
    list(REMOVE_ITEM headers compiler build_tool pkg_config)
    if(NOT compiler_found)
        miss(compiler "${name_of_compiler}")
        foreach(part IN LISTS headers) # nobody there to ask
            miss(${part} "${name_of_${part}}")
        endforeach()
    else()
        # One look by the preprocessor, which knows where this compiler looks.
        string(RANDOM LENGTH 8 unique)
        set(question /tmp/multiprocessing-question-${unique}.cpp)
        if(DEFINED ENV{TMPDIR})
            set(question $ENV{TMPDIR}/multiprocessing-question-${unique}.cpp)
        endif()
        file(WRITE ${question} "
            #if (defined(__clang__) && __clang_major__ < ${clang_oldest}) || (!defined(__clang__) && __GNUC__ < ${gcc_oldest})
            answer compiler
            #endif
            #if __has_include(<boost/version.hpp>)
            #include <boost/version.hpp>
            #endif
            #if !defined(BOOST_VERSION) || BOOST_VERSION < ${boost_oldest} || !__has_include(<boost/pfr.hpp>) || !__has_include(<boost/interprocess/mapped_region.hpp>)
            answer boost
            #endif
            #if !__has_include(<cereal/cereal.hpp>)
            answer cereal
            #endif
            #if !__has_include(<fmt/format.h>)
            answer fmt
            #endif
            #if !__has_include(<catch2/catch.hpp>) && !__has_include(<catch2/catch_all.hpp>)
            answer catch2
            #endif
            #if !__has_include(<nlohmann/json.hpp>)
            answer nlohmann_json
            #endif
        ")
        execute_process(
            COMMAND ${compiler_found} -std=c++20 -E -x c++ ${question}
            RESULT_VARIABLE result
            OUTPUT_VARIABLE answers
            ERROR_QUIET
        )
        file(REMOVE ${question})
        if(NOT result STREQUAL 0) # it doesn't know -std=c++20
            set(answers "answer compiler")
        endif()
        foreach(part compiler ${headers})
            if(part IN_LIST ARGN AND answers MATCHES "answer ${part}")
                miss(${part} "${name_of_${part}}")
            endif()
        endforeach()
    endif()
    set(missing "${missing}" PARENT_SCOPE)
    set(reasons "${reasons}" PARENT_SCOPE)
endfunction()

# ---- How it is installed ----

# apt-get is first: a Debian may have others lying about. `--no-remove`: nothing that somebody installed gives way to ours.
set(managers apt-get dnf pacman zypper apk)
set(install_by_apt-get apt-get install --yes --no-install-recommends --no-remove)
set(install_by_dnf dnf install --assumeyes)
set(install_by_pacman pacman --sync --needed --noconfirm)
set(install_by_zypper zypper --non-interactive install)
set(install_by_apk apk add)
set(refresh_by_apt-get apt-get update)
set(refresh_by_apk apk update)
set(by_hand_apt-get apt-get install) # as one types it
set(by_hand_dnf dnf install)
set(by_hand_pacman pacman -S)
set(by_hand_zypper zypper install)
set(by_hand_apk apk add)

set(packages_of_apt-get_compiler g++)
set(packages_of_apt-get_build_tool make)
set(packages_of_apt-get_cereal libcereal-dev)
set(packages_of_apt-get_fmt libfmt-dev)
set(packages_of_apt-get_catch2 catch2)
set(packages_of_apt-get_pkg_config pkg-config)
set(packages_of_apt-get_nlohmann_json nlohmann-json3-dev)

set(packages_of_dnf_compiler gcc-c++)
set(packages_of_dnf_build_tool make)
set(packages_of_dnf_boost boost-devel)
set(packages_of_dnf_cereal cereal-devel)
set(packages_of_dnf_fmt fmt-devel)
set(packages_of_dnf_catch2 catch-devel)
set(packages_of_dnf_pkg_config pkgconf-pkg-config)
set(packages_of_dnf_nlohmann_json json-devel)

set(packages_of_pacman_compiler gcc)
set(packages_of_pacman_build_tool make)
set(packages_of_pacman_boost boost)
set(packages_of_pacman_cereal cereal)
set(packages_of_pacman_fmt fmt)
set(packages_of_pacman_catch2 catch2)
set(packages_of_pacman_pkg_config pkgconf)
set(packages_of_pacman_nlohmann_json nlohmann-json)

set(packages_of_zypper_compiler gcc-c++)
set(packages_of_zypper_build_tool make)
set(packages_of_zypper_boost libboost_headers-devel)
set(packages_of_zypper_cereal cereal-devel)
set(packages_of_zypper_fmt fmt-devel)
set(packages_of_zypper_catch2 Catch2-devel)
set(packages_of_zypper_pkg_config pkg-config)
set(packages_of_zypper_nlohmann_json nlohmann_json-devel)

set(packages_of_apk_compiler g++ musl-dev)
set(packages_of_apk_build_tool make)
set(packages_of_apk_boost boost-dev)
set(packages_of_apk_cereal cereal)
set(packages_of_apk_fmt fmt-dev)
set(packages_of_apk_catch2 catch2)
set(packages_of_apk_pkg_config pkgconf)
set(packages_of_apk_nlohmann_json nlohmann-json)

# Debian and Ubuntu have Boosts of several versions beside the default, libboost-dev, whose version may be too old: then it is
# the newest of the others, since two of them can't be installed together.
function(choose_apt_boost)
    execute_process(COMMAND apt-cache show libboost-dev OUTPUT_VARIABLE shown ERROR_QUIET)
    set(packages_of_apt-get_boost libboost-dev PARENT_SCOPE)
    if(shown MATCHES "Version: 1\\.([0-9]+)" AND CMAKE_MATCH_1 GREATER_EQUAL boost_minor_oldest)
        return()
    endif()
    execute_process(COMMAND apt-cache pkgnames libboost1. OUTPUT_VARIABLE names ERROR_QUIET)
    string(REGEX MATCHALL "libboost1\\.[0-9]+-dev\n" names "${names}")
    set(newest ${boost_minor_oldest})
    foreach(name IN LISTS names)
        string(REGEX REPLACE "libboost1\\.([0-9]+)-dev.*" "\\1" minor ${name})
        if(minor GREATER_EQUAL newest)
            set(newest ${minor})
            set(packages_of_apt-get_boost libboost1.${minor}-dev PARENT_SCOPE)
        endif()
    endforeach()
endfunction()

# Ubuntu 22.04's g++ is 11, and has g++-12 beside it.
function(choose_apt_compiler)
    find_program(compiler_found NAMES c++ g++ NO_CACHE)
    if(compiler_found) # and is too old
        set(packages_of_apt-get_compiler g++-${gcc_oldest} PARENT_SCOPE)
    endif()
endfunction()

# ---- The whole ----

# Not a function: its message is then the script's last word.
macro(give_up sentence)
    message(FATAL_ERROR "${sentence}")
endmacro()

macro(provide)
    if(NOT CMAKE_HOST_SYSTEM_NAME STREQUAL Linux)
        give_up("This version of the library runs on Linux alone.")
    endif()
    set(parts "")
    foreach(purpose ${ARGN})
        list(APPEND parts ${parts_of_${purpose}})
    endforeach()
    find_missing(${parts})
    if(missing)
        list(JOIN reasons ", " reasons)
        set(manager "")
        foreach(candidate IN LISTS managers)
            find_program(manager_found NAMES ${candidate} NO_CACHE)
            if(manager_found AND NOT manager)
                set(manager ${candidate})
            endif()
            unset(manager_found)
        endforeach()
        if(NOT manager)
            give_up("Missing here, with no package manager that this script knows to install it: ${reasons}.")
        endif()

        # As root, by sudo without a question, or by sudo with one where somebody sits.
        execute_process(COMMAND id -u OUTPUT_VARIABLE user OUTPUT_STRIP_TRAILING_WHITESPACE)
        find_program(sudo_found NAMES sudo NO_CACHE)
        set(may_install FALSE)
        set(sudo "")
        set(whose "")
        if(user STREQUAL 0)
            set(may_install TRUE)
        elseif(NOT sudo_found)
            set(whose ", as root")
        else()
            set(sudo sudo)
            execute_process(COMMAND sudo -n true RESULT_VARIABLE asks OUTPUT_QUIET ERROR_QUIET)
            execute_process(COMMAND test -t 0 RESULT_VARIABLE nobody_there)
            if(asks STREQUAL 0 OR nobody_there STREQUAL 0)
                set(may_install TRUE)
            endif()
        endif()

        if(may_install)
            message("Missing here: ${reasons}. It will be installed by ${manager}.")
            if(DEFINED refresh_by_${manager})
                execute_process(COMMAND ${sudo} ${refresh_by_${manager}} COMMAND_ECHO STDOUT) # what is known may do
            endif()
        endif()
        if(manager STREQUAL "apt-get")
            choose_apt_boost()
            if(compiler IN_LIST missing)
                choose_apt_compiler()
            endif()
        endif()
        set(packages "")
        foreach(part IN LISTS missing)
            list(APPEND packages ${packages_of_${manager}_${part}})
        endforeach()
        list(JOIN packages " " packages_in_words)
        list(JOIN by_hand_${manager} " " by_hand)
        string(STRIP "${sudo} ${by_hand} ${packages_in_words}" by_hand)
        if(NOT may_install)
            give_up("Missing here: ${reasons}; this installs it${whose}:\n    ${by_hand}")
        endif()

        set(ENV{DEBIAN_FRONTEND} noninteractive)
        execute_process(COMMAND ${sudo} ${install_by_${manager}} ${packages} COMMAND_ECHO STDOUT RESULT_VARIABLE result)
        if(NOT result STREQUAL 0)
            give_up("Missing here: ${reasons}; ${manager} couldn't install it, for the reason above; by hand:\n    ${by_hand}")
        endif()
        if(packages_in_words MATCHES "g\\+\\+-([0-9]+)")
            set(ENV{CXX} g++-${CMAKE_MATCH_1})
        endif()
        find_missing(${parts})
        if(missing)
            list(JOIN reasons ", " reasons)
            give_up("Still missing after installing ${packages_in_words}: ${reasons}.")
        endif()
    endif()
endmacro()
