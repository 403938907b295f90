// Floor 3, sync/condition: Condition, under whose lock one waits for what others change.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional> // std::invoke
#include <tuple>      // std::tie, std::tuple_cat

#include <fmt/format.h>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/sync/owned_lock.hpp>
#include <multiprocessing/sync/places.hpp>
#include <multiprocessing/sync/recursive_lock.hpp>
#include <multiprocessing/sync/shown.hpp>
#include <multiprocessing/sync/sleep.hpp>

namespace multiprocessing {

/// A lock, and waiting under it for what others change.
///
///     mp::Condition changed;                      // has an RLock of its own; Condition(lock) takes another's
///     {
///         std::scoped_lock guard(changed);
///         changed.wait_for([&] { return stock.load() > 0; });
///         stock -= 1;
///     }
///     ...
///     std::scoped_lock guard(changed);
///     stock += 1;
///     changed.notify();
///
/// wait() gives the lock up, however often it is held, and has it again, as often, when it returns. Who waits longest
/// is notified first.
///
/// - Copying shares the condition and the lock. Constness is the handle's. What a lock can, a Condition can.
/// - Python: `multiprocessing.Condition`, whose notify() waits until each one it has woken says so, for ever if that is
///   dead. Here nobody waits for a waiter. What Python asserts is a ValueError.
/// - Threads and processes: any, up to 2000 waiting at a time.
/// - When a process dies: a dead waiter isn't notified; one that dies *after* it was notified and before it has the
///   lock again passes that on to another that was waiting then, within 50 ms. Who dies in notify() has notified as
///   many as he got to; the lock tells the next one to take it. wait() throws that OwnerDiedError, holding the lock.
/// - Errors: ValueError where the lock isn't held by this thread; OwnerDiedError; ProcessError for too many waiters.
/// - Growth: a page, and one for each 64 who wait at a time, kept.
class Condition : public sync::owned_lock {
public:
    Condition() : Condition(RLock()) {}
    /// Under a Lock or RLock that others may use as well, and other conditions too.
    explicit Condition(const sync::owned_lock& lock) : owned_lock(lock), state_(memory::handle<state>::create()) {}

    /// Until it is notified. True.
    bool wait() const { return wait(os::deadline::never()); }
    /// So long at most. Whether it was notified. With the lock again in either case, which may take longer.
    template <typename Rep, typename Period>
    bool wait(std::chrono::duration<Rep, Period> timeout) const {
        return wait(os::deadline(timeout));
    }

    /// Until predicate() says true; it is called under the lock, and first of all. What it said last.
    template <typename Predicate>
    bool wait_for(Predicate predicate) const {
        return wait_for(predicate, os::deadline::never());
    }
    template <typename Predicate, typename Rep, typename Period>
    bool wait_for(Predicate predicate, std::chrono::duration<Rep, Period> timeout) const {
        return wait_for(predicate, os::deadline(timeout));
    }

    /// Wakes so many of those who wait, or all if there are fewer.
    void notify(unsigned n = 1) const;
    void notify_all() const { notify(~0U); }

private:
    // States of a place. awake: waits, and will look before it sleeps.
    static constexpr std::uint32_t empty = 0;
    static constexpr std::uint32_t awake = 1;
    static constexpr std::uint32_t asleep = 2;
    static constexpr std::uint32_t notified = 3;

    /// | from      | to       | who                                                       | under the lock |
    /// | --------- | -------- | --------------------------------------------------------- | -------------- |
    /// | empty     | awake    | the waiter, who holds the place's `mine` from here on     | yes            |
    /// | awake     | asleep   | the waiter                                                | no             |
    /// | awake, asleep | notified | the notifier, who wakes it if it was asleep           | yes            |
    /// | awake, asleep | notified | the waiter itself, in a dead one's stead              | no             |
    /// | any       | empty    | the waiter, when it has the lock again                    | yes            |
    /// | notified  | empty    | a waiter or notifier who holds the dead one's `mine`, and has passed it on | no |
    /// | awake, asleep | empty | a notifier who holds the dead one's `mine`                | yes            |
    ///
    /// `ticket` is the waiter's turn; in a notified place, the turn that was to come next when it was notified: only
    /// who waited then may have it in a dead one's stead.
    struct state {
        state() noexcept {} // not `= default`: that, value-initialised, would touch all of it

        /// As of a moment ago, for who prints it.
        [[nodiscard]] unsigned waiting() noexcept {
            unsigned n = 0;
            for (std::uint32_t i = 0; i < waiters.used(); ++i) n += waits(waiters[i]) && !waiters[i].is_abandoned();
            return n;
        }

        std::uint64_t next_ticket = 0;
        sync::places waiters;
    };

    friend struct memory::access;
    explicit Condition(memory::nothing_t nothing) noexcept : owned_lock(nothing) {}
    auto parts() noexcept {
        return std::tuple_cat(memory::access::parts(static_cast<owned_lock&>(*this)), std::tie(state_));
    }

