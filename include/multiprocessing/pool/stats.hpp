// Floor 9, pool/stats: what the workers of a pool have done.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/os/self.hpp>

namespace multiprocessing {

/// What the workers of a pool have done so far; heirs included, for their calls' time.
///
///     const auto all = pool.stats();
///     fmt::print("{} items, {:.0f} % busy\n", all.total.tasks, 100 * all.total.busy());
struct PoolStats {
    struct Worker {
        pid_t pid = 0;                       ///< of who stands there now
        std::uint64_t tasks = 0;             ///< items and single tasks, also of its predecessors
        std::uint64_t chunks = 0;            ///< claims
        std::chrono::nanoseconds working{};  ///< from a claim to the next one, or to its end
        /// Of that: unpacking items and arguments, packing results and handing them over. What isn't packed (numbers, structs of
        /// numbers, items that were inherited) takes none. Of a map a sample of the items is measured.
        std::chrono::nanoseconds transferring{};
        std::chrono::nanoseconds alive{};    ///< since the present one began
        std::chrono::nanoseconds starting{}; ///< the present one's start, its initializer included
        std::uint64_t result_bytes = 0;      ///< of results that had to be packed
        std::uint64_t peak_memory = 0;       ///< the most it had in memory, bytes; in total: the most of one. Seen when it is idle.

        [[nodiscard]] std::chrono::nanoseconds waiting() const noexcept { return alive > working ? alive - working : alive.zero(); }
        /// Its share of the time, 0 to 1.
        [[nodiscard]] double busy() const noexcept {
            return alive.count() == 0 ? 0 : static_cast<double>(working.count()) / static_cast<double>(alive.count());
        }
    };
    std::vector<Worker> workers;
    Worker total;
    std::uint64_t started = 0; ///< processes, from the beginning on
};

} // namespace multiprocessing
