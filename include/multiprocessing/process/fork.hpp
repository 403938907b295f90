// Floor 8, process/fork: starting a process as a copy of this one.
#pragma once

#include <optional>
#include <utility> // std::move

#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/thread.hpp>
#include <multiprocessing/os/warm_up.hpp>
#include <multiprocessing/process/bootstrap.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/lineage.hpp>
#include <multiprocessing/process/newcomer.hpp>
#include <multiprocessing/process/running.hpp>
#include <multiprocessing/process/settling.hpp>

namespace multiprocessing::process {

/// Starts a process that runs `body`, int() -> exit code, on its copy of everything there is. What `body` throws is
/// reported by the child, which then ends with exit code 1.
///
///     auto worker = process::start_by_fork({.name = "worker", .daemon = true}, [&] { return serve(queue); });
///
/// - Python: `popen_fork.Popen`.
/// - Threads: any, several at once. The child has the calling thread alone, as its only one, and outlives it.
/// - When this process dies: a child that is daemonic, or `dies_with_parent`, ends too; from its first moments on.
/// - Errors: ValueError where this process may have no children; std::system_error when it can't be forked, or when
///   one of its conditions can't be met; ProcessError when the family is full. Then there is no child.
template <typename Body>
running start_by_fork(launch terms, Body&& body) {
    newcomer child_to_be(terms);
    os::warm_up();
    lineage::ancestor self{os::pid(), 0, os::name()};
    std::optional<os::pipe_ends> report;
    if (!terms.conditions.empty()) report = os::make_pipe();

    memory::birth birth;
    os::child child = os::fork_child();
    if (child.pid() == 0) {
        leave(run([&] {
            os::let_signals_in_again();
            if (terms.daemon || terms.dies_with_parent) os::die_with(self.pid); // first: until then it could be missed
            birth.in_child();
            arrive(terms, std::move(self));
            if (report) settle(terms.conditions, report->write.get());
            report.reset();
            return body();
        }));
    }
    const running started = child_to_be.enlist(std::move(child), birth.slot());
    birth.in_parent(started.pid());
    if (report) {
        report->write.reset();
        wait_until_settled(started, report->read.get());
    }
    return started;
}

} // namespace multiprocessing::process
