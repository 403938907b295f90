// Floor 0, exceptions: everything this library throws.
#pragma once

#include <csignal> // SIGKILL ..., pid_t
#include <cstddef> // std::byte
#include <memory>  // std::shared_ptr: copying an exception must not throw
#include <optional>
#include <stdexcept>
#include <string>
#include <utility> // std::move
#include <vector>

// Thrown in one shared library and caught in another, also when they are built with -fvisibility=hidden.
#pragma GCC visibility push(default)

namespace multiprocessing {

namespace detail {

/// "SIGSEGV", "SIGRTMIN+3"; "signal 99" for what has no name here.
inline std::string signal_name(int signal);

} // namespace detail

/// What went wrong between processes; the base of most of the types below.
///
///     try {
///         fmt::print("{}\n", pool.apply(render, page));
///     } catch (const mp::WorkerLostError& lost) {
///         fmt::print("{} (signal {})\n", lost.what(), lost.signal_name());
///     }
///
/// - Python: `multiprocessing.ProcessError`. The types below carry the names that Python raises in the same place; the
///   ones Python doesn't have say so.
/// - Threads and processes: as any std::exception. Copies share what they carry and don't throw.
struct ProcessError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The message is longer than the buffer it should be received into. The exception carries it, so that it isn't lost.
struct BufferTooShort : ProcessError {
    BufferTooShort(const std::string& what, std::vector<std::byte> message);
    BufferTooShort(const BufferTooShort&) = default; // and no move: a moved-from exception would carry nothing
    BufferTooShort& operator=(const BufferTooShort&) = default;

    /// The whole message.
    [[nodiscard]] const std::vector<std::byte>& message() const noexcept { return *message_; }

private:
    std::shared_ptr<const std::vector<std::byte>> message_;
};

/// The other side doesn't know the key.
struct AuthenticationError : ProcessError {
    using ProcessError::ProcessError;
};

/// The time given for something is over.
struct TimeoutError : ProcessError {
    using ProcessError::ProcessError;
};

/// A process died while it held work.
///
/// - Python: none. `Pool` waits for ever; `concurrent.futures` has BrokenProcessPool, which doesn't say who or why.
struct WorkerLostError : ProcessError {
    WorkerLostError(const std::string& what, pid_t pid, int exitcode, std::optional<std::size_t> item = {},
                    std::string backtrace = {});
    WorkerLostError(const WorkerLostError&) = default; // and no move, as above
    WorkerLostError& operator=(const WorkerLostError&) = default;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// -N when signal N killed it.
    [[nodiscard]] int exitcode() const noexcept { return exitcode_; }
    /// "SIGSEGV"; empty when no signal killed it.
    [[nodiscard]] std::string signal_name() const;
    /// Index of the map's item it was working on, where that is known.
    [[nodiscard]] std::optional<std::size_t> item() const noexcept { return item_; }
    /// Where it was, if it lived long enough to tell; else empty.
    [[nodiscard]] const std::string& backtrace() const noexcept { return *backtrace_; }

private:
    pid_t pid_;
    int exitcode_;
    std::optional<std::size_t> item_;
    std::shared_ptr<const std::string> backtrace_;
};

/// The work was cancelled, or its pool was terminated.
struct CancelledError : ProcessError {
    using ProcessError::ProcessError;
};

/// The callable or an argument can't travel under this start method; what() says what to do. Not in Python, where it is
/// whatever pickle raises.
struct NotPortableError : ProcessError {
    using ProcessError::ProcessError;
};

/// The lock's holder died. The lock is held by the caller now and can be used; what it protects may be half changed.
/// Not in Python, where the lock hangs.
struct OwnerDiedError : ProcessError {
    using ProcessError::ProcessError;
};

/// The barrier is broken, or was reset while somebody waited.
struct BrokenBarrierError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The queue is empty, and stayed so for the time given.
struct Empty : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The queue is full, and stayed so for the time given.
struct Full : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Nothing is left to receive, and nobody is left to send.
struct EOFError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Nobody is left to receive what is sent.
struct BrokenPipeError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The iterator is at its end.
struct StopIteration : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A bad argument, or a call in the wrong state; what() says which rule was broken.
struct ValueError : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

/// The type asked for isn't the one that was sent; both names are in what().
struct TypeError : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

/// What a failed task threw, as its caller sees it: beside the exception's own type, this one can be caught.
///
///     try {
///         pool.apply(parse, path);
///     } catch (const mp::RemoteError& failed) {
///         fmt::print("{}: {}\n{}", failed.type_name(), failed.message(), failed.traceback());
///     }
///
/// Not a std::exception itself, so that an object which is both has one std::exception and not two; `catch
/// (std::exception&)` sees it by its other base.
///
/// - Python: `multiprocessing.pool.RemoteTraceback`, which is a `__cause__` and only text.
struct RemoteError {
    RemoteError(std::string type_name, std::string message, std::string traceback, pid_t pid);
    RemoteError(const RemoteError&) = default; // and no move, as above
    RemoteError& operator=(const RemoteError&) = default;
    virtual ~RemoteError() = default;

