// Floor 6, channel/connection: Connection: one end of a pipe between processes, or of a socket.
#pragma once

#include <algorithm> // std::min
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <memory>  // std::shared_ptr, std::unique_ptr
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/channel/link.hpp>
#include <multiprocessing/channel/poller.hpp>
#include <multiprocessing/channel/polling.hpp>
#include <multiprocessing/channel/post.hpp>
#include <multiprocessing/channel/ring.hpp>
#include <multiprocessing/channel/shown.hpp>
#include <multiprocessing/channel/stream.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing {

namespace channel {
/// A Connection over a connected socket.
[[nodiscard]] Connection connection_over(os::descriptor socket);

/// What send_bytes() takes besides a span of bytes.
template <typename Range>
concept LiesInBytes =
    !std::is_convertible_v<const Range&, std::span<const std::byte>> && std::ranges::contiguous_range<const Range&> &&
    std::ranges::sized_range<const Range&> && std::is_trivially_copyable_v<std::ranges::range_value_t<const Range&>> &&
    !std::is_pointer_v<std::ranges::range_value_t<const Range&>>;
} // namespace channel

/// One end of a pipe, or of what a Listener and a Client have made. What one end sends, the other receives, message by message.
///
///     auto [here, there] = mp::Pipe();
///     mp::Process p([](mp::Connection c) { c.send(c.recv<int>() * 2); }, std::move(there));
///     p.start();
///     here.send(21);
///     fmt::print("{}\n", here.recv<int>());       // 42
///
/// - Python: `multiprocessing.connection.Connection`, as Pipe() makes it. Several threads and processes may use one end at a time:
///   each message goes to one of them. Up to 1024 messages of any size are on their way before send() waits.
/// - Threads and processes: safe, but for close().
/// - When a process dies: an end is closed when all who hold it have closed it, or have died. What was sent by then is received
///   first. A receiver killed inside recv() loses that message.
/// - Start methods: a handle; copies share the end, also as an argument, as an item, or in a message.
/// - Over a socket, as Listener and Client make it: copies share the socket, also with processes that are forked or get one as an
///   argument, of which one at a time sends and one receives. It can't be put on a queue, sent, or given to a pool:
///   NotPortableError. Values with shared objects in them can't be sent over it. A killed sender may leave half a message, which
///   is an EOFError.
/// - Errors: EOFError, BrokenPipeError; ValueError after close() or in the wrong direction; TypeError; NotPortableError.
class Connection {
public:
    /// A closed one, to assign to.
    Connection() : Connection(memory::nothing) {}
    Connection(const Connection&) = default;
    Connection(Connection&&) noexcept = default;
    Connection& operator=(const Connection& other) {
        if (this != &other) *this = Connection(other);
        return *this;
    }
    Connection& operator=(Connection&& other) noexcept {
        hang_up();
        stream_ = std::move(other.stream_);
        link_ = std::move(other.link_);
        end_ = std::move(other.end_);
        in_ = std::move(other.in_);
        out_ = std::move(other.out_);
        side_ = other.side_;
        polling_ = std::move(other.polling_);
        return *this;
    }
    ~Connection() { hang_up(); }

    /// Sends a value, which keeps its type: recv() of another type is a TypeError. Waits while 1024 messages are on their way.
    /// BrokenPipeError when nobody is left at the other end.
    /// Items in braces are an Object; a text in quotes is a std::string.
    template <typename T = Object>
    void send(const T& value) const {
        if constexpr (std::is_array_v<T> && std::is_same_v<std::remove_extent_t<T>, char>) {
            send(std::string(value));
        } else if constexpr (serial::detail::demand<T>) {
            const auto write_all = [&](serial::writer& out) {
                serial::write_tag<T>(out);
                serial::write(out, value);
            };
            if (stream_.get) send_over_socket(write_all);
            else send_marked(true, write_all);
        }
    }
    /// Receives the next one. EOFError when there is none and nobody is left to send one. After a TypeError the message is gone.
    /// An Object is also made of a number, a text, a list, a dict, or a vector of numbers or texts, that was sent as such.
    template <typename T = Object>
    [[nodiscard]] T recv() const {
        return *receive<T>(channel::patience::for_ever());
    }
    /// Nothing when none came in time.
    template <typename T = Object, typename Rep, typename Period>
    [[nodiscard]] std::optional<T> try_recv_for(std::chrono::duration<Rep, Period> timeout) const {
        return receive<T>(channel::patience(timeout));
    }

