// Floor 10, manager/server: Server: what serves a manager's objects, in whichever process it runs.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/registry.hpp>
#include <multiprocessing/manager/server_core.hpp>
#include <multiprocessing/manager/server_lines.hpp>
#include <multiprocessing/manager/server_sockets.hpp>
#include <multiprocessing/net/options.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing {

/// What serves a manager's objects. From BaseManager::get_server(), to run it in this process:
///
///     mp::BaseManager manager({.address = ":50000", .authkey = "abracadabra"});
///     manager.register_type<Counter>("Counter").method<&Counter::add>("add");
///     manager.get_server().serve_forever();
///
/// - Python: `multiprocessing.managers.Server`. There serve_forever() ends the process; here it returns.
/// - Threads: serve_forever() by one; stop() and address() by any.
/// - Errors: those of Listener, when it is made.
class Server {
public:
    Server(std::shared_ptr<const manager::registry> types, manager::desk where, std::string address, const net::secret& key)
        : core_(std::make_shared<manager::server_core>(std::move(types), where)) {
        where->server.store(manager::number_of(memory::family::here().self()));
        where->pid.store(os::pid());
        if (!address.empty()) {
            sockets_ = std::make_unique<manager::socket_server>(
                core_, connection::ListenerOptions{.address = std::move(address), .authkey = key});
            manager::put_text(where->address, sockets_->address());
        }
        manager::be_home_of(core_);
        core_->on_stop([where] { where->link.polling[0].ring(); });
    }
    Server(Server&&) noexcept = default;
    Server& operator=(Server&&) = delete;
    ~Server() {
        if (!core_ || core_->where()->is_over.load() != 0) return;
        stop(); // it never served, and clients may wait for that
        try {
            manager::line_server(core_).run();
        } catch (const std::exception& error) {
            core_->where()->is_over.store(1);
            os::log(os::log_level::error, "cannot tell a server's clients of its end: {}", error.what());
        }
        core_->clear();
    }

    /// Serves until a client calls shutdown(), or stop() is called here. Once.
    void serve_forever() {
        if (core_->is_stopping()) throw ValueError("this server has ended: make another one");
        if (sockets_) sockets_->start();
        manager::line_server(core_).run();
        sockets_.reset();
        core_->clear();
    }
    /// Lets serve_forever() return.
    void stop() noexcept { core_->request_stop(); }

    /// Where it listens, with the port that was found; empty: it doesn't.
    [[nodiscard]] std::string address() const { return sockets_ ? sockets_->address() : std::string(); }
    [[nodiscard]] const std::shared_ptr<manager::server_core>& core() const noexcept { return core_; }

private:
    std::shared_ptr<manager::server_core> core_;
    std::unique_ptr<manager::socket_server> sockets_;
};

} // namespace multiprocessing
