// Floor 3, sync/event: Event, which processes wait for.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <tuple> // std::tie

#include <multiprocessing/config.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/sync/shown.hpp>
#include <multiprocessing/sync/sleep.hpp>

namespace multiprocessing {

/// Something that happens, and that any number of processes wait for.
///
///     mp::Event ready;
///     mp::Process p([ready] { ready.wait(); fmt::print("go\n"); });
///     p.start();
///     ready.set();
///
/// - Copying shares the event. Constness is the handle's.
/// - Python: `multiprocessing.Event`. A wait() also ends when the event is set and cleared again before the waiter has
///   woken; Python may miss that. No wait depends on another waiter, alive or dead.
/// - Threads and processes: any. set(), clear() and is_set() may be called in a signal handler.
/// - When a process dies: a waiter is simply gone. Who dies in set() has set it or hasn't; when he could wake nobody
///   any more, the waiters find out within 50 ms.
/// - Errors: std::bad_alloc, when it is made.
/// - Growth: 32 bytes. A system call only where somebody sleeps.
class Event {
public:
    Event() : state_(memory::handle<state>::create()) {}

    [[nodiscard]] bool is_set() const noexcept { return (state_->word.load(std::memory_order_acquire) & set_bit) != 0; }

    void set() const noexcept {
        auto& word = state_->word;
        std::uint32_t seen = word.load(std::memory_order_relaxed);
        do {
            if ((seen & set_bit) != 0) return;
        } while (!word.compare_exchange_weak(seen, ((seen | low_bits) + 1) | set_bit, std::memory_order_seq_cst));
        MULTIPROCESSING_STEP(event_set);
        if ((seen & sleepers_bit) != 0) os::wake_all(word);
        MULTIPROCESSING_STEP(event_sleepers_woken);
    }

    void clear() const noexcept {
        state_->word.fetch_and(~set_bit, std::memory_order_acq_rel);
        MULTIPROCESSING_STEP(event_cleared);
    }

    /// Until it is set. True.
    bool wait() const { return wait(os::deadline::never()); }
    /// So long at most. Whether it was set.
    template <typename Rep, typename Period>
    bool wait(std::chrono::duration<Rep, Period> timeout) const {
        return wait(os::deadline(timeout));
    }

private:
    // The word: whether it is set, whether somebody may sleep, and how often it has been set, so that who slept through
    // a set and a clear knows.
    static constexpr std::uint32_t set_bit = 1;
    static constexpr std::uint32_t sleepers_bit = 2;
    static constexpr std::uint32_t low_bits = set_bit | sleepers_bit;

    struct state {
        std::atomic<std::uint32_t> word{0};
    };

    friend struct memory::access;
    explicit Event(memory::nothing_t) noexcept {}
    auto parts() noexcept { return std::tie(state_); }

    bool wait(const os::deadline& until) const;

    memory::handle<state> state_;
};

inline bool Event::wait(const os::deadline& until) const {
    auto& word = state_->word;
    const std::uint32_t first = word.load(std::memory_order_acquire);
    if ((first & set_bit) != 0) return true;
    const auto happened = [&](std::uint32_t seen) {
        return (seen & set_bit) != 0 || (seen | low_bits) != (first | low_bits);
    };
    if (until.passed()) return false;
    if (os::spin_for([&] { return happened(word.load(std::memory_order_acquire)); })) return true;
    for (;;) {
        std::uint32_t seen = word.load(std::memory_order_acquire);
        if (happened(seen)) return true;
        if (until.passed()) return false;
        if ((seen & sleepers_bit) == 0 && !word.compare_exchange_weak(seen, seen | sleepers_bit)) continue;
        MULTIPROCESSING_STEP(event_sleeper_noted);
        sync::sleep_on(word, seen | sleepers_bit, until);
    }
}

} // namespace multiprocessing
