// Floor 1, os/conditions: what a process may use, and what it finds around it.
#pragma once

#include <algorithm> // std::max_element
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>  // stdin
#include <cstdlib> // setenv
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>        // open, fcntl
#include <sched.h>        // sched_setaffinity
#include <stdio_ext.h>    // __fpurge
#include <sys/resource.h> // setrlimit
#include <unistd.h>       // chdir, dup2, nice

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// How much a process may use of what there is. What isn't given stays as it was inherited. A limit holds for each
/// process by itself and is inherited by its children; it can't be raised again.
///
///     mp::Process solver({.limits = {.memory = 2'000'000'000, .cpu_time = std::chrono::minutes(5)}}, solve, model);
///
/// - Python: `resource.setrlimit` in the target.
struct limits {
    std::optional<std::uint64_t> memory = {};          ///< bytes of private memory; past them std::bad_alloc
    std::optional<std::chrono::seconds> cpu_time = {}; ///< then SIGXCPU ends the process
    std::optional<std::uint64_t> open_files = {};      ///< one more than the largest descriptor; then EMFILE
    std::optional<std::uint64_t> file_size = {};       ///< bytes of any file it writes; then SIGXFSZ ends the process
    std::optional<std::uint64_t> core_size = {};       ///< bytes of a core dump; 0: none

    [[nodiscard]] bool empty() const noexcept {
        return !memory && !cpu_time && !open_files && !file_size && !core_size;
    }
};

/// Everything about its surroundings that whoever starts a process can choose.
struct conditions {
    std::vector<int> affinity = {};              ///< the processors it may run on; empty: those of its parent
    os::limits limits = {};                      ///< how much it may use
    int nice = 0;                                ///< added to its niceness: a positive number lets others go first
    std::map<std::string, std::string> env = {}; ///< variables set beside, or instead of, those inherited
    std::string cwd = {};                        ///< directory to work in; empty: that of its parent

    [[nodiscard]] bool empty() const noexcept {
        return affinity.empty() && limits.empty() && nice == 0 && env.empty() && cwd.empty();
    }
};

/// Puts this process under these conditions.
///
/// - Threads: from the only one there is, right after fork(): affinity and niceness are those of the calling thread.
/// - Errors: std::system_error that says which condition can't be met; those before it hold by then. ValueError for a
///   negative processor.
inline void apply(const conditions& wanted);

/// From now on stdin is empty: a child must not take the input of its parent. What stdio had read ahead is dropped.
///
/// A descriptor 0 that is close-on-exec isn't a standard stream but something that was opened after that was closed: it
/// is left alone.
inline void detach_stdin() noexcept;

namespace detail {

inline void limit(decltype(RLIMIT_CPU) resource, const char* name, std::uint64_t soft, std::uint64_t hard) {
    rlimit wanted{};
    wanted.rlim_cur = soft;
    wanted.rlim_max = hard;
    if (::setrlimit(resource, &wanted) == -1) throw_errno("cannot limit {} to {}", name, soft);
}

inline void limit(decltype(RLIMIT_CPU) resource, const char* name, const std::optional<std::uint64_t>& value) {
    if (value) limit(resource, name, *value, *value);
}

inline void apply(const limits& wanted) {
    limit(RLIMIT_CORE, "the size of a core dump", wanted.core_size);
    limit(RLIMIT_FSIZE, "the size of a file", wanted.file_size);
    if (wanted.cpu_time) {
        if (wanted.cpu_time->count() < 0) throw ValueError("a limit of the time to compute can't be negative");
        const auto seconds = static_cast<std::uint64_t>(wanted.cpu_time->count());
        // At the soft limit comes SIGXCPU, which says what happened, at the hard one SIGKILL, which doesn't.
        limit(RLIMIT_CPU, "the seconds to compute", seconds, seconds + 1);
    }
    limit(RLIMIT_NOFILE, "the number of descriptors", wanted.open_files);
    limit(RLIMIT_DATA, "the bytes of memory", wanted.memory); // last: what comes before may allocate
}

inline void run_on(const std::vector<int>& processors) {
#if MULTIPROCESSING_LINUX()
    for (const int number : processors)
        if (number < 0) throw ValueError(fmt::format("there is no processor {}", number));
    const auto highest = static_cast<std::size_t>(*std::max_element(processors.begin(), processors.end()));
    std::vector<cpu_set_t> wanted(highest / CPU_SETSIZE + 1);
    const std::size_t bytes = wanted.size() * sizeof(cpu_set_t);
    for (const int number : processors) CPU_SET_S(static_cast<std::size_t>(number), bytes, wanted.data());
    if (::sched_setaffinity(0, bytes, wanted.data()) == -1)
        throw_errno("cannot run on the processors {}", fmt::join(processors, ", "));

    // The kernel passes over those that don't exist as long as one of them does.
    std::vector<cpu_set_t> got(std::max<std::size_t>(wanted.size(), 64)); // as large as any kernel's own, or it refuses
    const std::size_t got_bytes = got.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, got_bytes, got.data()) == -1)
        throw_errno("cannot ask on which processors this process runs");
    for (const int number : processors)
        if (CPU_ISSET_S(static_cast<std::size_t>(number), got_bytes, got.data()) == 0)
            throw_error(EINVAL, "cannot run on processor {}", number);
#else
    throw NotPortableError("a process can't be bound to processors on this system: leave .affinity out");
#endif
}

inline void be_nice(int by) {
    errno = 0; // -1 is a niceness too
    if (::nice(by) == -1 && errno != 0) throw_errno("cannot change the niceness by {}", by);
}

} // namespace detail

inline void apply(const conditions& wanted) {
    for (const auto& [name, value] : wanted.env)
        if (::setenv(name.c_str(), value.c_str(), 1) == -1)
            throw_errno("cannot set the environment variable '{}'", name);
    if (!wanted.cwd.empty() && ::chdir(wanted.cwd.c_str()) == -1)
        throw_errno("cannot change to the directory {}", wanted.cwd);
    if (wanted.nice != 0) detail::be_nice(wanted.nice);
    if (!wanted.affinity.empty()) detail::run_on(wanted.affinity);
    detail::apply(wanted.limits);
}

inline void detach_stdin() noexcept {
    const int flags = ::fcntl(STDIN_FILENO, F_GETFD);
    if (flags != -1 && (flags & FD_CLOEXEC) != 0) return;
    const int nothing = retry([] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); });
    if (nothing == -1) return; // no /dev in this root, or no descriptor left: as it is, then
    if (nothing == STDIN_FILENO) {
        ::fcntl(nothing, F_SETFD, 0); // can't fail, as little as dup2 below: it is valid
    } else {
        ::dup2(nothing, STDIN_FILENO);
        ::close(nothing);
    }
    // Emptied, not closed or reopened: that would move the position in a file that is shared with the parent.
    ::__fpurge(stdin);
}

} // namespace multiprocessing::os
