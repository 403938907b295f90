// Floor 10, manager/transport_line: a client's line to a server of its family: requests one way, answers the other.
#pragma once

#include <algorithm> // std::min
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <multiprocessing/channel/link.hpp>
#include <multiprocessing/channel/poller.hpp>
#include <multiprocessing/channel/post.hpp>
#include <multiprocessing/channel/ring.hpp>
#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

// A call, and what a death leaves:
//
// | step | who    | does                                               | killed after it                                               |
// | ---- | ------ | -------------------------------------------------- | ------------------------------------------------------------- |
// | 1    | client | makes a line, if none of its is idle                | the line is freed with its share                              |
// | 2    | client | puts the line into the desk's door, and rings       | the server finds a dead client and drops the line             |
// | 3    | client | sends the request                                   | it is carried out; the answer is freed with the line           |
// | 4    | server | gives the line a thread, which takes the request    | the client sees the server's seat empty: EOFError              |
// | 5    | server | calls the servant                                   | the same; the objects are gone with the server                 |
// | 6    | server | sends the answer                                    | the answer is there, and counts: the next call is an EOFError  |
// | 7    | client | takes the answer, and references in it              | what the answer holds is dropped with the dead client's share  |
// | 8    | client | puts the line by                                    | the server's thread is told, by the end of the process          |
//
// Who lives is decided by the two seats, not by who holds the line: a forked child inherits its parent's lines without using them.
//
// | word         | who writes it                    | a writer killed in between leaves         |
// | ------------ | -------------------------------- | ----------------------------------------- |
// | left[client] | the client, when it lets go; the server, when it found it dead | nothing: it is dead   |
// | left[server] | the server's thread, at its end   | nothing: its seat is empty                |

/// Where the family finds a server.
struct desk_state {
    channel::link_state link; ///< first; end 0: the server, which is rung for when something lies behind the door
    std::uint64_t id;
    std::atomic<std::uint64_t> server; ///< its seat, by number_of(); `nobody` before there is one
    std::atomic<std::uint32_t> is_over; ///< it has ended in good order, though its process may live
    std::atomic<std::int32_t> pid;
    std::array<char, 64> name;
    std::array<char, 256> address; ///< for those who aren't of the family; empty: it has none

    static constexpr std::uint64_t nobody = ~std::uint64_t{0};
};

/// A seat as one number, never 0.
inline std::uint64_t number_of(memory::seat who) noexcept { return (std::uint64_t{who.slot} + 1) << 32 | who.generation; }
inline memory::seat seat_of(std::uint64_t number) noexcept {
    return {static_cast<std::uint32_t>(number >> 32) - 1, static_cast<std::uint32_t>(number)};
}
inline bool is_over(memory::seat who) {
    return memory::family::here().is_over(who, memory::members::generation_mask);
}

template <std::size_t N>
std::string text_in(const std::array<char, N>& from) {
    std::size_t size = 0;
    while (size < N && from[size] != 0) ++size; // whatever stands in shared memory
    return {from.data(), size};
}
template <std::size_t N>
void put_text(std::array<char, N>& to, std::string_view text) {
    to.fill(0);
    text.substr(0, N - 1).copy(to.data(), N - 1);
}

/// What the state of a desk and the door beside it are together.
class desk {
public:
    desk() noexcept = default;
    explicit desk(memory::nothing_t) noexcept {}

    [[nodiscard]] static desk make(std::uint64_t id, std::string_view name) {
        desk made;
        made.state_ = memory::handle<desk_state>::create();
        made.state_->id = id;
        made.state_->server.store(desk_state::nobody);
        put_text(made.state_->name, name);
        made.door_ = channel::ring(channel::typical_message, 0);
        return made;
    }
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(state_); }
    [[nodiscard]] desk_state* operator->() const noexcept { return state_.get(); }
    [[nodiscard]] const memory::handle<desk_state>& state() const noexcept { return state_; }
    [[nodiscard]] memory::handle<channel::link_state> link() const { return memory::handle<channel::link_state>(state_); }
    [[nodiscard]] channel::ring& door() noexcept { return door_; }

    /// True from the moment that nobody answers any more.
    [[nodiscard]] bool is_closed(bool look_closer) const {
        if (state_->is_over.load() != 0) return true;
        const std::uint64_t who = state_->server.load();
        if (who == desk_state::nobody) return false;
        return look_closer ? manager::is_over(seat_of(who)) : !memory::family::here().is_seated(seat_of(who));
    }
    [[nodiscard]] std::string describe() const {
        return text_in(state_->name) + " (pid " + std::to_string(state_->pid.load()) + ")";
    }

