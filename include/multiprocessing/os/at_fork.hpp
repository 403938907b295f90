// Floor 1, os/at_fork: what must be done around every fork() of this process, whoever calls it.
#pragma once

#include <cerrno>

#include <pthread.h> // pthread_atfork

#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// Three functions for the rest of this process's life: `prepare` before a fork(), `parent` and `child` after it.
/// They run in the thread that forks; in the child that is the only thread there is.
struct fork_hooks {
    void (*prepare)() = nullptr;
    void (*parent)() = nullptr;
    void (*child)() = nullptr;
};

inline void at_fork(const fork_hooks& hooks) {
    errno = ::pthread_atfork(hooks.prepare, hooks.parent, hooks.child);
    if (errno != 0) throw_errno("cannot register what is to be done around fork()");
}

} // namespace multiprocessing::os
