// Floor 7, net/listener: Listener: an address that processes connect to.
#pragma once

#include <chrono>
#include <concepts>
#include <memory>
#include <mutex> // std::lock_guard
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/net/acceptor.hpp>
#include <multiprocessing/net/address.hpp>
#include <multiprocessing/net/options.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/socket.hpp>

namespace multiprocessing::connection {

/// An address that processes of this machine or of others can connect to, by Client or by CPython's.
///
///     mp::connection::Listener listener({.address = "localhost:6000", .authkey = "secret"});
///     mp::Connection c = listener.accept();
///     fmt::print("connection accepted from {}\n", listener.last_accepted());
///     c.send_bytes(...);
///
/// With a key, both sides prove to each other that they know it before accept() returns: CPython's challenge. Who doesn't is never
/// waited for alone: several may try at once, each has `.authentication_timeout`, and of more than 128 the first must go. Nothing
/// is encrypted.
///
/// - Python: `multiprocessing.connection.Listener`. There a client that connects and says nothing keeps out everybody else.
/// - Threads: accept() may be called by several, who take turns; close() by any, and those who wait in accept() get ValueError.
/// - Across fork(): parent and child both accept; the one that made it removes the name of its unix socket.
/// - When a process dies: the address is free again; a unix socket's name stays in the file system until somebody removes it, that of
///   a Listener without an address until this user makes another such one. A machine that vanishes from the network without a word
///   is taken for gone after a minute; when something was on its way to it, after as long as the system tries (a quarter of an hour).
/// - Errors: std::system_error (std::errc::address_in_use, ...), ValueError; ProcessError for a key without libcrypto.
class Listener {
public:
    Listener() : Listener(ListenerOptions{}) {}
    explicit Listener(ListenerOptions options);
    template <typename Text>
        requires std::convertible_to<const Text&, std::string_view>
    explicit Listener(const Text& address) : Listener(ListenerOptions{.address = std::string(std::string_view(address))}) {}
    Listener(Listener&&) noexcept = default;
    Listener& operator=(Listener&& other) noexcept {
        std::swap(acceptor_, other.acceptor_);
        std::swap(directory_, other.directory_);
        std::swap(address_, other.address_);
        std::swap(last_, other.last_);
        std::swap(name_, other.name_);
        std::swap(maker_, other.maker_);
        return *this;
    }
    ~Listener() { close(); }

    /// Waits until somebody has connected, and is authenticated. AuthenticationError for one who tried and failed; the next call
    /// goes on. Who hangs up or says nothing is only told to the log. ValueError after close().
    [[nodiscard]] Connection accept() { return *take(os::deadline::never()); }
    /// Waits so long at most, then TimeoutError. Not in Python.
    template <typename Rep, typename Period>
    [[nodiscard]] Connection accept(std::chrono::duration<Rep, Period> timeout) {
        auto accepted = take(os::deadline(timeout));
        if (!accepted) throw TimeoutError("nobody has connected in the time given");
        return *std::move(accepted);
    }
    /// The same, and then nothing.
    template <typename Rep, typename Period>
    [[nodiscard]] std::optional<Connection> try_accept_for(std::chrono::duration<Rep, Period> timeout) {
        return take(os::deadline(timeout));
    }

    /// What Client takes: with the port that was found for port 0.
    [[nodiscard]] std::string address() const { return address_; }
    /// Where the last one who was accepted came from; empty before, and over unix sockets.
    [[nodiscard]] std::string last_accepted() const {
        const std::lock_guard guard(last_->lock);
        return last_->from;
    }

    /// Nobody can connect any more. Who has been accepted stays connected.
    void close() noexcept;

private:
    [[nodiscard]] std::optional<Connection> take(const os::deadline& until);

    std::unique_ptr<os::private_directory> directory_;
    std::unique_ptr<net::acceptor> acceptor_;
    std::string address_;
    struct guest {
        os::private_lock lock;
        std::string from;
    };
    std::unique_ptr<guest> last_ = std::make_unique<guest>();
    std::string name_; // in the file system, to be removed
    pid_t maker_ = os::pid();
};

inline Listener::Listener(ListenerOptions options) {
    std::string address = std::move(options.address);
    if (address.empty()) {
        if (options.family == "AF_INET") address = "localhost:0";
        else if (options.family == "AF_INET6") address = "[::1]:0";
        else {
            directory_ = std::make_unique<os::private_directory>();
            address = directory_->path() + '/' + os::private_directory::socket_name;
        }
    }
    const net::address parsed(address, options.family);
    const auto places = parsed.endpoints(true);
    const net::acceptor::terms terms{
        .backlog = options.backlog, .authkey = options.authkey, .patience = options.authentication_timeout.value()};
    for (std::size_t i = 0; !acceptor_; ++i) {
        try {
            acceptor_ = std::make_unique<net::acceptor>(places.at(i), terms);
        } catch (const std::system_error&) {
            if (i + 1 == places.size()) throw;
        }
    }
    if (parsed.is_unix && !address.starts_with('\0')) name_ = address;
    address_ = parsed.is_unix ? address : acceptor_->where().text();
}

inline std::optional<Connection> Listener::take(const os::deadline& until) {
    const auto demand_open = [this] {
        if (!acceptor_ || acceptor_->is_stopped()) throw ValueError("the listener is closed");
    };
    demand_open();
    auto next = acceptor_->next(until, true);
    if (!next) {
        demand_open();
        return std::nullopt;
    }
    const std::lock_guard guard(last_->lock);
    last_->from = std::move(next->from);
    return std::move(next->connection);
}

inline void Listener::close() noexcept {
    if (!acceptor_) return;
    acceptor_->close();
    const bool is_mine = maker_ == os::pid();
    if (is_mine && !name_.empty()) os::remove_name(name_);
    name_.clear();
    if (directory_ && !is_mine) directory_->release();
    directory_.reset();
}

} // namespace multiprocessing::connection