private:
    friend struct memory::access;
    auto parts() noexcept { return std::tie(state_, door_.state()); }

    memory::handle<desk_state> state_;
    channel::ring door_;
};

struct line_state {
    channel::link_state link; ///< first
    std::uint64_t client;     ///< its seat
    std::array<std::atomic<std::uint32_t>, 2> left;
};

/// One call at a time.
class line {
public:
    enum end : unsigned { client, server };

    line() noexcept = default;
    explicit line(memory::nothing_t) noexcept {}

    [[nodiscard]] static line make() {
        line made;
        made.state_ = memory::handle<line_state>::create();
        made.state_->client = number_of(memory::family::here().self());
        made.rings_[server] = channel::ring(channel::typical_message, 0);
        made.rings_[client] = channel::ring(channel::typical_message, 0);
        return made;
    }
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(state_); }
    [[nodiscard]] line_state* operator->() const noexcept { return state_.get(); }

    /// To the other end.
    template <typename F>
    void send(end from, F write_all) {
        const end to = from == client ? server : client;
        channel::outgoing message(rings_[to], write_all, true);
        const auto attempt = [&] { return message.try_send(rings_[to]); };
        while (!rings_[to].wait_for_room(attempt, os::deadline::after(std::chrono::milliseconds(10)))) {}
        MULTIPROCESSING_STEP(call_sent);
        state_->link.polling[to].ring();
    }

    /// Waits until there is a message, or over(look_closer) says that none will come: then false. The server's end sleeps in the
    /// ring, and is woken by leave(); the client's watches the server's process by `others`, its pid, when that takes long.
    template <typename Over>
    [[nodiscard]] bool receive(end at, channel::incoming& message, Over over, pid_t other);

    /// This end isn't used any more.
    void leave(end from) noexcept {
        state_->left[from].store(1);
        MULTIPROCESSING_STEP(line_left);
        const end to = from == client ? server : client;
        rings_[to].state()->items.ring_all();
        state_->link.polling[to].ring();
    }
    [[nodiscard]] bool is_left(end who) const noexcept { return state_->left[who].load() != 0; }
    void put_away(end at, channel::incoming& message) noexcept { message.put_away(rings_[at]); }

private:
    friend struct memory::access;
    auto parts() noexcept { return std::tie(state_, rings_[0].state(), rings_[1].state()); }

    memory::handle<line_state> state_;
    std::array<channel::ring, 2> rings_; ///< by who receives from it
    std::unique_ptr<channel::poller> poller_;
};

template <typename Over>
bool line::receive(end at, channel::incoming& message, Over over, pid_t other) {
    using result = channel::ring::result;
    auto& in = rings_[at];
    bool is_over = false;
    const auto attempt = [&](bool closer) {
        const result found = in.try_receive(message.reads_from(in), closer);
        if (found == result::done) return found;
        if (!over(closer)) return found;
        // Nothing more will be sent. What was sent before is there by now.
        if (in.try_receive(message.reads_from(in), true) == result::done) return result::done;
        is_over = true;
        return result::done;
    };
    if (attempt(false) == result::done) return !is_over;
    const auto soon = other == 0 ? os::deadline::never() : os::deadline::after(std::chrono::milliseconds(5));
    if (in.wait_for_message(attempt, soon)) return !is_over;
    if (!poller_) poller_ = std::make_unique<channel::poller>(memory::handle<channel::link_state>(state_), at);
    for (;;) {
        poller_->arm();
        poller_->watch({other});
        if (attempt(true) == result::done) return !is_over;
        poller_->wait(in.peek(true) == result::busy ? os::deadline::after(std::chrono::milliseconds(1)) : os::deadline::never());
    }
}

/// What lies behind a door: a line to be served, or the number of an object of which somebody dropped the last reference.
struct notice {
    std::uint64_t dropped = 0;
    line opened;
};
inline void write_notice(serial::writer& out, std::uint64_t dropped, const line* opened) {
    out.number(dropped);
    if (dropped == 0) serial::write(out, *opened);
}
[[nodiscard]] inline notice read_notice(serial::reader& in) {
    notice x;
    x.dropped = in.number<std::uint64_t>();
    if (x.dropped == 0) x.opened = serial::take<line>(in);
    in.finish();
    return x;
}

} // namespace multiprocessing::manager
