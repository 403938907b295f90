// Floor 1, os/self: what this process is, and whether another one is still what it was.
#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv> // std::from_chars
#include <csignal>  // kill
#include <cstddef>
#include <cstdint>
#include <ctime> // timespec
#include <exception>
#include <functional>
#include <memory> // std::unique_ptr
#include <string>
#include <string_view>
#include <utility> // std::move

#include <fcntl.h>     // open
#include <pthread.h>   // pthread_atfork
#include <sys/stat.h>  // stat
#include <sys/types.h> // pid_t
#include <sys/resource.h> // getrusage
#if __has_include(<sys/single_threaded.h>)
#    include <sys/single_threaded.h>
#endif
#include <time.h>      // clock_gettime
#include <unistd.h>    // getpid, read, readlink

#include <multiprocessing/os/cpu.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/name.hpp>

namespace multiprocessing::os {

/// This process, without a system call. Right after fork(), whoever calls it; not after a bare clone() or vfork().
inline pid_t pid() noexcept;

/// Path of the program that runs. " (deleted)" follows when it was replaced since; /proc/self/exe still starts it then.
inline const std::string& executable();

/// A path that runs this very program, even when it was replaced or deleted since.
inline std::string own_program();

/// Threads of this process, those of a sanitizer included.
inline std::size_t thread_count() noexcept;

/// The most that this process has had in memory at a time, in bytes.
inline std::uint64_t peak_memory() noexcept;

/// When that process started, in clock ticks since the machine did; with its pid this names a process for ever. 0 when
/// there is none, or when it has ended and only waits to be reaped.
inline std::uint64_t start_time(pid_t pid) noexcept;

/// Whether the process that `start_time` was asked about still runs. In doubt yes: when the answer can't be had (no
/// free descriptor) and when `started` is 0, any process of that number will do.
inline bool is_alive(pid_t pid, std::uint64_t started) noexcept;

/// Now, on the clock of start_time(). To find out one's own start_time() takes a look into /proc, this doesn't.
inline std::uint64_t moment() noexcept;

/// Whether the process that had that number at that moment still runs: who has the number now had it then, unless it started
/// later. In doubt yes, as above.
inline bool still_runs(pid_t pid, std::uint64_t since) noexcept;

/// Registers what this process does before it leaves, last in first out.
///
///     os::at_exit([] { metrics.flush(); });
///
/// - Python: `atexit`, as far as `multiprocessing`'s children run it.
/// - Threads: safe; also from what is being run, which is then next.
/// - Across fork(): a child begins with nothing registered.
/// - Errors: std::bad_alloc.
inline void at_exit(std::function<void()> action);

/// Runs it, once. What throws is logged. From one thread.
inline void run_at_exit() noexcept;

/// Drops all that is registered by now, without running or destroying it.
inline void forget_at_exit() noexcept;

namespace detail {

inline constinit std::atomic<pid_t> cached_pid{0};

/// Counts forks from the first process down to this one, so what is stamped with it belongs to one process of its line.
/// (A pid doesn't: a grandchild may get that of a dead ancestor.)
inline constinit std::atomic<std::uint32_t> generation{0};

inline void note_fork() noexcept {
    cached_pid.store(::getpid(), std::memory_order_relaxed);
    generation.fetch_add(1, std::memory_order_relaxed);
}

/// Before main(), and not at first use: a lock around that could be held by another thread during a fork().
inline const bool forks_are_noted = [] {
    const bool noted = ::pthread_atfork(nullptr, nullptr, &note_fork) == 0;
    if (noted) cached_pid.store(::getpid(), std::memory_order_relaxed);
    return noted;
}();

struct process_status {
    char state = 0; // of the first thread
    std::size_t threads = 0;
    std::uint64_t started = 0;