    bool wait(const os::deadline& until) const;
    template <typename Predicate>
    bool wait_for(Predicate& predicate, const os::deadline& until) const {
        for (;;) {
            const bool said = static_cast<bool>(std::invoke(predicate));
            if (said || until.passed()) return said;
            wait(until);
        }
    }
    void require_lock(const char* verb) const;
    static bool waits(const sync::place& one) noexcept {
        const std::uint32_t is = one.state.load(std::memory_order_acquire);
        return is == awake || is == asleep;
    }
    bool give_to(sync::place& one) const noexcept;
    sync::place* longest_waiting(std::uint64_t before) const noexcept;
    void inherit(sync::place& mine, std::uint64_t ticket) const noexcept;

    memory::handle<state> state_;
};

inline void Condition::require_lock(const char* verb) const {
    if (!held_here()) throw ValueError(fmt::format("cannot {} a condition whose lock this thread doesn't hold", verb));
}

inline bool Condition::wait(const os::deadline& until) const {
    require_lock("wait for");
    state& s = *state_;
    sync::place& mine = s.waiters.take();
    const std::uint64_t ticket = s.next_ticket++;
    mine.ticket = ticket;
    mine.state.store(awake, std::memory_order_release);
    MULTIPROCESSING_STEP(condition_waiting);
    const std::uint32_t depth = release_all();

    const auto is_notified = [&] { return mine.state.load(std::memory_order_acquire) == notified; };
    if (!until.passed() && !os::spin_for(is_notified)) {
        while (!is_notified() && !until.passed()) {
            std::uint32_t seen = awake;
            if (!mine.state.compare_exchange_strong(seen, asleep) && seen != asleep) continue;
            MULTIPROCESSING_STEP(condition_asleep);
            sync::sleep_on(mine.state, asleep, until);
            if (!is_notified()) inherit(mine, ticket);
        }
    }
    MULTIPROCESSING_STEP(condition_awake);
    const bool died = take_again(depth);
    const bool result = is_notified(); // also when that came after the deadline, and before the lock
    sync::places::leave(mine);
    if (died)
        throw OwnerDiedError(
            "the holder of a condition's lock died while this thread waited; the lock is held by this thread "
            "now, and what it protects may be half changed");
    return result;
}

/// Notifies it, under the lock. False when it has just been notified in a dead one's stead.
inline bool Condition::give_to(sync::place& one) const noexcept {
    one.ticket = state_->next_ticket;
    MULTIPROCESSING_STEP(condition_turn_noted);
    const std::uint32_t was = one.state.exchange(notified);
    MULTIPROCESSING_STEP(condition_notified);
    if (was == asleep) os::wake_one(one.state);
    MULTIPROCESSING_STEP(condition_woken);
    return was != notified;
}

/// Of those with an earlier turn; nobody that is dead. Under the lock.
inline sync::place* Condition::longest_waiting(std::uint64_t before) const noexcept {
    state& s = *state_;
    sync::place* first = nullptr;
    for (std::uint32_t i = 0; i < s.waiters.used(); ++i) {
        sync::place& one = s.waiters[i];
        if (!waits(one)) continue;
        if (one.is_abandoned()) {
            if (one.mine.try_lock() != os::taken::no) sync::places::leave(one);
            continue;
        }
        if (one.ticket < before && (first == nullptr || one.ticket < first->ticket)) first = &one;
    }
    return first;
}

inline void Condition::notify(unsigned n) const {
    require_lock("notify");
    state& s = *state_;
    // What the dead were notified of comes first: it is older.
    for (std::uint32_t i = 0; i < s.waiters.used(); ++i) {
        sync::place& one = s.waiters[i];
        if (one.state.load(std::memory_order_acquire) != notified || !one.is_abandoned()) continue;
        if (one.mine.try_lock() == os::taken::no) continue;
        if (one.state.load(std::memory_order_acquire) == notified) {
            sync::place* heir = longest_waiting(one.ticket);
            while (heir != nullptr && !give_to(*heir)) heir = longest_waiting(one.ticket);
        }
        sync::places::leave(one);
    }
    while (n > 0) {
        sync::place* const next = longest_waiting(~std::uint64_t{0});
        if (next == nullptr) return;
        if (give_to(*next)) --n;
    }
}

/// A sleeper's look round, without the lock: has somebody died who was notified while this one waited already?
inline void Condition::inherit(sync::place& mine, std::uint64_t ticket) const noexcept {
    state& s = *state_;
    for (std::uint32_t i = 0; i < s.waiters.used(); ++i) {
        sync::place& one = s.waiters[i];
        if (&one == &mine || one.state.load(std::memory_order_acquire) != notified || !one.is_abandoned()) continue;
        if (one.mine.try_lock() == os::taken::no) continue; // another heir
        bool mine_now = false;
        if (one.state.load(std::memory_order_acquire) == notified && one.ticket > ticket) {
            std::uint32_t seen = asleep;
            mine_now = mine.state.compare_exchange_strong(seen, notified);
            MULTIPROCESSING_STEP(condition_inherited);
        }
        if (mine_now) return sync::places::leave(one);
        one.mine.unlock(); // as it was: notified, and abandoned
    }
}

} // namespace multiprocessing
