// Floor 7, net/client: Client(): connecting to a listener; and the two halves of the challenge.
#pragma once

#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/channel/stream.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/net/address.hpp>
#include <multiprocessing/net/challenge.hpp>
#include <multiprocessing/net/options.hpp>
#include <multiprocessing/net/secret.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/socket.hpp>

namespace multiprocessing {

namespace net {

/// The first of these places where somebody listens; nothing when the deadline passed.
[[nodiscard]] inline std::optional<os::descriptor> connect_to_any(std::span<const os::endpoint> places, const os::deadline& until) {
    std::exception_ptr why;
    for (const os::endpoint& each : places) {
        try {
            return os::connect_to(each, until);
        } catch (const std::system_error&) {
            if (!why) why = std::current_exception();
        }
    }
    if (why) std::rethrow_exception(why);
    return std::nullopt;
}

/// Goes through with a handshake; false when the deadline passed.
[[nodiscard]] inline bool shake_hands(channel::stream& with, handshake& mine, const os::deadline& until) {
    while (!mine.is_done()) {
        if (const auto message = mine.outgoing()) with.send(*message);
        const auto answer = with.receive(until, longest_answer);
        if (!answer) return false;
        try {
            mine.take(*answer);
        } catch (const AuthenticationError&) {
            if (const auto message = mine.outgoing()) with.send(*message);
            throw;
        }
    }
    if (const auto message = mine.outgoing()) with.send(*message);
    return true;
}

/// The same over any connection.
inline void shake_hands(Connection& with, handshake mine) {
    const auto send = [&] {
        if (const auto message = mine.outgoing()) with.send_bytes(*message);
    };
    for (send(); !mine.is_done(); send()) {
        try {
            mine.take(with.recv_bytes(static_cast<std::ptrdiff_t>(longest_answer)));
        } catch (const AuthenticationError&) {
            send();
            throw;
        }
    }
}

} // namespace net

namespace connection {

/// Connects to a Listener: one of this library, or of CPython.
///
///     mp::Connection c = mp::connection::Client("localhost:6000", {.authkey = "secret"});
///     c.send_bytes(question);
///     const auto answer = c.recv_bytes();
///
/// - Python: `multiprocessing.connection.Client`. Addresses: see ListenerOptions.
/// - Errors: std::system_error when nobody listens there (std::errc::connection_refused, no_such_file_or_directory) or the host
///   isn't known; AuthenticationError when one of the two doesn't know the key; EOFError when the listener hangs up; TimeoutError.
[[nodiscard]] inline Connection Client(std::string_view address, const ClientOptions& options = {}) {
    const os::deadline until = options.timeout.from_now();
    const auto places = net::address(address, options.family).endpoints(false);
    if (options.authkey) static_cast<void>(net::crypto::here()); // before somebody is kept waiting for it
    const auto late = [&](std::string_view what) {
        return TimeoutError(fmt::format("{} {} in the time given", address.starts_with('\0') ? address.substr(1) : address, what));
    };
    auto socket = net::connect_to_any(places, until);
    if (!socket) throw late("can't be connected to");
    if (options.authkey) {
        channel::stream stream(std::move(*socket));
        auto mine = net::handshake::of_client(options.authkey.bytes());
        try {
            if (!net::shake_hands(stream, mine, until)) throw late("didn't finish its challenge");
        } catch (const ValueError& error) { // of a message that is too long
            throw AuthenticationError(std::string("what came instead of a challenge is none: ") + error.what());
        }
        socket = stream.release();
    }
    return channel::connection_over(*std::move(socket));
}

/// One half of the challenge: the other end must prove that it knows the key. AuthenticationError when it doesn't; ValueError when
/// what it sends is longer than 256 bytes. `digest_name`: "md5", "sha256", "sha384", "sha3_256", "sha3_384"; empty: the form of
/// CPython before 3.12.
///
/// - Python: `multiprocessing.connection.deliver_challenge`.
inline void deliver_challenge(Connection& with, const net::secret& authkey, std::string_view digest_name = "sha256") {
    if (!authkey) throw ValueError("a challenge needs a key");
    net::shake_hands(with, net::handshake(authkey.bytes(), {net::handshake::part::deliver}, digest_name));
}

/// The other half: proves to the other end that this one knows the key. AuthenticationError when it isn't content.
///
/// - Python: `multiprocessing.connection.answer_challenge`.
inline void answer_challenge(Connection& with, const net::secret& authkey) {
    if (!authkey) throw ValueError("a challenge needs a key");
    net::shake_hands(with, net::handshake(authkey.bytes(), {net::handshake::part::answer}));
}

} // namespace connection
} // namespace multiprocessing
