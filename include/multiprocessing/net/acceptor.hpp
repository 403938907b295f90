// Floor 7, net/acceptor: who connects to a socket, one by one, each of them authenticated.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <mutex> // std::unique_lock
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/channel/frame.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/net/challenge.hpp>
#include <multiprocessing/net/secret.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/socket.hpp>

namespace multiprocessing::net {

/// Somebody who has connected and hasn't proved yet that he knows the key.
///
/// | state   | means                                                              | the acceptor                           |
/// | ------- | ------------------------------------------------------------------ | -------------------------------------- |
/// | talking | a frame of the challenge is awaited, or a part of it is there      | waits, until his time is over          |
/// | known   | the challenge is done                                              | gives him out                          |
/// | refused | he sent what doesn't belong to it, or the wrong digest             | tells whoever waits, closes            |
/// | gone    | he hung up, or his time is over, or many came after him            | closes, and writes a line into the log |
///
/// He costs a descriptor and less than 1 KiB: no frame above 256 bytes is read. He is never waited for alone.
class stranger {
public:
    enum class state { talking, known, refused, gone };

    stranger(os::accepted from, std::span<const std::byte> key, const os::deadline& until)
        : socket_(std::move(from.socket)), from_(from.from.text()), until_(until), handshake_(handshake::of_listener(key)) {
        send();
    }

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    [[nodiscard]] state is() const noexcept { return state_; }
    [[nodiscard]] const std::string& from() const noexcept { return from_; }
    [[nodiscard]] const char* name() const noexcept { return from_.empty() ? "this machine" : from_.c_str(); } ///< for the log
    [[nodiscard]] const os::deadline& until() const noexcept { return until_; }
    [[nodiscard]] const std::string& why() const noexcept { return why_; } ///< he is refused, or gone
    [[nodiscard]] os::descriptor release() noexcept { return std::move(socket_); }

    /// Takes what he has sent by now, if something may have come.
    void read();
    bool may_have_sent = true;

    void leave(state as, std::string why) {
        state_ = as;
        why_ = std::move(why);
    }

private:
    void send();

    os::descriptor socket_;
    std::string from_;
    os::deadline until_;
    state state_ = state::talking;
    std::string why_;
    handshake handshake_;
    channel::frame_reader in_;
};

/// A listening socket, and the strangers at it.
///
/// - Threads: any may call; who asks while another one waits gets his turn after him. stop() ends all of that.
/// - Across fork(): parent and child both accept. The strangers of the moment stay the parent's.
/// - Errors: std::system_error; ProcessError without libcrypto.
class acceptor {
public:
    struct terms {
        int backlog = 128;
        secret authkey = {};
        std::chrono::nanoseconds patience = std::chrono::seconds(10); ///< with each stranger
        std::size_t most_strangers = 128;                             ///< at once: the oldest makes room
    };
    struct arrival {
        Connection connection;
        std::string from;
    };

    acceptor(const os::endpoint& where, terms given)
        : terms_(checked(std::move(given))), socket_(os::listen_at(where, terms_.backlog)), bell_(std::in_place) {}
    acceptor(const acceptor&) = delete;
    acceptor& operator=(const acceptor&) = delete;

    /// Who has connected, and is authenticated if there is a key. Nothing when the deadline passed, or after stop().
    /// `tells`: AuthenticationError for one who failed; else only the log knows of him.
    [[nodiscard]] std::optional<arrival> next(const os::deadline& until, bool tells = false);

    /// Every next(), now and later, returns nothing. From any thread.
    void stop() noexcept {
        note_fork();
        is_stopped_.store(true);
        bell_->ring();
    }
    [[nodiscard]] bool is_stopped() const noexcept { return is_stopped_.load(); }

    /// stop(), and nobody can connect any more: after whoever is in next() has left it.
    void close() noexcept {
        stop();
        const std::lock_guard guard(*turn_);
        strangers_.clear();
        known_.clear();
        refusals_.clear();
        socket_.reset();
    }

    [[nodiscard]] os::endpoint where() const { return os::endpoint_of(socket_.get()); }

private:
    static constexpr std::size_t most_refusals = 16; // that are kept to be told

    /// Whether anybody can be authenticated shows here, rather than when somebody comes, and before the address is taken.
    static terms checked(terms given) {
        if (given.authkey) static_cast<void>(crypto::here());
        return given;
    }
    /// In a forked child: what concerns the parent alone is left to it.
    void note_fork();
    void take_in();
    void look_after_strangers();
    [[nodiscard]] std::optional<arrival> welcome();

