// Floor 10, manager/server_lines: how a server serves the members of its family.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <multiprocessing/channel/poller.hpp>
#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/server_core.hpp>
#include <multiprocessing/manager/transport_line.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/thread.hpp>
#include <multiprocessing/serial/exception.hpp>

namespace multiprocessing::manager {

/// A line that is served, by a thread of its own.
struct line_session {
    line its;
    memory::seat client;
    std::atomic<bool> is_cut{false};  ///< the client is dead, or the server ends
    std::atomic<bool> is_done{false}; ///< the thread is at its end
    os::thread thread;

    /// Nobody is at the other end any more.
    void cut() noexcept {
        is_cut.store(true);
        its.leave(line::client); // which wakes the thread
    }
};

class line_caller final : public caller {
public:
    line_caller(const line_session& session, std::uint64_t thread_, pid_t pid_)
        : caller(number_of(session.client), thread_, pid_, false), session_(session) {}
    [[nodiscard]] bool is_there() const override {
        return !session_.its.is_left(line::client) && !is_over(session_.client);
    }

private:
    const line_session& session_;
};

/// The server's main loop: takes lines in, gives each a thread, watches the clients, and frees what nobody refers to.
///
/// - Threads: run() is one thread's; it costs one more for each line, which is there as long as its client is.
/// - When a client dies: seen at once by the descriptor that stands for its process. What else died, holding references, is looked
///   for twice a second while there are objects.
class line_server {
public:
    explicit line_server(std::shared_ptr<server_core> core) : core_(std::move(core)) {}
    line_server(const line_server&) = delete;
    line_server& operator=(const line_server&) = delete;

    /// Until core.is_stopping(), and request_stop() wakes it. Then everybody who waits is told.
    void run();
    /// Lines that are served.
    [[nodiscard]] std::size_t size() const noexcept { return sessions_.size(); }

private:
    struct watched {
        memory::seat seat;
        os::descriptor end; ///< none where the system can't tell
    };

    static void serve(const std::shared_ptr<server_core>& core, line_session& session) noexcept;
    void take_notices();
    void open(line opened);
    void watch(memory::seat client);
    void look_for_the_dead();
    void is_dead(std::uint64_t client);
    void sweep();

