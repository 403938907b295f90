// Floor 1, os/descriptor: who owns a file descriptor, and moving bytes and descriptors through one.
#pragma once

#include <array>
#include <csignal> // SIGPIPE, sigtimedwait
#include <cstddef> // std::byte
#include <cstring> // std::memcpy
#include <ctime>   // timespec
#include <span>
#include <utility> // std::exchange, std::pair

#include <fcntl.h>      // fcntl, O_CLOEXEC
#include <sys/mman.h>   // memfd_create
#include <sys/socket.h> // socketpair, sendmsg, recvmsg
#include <unistd.h>     // close, pipe2, read, write

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// Owns one file descriptor and closes it once.
///
///     os::descriptor log(::open("log", O_WRONLY | O_CLOEXEC));
///     if (!log) os::throw_errno("cannot open {}", "log");
///     os::write_all(log.get(), line);
///
/// Every descriptor this library opens is close-on-exec; the one that a child must inherit is
/// cleared in the child, after fork(), so that a fork() in another thread can't leak it.
///
/// - Python: an `int` and a `finally`.
/// - Threads: distinct objects, safe; one object, as safe as an `int`.
/// - Across fork(): both processes own a copy; closing one leaves the other open.
/// - Errors: `duplicate` throws std::system_error; `reset` and the destructor report nothing, for a failed
///   close() leaves nothing to do.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(other.release()) {}
    descriptor& operator=(descriptor&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~descriptor() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    void reset(int fd = -1) noexcept {
        const int old = std::exchange(fd_, fd);
        if (old >= 0 && old != fd) ::close(old); // EIO has no remedy, EBADF is a bug elsewhere
    }

    /// A second descriptor for the same open file.
    [[nodiscard]] descriptor duplicate() const;

private:
    int fd_ = -1;
};

/// Writes every byte, however many calls that takes, to a blocking descriptor. Throws std::system_error: EPIPE when
/// nobody reads, which raises no SIGPIPE.
inline void write_all(int fd, std::span<const std::byte> bytes);

/// Reads until the span is full or the other end is closed; returns how many bytes it read.
inline std::size_t read_all(int fd, std::span<std::byte> bytes);

struct pipe_ends {
    descriptor read;
    descriptor write;
};

/// What is written to one end is read from the other.
inline pipe_ends make_pipe();

/// Two connected stream sockets that have no name.
inline std::pair<descriptor, descriptor> make_socket_pair();

/// An empty file that has no name, lives in memory, and ends with its last descriptor and mapping. It can be sealed.
/// `name` is what /proc shows.
inline descriptor make_memory_file(const char* name);

/// Sends a copy of a descriptor, and nothing else, over a unix socket. Raises no SIGPIPE.
inline void send_descriptor(int socket, int fd);

/// Takes what `send_descriptor` sent. EOFError: the other end is closed. ProcessError: what arrived is something else.
inline descriptor receive_descriptor(int socket);

namespace detail {

/// write() that returns EPIPE and raises no SIGPIPE, whatever the program has made of that signal.
inline ssize_t write_quietly(int fd, std::span<const std::byte> bytes) noexcept {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent != -1 || errno != ENOTSOCK) return sent;

    // A pipe has no such flag. The signal goes to the thread that writes, so it is blocked here, and taken back if it
    // came.
    sigset_t sigpipe, pending, before;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigemptyset(&pending);
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE) == 1) // so it is blocked, and someone else waits for it: ours merges with it
        return ::write(fd, bytes.data(), bytes.size());
    pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    const int code = errno;
    if (written == -1 && code == EPIPE) {
        const timespec at_once{};
        retry([&] { return ::sigtimedwait(&sigpipe, nullptr, &at_once); });
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = code;
    return written;
}