    /// Type of what was thrown: "std::out_of_range".
    [[nodiscard]] const std::string& type_name() const noexcept { return text_->type_name; }
    /// Its what(), or its value when it isn't a std::exception.
    [[nodiscard]] const std::string& message() const noexcept { return text_->message; }
    /// Where it was thrown, one frame a line; empty where that isn't known.
    [[nodiscard]] const std::string& traceback() const noexcept { return text_->traceback; }
    /// The process it was thrown in.
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

private:
    struct text {
        std::string type_name;
        std::string message;
        std::string traceback;
    };
    std::shared_ptr<const text> text_;
    pid_t pid_;
};

/// Type of `ignore`.
struct ignore_t {
    explicit ignore_t() = default;
};

/// As `owner_died`: take a dead holder's lock without an OwnerDiedError.
///
///     lock.acquire(true, mp::ignore);
inline constexpr ignore_t ignore{};

inline BufferTooShort::BufferTooShort(const std::string& what, std::vector<std::byte> message)
    : ProcessError(what), message_(std::make_shared<const std::vector<std::byte>>(std::move(message))) {}

inline WorkerLostError::WorkerLostError(const std::string& what, pid_t pid, int exitcode,
                                        std::optional<std::size_t> item, std::string backtrace)
    : ProcessError(what), pid_(pid), exitcode_(exitcode), item_(item),
      backtrace_(std::make_shared<const std::string>(std::move(backtrace))) {}

inline std::string WorkerLostError::signal_name() const {
    return exitcode_ < 0 ? detail::signal_name(-exitcode_) : std::string();
}

inline RemoteError::RemoteError(std::string type_name, std::string message, std::string traceback, pid_t pid)
    : text_(std::make_shared<const text>(text{std::move(type_name), std::move(message), std::move(traceback)})),
      pid_(pid) {}

inline std::string detail::signal_name(int signal) {
    switch (signal) {
    case SIGHUP: return "SIGHUP";
    case SIGINT: return "SIGINT";
    case SIGQUIT: return "SIGQUIT";
    case SIGILL: return "SIGILL";
    case SIGTRAP: return "SIGTRAP";
    case SIGABRT: return "SIGABRT";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGKILL: return "SIGKILL";
    case SIGUSR1: return "SIGUSR1";
    case SIGSEGV: return "SIGSEGV";
    case SIGUSR2: return "SIGUSR2";
    case SIGPIPE: return "SIGPIPE";
    case SIGALRM: return "SIGALRM";
    case SIGTERM: return "SIGTERM";
    case SIGCHLD: return "SIGCHLD";
    case SIGCONT: return "SIGCONT";
    case SIGSTOP: return "SIGSTOP";
    case SIGTSTP: return "SIGTSTP";
    case SIGTTIN: return "SIGTTIN";
    case SIGTTOU: return "SIGTTOU";
    case SIGURG: return "SIGURG";
    case SIGXCPU: return "SIGXCPU";
    case SIGXFSZ: return "SIGXFSZ";
    case SIGVTALRM: return "SIGVTALRM";
    case SIGPROF: return "SIGPROF";
    case SIGSYS: return "SIGSYS";
#if defined(SIGWINCH)
    case SIGWINCH: return "SIGWINCH";
#endif
#if defined(SIGIO)
    case SIGIO: return "SIGIO";
#endif
#if defined(SIGSTKFLT)
    case SIGSTKFLT: return "SIGSTKFLT";
#endif
#if defined(SIGPWR)
    case SIGPWR: return "SIGPWR";
#endif
    default: break;
    }
#if defined(SIGRTMIN)
    if (signal == SIGRTMIN) return "SIGRTMIN"; // not a case: how many the C library keeps for itself shows at run time
    if (signal > SIGRTMIN && signal <= SIGRTMAX) return "SIGRTMIN+" + std::to_string(signal - SIGRTMIN);
#endif
    return "signal " + std::to_string(signal);
}

} // namespace multiprocessing

#pragma GCC visibility pop
