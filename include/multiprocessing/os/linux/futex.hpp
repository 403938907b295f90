// Floor 1, os/futex on Linux: the system call. The functions are described in os/futex.
#pragma once

#include <atomic>
#include <climits> // INT_MAX
#include <cstdint>
#include <ctime> // timespec

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h> // syscall

#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os::on_linux {

static_assert(sizeof(std::atomic<std::uint32_t>) == 4 && std::atomic<std::uint32_t>::is_always_lock_free);

inline bool sleep_on(const std::atomic<std::uint32_t>& word, std::uint32_t seen, const deadline& until) {
    const timespec time = until.absolute();
    // The bitset variant takes a point in time where the plain one takes a duration. Not PRIVATE: processes share the
    // word.
    const timespec* const limit = until.is_never() ? nullptr : &time;
    const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, seen, limit, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (result == 0) return true;
    if (errno == ETIMEDOUT) return false;
    if (errno == EAGAIN || errno == EINTR) return true; // the word had changed; a signal came
    throw_errno("cannot sleep on the word at {}", static_cast<const void*>(&word));
}

// EFAULT is ignored in both: who found the object free may have unmapped it, and then nobody sleeps there.

inline void wake_one(std::atomic<std::uint32_t>& word) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

inline void wake_all(std::atomic<std::uint32_t>& word) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

} // namespace multiprocessing::os::on_linux
