// Floor 1, os/parent: the process that started this one, seen from here.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime> // nanosleep

#include <sys/syscall.h>
#include <unistd.h> // getppid, syscall

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::os {

/// Whether the process that started this one still runs, and waiting for its end. `started`: its os::start_time, if another
/// process forked this one on its behalf; 0, if it did so itself.
///
///     const os::parent creator(pid);                            // os::pid() as the parent saw it
///     creator.wait(os::deadline::never());
///
/// - Python: what `parent_process()` gives, with the pipe that CPython keeps open for it.
/// - Threads: safe.
/// - Across fork(): a child makes its own, of its own parent; a copy is of no use to it.
/// - When that process dies: it has ended from the moment that its last thread has, also while nobody has reaped it.
///   Where there is no pidfd (the portable back end), wait() looks once every five milliseconds.
/// - Errors: std::system_error when there is no free descriptor.
class parent {
public:
    explicit parent(pid_t pid, std::uint64_t started = 0);

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] bool is_alive() const { return !wait(deadline::after(std::chrono::nanoseconds::zero())); }

    /// True when it has ended, false when the deadline passed.
    bool wait(const deadline& until) const;

private:
    pid_t pid_;
    std::uint64_t started_;
    descriptor pidfd_; // none: it has ended
};

#if !MULTIPROCESSING_PORTABLE()

inline parent::parent(pid_t pid, std::uint64_t started)
    : pid_(pid), started_(started), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
    if (!pidfd_ && errno != ESRCH) throw_errno("cannot watch the parent process {}", pid);
    // Another process may have got its number before the pidfd was opened. If it is our parent still, or started when it did,
    // after that, it was then.
    if (started_ != 0 ? start_time(pid) != started_ : ::getppid() != pid) pidfd_.reset();
}

inline bool parent::wait(const deadline& until) const {
    return !pidfd_ || wait_readable(pidfd_.get(), until);
}

#else

inline parent::parent(pid_t pid, std::uint64_t started) : pid_(pid), started_(started) {}

inline bool parent::wait(const deadline& until) const {
    while (started_ != 0 ? os::is_alive(pid_, started_) : ::getppid() == pid_) {
        if (until.passed()) return false;
        const timespec moment{0, 5'000'000};
        ::nanosleep(&moment, nullptr); // EINTR: looks again at once
    }
    return true;
}

#endif

} // namespace multiprocessing::os
