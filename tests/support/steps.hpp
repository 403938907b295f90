// Dying on cue: a test arms a process to be killed at its k-th MULTIPROCESSING_STEP.
//
//     const pid_t child = ::fork();
//     if (child == 0) {
//         testing::arm(k);        // the k-th step from here is this process's last
//         work();
//         ::_exit(0);             // fewer than k steps
//     }
//     ::waitpid(child, ...);
//     INFO("killed at step " << testing::last_step());
#pragma once

#include <multiprocessing/config.hpp>

namespace testing {

/// From now on the steps of this process count, and at the k-th it dies by SIGKILL. 0: they are counted alone.
/// A child of fork() isn't armed, whatever its parent was, until it calls this itself. All threads count together.
void arm(unsigned k) noexcept;

/// From now on steps cost nothing and do nothing.
void disarm() noexcept;

/// How many steps the process that armed itself last has made: this one, or a child, dead or alive.
unsigned steps_seen() noexcept;

/// The name of the last of them: where a child died. Empty if there was none.
const char* last_step() noexcept;

} // namespace testing
