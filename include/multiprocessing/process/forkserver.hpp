// Floor 8, process/forkserver: starting a process as a copy of a clean one that is kept for this.
#pragma once

#include <array>
#include <atomic>
#include <csignal> // SIGINT, SIG_IGN
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility> // std::move
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/invitation.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/newcomer.hpp>
#include <multiprocessing/process/passport.hpp>
#include <multiprocessing/process/running.hpp>
#include <multiprocessing/process/settling.hpp>
#include <multiprocessing/process/spawn.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing {

/// What the fork server of this process does before it forks anything: load a model, open a library, warm a cache, once for all
/// the processes that it forks. f is a function or a captureless lambda. Before the first start by forkserver; else it is for the
/// next server, should this one die.
///
///     mp::set_forkserver_preload(+[] { model::load("large.bin"); });
///
/// - Python: the same, for the names of modules. What f throws is reported on stderr, and ends the server: starts fail.
template <typename F>
void set_forkserver_preload(F f);

} // namespace multiprocessing

namespace multiprocessing::process {

/// Has the fork server of this process start one that runs `call`. The first start makes the server: this program, run again as by
/// spawn, which from then on does nothing but fork. A server that has died is replaced.
///
///     this process                            its server                              the new process
///     passport, descriptors  -- socket -->    fork()                         -->      becomes what the passport says
///                            <-- pid, pidfd, a pipe --
///     sentinel: the pidfd                     waits for its end               <--     ends
///                            <-- pipe: exit code --
///
/// - Python: `popen_forkserver.Popen`. The socket has no name, so nobody else can ask.
/// - Threads: any; one at a time is served.
/// - When this process dies, its server does, and with that what it forked that is daemonic, or `dies_with_parent`. When the server
///   dies: these end; the others go on, and end with exit code 255 in this process's eyes.
/// - Errors: as start_by_spawn; ProcessError when the server dies again at once.
inline running start_by_forkserver(launch terms, const serial::message& call, const std::vector<int>& handed = {});

namespace detail {

/// What passes over the socket. Requests: a count of descriptors and, one after the other, the descriptors; the first is the
/// passport. Answers: this, and if there is no error, a pidfd and the end of a pipe.
struct fork_answer {
    std::int32_t pid = 0;
    std::int32_t error = 0;
};

/// In the server: the children that it has forked, and what it was asked for.
class fork_service {
public:
    explicit fork_service(os::descriptor socket) : socket_(std::move(socket)) { watch_.add(socket_.get(), 0); }

    /// Until whom it serves is gone. In a forked child: returns what that was started with.
    std::optional<std::vector<os::descriptor>> serve();

private:
    struct forked {
        os::child child;
        os::descriptor report;
    };

    std::optional<std::vector<os::descriptor>> answer();
    void report_end(std::uint64_t key);

    os::descriptor socket_;
    os::poll_set watch_;
    std::list<std::pair<std::uint64_t, forked>> children_;
    std::uint64_t count_ = 0;
};

inline std::optional<std::vector<os::descriptor>> fork_service::serve() {
    for (;;) {
        std::array<std::uint64_t, 16> ready;
        const std::size_t n = watch_.wait(ready, os::deadline::never());
        for (std::size_t i = 0; i < n; ++i) {
            if (ready[i] != 0) {
                report_end(ready[i]);
                continue;
            }
            try {
                if (auto started_with = answer()) return started_with;
            } catch (const EOFError&) {
                return std::nullopt;
            }
        }
    }
}

inline void fork_service::report_end(std::uint64_t key) {
    for (auto each = children_.begin(); each != children_.end(); ++each) {
        if (each->first != key) continue;
        const auto code = each->second.child.exitcode();
        if (!code) return;
        watch_.remove(each->second.child.sentinel());
        const std::int32_t said = *code;
        try {
            os::write_all(each->second.report.get(), std::as_bytes(std::span(&said, 1)));
        } catch (const std::system_error&) { // nobody wants to know
        }
        children_.erase(each);
        return;
    }
}

inline std::optional<std::vector<os::descriptor>> fork_service::answer() {
    std::uint32_t count = 0;
    if (os::read_all(socket_.get(), std::as_writable_bytes(std::span(&count, 1))) != sizeof count) throw EOFError("");
    std::vector<os::descriptor> received;
    for (std::uint32_t i = 0; i < count; ++i) received.push_back(os::receive_descriptor(socket_.get()));
    fork_answer said;
    forked newcomer;
    std::optional<os::pipe_ends> report;
    try {
        report = os::make_pipe();
        newcomer.child = os::fork_child();
        if (newcomer.child.pid() == 0) {
            children_.clear(); // its siblings' pipes
            socket_.reset();
            return received;
        }
        said.pid = newcomer.child.pid();
    } catch (const std::system_error& error) {
        said.error = error.code().value();
    }
    os::write_all(socket_.get(), std::as_bytes(std::span(&said, 1)));
    if (said.error != 0) return std::nullopt;
    os::send_descriptor(socket_.get(), newcomer.child.sentinel());
    os::send_descriptor(socket_.get(), report->read.get());
    newcomer.report = std::move(report->write);
    watch_.add(newcomer.child.sentinel(), ++count_);
    children_.emplace_back(count_, std::move(newcomer));
    return std::nullopt;
}

/// A share as it travels among the arguments of a call.
using travelling_share = memory::handle<std::byte[]>;

/// What the server runs, as a process that was spawned: the preload, if there is one, and then what it is for.
inline void be_fork_server(std::vector<std::byte> preload, std::vector<travelling_share> shares) {
    if (!preload.empty()) serial::run_call({std::move(preload), {shares.begin(), shares.end()}});
    std::vector<os::descriptor> mine = std::move(handed_descriptors());
    handed_descriptors().clear();
    std::optional<std::vector<os::descriptor>> started_with;
    const pid_t server = os::pid();
    {
        fork_service service(std::move(mine.at(0)));
        started_with = service.serve();
    }
    if (!started_with) return;
    std::signal(SIGINT, SIG_DFL); // which the server ignores: a terminal sends it to the whole family
    os::descriptor file = std::move(started_with->at(0));
    started_with->erase(started_with->begin());
    live_by(std::move(file), std::move(*started_with), server);
}

/// In the process that is served.
class fork_server {
public:
    /// This process's; one that was inherited serves the parent.
    static fork_server& here();

