// Floor 1, os/private_lock: a lock among the threads of one process that fork() can be called under.
#pragma once

#include <atomic>
#include <cstdint>

#include <multiprocessing/os/futex.hpp>

namespace multiprocessing::os {

/// Mutual exclusion among the threads of one process, as std::mutex (lock_guard and unique_lock work). It may be held
/// across fork(): parent and child each unlock their own copy, because it knows no owner.
///
/// - Not for shared memory: nobody finds out that its holder died.
/// - Python: `util.ForkAwareThreadLock`.
class private_lock {
public:
    void lock() noexcept {
        if (try_lock() || spin_for([this] { return try_lock(); })) return;
        while (word_.exchange(contended, std::memory_order_acquire) != unlocked)
            sleep_on(word_, contended, deadline::never());
    }
    [[nodiscard]] bool try_lock() noexcept {
        std::uint32_t seen = unlocked;
        return word_.compare_exchange_strong(seen, locked, std::memory_order_acquire);
    }
    /// False when the deadline passed.
    [[nodiscard]] bool try_lock_until(const deadline& until) noexcept {
        if (try_lock() || spin_for([this] { return try_lock(); })) return true;
        while (word_.exchange(contended, std::memory_order_acquire) != unlocked)
            if (!sleep_on(word_, contended, until) && until.passed())
                return word_.exchange(contended, std::memory_order_acquire) == unlocked; // one wake-up too many, at worst
        return true;
    }
    void unlock() noexcept {
        if (word_.exchange(unlocked, std::memory_order_release) == contended) wake_one(word_);
    }

private:
    static constexpr std::uint32_t unlocked = 0;
    static constexpr std::uint32_t locked = 1;
    static constexpr std::uint32_t contended = 2; // locked, and somebody may sleep

    std::atomic<std::uint32_t> word_{unlocked};
};

} // namespace multiprocessing::os