    /// Sends bytes as they are. ValueError for a part that isn't there.
    void send_bytes(std::span<const std::byte> all, std::ptrdiff_t offset = 0, std::optional<std::ptrdiff_t> size = {}) const;
    /// The same, of a text (one in quotes without its null) or of plain elements that lie in one piece.
    template <channel::LiesInBytes Range>
    void send_bytes(const Range& of, std::ptrdiff_t offset = 0, std::optional<std::ptrdiff_t> size = {}) const {
        if constexpr (std::is_convertible_v<const Range&, std::string_view>)
            send_bytes(std::as_bytes(std::span(std::string_view(of))), offset, size);
        else
            send_bytes(std::as_bytes(std::span(std::ranges::data(of), std::ranges::size(of))), offset, size);
    }
    /// One message as bytes. ValueError when it is longer than `maxlength`, and it is gone.
    /// (Over a socket nothing more can be received then, as in Python: how long one would have to wait for the rest, nobody knows.)
    [[nodiscard]] std::vector<std::byte> recv_bytes(std::optional<std::ptrdiff_t> maxlength = {}) const;
    /// One message into memory that is there. Returns its size. BufferTooShort, with the message in it, when it doesn't fit.
    std::size_t recv_bytes_into(std::span<std::byte> to, std::ptrdiff_t offset = 0) const;
    /// The same, into plain elements that lie in one piece; size and offset are in bytes.
    template <channel::LiesInBytes Range>
        requires(!std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<Range&>>>)
    std::size_t recv_bytes_into(Range&& to, std::ptrdiff_t offset = 0) const {
        return recv_bytes_into(std::as_writable_bytes(std::span(std::ranges::data(to), std::ranges::size(to))), offset);
    }

    /// Whether recv() would return at once: with a message, or with EOFError.
    /// Over a socket: when a part of one has come.
    [[nodiscard]] bool poll() const {
        return stream_.get ? poll_socket(os::deadline::after({})) : is_ready(true);
    }
    /// Waits for that so long at most.
    template <typename Rep, typename Period>
    [[nodiscard]] bool poll(std::chrono::duration<Rep, Period> timeout) const {
        const channel::patience how_long(timeout);
        if (stream_.get) return poll_socket(how_long.until());
        demand_readable();
        return wait_until(how_long, [&](bool closer) { return is_ready(closer); });
    }
    /// A descriptor to poll: readable whenever poll() is true. Not to be read from. Made when first asked for; another one in each
    /// process. From then on a message costs its sender a call of the system when this end had nothing to receive.
    /// It may be readable for nothing: now and then, and always in what is more than the eighth process to poll this end.
    /// (Where there is no epoll it doesn't show that the other end has died.)
    [[nodiscard]] int fileno() const;

    void close() noexcept { hang_up(); }
    [[nodiscard]] bool closed() const noexcept { return !end_ && !stream_.get; }
    [[nodiscard]] bool readable() const noexcept {
        return stream_.get ? stream_.get->readable() : static_cast<bool>(in_) || side_.readable;
    }
    [[nodiscard]] bool writable() const noexcept { return stream_.get || static_cast<bool>(out_) || side_.writable; }

    /// The same end.
    friend bool operator==(const Connection& a, const Connection& b) noexcept {
        return a.end_ == b.end_ && a.stream_ == b.stream_;
    }

private:
    friend struct memory::access;
    friend struct channel::shown;
    friend std::pair<Connection, Connection> Pipe(bool duplex);
    friend Connection channel::connection_over(os::descriptor socket);

