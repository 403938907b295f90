// Floor 6, channel/stream: messages over a connected socket, as CPython frames them.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex> // std::lock_guard, std::unique_lock
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <multiprocessing/channel/frame.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>
#include <multiprocessing/os/handover.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/socket.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::channel {

/// One end of a connected socket.
///
/// - Threads: several may send and receive at once; each message goes to one of them.
/// - Across fork(): both processes have the socket. One of them may send, and one receive; of two who do the same at the same
///   time the bytes mix. A child must leave it alone if another thread was just receiving from it.
/// - When a process dies: the other end is told when nobody has this one any more. Of a message whose sender was killed
///   halfway, the receiver learns by EOFError, if no other process has the sender's end.
/// - Errors: EOFError, BrokenPipeError, ValueError, ProcessError; std::system_error for what the network reports.
class stream {
public:
    static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

    explicit stream(os::descriptor socket) noexcept : socket_(std::move(socket)) {}

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    [[nodiscard]] os::descriptor release() noexcept { return std::move(socket_); }
    /// A part of a message has been taken, and is kept here.
    [[nodiscard]] bool is_within_message() {
        note_fork();
        const std::lock_guard guard(receiving_);
        return in_.has_begun();
    }
    [[nodiscard]] bool readable() const noexcept { return readable_.load(std::memory_order_relaxed); }

    /// Waits while there is no room on the way.
    void send(std::span<const std::byte> message);

    /// One message. Nothing when it isn't whole by then; what there is of it is kept for the next call.
    /// ValueError when it is longer than `most`: it stays where it is, and nothing can be received any more.
    [[nodiscard]] std::optional<std::vector<std::byte>> receive(const os::deadline& until, std::uint64_t most = unlimited);

    /// Whether a part of a message has come, or the end.
    [[nodiscard]] bool is_ready(const os::deadline& until) {
        note_fork();
        {
            const std::lock_guard guard(receiving_);
            if (in_.is_whole()) return true;
        }
        return os::wait_readable(fd(), until);
    }

private:
    enum class progress { whole, later, too_late };
    /// In a forked child nobody gives back what the parent's threads had locked.
    void note_fork() noexcept {
        if (process_.load(std::memory_order_relaxed) == os::pid() || process_.exchange(os::pid()) == os::pid()) return;
        sending_.unlock();
        receiving_.unlock();
    }
    [[nodiscard]] progress read_on(std::uint64_t most, const os::deadline& until);
    [[noreturn]] void stop_reading(const std::string& why);

    os::descriptor socket_;
    os::private_lock sending_;   // while a frame goes out
    os::private_lock receiving_; // never while somebody sleeps
    frame_reader in_;
    std::atomic<bool> readable_{true};
    std::atomic<pid_t> process_{os::pid()};
};

/// What a Connection holds of a stream. It goes along with the start of a process, and nowhere else: no process can reach a socket
/// of another one's, unless that hands it over and is there until it has arrived.
struct stream_handle {
    std::shared_ptr<stream> get;
    friend bool operator==(const stream_handle&, const stream_handle&) = default;
};

/// Stands before a value that send() has written; what doesn't begin so is bytes, or another language's.
inline constexpr std::uint64_t value_mark = 0x01'65'75'6c'61'76'70'6d; // "mpvalue", 1

inline void stream::send(std::span<const std::byte> message) {
    note_fork();
    const frame_header header(message.size());
    const std::lock_guard guard(sending_);
    const int error = os::send_all(fd(), header.bytes(), message);
    if (error == EPIPE || error == ECONNRESET || error == ETIMEDOUT)
        throw BrokenPipeError("nobody is left to receive what is sent");
    if (error != 0) os::throw_error(error, "cannot send {} bytes over a connection", message.size());
}

inline std::optional<std::vector<std::byte>> stream::receive(const os::deadline& until, std::uint64_t most) {
    note_fork();
    for (;;) {
        {
            const std::lock_guard guard(receiving_);
            const progress now = read_on(most, until);
            if (now == progress::whole) return in_.take();
            if (now == progress::too_late) return std::nullopt;
        }
        if (!os::wait_readable(fd(), until)) return std::nullopt;
    }
}

inline stream::progress stream::read_on(std::uint64_t most, const os::deadline& until) {
    if (!readable()) throw ValueError("the connection is write-only");
    constexpr std::ptrdiff_t much = 1 << 20; // from somebody who sends as fast as this one reads there is never nothing
    std::ptrdiff_t taken = 0;
    for (;;) {
        if (const auto size = in_.size(); size && *size > most)
            stop_reading("bad message length: " + std::to_string(*size) + " bytes, and " + std::to_string(most) + " were allowed");
        const auto room = in_.room();
        if (room.empty()) return progress::whole;
        const std::ptrdiff_t n = os::receive_some(fd(), room);
        if (os::means_later(n)) return progress::later;
        if (n == 0 || n == -ECONNRESET || n == -ETIMEDOUT) // the last: its machine doesn't answer any more
            throw EOFError(in_.has_begun() ? "the other end was closed in the middle of a message"
                                           : "nothing is left to receive, and nobody is left at the other end");
        if (n < 0) os::throw_error(static_cast<int>(-n), "cannot receive from a connection");
        try {
            in_.arrived(static_cast<std::size_t>(n));
        } catch (const ProcessError&) {
            readable_.store(false, std::memory_order_relaxed);
            throw;
        }
        taken += n;
        if (taken >= much && !in_.is_whole() && until.passed()) return progress::too_late;
    }
}

inline void stream::stop_reading(const std::string& why) {
    readable_.store(false, std::memory_order_relaxed);
    throw ValueError(why);
}

} // namespace multiprocessing::channel

namespace multiprocessing::serial {

template <>
struct codec<channel::stream_handle> {
    static void write(writer& out, const channel::stream_handle& x) {
        if (!x.get) return out.number(none);
        os::handover* const along = os::handover::here();
        if (along == nullptr)
            throw NotPortableError("a connection over a socket can be an argument of a Process, but can't be sent, put on a "
                                   "queue or given to a pool: have whoever needs one connect to the listener himself");
        if (x.get->is_within_message())
            throw NotPortableError("a part of a message was received from this connection: receive the rest before another "
                                   "process is given the connection");
        out.number(along->add(x.get->fd()));
    }
    static void read(reader& in, channel::stream_handle& x) {
        const auto which = in.number<std::uint32_t>();
        if (which == none) return;
        // Two that shared a stream share one again.
        static thread_local std::vector<std::weak_ptr<channel::stream>> known;
        if (which < known.size()) x.get = known[which].lock();
        if (x.get) return;
        auto& handed = os::handed_descriptors();
        if (which >= handed.size() || !handed[which]) in.fail("a connection over a socket that wasn't handed over");
        if (known.size() <= which) known.resize(handed.size());
        x.get = std::make_shared<channel::stream>(std::move(handed[which]));
        known[which] = x.get;
    }

private:
    static constexpr auto none = std::numeric_limits<std::uint32_t>::max();
};

} // namespace multiprocessing::serial