    std::shared_ptr<server_core> core_;
    std::list<std::shared_ptr<line_session>> sessions_;
    std::map<std::uint64_t, watched> clients_; // with lines; by their numbers
    os::poll_set set_;
    std::uint64_t deaths_ = 0;
};

namespace detail {

/// One request, from its taking to its answer.
inline void answer_one(server_core& core, line_session& session, channel::incoming& message, serial::message& arguments) {
    std::exception_ptr failure;
    serial::message result;
    {
        const auto shares = message.shares();
        serial::reader in(message.bytes(), "call");
        in.claim_from(shares);
        try {
            const request asked = read_request(in, arguments);
            const line_caller who(session, asked.thread, memory::family::here().pid_of(session.client, memory::members::generation_mask));
            MULTIPROCESSING_STEP(request_read);
            result = core.call(asked.object, asked.method, arguments, who);
        } catch (...) {
            failure = std::current_exception();
        }
        arguments.shares.clear();
    }
    session.its.put_away(line::server, message);
    MULTIPROCESSING_STEP(call_carried_out);
    if (!failure) {
        try {
            return session.its.send(line::server, [&](serial::writer& out) { write_answer(out, result); });
        } catch (...) {
            failure = std::current_exception();
        }
    }
    const serial::thrown what = serial::capture(failure);
    session.its.send(line::server, [&](serial::writer& out) { write_failure(out, what); });
}

} // namespace detail

inline void line_server::serve(const std::shared_ptr<server_core>& core, line_session& session) noexcept {
    const std::uint64_t client = number_of(session.client);
    try {
        const auto over = [&](bool) { return session.is_cut.load() || session.its.is_left(line::client); };
        serial::message arguments;
        for (;;) {
            channel::incoming message;
            if (!session.its.receive(line::server, message, over, 0)) break;
            MULTIPROCESSING_STEP(request_taken);
            if (session.is_cut.load()) break; // nobody waits for it; what it asked for was asked for by the dead
            detail::answer_one(*core, session, message, arguments);
        }
    } catch (const std::exception& error) {
        os::log(os::log_level::error, "a manager's client is hung up on: {}", error.what());
    }
    session.its.leave(line::server);
    core->client_left(client, is_over(session.client));
    session.is_done.store(true);
    core->where()->link.polling[0].ring(); // the thread is to be joined
}

inline void line_server::watch(memory::seat client) {
    auto [at, is_new] = clients_.try_emplace(number_of(client), watched{client, {}});
    if (!is_new) return;
    const pid_t pid = memory::family::here().pid_of(client, memory::members::generation_mask);
    if (pid == 0 || pid == os::pid()) return; // dead already, which the next look shows
    at->second.end = os::watch_process(pid);
    if (at->second.end) set_.add(at->second.end.get(), at->first);
}

inline void line_server::open(line opened) {
    if (!opened) return;
    auto session = std::make_shared<line_session>();
    session->client = seat_of(opened->client);
    session->its = std::move(opened);
    if (!session->client.valid() || is_over(session->client)) return;
    core_->client_came(number_of(session->client));
    try {
        watch(session->client);
        session->thread = os::thread([core = core_, session] { serve(core, *session); });
    } catch (const std::exception& error) { // no threads or descriptors left: the client is told by the end of its line
        os::log(os::log_level::error, "a manager can't serve another client: {}", error.what());
        session->its.leave(line::server);
        core_->client_left(number_of(session->client), false);
        return;
    }
    sessions_.push_back(std::move(session));
}

inline void line_server::take_notices() {
    auto door = core_->where();
    for (;;) {
        channel::incoming message;
        if (door.door().try_receive(message.reads_from(door.door()), true) != channel::ring::result::done) return;
        try {
            const auto shares = message.shares();
            serial::reader in(message.bytes(), "notice");
            in.claim_from(shares);
            notice got = read_notice(in);
            if (got.dropped != 0) core_->look_at(got.dropped);
            else open(std::move(got.opened));
        } catch (const std::exception& error) {
            os::log(os::log_level::error, "a manager got a notice that is none: {}", error.what());
        }
        message.put_away(door.door());
    }
}

inline void line_server::is_dead(std::uint64_t client) {
    const auto at = clients_.find(client);
    if (at == clients_.end()) return;
    memory::family::here().bury(at->second.seat, false);
    if (at->second.end) set_.remove(at->second.end.get());
    clients_.erase(at);
    for (const auto& each : sessions_)
        if (number_of(each->client) == client) each->cut();
}

inline void line_server::look_for_the_dead() {
    std::vector<std::uint64_t> dead;
    for (const auto& [number, each] : clients_)
        if (is_over(each.seat)) dead.push_back(number);
    for (const auto number : dead) is_dead(number);
}

inline void line_server::sweep() {
    bool one_ended = false;
    for (auto at = sessions_.begin(); at != sessions_.end();) {
        if (!(*at)->is_done.load()) {
            ++at;
            continue;
        }
        (*at)->thread.join();
        const std::uint64_t client = number_of((*at)->client);
        at = sessions_.erase(at);
        one_ended = true;
        const auto is_its = [client](const auto& each) { return number_of(each->client) == client; };
        const bool has_more = std::any_of(sessions_.begin(), sessions_.end(), is_its);
        if (const auto gone = clients_.find(client); gone != clients_.end() && !has_more) {
            if (gone->second.end) set_.remove(gone->second.end.get());
            clients_.erase(gone);
        }
    }
    const std::uint64_t deaths = memory::commons::here().header().deaths.load();
    if (deaths == deaths_ && !one_ended) return;
    deaths_ = deaths;
    core_->look_at_clients([](std::uint64_t who) { return who >> 63 == 0 && is_over(seat_of(who)); });
    core_->look_at_all();
}

inline void line_server::run() {
    const desk& where = core_->where();
    channel::poller bell(where.link(), 0);
    set_.add(bell.fd(), ~std::uint64_t{0});
    while (!core_->is_stopping()) {
        bell.arm();
        take_notices();
        sweep();
        if (core_->is_stopping()) break;
        const bool sees_all = !bell.is_blind() && std::all_of(clients_.begin(), clients_.end(), [](const auto& each) {
            return static_cast<bool>(each.second.end) || each.second.seat == memory::family::here().self();
        });
        const auto a_while = sees_all ? std::chrono::milliseconds(500) : std::chrono::milliseconds(5);
        const bool idle = sees_all && clients_.empty() && core_->count() == 0;
        std::array<std::uint64_t, 32> keys;
        const std::size_t n = set_.wait(keys, idle ? os::deadline::never() : os::deadline::after(a_while));
        for (std::size_t i = 0; i < n; ++i)
            if (keys[i] != ~std::uint64_t{0}) is_dead(keys[i]);
        if (n == 0) { // nothing happened for a while: those that nobody watches
            if (!sees_all) look_for_the_dead();
            else memory::family::here().bury_the_dead();
        }
    }
    where->is_over.store(1);
    MULTIPROCESSING_STEP(server_over);
    take_notices(); // who comes from now on sees that it is over; who came before is in here
    for (const auto& each : sessions_) each->cut();
    // Each ends as soon as its call does; one that waits for something notices that its caller isn't there.
    const auto soon = os::deadline::after(std::chrono::seconds(1));
    const auto all_done = [&] {
        return std::all_of(sessions_.begin(), sessions_.end(), [](const auto& each) { return each->is_done.load(); });
    };
    while (!all_done() && !soon.passed()) {
        bell.arm();
        if (!all_done()) bell.wait(std::min(soon, os::deadline::after(std::chrono::milliseconds(20))));
    }
    for (const auto& each : sessions_)
        if (each->is_done.load()) each->thread.join();
    sessions_.clear(); // a thread in a call that doesn't end keeps its session, and lets go of itself when it does
    set_.remove(bell.fd());
}

} // namespace multiprocessing::manager
