// Floor 10, manager/waiting: how a call waits in a server, for what other calls change.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>

namespace multiprocessing::manager {

/// Until when a call that waits sleeps at most, before it looks whether its caller is there.
[[nodiscard]] inline os::deadline next_look(const os::deadline& until) noexcept {
    return std::min(until, os::deadline::after(std::chrono::milliseconds(look_every_ms)));
}
/// EOFError when nobody waits for the answer any more.
inline void demand_there(const caller& who) {
    if (!who.is_there()) throw EOFError("who called doesn't wait any more, or the manager's server ends");
}

/// Around what a servant consists of, and where its calls wait.
///
///     const auto held = room_.enter();
///     if (!room_.await(held, until, who, [&] { return count_ > 0; })) return false;
///
/// - Threads: any. Who waits has no turn.
class waiting_room {
public:
    using hold = std::unique_lock<std::mutex>;

    [[nodiscard]] hold enter() const { return hold(lock_); }

    /// Until ready(), which is called under the lock: true. False when the time is over; EOFError when the caller is gone, and what
    /// came in the very moment of his death client_gone() gives back. With the lock in any case.
    template <typename Ready>
    bool await(hold& held, const os::deadline& until, const caller& who, Ready ready) {
        while (!ready()) {
            if (until.passed()) return false;
            ++sleepers_;
            const std::uint32_t seen = changes_.load(std::memory_order_relaxed);
            held.unlock();
            static_cast<void>(os::sleep_on(changes_, seen, next_look(until)));
            held.lock();
            --sleepers_;
            demand_there(who);
        }
        return true;
    }
    /// Something is otherwise: who waits looks again. Under the lock.
    void changed() noexcept {
        changes_.fetch_add(1, std::memory_order_relaxed);
        if (sleepers_ != 0) os::wake_all(changes_);
    }

private:
    mutable std::mutex lock_; // for moments, and around:
    std::uint32_t sleepers_ = 0;
    std::atomic<std::uint32_t> changes_{0};
};

} // namespace multiprocessing::manager