    terms terms_;
    os::descriptor socket_;
    pid_t process_ = os::pid();
    std::unique_ptr<os::private_lock> turn_ = std::make_unique<os::private_lock>();
    std::optional<os::doorbell> bell_;
    std::atomic<bool> is_stopped_{false};
    std::list<stranger> strangers_; // in the order of their coming
    std::deque<arrival> known_;
    std::deque<std::string> refusals_;
    std::vector<os::watched> watched_;
};

inline void stranger::send() {
    const auto message = handshake_.outgoing();
    if (!message || state_ == state::gone) return;
    const channel::frame_header header(message->size());
    std::vector<std::byte> frame(header.bytes().begin(), header.bytes().end());
    frame.insert(frame.end(), message->begin(), message->end());
    // Less than a socket has room for, unless he reads nothing: then he has to go.
    const std::ptrdiff_t n = os::send_some(socket_.get(), frame);
    if (n != static_cast<std::ptrdiff_t>(frame.size())) leave(state::gone, "it doesn't listen");
}

inline void stranger::read() {
    if (!std::exchange(may_have_sent, false)) return;
    while (state_ == state::talking) {
        const auto room = in_.room();
        const std::ptrdiff_t n = os::receive_some(socket_.get(), room);
        if (os::means_later(n)) return;
        if (n <= 0) return leave(state::gone, "it hung up before it was authenticated");
        try {
            in_.arrived(static_cast<std::size_t>(n));
            if (const auto size = in_.size(); size && *size > longest_answer)
                throw AuthenticationError("a message of " + std::to_string(*size) + " bytes is no answer to a challenge");
            if (!in_.is_whole()) continue;
            handshake_.take(in_.take());
            send();
            if (state_ == state::talking && handshake_.is_done()) state_ = state::known;
        } catch (const AuthenticationError& error) {
            send();
            leave(state::refused, error.what());
        } catch (const ProcessError& error) {
            leave(state::refused, error.what());
        }
    }
}

inline std::optional<acceptor::arrival> acceptor::next(const os::deadline& until, bool tells) {
    note_fork();
    std::unique_lock guard(*turn_, std::defer_lock);
    if (!turn_->try_lock_until(until)) return std::nullopt;
    guard = std::unique_lock(*turn_, std::adopt_lock);
    bool is_last_look = false;
    for (stranger& each : strangers_) each.may_have_sent = true;
    for (;;) {
        if (is_stopped()) return std::nullopt;
        if (auto first = welcome()) return first;
        take_in();
        look_after_strangers();
        if (auto first = welcome()) return first;
        if (!refusals_.empty()) {
            const std::string why = std::move(refusals_.front());
            refusals_.pop_front();
            if (tells) throw AuthenticationError(why);
            continue;
        }
        if (is_last_look) return std::nullopt;

        watched_.clear();
        watched_.push_back({socket_.get()});
        watched_.push_back({bell_->fd()});
        os::deadline soonest = until;
        for (const stranger& each : strangers_) {
            watched_.push_back({each.fd()});
            soonest = std::min(soonest, each.until());
        }
        os::wait_for_any(watched_, soonest);
        auto his = watched_.begin() + 2;
        for (stranger& each : strangers_) each.may_have_sent = (his++)->ready;
        is_last_look = until.passed();
    }
}

inline void acceptor::take_in() {
    // Not all at once: those who are there already have answered meanwhile.
    for (int n = 0; n < 16; ++n) {
        std::optional<os::accepted> from;
        try {
            from = os::accept_from(socket_.get());
        } catch (const std::system_error& error) {
            const bool too_many = error.code() == std::errc::too_many_files_open ||
                                  error.code() == std::errc::too_many_files_open_in_system;
            // Said even when nobody is there: the descriptor is wanted first.
            if (too_many && !os::wait_readable(socket_.get(), os::deadline::after({}))) return;
            if (!too_many || strangers_.empty()) throw;
            os::log(os::log_level::warning, "{}: one who isn't authenticated yet makes room", error.what());
            strangers_.pop_front();
            continue;
        }
        if (!from) return;
        if (!terms_.authkey) {
            std::string text = from->from.text();
            known_.push_back({channel::connection_over(std::move(from->socket)), std::move(text)});
            return;
        }
        if (strangers_.size() >= terms_.most_strangers && !strangers_.empty()) {
            os::log(os::log_level::info, "{} wait to be authenticated: the first of them, {}, makes room", strangers_.size(),
                    strangers_.front().name());
            strangers_.pop_front();
        }
        strangers_.emplace_back(*std::move(from), terms_.authkey.bytes(), os::deadline::after(terms_.patience));
    }
}

inline void acceptor::look_after_strangers() {
    for (auto at = strangers_.begin(); at != strangers_.end();) {
        at->read();
        if (at->is() == stranger::state::talking && at->until().passed())
            at->leave(stranger::state::gone, "it didn't answer in time");
        switch (at->is()) {
        case stranger::state::talking: ++at; continue;
        case stranger::state::known:
            known_.push_back({channel::connection_over(at->release()), at->from()});
            break;
        case stranger::state::refused:
            os::log(os::log_level::info, "a connection from {} was refused: {}", at->name(), at->why());
            if (refusals_.size() < most_refusals) refusals_.push_back(at->why());
            break;
        case stranger::state::gone:
            os::log(os::log_level::info, "a connection from {} was closed: {}", at->name(), at->why());
            break;
        }
        at = strangers_.erase(at);
    }
}

inline std::optional<acceptor::arrival> acceptor::welcome() {
    if (known_.empty()) return std::nullopt;
    std::optional<arrival> first(std::move(known_.front()));
    known_.pop_front();
    return first;
}

inline void acceptor::note_fork() {
    if (process_ == os::pid()) return;
    process_ = os::pid();
    turn_ = std::make_unique<os::private_lock>(); // a thread that doesn't exist here may have had it
    bell_.emplace();                              // ringing the other one would wake the parent
    strangers_.clear();
    known_.clear();
    refusals_.clear();
}

} // namespace multiprocessing::net
