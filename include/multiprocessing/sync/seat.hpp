// Floor 3, sync/seat: who this process is in its family, without a lock.
#pragma once

#include <atomic>
#include <cstdint>

#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::sync {

namespace detail {

inline constinit std::atomic<std::uint64_t> known_seat{0};
inline constinit std::atomic<std::uint64_t> known_seat_of{~std::uint64_t{0}}; // which generation of this line of forks

} // namespace detail

/// As memory::family::here().self(), which is asked once in each process. Throws ProcessError when the family is full.
inline memory::seat seat_here() {
    const std::uint64_t generation = os::detail::generation.load(std::memory_order_relaxed);
    if (detail::known_seat_of.load(std::memory_order_acquire) != generation) {
        const memory::seat me = memory::family::here().self();
        detail::known_seat.store(std::uint64_t{me.slot} << 32 | me.generation, std::memory_order_relaxed);
        detail::known_seat_of.store(generation, std::memory_order_release);
        return me;
    }
    const std::uint64_t known = detail::known_seat.load(std::memory_order_relaxed);
    return {static_cast<std::uint32_t>(known >> 32), static_cast<std::uint32_t>(known)};
}

} // namespace multiprocessing::sync
