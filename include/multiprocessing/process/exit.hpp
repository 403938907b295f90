// Floor 8, process/exit: leaving a process, and what it does before.
#pragma once

#include <concepts> // std::invocable
#include <cstdio>   // std::fwrite
#include <cstdlib>  // std::exit
#include <string>
#include <string_view>
#include <utility> // std::forward

#include <multiprocessing/os/self.hpp>
#include <multiprocessing/process/bootstrap.hpp>
#include <multiprocessing/process/lineage.hpp>

namespace multiprocessing {

/// Registers what this process does before it leaves, last in first out: at the end of the program, or of a child's
/// target.
///
///     mp::at_exit([] { fmt::print("goodbye from {}\n", mp::current_process().name()); });
///
/// - Python: `atexit.register`.
/// - Threads: any.
/// - In a child: it begins with nothing registered. One that is killed runs nothing.
/// - Errors: std::bad_alloc. What an action throws is logged, and the next one runs.
template <std::invocable F>
void at_exit(F&& action) {
    os::at_exit(std::forward<F>(action));
    process::tidy_up_at_exit();
}

/// Ends this process with that exit code, from any depth: a child does what at_exit() registered, and destroys nothing;
/// the first process ends as by std::exit().
///
/// - Python: `sys.exit`, which unwinds. `true` is 1, as there.
[[noreturn]] inline void exit(int code = 0) {
    if (process::lineage::here().parent()) process::leave(code);
    std::exit(code);
}

/// The same with the reason on stderr and exit code 1.
[[noreturn]] inline void exit(std::string_view reason) {
    const std::string line = std::string(reason) + '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
    multiprocessing::exit(1);
}

} // namespace multiprocessing
