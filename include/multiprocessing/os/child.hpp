// Floor 1, os/child: starting a process by fork, and learning how it ends.
#pragma once

#include <atomic>
#include <cerrno>
#include <csignal> // sigaction, SIGKILL
#include <cstdint>
#include <cstdio> // std::fflush
#include <ctime>  // nanosleep
#include <optional>
#include <span>
#include <string>
#include <utility> // std::exchange

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h> // fork, getppid, syscall, _exit

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::os {

/// A child process, seen from the one that forked it.
///
///     os::child worker = os::fork_child();
///     if (worker.pid() == 0) os::leave(work());
///     if (!worker.wait(os::deadline::after(1s))) worker.signal(SIGKILL);
///     worker.wait(os::deadline::never());
///     fmt::print("{}\n", *worker.exitcode());     // 0, or -9
///
/// It is known by a pidfd from its first moment, so that neither waiting nor signalling can meet another process that
/// got its number, and waiting needs no SIGCHLD and takes nobody else's children.
///
/// - Python: `popen_fork.Popen`.
/// - Threads: one at a time. Movable.
/// - Across fork(): the copy in a child can be polled and signalled; it sees the end, and as exit code 255.
/// - When a process dies: its parent learns it by `sentinel()`, at once. The destructor neither waits nor kills: who
///   must not leave a zombie waits. When the parent dies the child goes on, unless it called `die_with`.
/// - Errors: std::system_error.
class child {
public:
    child() = default;
    child(child&& other) noexcept { *this = std::move(other); }
    child& operator=(child&& other) noexcept {
        pid_ = std::exchange(other.pid_, 0);
        sentinel_ = std::move(other.sentinel_);
        report_ = std::move(other.report_);
        exitcode_ = std::exchange(other.exitcode_, std::nullopt);
        return *this;
    }

    [[nodiscard]] explicit operator bool() const noexcept { return pid_ != 0; }

    /// 0 for no child, and in the child itself. It stays when the child has ended.
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// A descriptor to poll: readable from the child's end on, also after it was reaped.
    [[nodiscard]] int sentinel() const noexcept { return sentinel_.get(); }

    /// None while it runs, then for ever: what it left with, -N when signal N killed it, 255 when somebody else had
    /// reaped it (a waitpid for any child, an ignored SIGCHLD). Reaps it, and never blocks.
    std::optional<int> exitcode();

    /// True when it has ended, and is reaped; false when the deadline passed. For ever where there is no child.
    bool wait(const deadline& until);

    /// Nothing happens when it has ended.
    void signal(int number) const;

    /// One that another process has forked on behalf of this one: that process sent its pidfd, and writes its exit code, an
    /// int32, into `report` when it has reaped it. If it dies before, the code is 255.
    [[nodiscard]] static child forked_elsewhere(pid_t pid, descriptor pidfd, descriptor report) noexcept {
        child made;
        made.pid_ = pid;
        made.sentinel_ = std::move(pidfd);
        made.report_ = std::move(report);
        return made;
    }

private:
    friend child fork_child();
    template <typename Start>
    friend child hold_child(Start start);

    std::optional<int> reported_exitcode();

    pid_t pid_ = 0;
    descriptor sentinel_;
    descriptor report_; // of one that was forked elsewhere
    std::optional<int> exitcode_;
};

/// Forks. The child gets an object whose pid() is 0.
///
/// What stdio holds is flushed first, so that no child writes it again. (What std::cout holds is in there, unless the
/// program called sync_with_stdio(false); then it flushes that itself.) A program with threads is warned, once, by the
/// log: what another thread has locked at this moment stays locked in the child.
///
/// - Errors: std::system_error, when there can't be another process, or no descriptor for it, or the kernel is older
///   than 5.4. No process remains then; if another thread takes the last descriptor in between, there was one for a
///   moment.
inline child fork_child();

/// Calls start(), which returns the pid of a new child of this process, or 0 in the child itself, or throws; and holds the child
/// by its pidfd. For fork_child() and its like.
template <typename Start>
child hold_child(Start start);

/// In a child: from now on the end of its parent ends this process too, at once and also while it computes or sleeps.
/// The end of the thread that forked it doesn't. `parent` is os::pid() as the parent saw it; if that is over already,
/// so is this.
///
/// The kernel sends MULTIPROCESSING_PARENT_DEATH_SIGNAL() when the *thread* that forked ends, gives the child to
/// another thread of the same process, and sends it again when that one ends; the handler asks whether the parent is
/// still the same.
///
/// - Threads: from the thread that came out of fork().
/// - Across fork(): a grandchild calls it itself. Across exec: the handler is lost, and the signal kills, also at a
///   thread's end.
/// - Limits: the program must leave that signal to us, unblocked in at least one thread. A change of user or group in
///   the child takes it back (the kernel's rule). Parent and child are in one pid namespace: from another one the
///   parent's number can't be seen, and the child would end at once.
inline void die_with(pid_t parent);

/// Ends this process, here: stdio is flushed; nothing registered with atexit() runs, nor any static destructor.
[[noreturn]] inline void leave(int code) noexcept;

/// "SIGSEGV", "SIGRTMIN+3".
inline std::string signal_name(int number) {
    return multiprocessing::detail::signal_name(number);
}

namespace detail {

inline constexpr auto by_pidfd = static_cast<idtype_t>(3); // P_PIDFD, which C libraries before 2.36 don't name

inline descriptor open_pidfd(pid_t pid) noexcept {
    return descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

inline bool is_readable_now(int fd) noexcept {
    pollfd waited{fd, POLLIN, 0};
    return retry([&] { return ::poll(&waited, 1, 0); }) == 1;
}

inline int lost_exitcode(pid_t pid) noexcept {
    log(log_level::warning, "process {} was reaped by somebody else: its exit code is lost, 255 stands for it", pid);
    return 255;
}

inline constinit std::atomic<bool> threads_warned_of{false};

inline int unreported_exitcode(pid_t pid) noexcept {
    log(log_level::warning, "whoever forked process {} for this one has died: its exit code is lost, 255 stands for it", pid);
    return 255;
}

/// Looks before each fork until it was said, which costs a twentieth of the fork.
inline void warn_of_threads() noexcept {
    if (threads_warned_of.load(std::memory_order_relaxed) || log_level::warning < level()) return;
    constexpr std::size_t of_sanitizer = MULTIPROCESSING_THREAD_SANITIZER();
    const std::size_t threads = thread_count();
    if (threads <= 1 + of_sanitizer || threads_warned_of.exchange(true, std::memory_order_relaxed)) return;
    log(log_level::warning,
        "a process with {} threads is forked: locks held by the others stay locked in the child; "
        "start processes before threads, or by another start method",
        threads);
}

inline volatile std::sig_atomic_t parent_to_die_with = 0;
static_assert(sizeof(pid_t) <= sizeof parent_to_die_with);

/// A signal handler. Not _exit(): sanitizers put one of their own in its place, which isn't safe here.
[[gnu::no_sanitize_thread]] inline void look_for_parent(int) noexcept {
    if (::getppid() != parent_to_die_with) ::syscall(SYS_exit_group, 128 + SIGKILL);
}

#if MULTIPROCESSING_THREAD_SANITIZER()
/// ThreadSanitizer puts a handler of its own in between, which keeps signals back until a call that it knows to block;
/// who computes, or sleeps on a futex, would outlive its parent. So the kernel's entry is changed, all but the handler
/// kept.
inline void install_past_sanitizer(int number) noexcept {
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)();
        unsigned long mask;
    } entry{};
    ::syscall(SYS_rt_sigaction, number, nullptr, &entry, sizeof entry.mask);
    entry.handler = look_for_parent;
    ::syscall(SYS_rt_sigaction, number, &entry, nullptr, sizeof entry.mask);
}
#endif

} // namespace detail

