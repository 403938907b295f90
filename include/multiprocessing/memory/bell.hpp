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
/// | (its rousing bit) | set by who wakes one of them; cleared by any sleeper that is back | no more wake-ups until disturb() or a sleeper looks by itself |
///
/// No wake-up is lost: the sleeper counts itself, then looks; the ringer changes, then reads the count; each with a full
/// fence in between. While one sleeper is being roused, which may take long where there are more processes than processors,
/// nobody else is: the one looks when it is back, after it has cleared the bit, and sees all that was changed before. So who
/// takes something and leaves more for others who sleep rings too. A count that the dead left costs a call a ring, and ends with the burial: disturb() begins a new
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
    bool await(Ready ready, const os::deadline& until, const std::chrono::nanoseconds& longest_nap) {
        return os::spin_for([&] { return ready(); }) || sleep(ready, until, longest_nap);
    }
    /// The same for who has spun already.
    template <typename Ready>
    bool sleep(Ready ready, const os::deadline& until, const std::chrono::nanoseconds& longest_nap);

    void ring_one() noexcept { rouse(asleep_.fetch_add(0)); } // not a fence and a load: thread sanitizers don't know fences
    void ring_all() noexcept {
        if (count_of(asleep_.fetch_add(0)) != 0) wake(true);
    }
    /// For who has made the change by a read-modify-write, which is a fence itself.
    void ring_one_fenced() noexcept { rouse(asleep_.load()); }
    void ring_all_fenced() noexcept {
        if (anybody_sleeps()) wake(true);
    }

    /// Somebody died.
    void disturb() noexcept;

    [[nodiscard]] bool anybody_sleeps() const noexcept { return count_of(asleep_.load()) != 0; }

private:
    static constexpr std::uint64_t rousing = std::uint64_t{1} << 31;
    static std::uint64_t count_of(std::uint64_t word) noexcept { return word & (rousing - 1); }

    void rouse(std::uint64_t word) noexcept {
        if (count_of(word) == 0 || (word & rousing) != 0) return;
        while (!asleep_.compare_exchange_weak(word, word | rousing))
            if (count_of(word) == 0 || (word & rousing) != 0) return;
        MULTIPROCESSING_STEP(bell_rousing);
        wake(false);
    }
    void withdraw(std::uint64_t epoch) noexcept {
        std::uint64_t word = asleep_.load();
        while (word >> 32 == epoch && !asleep_.compare_exchange_weak(word, (word & ~rousing) - 1)) {}
        MULTIPROCESSING_STEP(bell_awake);
    }
    void wake(bool everybody) noexcept;

    std::atomic<std::uint32_t> rings_{0};
    std::atomic<std::uint64_t> asleep_{0}; // epoch << 32 | rousing | sleepers
};

template <typename Ready>
bool bell::sleep(Ready ready, const os::deadline& until, const std::chrono::nanoseconds& longest_nap) {
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
