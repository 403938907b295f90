// Floor 10, manager/server_sockets: how a server serves clients that aren't of its family.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/kept_references.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/server_core.hpp>
#include <multiprocessing/net/listener.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/thread.hpp>
#include <multiprocessing/serial/exception.hpp>

namespace multiprocessing::manager {

// After the challenge the client says which process it is, the server which server it is; then requests and answers take turns, each
// a frame of the connection: what call.hpp says. A request that wants no answer gets none.

/// The first frame of a client, and what the server answers.
struct greeting {
    static constexpr std::uint64_t mark = 0x31524547414e414d; ///< "MANAGER1" as bytes of a little-endian number
    std::uint64_t is = mark;
    std::uint64_t id = 0; ///< a random number of the client process; of the server
    std::int64_t pid = 0;
    std::string name;
};
inline void write_greeting(serial::writer& out, const greeting& x) {
    out.number(x.is);
    out.number(x.id);
    out.number(x.pid);
    serial::write(out, x.name);
}
/// ProcessError for anything else.
[[nodiscard]] inline greeting read_greeting(std::span<const std::byte> bytes) {
    serial::reader in(bytes, "a manager's greeting");
    greeting x;
    x.is = in.number<std::uint64_t>();
    if (x.is != greeting::mark) in.fail("it is none");
    x.id = in.number<std::uint64_t>();
    x.pid = in.number<std::int64_t>();
    serial::read(in, x.name);
    in.finish();
    return x;
}
inline constexpr std::ptrdiff_t longest_greeting = 1024;
inline constexpr std::ptrdiff_t longest_frame = std::ptrdiff_t{1} << 32; ///< memory is taken for what arrives, not for what is announced

/// The numbers of clients over a network, apart from those of the family, which are seats.
inline std::uint64_t network_client(std::uint64_t id) noexcept { return id | std::uint64_t{1} << 63; }

class socket_caller final : public caller {
public:
    socket_caller(Connection& connection, const std::atomic<bool>& is_cut, server_core& core, grants& granted, std::uint64_t client_,
                  std::uint64_t thread_, pid_t pid_)
        : caller(client_, thread_, pid_, true), connection_(connection), is_cut_(is_cut), core_(core), granted_(granted) {}
    /// While it waits for its answer it has nothing to say: what can be read there is the end.
    [[nodiscard]] bool is_there() const override { return !is_cut_.load() && !connection_.poll(); }
    [[nodiscard]] std::vector<memory::holding> keep(std::span<std::byte> bytes) const override { return keep_references(core_, bytes); }
    [[nodiscard]] bool hand_over(std::span<std::byte> bytes) const override { return hand_over_references(core_, granted_, bytes); }

private:
    Connection& connection_;
    const std::atomic<bool>& is_cut_;
    server_core& core_;
    grants& granted_;
};

/// Accepts clients, and gives each connection a thread.
///
/// - Threads: one that accepts, and one for each connection.
/// - Peers that send garbage, or nothing, are dealt with by Listener before they are authenticated, and hung up on afterwards.
class socket_server {
public:
    socket_server(std::shared_ptr<server_core> core, connection::ListenerOptions options)
        : core_(std::move(core)), listener_(std::move(options)) {}
    socket_server(const socket_server&) = delete;
    socket_server& operator=(const socket_server&) = delete;
    ~socket_server() { stop(); }

    [[nodiscard]] std::string address() const { return listener_.address(); }
    void start() {
        acceptor_ = os::thread([this] { accept(); });
    }
    /// Nobody is served any more; a thread in a call that doesn't end is left to itself.
    void stop() noexcept;

private:
    struct session {
        explicit session(Connection c) : its(std::move(c)) {}
        Connection its;
        std::atomic<bool> is_cut{false}; ///< the server ends
        std::atomic<bool> is_in_call{false};
        std::atomic<bool> is_done{false};
        os::thread thread;
    };

    void accept() noexcept;
    static void serve(const std::shared_ptr<server_core>& core, session& mine) noexcept;
    static void converse(server_core& core, session& mine, std::uint64_t client, pid_t pid);