    /// Has a process forked with these descriptors. Starts the server if there is none, or if it turns out to be gone.
    [[nodiscard]] os::child start(const std::vector<int>& descriptors);

    void preload(serial::message call) {
        const std::lock_guard held(lock_);
        preload_ = std::move(call);
    }

private:
    void start_server();
    [[nodiscard]] os::child ask(const std::vector<int>& descriptors) const;

    const pid_t owner_ = os::pid();
    std::mutex lock_; // around all below
    os::child server_;
    os::descriptor socket_; // none: there is no server
    memory::seat seat_;
    serial::message preload_;
};

inline fork_server& fork_server::here() {
    static constinit std::atomic<fork_server*> current{nullptr};
    fork_server* mine = current.load(std::memory_order_acquire);
    if (mine != nullptr && mine->owner_ == os::pid()) return *mine;
    auto fresh = std::make_unique<fork_server>();
    if (mine != nullptr) fresh->preload_ = mine->preload_; // not under its lock, which a thread of the parent may have held
    // What was inherited is never destroyed: its server isn't this process's to wait for.
    if (current.compare_exchange_strong(mine, fresh.get(), std::memory_order_acq_rel)) return *fresh.release();
    return *mine; // another thread of this process was quicker
}

inline void fork_server::start_server() {
    launch terms{.name = "ForkServer", .dies_with_parent = true, .ignore_interrupts = true, .number = "0"};
    terms.authkey = lineage::here().authkey();
    auto [here, there] = os::make_socket_pair();
    memory::invitation place;
    const std::vector<travelling_share> shares(preload_.shares.begin(), preload_.shares.end());
    const os::descriptor file =
        write_down(make_passport(terms, serial::pack_call(&be_fork_server, preload_.bytes, shares), place));
    server_ = run_program(terms.name, place, file.get(), {there.get()}, {});
    place.sent();
    seat_ = place.slot();
    socket_ = std::move(here);
}

inline os::child fork_server::start(const std::vector<int>& descriptors) {
    const std::lock_guard held(lock_);
    for (int attempt = 0;; ++attempt) {
        if (!socket_) start_server();
        try {
            return ask(descriptors);
        } catch (const EOFError&) {
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::broken_pipe && error.code() != std::errc::connection_reset) throw;
        }
        // It is gone, or about to be: what can't be asked any more must not stay.
        socket_.reset();
        server_.signal(SIGKILL);
        server_.wait(os::deadline::never());
        memory::bury(seat_);
        if (attempt == 1)
            throw ProcessError(fmt::format("the fork server can't be kept alive: it ended with exit code {}; see what its preload, "
                                           "or what comes before freeze_support() in main(), does",
                                           server_.exitcode().value_or(255)));
    }
}

inline os::child fork_server::ask(const std::vector<int>& descriptors) const {
    const auto count = static_cast<std::uint32_t>(descriptors.size());
    os::write_all(socket_.get(), std::as_bytes(std::span(&count, 1)));
    for (const int each : descriptors) os::send_descriptor(socket_.get(), each);
    fork_answer said;
    if (os::read_all(socket_.get(), std::as_writable_bytes(std::span(&said, 1))) != sizeof said)
        throw EOFError("the fork server is gone");
    if (said.error != 0) throw std::system_error(said.error, std::generic_category(), "the fork server cannot fork");
    os::descriptor pidfd = os::receive_descriptor(socket_.get());
    os::descriptor report = os::receive_descriptor(socket_.get());
    return os::child::forked_elsewhere(said.pid, std::move(pidfd), std::move(report));
}

} // namespace detail

inline running start_by_forkserver(launch terms, const serial::message& call, const std::vector<int>& handed) {
    require_freeze_support();
    newcomer child_to_be(terms);
    memory::invitation place;
    passport told = make_passport(terms, call, place);
    told.parent_started = os::start_time(os::pid());
    std::optional<os::pipe_ends> report;
    if (!terms.conditions.empty()) {
        report = os::make_pipe();
        told.settles = true;
    }
    const os::descriptor file = write_down(told);
    std::vector<int> descriptors{file.get()};
    if (report) descriptors.push_back(report->write.get());
    descriptors.insert(descriptors.end(), handed.begin(), handed.end());
    os::child child = detail::fork_server::here().start(descriptors);
    place.sent();
    const running started = child_to_be.enlist(std::move(child), place.slot());
    if (report) {
        report->write.reset();
        wait_until_settled(started, report->read.get());
    }
    return started;
}

} // namespace multiprocessing::process

template <typename F>
void multiprocessing::set_forkserver_preload(F f) {
    process::detail::fork_server::here().preload(serial::pack_call(std::decay_t<F>(f)));
}