    /// A first thread that has ended is a zombie too, though others of its process still run.
    [[nodiscard]] bool ended() const noexcept { return state == 'X' || (state == 'Z' && threads <= 1); }
};

/// Reads /proc/<pid>/stat, allocating nothing. Returns an error number, 0 for success.
inline int read_status(pid_t pid, process_status& status) noexcept {
    std::array<char, 32> path{"/proc/"};
    const auto end = std::to_chars(path.data() + 6, path.data() + path.size() - 6, pid).ptr;
    std::string_view("/stat").copy(end, 5);
    const descriptor file(retry([&] { return ::open(path.data(), O_RDONLY | O_CLOEXEC); }));
    if (!file) return errno;
    std::array<char, 1024> buffer;
    const ssize_t length = retry([&] { return ::read(file.get(), buffer.data(), buffer.size()); });
    if (length < 0) return errno;

    // "4711 (any) name) S 1 ...": the name may hold anything, so what follows begins at the last bracket.
    std::string_view rest(buffer.data(), static_cast<std::size_t>(length));
    rest.remove_prefix(std::min(rest.rfind(')'), rest.size()));
    take_until(rest, " ");
    const auto number = [](std::string_view text, auto& value) {
        std::from_chars(text.data(), text.data() + text.size(), value);
    };
    for (int field = 3; !rest.empty(); ++field) {
        const std::string_view text = take_until(rest, " ");
        if (field == 3) status.state = text.empty() ? '\0' : text.front();
        if (field == 20) number(text, status.threads);
        if (field == 22) {
            number(text, status.started);
            return 0;
        }
    }
    return EPROTO;
}

struct at_exit_entry {
    std::function<void()> action;
    std::uint32_t generation;
    at_exit_entry* below;
};

/// A stack. An ancestor's entries lie below this process's own, where they are never run.
inline constinit std::atomic<at_exit_entry*> at_exit_entries{nullptr};

inline constinit std::atomic<const std::string*> executable_path{nullptr};

inline std::string read_executable_path() {
    std::string path(256, '\0');
    for (;;) {
        const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
        if (length == -1) throw_errno("cannot find out which program this is from {}", "/proc/self/exe");
        if (static_cast<std::size_t>(length) < path.size()) {
            path.resize(static_cast<std::size_t>(length));
            return path;
        }
        path.resize(2 * path.size()); // it may have been cut
    }
}

} // namespace detail

inline pid_t pid() noexcept {
    if (!detail::forks_are_noted) return ::getpid(); // too early, before this file's variables were initialised
    return detail::cached_pid.load(std::memory_order_relaxed);
}

inline std::uint64_t peak_memory() noexcept {
    rusage used{};
    return ::getrusage(RUSAGE_SELF, &used) == 0 ? static_cast<std::uint64_t>(used.ru_maxrss) * 1024 : 0; // Linux counts in KiB
}

inline const std::string& executable() {
    // Published, not locked, and never freed: for forks in the middle, and for whoever asks at the very end.
    const std::string* known = detail::executable_path.load(std::memory_order_acquire);
    if (known == nullptr) {
        auto found = std::make_unique<const std::string>(detail::read_executable_path());
        if (detail::executable_path.compare_exchange_strong(known, found.get(), std::memory_order_acq_rel))
            known = found.release();
    }
    return *known;
}

inline std::string own_program() {
#if MULTIPROCESSING_LINUX()
    // By its path as long as that leads there: lists of processes show the name of what was run.
    struct stat runs{}, stands{};
    const bool same = ::stat("/proc/self/exe", &runs) == 0 && ::stat(executable().c_str(), &stands) == 0 &&
                      runs.st_dev == stands.st_dev && runs.st_ino == stands.st_ino;
    return same ? executable() : "/proc/self/exe";
#else
    return executable();
#endif
}

inline std::size_t thread_count() noexcept {
#if __has_include(<sys/single_threaded.h>)
    if (__libc_single_threaded) return 1; // and no need to ask /proc
#endif
    detail::process_status status;
    return detail::read_status(pid(), status) == 0 ? status.threads : 1;
}

inline std::uint64_t start_time(pid_t pid) noexcept {
    detail::process_status status;
    return detail::read_status(pid, status) == 0 && !status.ended() ? status.started : 0;
}

namespace detail {

/// Whether a process of that number runs, and `is_the_one` says of its start that it is the one that is meant.
template <typename F>
bool runs_and(pid_t pid, bool is_known, F is_the_one) noexcept {
    process_status status;
    const int error = read_status(pid, status);
    if (error == 0) return !status.ended() && (!is_known || is_the_one(status.started));
    if (is_known && (error == ENOENT || error == ESRCH)) return false;
    return ::kill(pid, 0) == 0 || errno == EPERM;
}

} // namespace detail

inline bool is_alive(pid_t pid, std::uint64_t started) noexcept {
    return detail::runs_and(pid, started != 0, [&](std::uint64_t its_start) { return its_start == started; });
}

inline std::uint64_t moment() noexcept {
    timespec now{};
#if defined(CLOCK_BOOTTIME)
    constexpr clockid_t clock = CLOCK_BOOTTIME; // as in /proc/<pid>/stat
#else
    constexpr clockid_t clock = CLOCK_MONOTONIC;
#endif
    static std::atomic<std::uint64_t> known{0}; // children needn't ask again
    std::uint64_t rate = known.load(std::memory_order_relaxed);
    if (rate == 0) {
        const long ticks = ::sysconf(_SC_CLK_TCK);
        if (ticks <= 0) return 0;
        known.store(rate = static_cast<std::uint64_t>(ticks), std::memory_order_relaxed);
    }
    if (::clock_gettime(clock, &now) != 0) return 0;
    return static_cast<std::uint64_t>(now.tv_sec) * rate + static_cast<std::uint64_t>(now.tv_nsec) / (1'000'000'000 / rate);
}

inline bool still_runs(pid_t pid, std::uint64_t since) noexcept {
    return detail::runs_and(pid, since != 0, [&](std::uint64_t its_start) { return its_start <= since; });
}

inline void at_exit(std::function<void()> action) {
    auto* const entry = new detail::at_exit_entry{std::move(action), detail::generation.load(std::memory_order_relaxed),
                                                  detail::at_exit_entries.load(std::memory_order_relaxed)};
    while (!detail::at_exit_entries.compare_exchange_weak(entry->below, entry, std::memory_order_acq_rel)) {}
}

inline void run_at_exit() noexcept {
    for (;;) {
        // One at a time, so that what an action registers comes next. Only one thread takes, so the top can't come
        // back.
        detail::at_exit_entry* top = detail::at_exit_entries.load(std::memory_order_acquire);
        if (top == nullptr || top->generation != detail::generation.load(std::memory_order_relaxed)) return;
        if (!detail::at_exit_entries.compare_exchange_strong(top, top->below, std::memory_order_acq_rel)) continue;
        const std::unique_ptr<detail::at_exit_entry> entry(top);
        try {
            entry->action();
        } catch (const std::exception& error) {
            log(log_level::error, "an action registered with at_exit failed: {}", error.what());
        } catch (...) {
            log(log_level::error, "an action registered with at_exit failed");
        }
    }
}

inline void forget_at_exit() noexcept {
    detail::generation.fetch_add(1, std::memory_order_relaxed);
}

} // namespace multiprocessing::os
