// Floor 8, process/fork: starting a process as a copy of this one.
#pragma once

#include <array>
#include <chrono>
#include <csignal> // SIGKILL
#include <cstddef> // std::byte
#include <cstdint>
#include <exception>
#include <memory> // std::make_shared
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility> // std::move

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/conditions.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/process/bootstrap.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/lineage.hpp>
#include <multiprocessing/process/running.hpp>

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
running start_by_fork(launch terms, Body&& body);

namespace detail {

/// What the child says when its conditions are met, or not. Told, not shown by closing the pipe: a process that is
/// forked meanwhile by others' means has a copy of its end.
struct settled {
    std::int32_t error = 0; // 0, an errno, or unknown_error
    std::uint32_t length = 0;
    static constexpr std::int32_t unknown_error = -1;
};

inline void tell(int pipe, std::int32_t error, std::string_view text) {
    const settled header{error, static_cast<std::uint32_t>(text.size())};
    os::write_all(pipe, std::as_bytes(std::span(&header, 1)));
    os::write_all(pipe, std::as_bytes(std::span(text)));
}

/// In the child. Where a condition can't be met it ends here: it has done nothing yet that would have to be tidied up.
inline void settle(const os::conditions& conditions, int pipe) {
    try {
        os::apply(conditions);
    } catch (const std::system_error& error) {
        std::string_view text = error.what();
        const std::string suffix = ": " + error.code().message(); // the parent's own exception appends it again
        if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
        tell(pipe, error.code().value(), text);
        os::leave(1);
    } catch (const std::exception& error) {
        tell(pipe, settled::unknown_error, error.what());
        os::leave(1);
    }
    tell(pipe, 0, {});
}

/// In the parent: waits until the child has settled. A child that died meanwhile has been started, and has ended.
inline void wait_until_settled(const running& child, int pipe) {
    try {
        os::poll_set both;
        both.add(pipe, 0);
        both.add(child.sentinel(), 1);
        std::array<std::uint64_t, 2> ready;
        static_cast<void>(both.wait(ready, os::deadline::never())); // which of them, is asked below
    } catch (...) { // no descriptor left to wait with: what can't be watched must not go on
        child.signal(SIGKILL);
        child.wait(os::deadline::never());
        throw;
    }

    settled header;
    if (!os::wait_readable(pipe, os::deadline::after(std::chrono::nanoseconds::zero()))) return;
    if (os::read_all(pipe, std::as_writable_bytes(std::span(&header, 1))) != sizeof header || header.error == 0) return;
    std::string text(header.length, '\0');
    os::read_all(pipe, std::as_writable_bytes(std::span(text)));
    child.wait(os::deadline::never());
    text = fmt::format("cannot start {}: {}", child.name(), text);
    if (header.error == settled::unknown_error) throw ProcessError(text);
    throw std::system_error(header.error, std::generic_category(), text);
}

} // namespace detail

template <typename Body>
running start_by_fork(launch terms, Body&& body) {
    lineage& mine = lineage::here();
    mine.require_may_have_children();
    mine.reap_now_and_then();
    mine.complete(terms);

    // All that can fail comes before the fork: from then on there is a process that must not be lost.
    child_records newcomer{std::make_shared<child_record>()};
    child_record& record = *newcomer.front();
    record.name = terms.name;
    record.authkey = *terms.authkey;
    record.daemon = terms.daemon;
    const running started(newcomer.front());
    lineage::ancestor self{os::pid(), os::name()};
    std::optional<os::pipe_ends> report;
    if (!terms.conditions.empty()) report = os::make_pipe();

    memory::birth birth;
    os::child child = os::fork_child();
    if (child.pid() == 0) {
        leave(run([&] {
            if (terms.daemon || terms.dies_with_parent) os::die_with(self.pid); // first: until then it could be missed
            birth.in_child();
            arrive(terms, std::move(self));
            if (report) detail::settle(terms.conditions, report->write.get());
            report.reset();
            return body();
        }));
    }
    record.pid = child.pid();
    record.sentinel = child.sentinel();
    record.seat = birth.slot();
    record.child = std::move(child);
    mine.add(std::move(newcomer));
    birth.in_parent(started.pid());
    if (report) {
        report->write.reset();
        detail::wait_until_settled(started, report->read.get());
    }
    return started;
}

} // namespace multiprocessing::process
