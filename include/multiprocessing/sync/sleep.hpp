// Floor 3, sync/sleep: sleeping until somebody wakes one who may be killed before he does.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>

namespace multiprocessing::sync {

/// Who changes a word and is killed before he wakes those who sleep on it has woken nobody. So nobody sleeps longer
/// than this without a look.
inline constexpr std::chrono::milliseconds longest_sleep{50};

/// As os::sleep_on, but returns true after `longest_sleep` too.
inline bool sleep_on(const std::atomic<std::uint32_t>& word, std::uint32_t seen, const os::deadline& until,
                     std::chrono::milliseconds longest = longest_sleep) {
    const os::deadline soon = os::deadline::after(longest);
    if (until < soon) return os::sleep_on(word, seen, until);
    os::sleep_on(word, seen, soon);
    return true;
}

} // namespace multiprocessing::sync