    struct side {
        std::uint32_t number = 0;
        bool readable = false;
        bool writable = false;
        bool unused[2] = {};
    };

    explicit Connection(memory::nothing_t) {}
    auto parts() noexcept {
        return std::tie(stream_, link_, end_, in_.state(), out_.state(), side_.number, side_.readable, side_.writable);
    }

    [[nodiscard]] memory::object_name other_end() const noexcept { return link_->ends[1 - side_.number % 2]; }
    void demand_open() const {
        if (closed()) throw ValueError("the connection is closed");
    }
    void demand_readable() const {
        demand_open();
        if (!readable()) throw ValueError("the connection is write-only");
    }
    void demand_writable() const {
        demand_open();
        if (!writable()) throw ValueError("the connection is read-only");
    }
    [[nodiscard]] std::unique_ptr<channel::poller> make_poller() const {
        return std::make_unique<channel::poller>(link_, side_.number % 2);
    }
    void after_receiving() const {
        if (polling_->is_published()) static_cast<void>(fileno());
    }

    [[nodiscard]] bool is_ready(bool look_closer) const;
    template <typename Attempt>
    [[nodiscard]] bool wait_until(const channel::patience& how_long, Attempt attempt) const;
    [[nodiscard]] bool take(channel::incoming& message, const channel::patience& how_long) const;
    template <typename T>
    [[nodiscard]] std::optional<T> receive(const channel::patience& how_long) const;
    template <typename F>
    void send_marked(bool marked, F write_all) const;
    void hang_up() noexcept;

    [[nodiscard]] bool poll_socket(const os::deadline& until) const {
        demand_readable();
        return stream_.get->is_ready(until);
    }
    template <typename F>
    void send_over_socket(F write_all) const;
    template <typename T>
    [[nodiscard]] std::optional<T> receive_over_socket(const channel::patience& how_long) const;

    // Constness is the handle's, as with every shared object: a lambda may use its copy.
    mutable channel::stream_handle stream_; // if there is one, there is nothing of the rest
    memory::handle<channel::link_state> link_;
    memory::handle<channel::end_state> end_;
    mutable channel::ring in_, out_;
    side side_;
    std::shared_ptr<channel::polling> polling_ = std::make_shared<channel::polling>();
};

inline bool Connection::is_ready(bool look_closer) const {
    demand_readable();
    if (in_.peek(look_closer) == channel::ring::result::done) return true;
    return !channel::is_there(other_end(), look_closer);
}

inline int Connection::fileno() const {
    demand_open();
    if (stream_.get) return stream_.get->fd();
    const auto bell = polling_->publish([this] { return make_poller(); });
    bell->arm();
    if (readable()) {
        const memory::object_id other = memory::family::here().find(other_end());
        if (other != memory::no_object) bell->watch(memory::family::here().living_holders(other));
        if (!bell->is_known() || is_ready(true) || in_.peek(true) == channel::ring::result::busy) bell->ring();
    }
    return bell->fd();
}

// For a few milliseconds as everybody waits, by sleeping in the ring, which costs a sender least. Then by polling, because that
// also shows the end of the processes at the other end.
template <typename Attempt>
bool Connection::wait_until(const channel::patience& how_long, Attempt attempt) const {
    using result = channel::ring::result;
    if (attempt(false)) return true;
    const auto soon = os::deadline::after(std::chrono::milliseconds(5));
    const auto as_result = [&](bool closer) { // whether all at the other end are dead is asked after this
        if (attempt(false)) return result::done;
        return closer && in_.peek(true) == result::busy ? result::busy : result::not_now;
    };
    if (in_.wait_for_message(as_result, std::min(how_long.until(), soon))) return true;
    const auto bell = polling_->borrow([this] { return make_poller(); });
    for (;;) {
        bell->arm();
        const memory::object_id other = memory::family::here().find(other_end());
        bell->watch(other == memory::no_object ? std::vector<pid_t>() : memory::family::here().living_holders(other));
        if (attempt(true)) return true;
        if (how_long.until().passed()) return false;
        const auto next_look = in_.peek(true) == result::busy ? os::deadline::after(std::chrono::milliseconds(1)) : how_long.until();
        bell->wait(std::min(how_long.until(), next_look));
    }
}

