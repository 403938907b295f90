// Floor 10, manager/condition: ConditionProxy, a condition of a manager.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional> // std::invoke
#include <list>
#include <string>
#include <string_view>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/acquirer.hpp>
#include <multiprocessing/manager/near_or_far.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/waiting.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/sync/acquirable.hpp>
#include <multiprocessing/sync/condition.hpp>

namespace multiprocessing {

/// What manager.Condition() returns: within a family an mp::Condition, which it is for whoever takes one; over a network the same
/// in the server, under an RLock as manager.RLock() makes.
///
/// - Python: `ConditionProxy`. wait_for() calls its predicate here, as there.
/// - When a process dies: within a family as mp::Condition says. Over a network: a dead waiter isn't notified, one that dies after
///   it was notified and before it has the lock again passes that on to another that waits, and what it held is free.
/// - When the server dies: over a network EOFError, for whoever waits at once.
/// - Errors: ValueError where the lock isn't held by this thread.
class ConditionProxy : public manager::near_or_far<Condition>, public sync::acquirable<ConditionProxy> {
public:
    void release() const {
        if (is_near()) return near_.release();
        far().ask<void>("#release", std::uint8_t{});
    }
    [[nodiscard]] bool locked() const { return is_near() ? near_.locked() : far().ask<bool>("#locked", std::uint8_t{}); }

    /// Until it is notified. True.
    bool wait() const { return wait(os::deadline::never()); }
    /// So long at most. Whether it was notified. With the lock again in either case.
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

    void notify(unsigned n = 1) const {
        if (is_near()) return near_.notify(n);
        far().ask<void>("#notify", std::uint32_t{n});
    }
    void notify_all() const { notify(~0U); }

    /// For managers.
    explicit ConditionProxy(Condition near) : near_or_far(std::move(near)) {}
    explicit ConditionProxy(manager::remote far) noexcept : near_or_far(std::move(far)) {}

private:
    friend class sync::acquirable<ConditionProxy>;
    friend struct memory::access;
    explicit ConditionProxy(memory::nothing_t nothing) noexcept : near_or_far(nothing) {}
    auto parts() noexcept { return both(); }

    bool take_now() const { return is_near() ? near_.acquire(false) : far().ask<bool>("#acquire", std::int64_t{0}); }
    bool take(const os::deadline& until) const {
        if (!is_near()) return far().ask<bool>("#acquire", manager::time_to_send(until));
        return manager::until_then(until, [&](auto... timeout) { return near_.acquire(timeout...); });
    }
    bool wait(const os::deadline& until) const {
        if (!is_near()) return far().ask<bool>("#wait", manager::time_to_send(until));
        return manager::until_then(until, [&](auto... timeout) { return near_.wait(timeout...); });
    }
    template <typename Predicate>
    bool wait_for(Predicate& predicate, const os::deadline& until) const {
        for (;;) {
            const bool said = static_cast<bool>(std::invoke(predicate));
            if (said || until.passed()) return said;
            wait(until);
        }
    }
};

namespace manager {

/// A condition in a server, for clients who can't reach its memory.
///
/// - When a client dies: see ConditionProxy. What it was notified of somebody else is.
class condition_servant final : public lock_servant {
public:
    condition_servant() noexcept : lock_servant(true) {}

    serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override {
        if (method == "#wait") {
            const os::deadline until = received_time(serial::unpack_message<std::int64_t>(arguments));
            auto held = room_.enter();
            demand_held(who, "wait for");
            return serial::pack_message(wait(held, until, who));
        }
        if (method == "#notify") {
            auto n = serial::unpack_message<std::uint32_t>(arguments);
            const auto held = room_.enter();
            demand_held(who, "notify");
            for (; n != 0 && notify_one(); --n) {}
            return {};
        }
        return lock_servant::call(method, arguments, who);
    }

private:
    struct waiter {
        bool is_notified = false;
    };

    void demand_held(const caller& who, const char* verb) const {
        if (!is_held_by(who)) throw ValueError(std::string("cannot ") + verb + " a condition whose lock this thread doesn't hold");
    }
    bool wait(waiting_room::hold& held, const os::deadline& until, const caller& who) {
        const std::uint64_t depth = release_all();
        const auto mine = waiters_.emplace(waiters_.end());
        try {
            static_cast<void>(room_.await(held, until, who, [&] { return mine->is_notified; }));
            static_cast<void>(take(held, os::deadline::never(), who));
        } catch (...) { // it is dead
            const bool was_notified = mine->is_notified;
            waiters_.erase(mine);
            if (was_notified) static_cast<void>(notify_one());
            throw;
        }
        give_to(who, depth);
        const bool was_notified = mine->is_notified;
        waiters_.erase(mine);
        return was_notified;
    }
    /// Who waits longest.
    bool notify_one() noexcept {
        for (waiter& each : waiters_) {
            if (each.is_notified) continue;
            each.is_notified = true;
            room_.changed();
            return true;
        }
        return false;
    }

    std::list<waiter> waiters_; // under the lock of the room; the longest first
};

} // namespace manager
} // namespace multiprocessing