inline std::optional<int> child::exitcode() {
    if (exitcode_ || pid_ == 0) return exitcode_;
    if (report_) return reported_exitcode();
    siginfo_t ended{};
    const int result = retry([&] {
        return ::waitid(detail::by_pidfd, static_cast<id_t>(sentinel_.get()), &ended, WEXITED | WNOHANG);
    });
    if (result == 0 && ended.si_pid == 0) return exitcode_; // it runs
    if (result == 0) {
        exitcode_ = ended.si_code == CLD_EXITED ? ended.si_status : -ended.si_status;
    } else if (errno != ECHILD) {
        throw_errno("cannot ask how process {} ended", pid_);
    } else if (detail::is_readable_now(sentinel_.get())) { // else it runs, and is no child of this process
        exitcode_ = detail::lost_exitcode(pid_);
    }
    return exitcode_;
}

inline std::optional<int> child::reported_exitcode() {
    if (!detail::is_readable_now(sentinel_.get())) return std::nullopt;
    // It has ended, and whoever forked it is about to say how, or dies.
    std::int32_t code = 0;
    if (read_all(report_.get(), std::as_writable_bytes(std::span(&code, 1))) == sizeof code)
        exitcode_ = code;
    else
        exitcode_ = detail::unreported_exitcode(pid_);
    report_.reset();
    return exitcode_;
}