    std::shared_ptr<server_core> core_;
    connection::Listener listener_;
    os::thread acceptor_;
    std::atomic<bool> stopped_{false};
    std::list<std::shared_ptr<session>> sessions_; // the acceptor's, then stop()'s
};

inline void socket_server::accept() noexcept {
    while (!stopped_.load()) {
        try {
            auto fresh = std::make_shared<session>(listener_.accept());
            sessions_.remove_if([](const auto& each) {
                if (each->is_done.load()) each->thread.join();
                return each->is_done.load();
            });
            fresh->thread = os::thread([core = core_, fresh] { serve(core, *fresh); });
            sessions_.push_back(std::move(fresh));
        } catch (const AuthenticationError& error) {
            os::log(os::log_level::info, "a manager refused a client: {}", error.what());
        } catch (const std::exception& error) {
            if (stopped_.load()) return;
            os::log(os::log_level::error, "a manager can't serve another client: {}", error.what());
        }
    }
}

inline void socket_server::stop() noexcept {
    if (stopped_.exchange(true)) return;
    listener_.close();
    acceptor_.join();
    // A call that waits for something notices that it is cut, and its caller is told. Who only listens needn't be waited for.
    for (const auto& each : sessions_) each->is_cut.store(true);
    const auto soon = os::deadline::after(std::chrono::seconds(1));
    const auto one_calls = [&] {
        return std::any_of(sessions_.begin(), sessions_.end(), [](const auto& each) { return each->is_in_call.load(); });
    };
    const std::atomic<std::uint32_t> nothing{0};
    while (one_calls() && !soon.passed()) static_cast<void>(os::sleep_on(nothing, 0, os::deadline::after(std::chrono::milliseconds(5))));
    for (const auto& each : sessions_)
        if (each->is_done.load()) each->thread.join();
    sessions_.clear();
}

inline void socket_server::serve(const std::shared_ptr<server_core>& core, session& mine) noexcept {
    try {
        const greeting peer = read_greeting(mine.its.recv_bytes(longest_greeting));
        const std::uint64_t client = network_client(peer.id);
        core->client_came(client);
        struct leaving {
            server_core& core;
            std::uint64_t client;
            ~leaving() { core.client_left(client, true); }
        } const at_the_end{*core, client};
        serial::writer hello;
        write_greeting(hello, {.id = core->id(), .pid = os::pid(), .name = text_in(core->where()->name)});
        mine.its.send_bytes(std::move(hello).take());
        converse(*core, mine, client, static_cast<pid_t>(peer.pid));
    } catch (const EOFError&) {
        // it has hung up
    } catch (const std::exception& error) {
        os::log(os::log_level::info, "a manager hangs up on a client: {}", error.what());
    }
    mine.its.close();
    mine.is_done.store(true);
}

inline void socket_server::converse(server_core& core, session& mine, std::uint64_t client, pid_t pid) {
    const for_the_network medium;
    serial::message arguments;
    while (!core.is_stopping()) {
        if (!mine.its.poll(std::chrono::milliseconds(500))) continue; // looks whether the server ends
        const auto bytes = mine.its.recv_bytes(longest_frame);
        struct calling {
            std::atomic<bool>& is;
            explicit calling(std::atomic<bool>& it) noexcept : is(it) { is.store(true); }
            ~calling() { is.store(false); }
        } const until_answered(mine.is_in_call);
        grants granted(core);
        std::vector<std::byte> reply;
        bool is_wanted = true;
        try {
            serial::reader in(bytes, "call");
            const request asked = read_request(in, arguments);
            is_wanted = asked.wants_answer;
            const socket_caller who(mine.its, mine.is_cut, core, granted, client, asked.thread, pid);
            const serial::message result = core.call(asked.object, asked.method, arguments, who);
            serial::writer out;
            write_answer(out, result);
            reply = std::move(out).take();
            core.grant(client, granted.take());
        } catch (...) {
            serial::writer out;
            write_failure(out, serial::capture(std::current_exception()));
            reply = std::move(out).take();
        }
        core.look_at_kept();
        if (is_wanted) mine.its.send_bytes(reply);
    }
}

} // namespace multiprocessing::manager
