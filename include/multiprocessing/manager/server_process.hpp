// Floor 10, manager/server_process: a server in a process of its own.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/channel/pipe.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/registry.hpp>
#include <multiprocessing/manager/server.hpp>
#include <multiprocessing/manager/transport_line.hpp>
#include <multiprocessing/process/bootstrap.hpp>
#include <multiprocessing/process/fork.hpp>
#include <multiprocessing/process/forkserver.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/lineage.hpp>
#include <multiprocessing/process/running.hpp>
#include <multiprocessing/process/spawn.hpp>
#include <multiprocessing/process/start_method.hpp>
#include <multiprocessing/serial/callable.hpp>

namespace multiprocessing::manager {

/// How a server reports that it serves, or what kept it from that.
struct readiness {
    std::optional<serial::thrown> failure;
};

/// What a server's process does. `begin` is the user's initializer.
template <typename F>
void serve_as_process(std::shared_ptr<const registry> types, desk where, std::string address, const net::secret& key,
                      Connection report, F&& begin) {
    std::optional<Server> server;
    try {
        begin();
        server.emplace(std::move(types), std::move(where), std::move(address), key);
    } catch (...) {
        report.send(readiness{serial::capture(std::current_exception())});
        return;
    }
    report.send(readiness{});
    report.close();
    server->serve_forever();
}

/// The same as it travels.
struct travelling_server {
    desk where;
    std::string address;
    std::optional<std::vector<std::byte>> key;
    Connection report;
    std::vector<serial::message> types;
    std::vector<serial::message> initializer; ///< one, or none
};

} // namespace multiprocessing::manager

namespace multiprocessing::serial {

template <>
struct codec<manager::travelling_server> {
    static void write_all(writer& out, const std::vector<message>& all) {
        out.count(all.size());
        for (const auto& each : all) manager::write_message(out, each);
    }
    static std::vector<message> take_all(reader& in) {
        std::vector<message> all(in.count());
        for (auto& each : all) manager::read_message(in, each);
        return all;
    }
    static void write(writer& out, const manager::travelling_server& x) {
        serial::write(out, x.where);
        serial::write(out, x.address);
        serial::write(out, x.key);
        serial::write(out, x.report);
        write_all(out, x.types);
        write_all(out, x.initializer);
    }
    static manager::travelling_server make(reader& in) {
        auto where = serial::take<manager::desk>(in);
        auto address = serial::take<std::string>(in);
        auto key = serial::take<std::optional<std::vector<std::byte>>>(in);
        auto report = serial::take<Connection>(in);
        auto types = take_all(in);
        return {std::move(where), std::move(address), std::move(key), std::move(report), std::move(types), take_all(in)};
    }
};

} // namespace multiprocessing::serial

namespace multiprocessing::manager {

inline void serve_as_told(travelling_server told) {
    const auto types = std::make_shared<registry>();
    serve_as_process(types, std::move(told.where), std::move(told.address), net::secret(std::move(told.key)), std::move(told.report),
                     [&] {
                         types->repeat(told.types);
                         for (const auto& each : told.initializer) serial::run_call(each);
                     });
}

/// The user's function that a server begins with; of two forms, because a copy of this process needs no packing.
struct initializer {
    std::function<void()> here;
    std::function<serial::message()> packed;
};

/// Starts it, and waits until it serves. Throws what kept it from that; ProcessError when it died before.
[[nodiscard]] inline process::running start_server(StartMethod method, process::launch terms, const std::shared_ptr<const registry>& types,
                                                   const desk& where, const std::string& address, const net::secret& key,
                                                   const initializer& first) {
    auto [receiver, there] = Pipe(false);
    Connection here = std::move(receiver); // a lambda can't hold a structured binding
    process::running started;
    if (method == StartMethod::fork) {
        started = process::start_by_fork(std::move(terms), [&, report = std::move(there)]() mutable {
            here.close();
            serve_as_process(types, where, address, key, std::move(report), [&] {
                if (first.here) first.here();
            });
            return 0;
        });
    } else {
        travelling_server told{where, address, key ? std::optional(key.bytes()) : std::nullopt, std::move(there), types->packed(), {}};
        if (first.packed) told.initializer.push_back(first.packed());
        const serial::message call = serial::pack_call(&serve_as_told, told);
        started = method == StartMethod::spawn ? process::start_by_spawn(std::move(terms), call)
                                               : process::start_by_forkserver(std::move(terms), call);
    }
    std::optional<readiness> how;
    try {
        how = here.recv<readiness>();
    } catch (const EOFError&) {
        started.wait(os::deadline::never());
        throw ProcessError("the manager's server " + started.name() + " (pid " + std::to_string(started.pid()) +
                           ") ended with exit code " + std::to_string(started.exitcode().value_or(255)) + " before it served anybody");
    }
    if (how->failure) {
        started.wait(os::deadline::never());
        serial::rethrow(*how->failure);
    }
    return started;
}

} // namespace multiprocessing::manager