inline bool child::wait(const deadline& until) {
    while (!exitcode()) {
        if (!wait_readable(sentinel(), until)) return false;
        if (exitcode()) return true;
        // It has ended, and a debugger that traces it hasn't let go of it yet: nothing tells when it does.
        if (until.passed()) return false;
        const timespec moment{0, 1'000'000};
        ::nanosleep(&moment, nullptr);
    }
    return true;
}

inline void child::signal(int number) const {
    if (exitcode_ || pid_ == 0) return;
    const long result = ::syscall(SYS_pidfd_send_signal, sentinel_.get(), number, nullptr, 0);
    if (result == -1 && errno != ESRCH) throw_errno("cannot send signal {} to process {}", number, pid_);
}

template <typename Start>
child hold_child(Start start) {
    // Keeps a place for the child's: an old kernel, or a full table of descriptors, shows before there is a child.
    descriptor place = detail::open_pidfd(pid());
    if (!place) throw_errno("cannot hold on to a child of process {}", pid());
    child started;
    const pid_t number = start();
    if (number == 0) return started;
    started.pid_ = number;
    place.reset();
    started.sentinel_ = detail::open_pidfd(number);
    if (!started.sentinel_ && errno == ESRCH) {
        // Over already, and reaped by somebody else: an ended child like any other, but with a sentinel of our own.
        started.sentinel_.reset(::eventfd(1, EFD_CLOEXEC));
        if (!started.sentinel_) throw_errno("cannot stand in for process {}, which has ended", number);
        started.exitcode_ = detail::lost_exitcode(number);
    }
    if (!started.sentinel_) { // another thread has taken the place
        const int code = errno;
        ::kill(number, SIGKILL); // nobody has reaped it: the number is still its own
        retry([&] { return ::waitpid(number, nullptr, 0); });
        throw_error(code, "cannot hold on to the new process {}", number);
    }
    return started;
}

inline child fork_child() {
    detail::warn_of_threads();
    return hold_child([] {
        std::fflush(nullptr);
        const pid_t number = ::fork();
        if (number == -1) throw_errno("cannot fork process {}", pid());
        return number;
    });
}

inline void die_with(pid_t parent) {
    const int number = MULTIPROCESSING_PARENT_DEATH_SIGNAL();
    detail::parent_to_die_with = parent;
    struct sigaction action{};
    action.sa_handler = detail::look_for_parent;
    action.sa_flags = SA_RESTART | SA_ONSTACK; // the end of a thread of the parent's is no business of the user's code
    sigemptyset(&action.sa_mask);
    if (::sigaction(number, &action, nullptr) == -1) throw_errno("cannot handle signal {}", number);
#if MULTIPROCESSING_THREAD_SANITIZER()
    detail::install_past_sanitizer(number);
#endif
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, number);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr); // can't fail: the arguments are good
    if (::prctl(PR_SET_PDEATHSIG, number) == -1)
        throw_errno("cannot arm signal {} for the end of process {}", number, parent);
    detail::look_for_parent(number); // it may have died before it was armed
}

[[noreturn]] inline void leave(int code) noexcept {
    std::fflush(nullptr);
    static void (*const volatile leave)(int) = &::_exit; // bound when the program was loaded, not in each child (warm_up)
    leave(code);
    __builtin_unreachable();
}

} // namespace multiprocessing::os
