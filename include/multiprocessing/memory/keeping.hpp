// Floor 2, memory/keeping: objects that belong to an object instead of to a process.
#pragma once

#include <atomic>
#include <cstdint>

#include <multiprocessing/config.hpp>

namespace multiprocessing::memory {

/// Stands first in an object that keeps others (a queue its messages on the way, and the rooms they lie in). What it keeps is
/// freed when it is.
///
/// Who is kept by whom stands in the kept objects' own records (records.hpp); here stands only between which numbers to
/// look for them. The range only grows, and before an object in it is kept, so a death leaves it too large at most.
struct keeping {
    std::atomic<std::uint32_t> below{0};  ///< one more than the highest number ever kept
    std::atomic<std::uint32_t> above{~0u}; ///< the lowest

    void cover(std::uint32_t id) noexcept {
        std::uint32_t lowest = above.load();
        while (id < lowest && !above.compare_exchange_weak(lowest, id)) {}
        std::uint32_t end = below.load();
        while (id >= end && !below.compare_exchange_weak(end, id + 1)) {}
        MULTIPROCESSING_STEP(keeping_covers);
    }
};

} // namespace multiprocessing::memory
