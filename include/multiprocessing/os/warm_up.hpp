// Floor 1, os/warm_up: done once by who forks, so that none of its children has to.
#pragma once

#include <csignal>
#include <cstdio>
#include <mutex> // std::call_once

#include <fcntl.h>     // open
#include <signal.h>    // sigaltstack, sigaction
#include <stdio_ext.h> // __fpurge
#include <unistd.h>    // close, dup2

#include <multiprocessing/os/crash.hpp>

namespace multiprocessing::os {

/// Has the dynamic linker bind, and the libraries load, what a child uses in its first moments. A child inherits what its parent
/// has bound; what is bound in a child each of them binds anew, and the pages that the linker reads and writes for it are faults
/// of each: 20 of 47, and a third of the time that it took to start and join one.
///
/// - Threads: any. Across fork(): a child is warm.
inline void warm_up() {
    static std::once_flag once;
    std::call_once(once, [] {
        get_ready_to_tell_crashes();
        // Questions alone; the answers don't matter.
        stack_t stack{};
        static_cast<void>(::sigaltstack(nullptr, &stack));
        struct sigaction action{};
        sigemptyset(&action.sa_mask);
        static_cast<void>(::sigaction(SIGSEGV, nullptr, &action));
        static_cast<void>(::dup2(-1, -1)); // EBADF
        static_cast<void>(::close(-1));
        static_cast<void>(::open("", O_RDONLY | O_CLOEXEC)); // ENOENT
        if (std::FILE* const nothing = std::fopen("/dev/null", "re")) {
            ::__fpurge(nothing);
            std::fclose(nothing);
        }
    });
}

} // namespace multiprocessing::os