/// Room for exactly one descriptor. CMSG_SPACE has room for two, and a second one that somebody sent would stay open
/// for ever; so the length given to the kernel is CMSG_LEN.
union one_descriptor {
    cmsghdr header; // for its alignment
    std::array<std::byte, CMSG_SPACE(sizeof(int))> bytes;
};

} // namespace detail

inline descriptor descriptor::duplicate() const {
    descriptor copy(::fcntl(fd_, F_DUPFD_CLOEXEC, 0));
    if (!copy) throw_errno("cannot duplicate descriptor {}", fd_);
    return copy;
}

inline void write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = retry([&] { return detail::write_quietly(fd, bytes); });
        if (n < 0) throw_errno("cannot write {} bytes to descriptor {}", bytes.size(), fd);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

inline std::size_t read_all(int fd, std::span<std::byte> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto rest = bytes.subspan(done);
        const ssize_t n = retry([&] { return ::read(fd, rest.data(), rest.size()); });
        if (n < 0) throw_errno("cannot read {} bytes from descriptor {}", rest.size(), fd);
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

namespace detail {

/// Where a program has closed its standard streams, the next descriptors take their numbers, and what somebody prints
/// would be written into them: into shared memory, that is.
inline descriptor clear_of_standard_streams(descriptor made) {
    if (made.get() > 2) return made;
    descriptor higher(::fcntl(made.get(), F_DUPFD_CLOEXEC, 3));
    if (!higher) throw_errno("cannot move descriptor {} out of the way of the standard streams", made.get());
    return higher;
}

} // namespace detail

inline pipe_ends make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) == -1) throw_errno("cannot make a pipe");
    descriptor read(ends[0]);
    descriptor write(ends[1]);
    return {detail::clear_of_standard_streams(std::move(read)), detail::clear_of_standard_streams(std::move(write))};
}

inline std::pair<descriptor, descriptor> make_socket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1) throw_errno("cannot make a pair of sockets");
    descriptor one(ends[0]);
    descriptor other(ends[1]);
    return {detail::clear_of_standard_streams(std::move(one)), detail::clear_of_standard_streams(std::move(other))};
}

inline descriptor make_memory_file(const char* name) {
    // Hardened systems (vm.memfd_noexec) refuse a memory file that could be executed; kernels before 6.3 don't know the
    // flag.
    constexpr unsigned never_executable = 0x0008U; // MFD_NOEXEC_SEAL, which C libraries of 2022 don't name
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    descriptor file(::memfd_create(name, flags | never_executable));
    if (!file && errno == EINVAL) file.reset(::memfd_create(name, flags));
    if (!file) throw_errno("cannot make a memory file for {}", name);
    return detail::clear_of_standard_streams(std::move(file));
}

inline void send_descriptor(int socket, int fd) {
    std::byte payload{}; // a stream socket carries no descriptor without a byte
    iovec part{&payload, 1};
    detail::one_descriptor control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    const ssize_t n = retry([&] { return ::sendmsg(socket, &message, MSG_NOSIGNAL); });
    if (n == -1) throw_errno("cannot send descriptor {} over socket {}", fd, socket);
}

inline descriptor receive_descriptor(int socket) {
    std::byte payload{};
    iovec part{&payload, 1};
    detail::one_descriptor control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = CMSG_LEN(sizeof(int));
    const ssize_t n = retry([&] { return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC); });
    if (n == -1) throw_errno("cannot receive a descriptor from socket {}", socket);

    descriptor received; // owned before anything below can throw
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int))) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        received.reset(fd);
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) // the kernel drops what doesn't fit and says no more than this
        throw_error(EMFILE,
                    "a descriptor sent over socket {} was lost: this process has as many open as RLIMIT_NOFILE allows, "
                    "or more than one was sent at once",
                    socket);
    if (n == 0) throw EOFError(fmt::format("no descriptor arrived on socket {}: the other end is closed", socket));
    if (!received) throw ProcessError(fmt::format("what arrived on socket {} is not a descriptor", socket));
    return received;
}

} // namespace multiprocessing::os
