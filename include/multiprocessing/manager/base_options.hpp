// Floor 10, manager/base_options: what a manager can be told before it starts.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <multiprocessing/net/options.hpp>
#include <multiprocessing/net/secret.hpp>
#include <multiprocessing/process/start_method.hpp>

namespace multiprocessing {

/// How a manager is made: `mp::BaseManager manager({.address = "localhost:50000", .authkey = "abracadabra"});`
///
/// - Python: the arguments of `BaseManager`.
struct ManagerOptions {
    /// Where clients of other families connect to: "host:port", port 0 for any that is free; the path of a unix socket. Empty: there
    /// is no socket, and only this program and its children are served, through shared memory. (Python makes a socket always.)
    std::string address = {};
    /// What clients at the address must know. None: the key of this process.
    net::secret authkey = {};
    /// How the server's process is started. None: as set_start_method() says, else fork.
    std::optional<StartMethod> start_method = {};
    /// How long shutdown() waits, and then again after SIGTERM, before SIGKILL.
    net::time_limit shutdown_timeout = std::chrono::seconds(1);
    /// Of the server's process. Empty: "BaseManager-1", by the manager's class and the number of the process.
    std::string name = {};
};

} // namespace multiprocessing
