// Floor 7, net/options: how a listener and a client are made.
#pragma once

#include <chrono>
#include <string>

#include <multiprocessing/net/secret.hpp>
#include <multiprocessing/os/deadline.hpp>

namespace multiprocessing {

namespace net {

/// A length of time that any duration gives, also where converting it would need a cast. None is for ever.
class time_limit {
public:
    time_limit() noexcept = default;
    template <typename Rep, typename Period>
    time_limit(std::chrono::duration<Rep, Period> d) // NOLINT(google-explicit-constructor): that is what it is for
        : value_(os::detail::in_nanoseconds(d)) {}
    [[nodiscard]] std::chrono::nanoseconds value() const noexcept { return value_; }
    [[nodiscard]] os::deadline from_now() const noexcept { return os::deadline::after(value_); }

private:
    std::chrono::nanoseconds value_ = std::chrono::nanoseconds::max();
};

} // namespace net

namespace connection {

/// How a Listener is made: `Listener listener({.address = "localhost:6000", .authkey = "secret"});`
struct ListenerOptions {
    /// "host:port", "[::1]:port", ":port" (every interface), with port 0 for any that is free; the path of a unix socket; "\0name"
    /// (Linux). Empty: a unix socket in a directory of its own, for this user alone.
    std::string address = {};
    /// "AF_UNIX", "AF_INET", "AF_INET6"; empty: as the address looks. Without an address: one of this family.
    std::string family = {};
    /// How many connections may wait for accept(). Python's default is 1.
    int backlog = 128;
    /// What clients must know. None: anybody may connect.
    net::secret authkey = {};
    /// Who hasn't proved by then that he knows the key is hung up on. Python waits for ever.
    net::time_limit authentication_timeout = std::chrono::seconds(10);
};

/// How a client connects: `Client("localhost:6000", {.authkey = "secret"});`
struct ClientOptions {
    std::string family = {};
    /// None: the listener has none.
    net::secret authkey = {};
    /// For connecting, and for the challenge; then TimeoutError. None: as long as it takes. Not in Python.
    net::time_limit timeout = {};
};

} // namespace connection
} // namespace multiprocessing
