// Floor 8, process/bootstrap: the life of a child: arrive, run, leave.
#pragma once

#include <csignal> // std::signal, SIGINT
#include <cstdio>  // std::fwrite
#include <exception>
#include <string>
#include <utility> // std::forward, std::move

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/conditions.hpp>
#include <multiprocessing/os/crash.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/throw_site.hpp>
#include <multiprocessing/os/type_name.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/lineage.hpp>

namespace multiprocessing::process {

/// A new process becomes what its terms say, and tells its crashes from now on. What is urgent has been done by then: its start method has it die with its
/// parent, and gave it its seat in the family.
///
/// - Python: the first half of `BaseProcess._bootstrap`.
inline void arrive(const launch& terms, lineage::ancestor parent);

/// Runs what the process was started for, int() -> exit code. What it throws is reported on stderr, and the code is 1.
template <typename Body>
[[nodiscard]] int run(Body&& body) noexcept;

/// The end of a child: runs what was registered with at_exit(), last first; terminates its daemonic children and
/// waits for the others; flushes stdio. Its copies of its parent's static objects are not destroyed.
///
/// - Python: the second half of `BaseProcess._bootstrap`, and `util._exit_function`.
[[noreturn]] inline void leave(int code) noexcept;

namespace detail {

struct thrown {
    std::string type;
    std::string message;
    std::string traceback;
};

/// What is being handled, in words. Must be called inside a `catch`.
inline thrown describe_current_exception() {
    thrown it{os::current_exception_type(), {}, {}};
    try {
        throw;
    } catch (const RemoteError& error) { // one that came from another process, and is also something else
        it = {error.type_name(), error.message(), error.traceback()};
    } catch (const WorkerLostError& error) {
        it.message = error.what();
        it.traceback = error.backtrace();
    } catch (const std::exception& error) {
        it.message = error.what();
    } catch (const std::string& text) {
        it.message = text;
    } catch (const char* text) {
        it.message = text;
    } catch (int number) {
        it.message = fmt::to_string(number);
    } catch (...) {
    }
    return it;
}

/// "  std::runtime_error: out of order", and on the following lines where it was thrown and what it was thrown
/// because of.
inline void append_current_exception(std::string& text, std::string backtrace = {}) {
    thrown it = describe_current_exception();
    if (it.traceback.empty()) it.traceback = std::move(backtrace); // one that came with it tells more
    text += "  " + it.type;
    if (!it.message.empty()) text += ": " + it.message;
    text += '\n';
    if (!it.traceback.empty()) text += it.traceback;
    if (text.back() != '\n') text += '\n';
    try {
        throw;
    } catch (const std::exception& error) {
        try {
            std::rethrow_if_nested(error);
        } catch (...) {
            text += "caused by:\n";
            append_current_exception(text);
        }
    } catch (...) {
    }
}

/// In one piece, so that the reports of several processes don't mix. Before the process ends, whatever becomes of it
/// then.
inline void report_current_exception(const os::throw_site& site) noexcept {
    std::string text;
    try {
        text = fmt::format("Process {}:\n", os::name());
        append_current_exception(text, site.backtrace());
    } catch (...) {
        text += "  an exception, and no memory to say which\n"; // fits into what a string holds by itself
    }
    std::fflush(stdout); // what was printed before stands before
    std::fwrite(text.data(), 1, text.size(), stderr);
}

} // namespace detail

inline void arrive(const launch& terms, lineage::ancestor parent) {
    os::name(terms.name);
    lineage::here().become(terms, std::move(parent));
    if (terms.ignore_interrupts) std::signal(SIGINT, SIG_IGN);
    os::detach_stdin();
    os::tell_crashes();
}

template <typename Body>
int run(Body&& body) noexcept {
    os::throw_site site;
    try {
        return site.watch(std::forward<Body>(body));
    } catch (...) {
        detail::report_current_exception(site);
        return 1;
    }
}

[[noreturn]] inline void leave(int code) noexcept {
    tidy_up();
    os::leave(code);
}

} // namespace multiprocessing::process