inline bool Connection::take(channel::incoming& message, const channel::patience& how_long) const {
    demand_readable();
    using result = channel::ring::result;
    bool at_end = false;
    const auto attempt = [&](bool closer) {
        if (in_.try_receive(message.reads_from(in_), closer) == result::done) return true;
        if (channel::is_there(other_end(), closer)) return false;
        // Nobody is left to send, so what isn't there now will never be; unless a sender died halfway, who is met here.
        switch (in_.try_receive(message.reads_from(in_), true)) {
        case result::done: return true;
        case result::not_now: at_end = true; return true;
        default: return false;
        }
    };
    if (!wait_until(how_long, attempt)) return false;
    if (at_end) throw EOFError("nothing is left to receive, and nobody is left at the other end");
    return true;
}

template <typename T>
std::optional<T> Connection::receive(const channel::patience& how_long) const {
    if (stream_.get) return receive_over_socket<T>(how_long);
    channel::incoming message;
    if (!take(message, how_long)) return {};
    after_receiving();
    if (!message.is_marked())
        throw TypeError("bytes of send_bytes() can't be received as " + std::string(serial::type_name<T>()) + ": use recv_bytes()");
    if constexpr (serial::detail::demand<T>) {
        const auto shares = message.shares();
        serial::reader in(message.bytes(), serial::type_name<T>());
        in.claim_from(shares);
        std::optional<T> value(serial::take_tagged<T>(in));
        in.finish();
        message.put_away(in_);
        return value;
    } else {
        return {};
    }
}

inline std::vector<std::byte> Connection::recv_bytes(std::optional<std::ptrdiff_t> maxlength) const {
    demand_readable();
    if (maxlength && *maxlength < 0) throw ValueError("negative maxlength");
    if (stream_.get) {
        const auto most = maxlength ? static_cast<std::uint64_t>(*maxlength) : channel::stream::unlimited;
        return *stream_.get->receive(os::deadline::never(), most);
    }
    channel::incoming message;
    static_cast<void>(take(message, channel::patience::for_ever()));
    after_receiving();
    const auto all = message.bytes();
    if (maxlength && all.size() > static_cast<std::size_t>(*maxlength))
        throw ValueError("bad message length: " + std::to_string(all.size()) + " bytes, and " + std::to_string(*maxlength) +
                         " were allowed");
    std::vector<std::byte> copy(all.begin(), all.end());
    message.put_away(in_);
    return copy;
}

inline std::size_t Connection::recv_bytes_into(std::span<std::byte> to, std::ptrdiff_t offset) const {
    demand_readable();
    if (offset < 0) throw ValueError("negative offset");
    if (static_cast<std::size_t>(offset) > to.size()) throw ValueError("offset too large");
    to = to.subspan(static_cast<std::size_t>(offset));
    const auto copy = [&](std::span<const std::byte> all) {
        if (all.size() > to.size())
            throw BufferTooShort("a message of " + std::to_string(all.size()) + " bytes for a buffer of " +
                                     std::to_string(to.size()),
                                 {all.begin(), all.end()});
        if (!all.empty()) std::memcpy(to.data(), all.data(), all.size());
        return all.size();
    };
    if (stream_.get) return copy(*stream_.get->receive(os::deadline::never()));
    channel::incoming message;
    static_cast<void>(take(message, channel::patience::for_ever()));
    after_receiving();
    const std::size_t n = copy(message.bytes());
    message.put_away(in_);
    return n;
}

