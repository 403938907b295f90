// Floor 2, memory/bell: sleeping until somebody has changed something in shared memory.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <chrono>
#include <cstdint>

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>

namespace multiprocessing::memory {

/// Part of a shared object: who waits for a change of the object sleeps on it, who has made the change rings.
///
///     bell.await([&] { return take(item); }, os::deadline::never());       // there
///     change(); bell.ring_one();                                           // here: a load while nobody sleeps
///
/// | word   | who writes it                                                        | a writer killed in between leaves |
/// | ------ | -------------------------------------------------------------------- | --------------------------------- |
/// | rings  | who rings; sleepers compare it                                        | a sleeper who wakes for nothing   |
/// | asleep | a sleeper: + 1 before it looks for the last time, - 1 when it is back | one too many, until disturb()     |
///
/// No wake-up is lost: the sleeper counts itself, then looks; the ringer changes, then reads the count; each with a full
/// fence in between. A count that the dead left costs a call a ring, and ends with the burial: disturb() begins a new
/// epoch, in which nobody is counted, and wakes all who live, who count themselves again.
///
/// Who dies between its change and its ring, or after it was woken and before it took what it was woken for, leaves a
/// change that nobody was told of. So whoever buries it disturbs the sleepers of all that it held; and a sleeper
/// looks by itself too, 10 ms after it fell asleep, then 20, up to once a second, should nobody bury it.
///
/// All zeros: a bell on which nobody sleeps.
class bell {
public:
    /// Calls ready() until it says true, which may mean that it took something: it isn't asked again. False when the
    /// deadline passed.
    template <typename Ready>
    bool await(Ready ready, const os::deadline& until) {
        const std::chrono::nanoseconds longest = std::chrono::seconds(1);
        return await(ready, until, longest);
    }
    /// With another limit for the naps, which ready() may change.
    template <typename Ready>
    bool await(Ready ready, const os::deadline& until, const std::chrono::nanoseconds& longest_nap);

    void ring_one() noexcept {
        if (sleepers_after_fence() != 0) wake(false);
    }
    void ring_all() noexcept {
        if (sleepers_after_fence() != 0) wake(true);
    }
    /// For who has made the change by a read-modify-write, which is a fence itself.
    void ring_one_fenced() noexcept {
        if (anybody_sleeps()) wake(false);
    }

    /// Somebody died.
    void disturb() noexcept;

    [[nodiscard]] bool anybody_sleeps() const noexcept { return static_cast<std::uint32_t>(asleep_.load()) != 0; }

private:
    // Not a fence and a load: thread sanitizers don't know fences.
    [[nodiscard]] std::uint32_t sleepers_after_fence() noexcept { return static_cast<std::uint32_t>(asleep_.fetch_add(0)); }
    void withdraw(std::uint64_t epoch) noexcept {
        std::uint64_t counted = asleep_.load();
        while (counted >> 32 == epoch && !asleep_.compare_exchange_weak(counted, counted - 1)) {}
        MULTIPROCESSING_STEP(bell_awake);
    }
    void wake(bool everybody) noexcept;

    std::atomic<std::uint32_t> rings_{0};
    std::atomic<std::uint64_t> asleep_{0}; // epoch << 32 | sleepers
};

template <typename Ready>
bool bell::await(Ready ready, const os::deadline& until, const std::chrono::nanoseconds& longest_nap) {
    if (os::spin_for([&] { return ready(); })) return true;
    std::chrono::nanoseconds nap = std::chrono::milliseconds(10);
    while (!until.passed()) {
        const std::uint64_t epoch = asleep_.fetch_add(1) >> 32;
        MULTIPROCESSING_STEP(bell_announced);
        const std::uint32_t seen = rings_.load();
        bool is_ready = false;
        try {
            is_ready = ready();
            if (!is_ready) os::sleep_on(rings_, seen, std::min(until, os::deadline::after(std::min(nap, longest_nap))));
        } catch (...) {
            withdraw(epoch);
            throw;
        }
        withdraw(epoch);
        if (is_ready || ready()) return true;
        nap = std::min<std::chrono::nanoseconds>(2 * nap, std::chrono::seconds(1));
    }
    return false;
}

inline void bell::wake(bool everybody) noexcept {
    rings_.fetch_add(1);
    MULTIPROCESSING_STEP(bell_rung);
    everybody ? os::wake_all(rings_) : os::wake_one(rings_);
}

inline void bell::disturb() noexcept {
    std::uint64_t counted = asleep_.load();
    while (!asleep_.compare_exchange_weak(counted, ((counted >> 32) + 1) << 32)) {}
    MULTIPROCESSING_STEP(bell_disturbed);
    wake(true);
}

} // namespace multiprocessing::memory
