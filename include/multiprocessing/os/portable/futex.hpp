// Floor 1, os/futex anywhere: naps. The functions are described in os/futex.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime> // nanosleep

#include <multiprocessing/os/deadline.hpp>

namespace multiprocessing::os::portable {

/// Correct and slow: nobody is woken, everybody looks again, after naps of 32 us doubled up to 4 ms. It then returns,
/// so that a word which changed and changed back between two looks costs its sleeper some milliseconds and not for
/// ever.
inline bool sleep_on(const std::atomic<std::uint32_t>& word, std::uint32_t seen, const deadline& until) {
    using std::chrono::nanoseconds;
    constexpr nanoseconds shortest = std::chrono::microseconds(32);
    constexpr nanoseconds longest = std::chrono::milliseconds(4);
    for (nanoseconds nap = shortest; nap <= longest; nap *= 2) {
        if (word.load(std::memory_order_acquire) != seen) return true;
        if (until.passed()) return false;
        const timespec time{0, static_cast<long>(std::min(nap, until.left()).count())};
        ::nanosleep(&time, nullptr); // interrupted: one nap was shorter
    }
    return !until.passed();
}

inline void wake_one(std::atomic<std::uint32_t>&) noexcept {}

inline void wake_all(std::atomic<std::uint32_t>&) noexcept {}

} // namespace multiprocessing::os::portable
