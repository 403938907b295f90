// Floor 10, manager/event: EventProxy, an event of a manager.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/near_or_far.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/waiting.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/sync/event.hpp>

namespace multiprocessing {

/// What manager.Event() returns: within a family an mp::Event, which it is for whoever takes one; over a network the same in the
/// server.
///
/// - Python: `EventProxy`.
/// - When a process dies: a waiter is simply gone.
/// - When the server dies: over a network EOFError, for whoever waits at once.
class EventProxy : public manager::near_or_far<Event> {
public:
    [[nodiscard]] bool is_set() const { return is_near() ? near_.is_set() : ask("#is_set"); }
    void set() const { is_near() ? near_.set() : void(ask("#set")); }
    void clear() const { is_near() ? near_.clear() : void(ask("#clear")); }

    /// Until it is set. True.
    bool wait() const { return wait(os::deadline::never()); }
    /// So long at most. Whether it was set.
    template <typename Rep, typename Period>
    bool wait(std::chrono::duration<Rep, Period> timeout) const {
        return wait(os::deadline(timeout));
    }

    /// For managers.
    explicit EventProxy(Event near) : near_or_far(std::move(near)) {}
    explicit EventProxy(manager::remote far) noexcept : near_or_far(std::move(far)) {}

private:
    friend struct memory::access;
    explicit EventProxy(memory::nothing_t nothing) noexcept : near_or_far(nothing) {}
    auto parts() noexcept { return both(); }

    [[nodiscard]] bool ask(std::string_view what) const { return far().ask<bool>(what, std::uint8_t{}); }
    bool wait(const os::deadline& until) const {
        if (!is_near()) return far().ask<bool>("#wait", manager::time_to_send(until));
        return manager::until_then(until, [&](auto... timeout) { return near_.wait(timeout...); });
    }
};

namespace manager {

/// An event in a server, for clients who can't reach its memory.
class event_servant final : public servant {
public:
    serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override {
        auto held = room_.enter();
        if (method == "#is_set") return serial::pack_message(is_set_);
        if (method == "#set" || method == "#clear") {
            const bool before = std::exchange(is_set_, method == "#set");
            if (is_set_ && !before) {
                ++times_;
                room_.changed();
            }
            return serial::pack_message(is_set_);
        }
        if (method == "#wait") {
            const os::deadline until = received_time(serial::unpack_message<std::int64_t>(arguments));
            const std::uint64_t first = times_; // set and cleared again counts
            return serial::pack_message(room_.await(held, until, who, [&] { return is_set_ || times_ != first; }));
        }
        refuse("Event", method);
    }

private:
    waiting_room room_; // all else under its lock
    bool is_set_ = false;
    std::uint64_t times_ = 0;
};

} // namespace manager
} // namespace multiprocessing
