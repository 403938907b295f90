// Floor 1, os/program: starting a program in a new process.
#pragma once

#include <cstddef>
#include <cstdio>  // std::fflush
#include <cstdlib> // std::getenv
#include <cstring> // std::strncmp
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h> // fcntl
#include <spawn.h> // posix_spawn
#include <unistd.h>

#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// A program, and what it finds when it starts.
struct program {
    std::string path;                       ///< of the executable; it isn't looked for anywhere else
    std::vector<std::string> arguments;     ///< the first is what it is called
    std::map<std::string, std::string> env; ///< variables beside those of this process, or instead of them
    std::vector<int> descriptors;           ///< its descriptors 3, 4, ...; it has no others but the standard streams
};

/// Starts it in a new process, which doesn't die with this one by itself.
///
/// It isn't forked: other threads may hold what locks they like. It starts with no signal blocked.
///
/// - Threads: any.
/// - Errors: std::system_error with the reason why the program can't be run, or why there can't be another process. Then there
///   is none.
inline child start_program(const program& what);

/// Takes a variable out of the environment, so that no program that is started later finds it. Before there are threads.
inline std::optional<std::string> take_variable(const char* name);

/// Owns a descriptor that this program was started with.
inline descriptor take_inherited(int fd) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return descriptor(fd);
}

namespace detail {

/// Releases what posix_spawn's actions and attributes hold.
struct spawn_settings {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    spawn_settings() {
        check(::posix_spawn_file_actions_init(&actions));
        if (const int code = ::posix_spawnattr_init(&attributes)) {
            ::posix_spawn_file_actions_destroy(&actions);
            check(code);
        }
    }
    spawn_settings(const spawn_settings&) = delete;
    spawn_settings& operator=(const spawn_settings&) = delete;
    ~spawn_settings() {
        ::posix_spawnattr_destroy(&attributes);
        ::posix_spawn_file_actions_destroy(&actions);
    }
    static void check(int code) {
        if (code != 0) throw_error(code, "cannot prepare the start of a program");
    }
};

/// This process's environment with these variables instead of those of their names.
inline std::vector<std::string> environment_with(const std::map<std::string, std::string>& others) {
    std::vector<std::string> all;
    for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
        const std::string entry = *each;
        if (!others.contains(entry.substr(0, entry.find('=')))) all.push_back(entry);
    }
    for (const auto& [name, value] : others) all.push_back(name + '=' + value);
    return all;
}

inline std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

} // namespace detail

inline child start_program(const program& what) {
    // Out of the way of the numbers that they will have there, or one would be overwritten before it is moved.
    constexpr int first = 3;
    const int end = first + static_cast<int>(what.descriptors.size());
    std::vector<descriptor> moved;
    for (const int fd : what.descriptors) {
        moved.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, end));
        if (!moved.back()) throw_errno("cannot hand descriptor {} to {}", fd, what.path);
    }
    detail::spawn_settings settings;
    for (int i = 0; i < end - first; ++i)
        settings.check(::posix_spawn_file_actions_adddup2(&settings.actions, moved[static_cast<std::size_t>(i)].get(), first + i));
#if defined(__GLIBC_PREREQ)
#    if __GLIBC_PREREQ(2, 34)
    settings.check(::posix_spawn_file_actions_addclosefrom_np(&settings.actions, end));
#    endif
#endif
    sigset_t none;
    sigemptyset(&none);
    settings.check(::posix_spawnattr_setsigmask(&settings.attributes, &none));
    settings.check(::posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETSIGMASK));

    std::vector<std::string> arguments = what.arguments;
    std::vector<std::string> environment = detail::environment_with(what.env);
    const auto argv = detail::pointers_to(arguments);
    const auto envp = detail::pointers_to(environment);
    return hold_child([&] {
        std::fflush(nullptr);
        pid_t number = 0;
        const int code =
            ::posix_spawn(&number, what.path.c_str(), &settings.actions, &settings.attributes, argv.data(), envp.data());
        if (code != 0) throw_error(code, "cannot run {}", what.path);
        return number;
    });
}

inline std::optional<std::string> take_variable(const char* name) {
    const char* const value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    std::string text = value;
    ::unsetenv(name);
    return text;
}

} // namespace multiprocessing::os