template <typename F>
void Connection::send_marked(bool marked, F write_all) const {
    demand_writable();
    using result = channel::ring::result;
    const auto nobody = [] { return BrokenPipeError("nobody is left to receive what is sent"); };
    if (!channel::is_there(other_end(), false)) throw nobody();
    channel::outgoing message(out_, write_all, marked);
    bool is_broken = false;
    bool look_closer = false;
    const auto attempt = [&] {
        if (message.try_send(out_) == result::done) return result::done;
        is_broken = !channel::is_there(other_end(), look_closer);
        return is_broken ? result::done : result::not_now;
    };
    // Full: it may be so because those who should have received are dead, and nobody else buries them.
    while (!out_.wait_for_room(attempt, os::deadline::after(std::chrono::milliseconds(10)))) look_closer = true;
    if (is_broken) throw nobody();
    link_->polling[1 - side_.number % 2].ring();
}

inline void Connection::send_bytes(std::span<const std::byte> all, std::ptrdiff_t offset, std::optional<std::ptrdiff_t> size) const {
    demand_writable();
    if (offset < 0) throw ValueError("negative offset");
    if (static_cast<std::size_t>(offset) > all.size()) throw ValueError("buffer length < offset");
    all = all.subspan(static_cast<std::size_t>(offset));
    if (size && *size < 0) throw ValueError("negative size");
    if (size && static_cast<std::size_t>(*size) > all.size()) throw ValueError("buffer length < offset + size");
    if (size) all = all.first(static_cast<std::size_t>(*size));
    if (stream_.get) return stream_.get->send(all);
    send_marked(false, [&](serial::writer& out) {
        if (!all.empty()) out.bytes(all.data(), all.size());
    });
}

template <typename F>
void Connection::send_over_socket(F write_all) const {
    demand_writable();
    std::vector<memory::holding> shares;
    const auto all = serial::detail::pack_by(shares, [&](serial::writer& out) {
        out.number(channel::value_mark);
        write_all(out);
    });
    if (!shares.empty())
        throw NotPortableError("a shared object (a Lock, a Queue, a Value, ...) can't go over a socket: whoever is at the other "
                               "end may share no memory with this process. Send it over a Pipe or a Queue");
    stream_.get->send(all);
}

template <typename T>
std::optional<T> Connection::receive_over_socket(const channel::patience& how_long) const {
    demand_readable();
    const auto all = stream_.get->receive(how_long.until());
    if (!all) return {};
    if constexpr (serial::detail::demand<T>) {
        serial::reader in(*all, serial::type_name<T>());
        in.refuse_shares();
        if (in.left() < sizeof channel::value_mark || in.number<std::uint64_t>() != channel::value_mark)
            throw TypeError("bytes that this library's send() hasn't sent can't be received as " +
                            std::string(serial::type_name<T>()) + ": use recv_bytes()");
        std::optional<T> value(serial::take_tagged<T>(in));
        in.finish();
        return value;
    } else {
        return {};
    }
}

inline void Connection::hang_up() noexcept {
    stream_.get.reset();
    if (!end_) return;
    side_.readable = readable(); // still true of it
    side_.writable = writable();
    polling_.reset();
    const memory::object_name mine = end_.name();
    end_ = {};
    // The last one tells those who wait at the other end.
    if (memory::family::here().find(mine) == memory::no_object) {
        if (out_) out_.state()->items.ring_all();
        if (in_) in_.state()->space.ring_all();
        link_->polling[1 - side_.number % 2].ring();
    }
    in_ = {};
    out_ = {};
    link_ = {};
}

inline Connection channel::connection_over(os::descriptor socket) {
    Connection made(memory::nothing);
    made.stream_.get = std::make_shared<channel::stream>(std::move(socket));
    made.side_.readable = made.side_.writable = true; // still true of it when it is closed
    return made;
}

} // namespace multiprocessing
