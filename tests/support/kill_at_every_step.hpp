// A member of the family is killed after its K-th step in shared memory, for every K; the survivor looks at what is left.
#pragma once

#include <csignal>
#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/family.hpp>

#include "support/catch.hpp"
#include "support/steps.hpp"

namespace testing {

/// Forks a member that runs `body`, armed to die at its step `k` (0: never). It has ended, and is buried unless told
/// otherwise, when this returns. True if it was killed, false if it lived to the end.
template <typename Body>
bool run_and_kill_at(unsigned k, Body body, bool bury = true) {
    multiprocessing::memory::birth birth;
    std::fflush(nullptr);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        birth.in_child();
        if (k != 0) arm(k);
        try {
            body();
        } catch (...) {
            ::_exit(42);
        }
        disarm();
        ::_exit(0);
    }
    birth.in_parent(child);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {}
    if (bury) multiprocessing::memory::bury(birth.slot());
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
    return false;
}

/// Runs `body` in one child after another, killed after step 1, 2, 3, ... until one lives to the end; `check(k)` after
/// each death. Returns the number of steps there were.
template <typename Body, typename Check>
unsigned kill_at_every_step(Body body, Check check) {
    for (unsigned k = 1;; ++k) {
        if (!run_and_kill_at(k, body)) return k - 1;
        INFO("killed at step " << k);
        check(k);
    }
}

} // namespace testing
