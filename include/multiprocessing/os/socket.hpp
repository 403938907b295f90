// Floor 1, os/socket: stream sockets that have an address.
#pragma once

#include <algorithm> // std::stable_partition
#include <array>
#include <cerrno>
#include <climits> // PATH_MAX
#include <cstddef> // std::byte, offsetof
#include <cstdlib> // mkdtemp, std::getenv
#include <cstring> // std::memcpy
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>      // fcntl
#include <netdb.h>      // getaddrinfo
#include <netinet/in.h> // sockaddr_in
#include <netinet/tcp.h> // TCP_NODELAY
#include <poll.h>
#include <sys/file.h> // flock
#include <sys/socket.h>
#include <sys/stat.h> // mkdir
#include <sys/un.h>   // sockaddr_un
#include <unistd.h>   // unlink, rmdir

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// Where a socket is bound, or goes to.
///
/// - Threads and processes: a value.
class endpoint {
public:
    endpoint() noexcept = default;

    /// A name in the file system; after a leading NUL, one that isn't. ValueError when it is too long for the system.
    [[nodiscard]] static endpoint of_path(std::string_view path);
    enum class family { any, inet, inet6 };
    /// What the host's name stands for, IPv4 first. An empty one: every interface, or this machine (not `to_listen`).
    /// std::system_error, EHOSTUNREACH when there is no such host.
    [[nodiscard]] static std::vector<endpoint> of_host(const std::string& host, const std::string& port, bool to_listen,
                                                       family only = family::any);

    /// "/tmp/x", "\0name", "127.0.0.1:4711", "[::1]:4711"; empty for what has no name.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool is_unix() const noexcept { return storage_.ss_family == AF_UNIX; }

    [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
    [[nodiscard]] socklen_t size() const noexcept { return size_; }
    /// For calls that fill in one.
    template <typename Call>
    auto fill(Call call) {
        size_ = sizeof storage_;
        const auto result = call(reinterpret_cast<sockaddr*>(&storage_), &size_);
        if (size_ > sizeof storage_) size_ = sizeof storage_; // what was cut
        return result;
    }

private:
    sockaddr_storage storage_{};
    socklen_t size_ = 0;
};

/// A socket that others can connect to. accept_from() doesn't wait.
///
/// - Errors: std::system_error, EADDRINUSE among others.
[[nodiscard]] inline descriptor listen_at(const endpoint& where, int backlog);

/// Where a socket is bound.
[[nodiscard]] inline endpoint endpoint_of(int socket);

struct accepted {
    descriptor socket;
    endpoint from;
};
/// Who has connected; nothing when nobody has (any more). std::system_error, EMFILE among others.
[[nodiscard]] inline std::optional<accepted> accept_from(int listening);

/// A connected socket. Nothing when the deadline passed. std::system_error: ECONNREFUSED, ENOENT, ...
[[nodiscard]] inline std::optional<descriptor> connect_to(const endpoint& where, const deadline& until);

/// Sends two pieces, one after the other, with as few calls as it takes; waits for room. Raises no SIGPIPE.
/// Returns an error number, 0 for success: EPIPE, ECONNRESET when nobody reads.
[[nodiscard]] inline int send_all(int socket, std::span<const std::byte> first, std::span<const std::byte> second) noexcept;

/// Sends what there is room for just now: how many bytes, or minus the error number (-EAGAIN).
[[nodiscard]] inline std::ptrdiff_t send_some(int socket, std::span<const std::byte> bytes) noexcept;
/// Receives what there is just now: how many bytes, 0 at the end, or minus the error number (-EAGAIN).
[[nodiscard]] inline std::ptrdiff_t receive_some(int socket, std::span<std::byte> to) noexcept;
[[nodiscard]] inline bool means_later(std::ptrdiff_t result) noexcept { return result == -EAGAIN || result == -EWOULDBLOCK; }

/// Marks those of the descriptors that can be read from, and waits until there is one. None of them when the deadline
/// passed.
struct watched {
    int fd = -1;
    bool ready = false;
};
inline void wait_for_any(std::span<watched> all, const deadline& until);

/// A directory that this user alone can enter, under $TMPDIR or /tmp, for a socket's name.
///
/// - When a process dies: the directory stays, and nothing locks it any more but forked children that have it too. If the socket is in
///   it, whoever makes the next one in the same place removes both.
class private_directory {
public:
    /// What the socket is to be called.
    static constexpr const char* socket_name = "listener";

    private_directory();
    private_directory(private_directory&& other) noexcept
        : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
    private_directory& operator=(private_directory&& other) noexcept {
        std::swap(path_, other.path_);
        std::swap(lock_, other.lock_);
        return *this;
    }
    ~private_directory() { // empty by then; in a child it isn't, or is gone
        if (!path_.empty()) ::rmdir(path_.c_str());
    }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// Leaves it to its maker.
    void release() noexcept { path_.clear(); }

private:
    static void remove_what_the_dead_left(const std::string& under) noexcept;
    [[nodiscard]] bool make(const std::string& under);

    std::string path_;
    descriptor lock_; // the directory, under flock() until nobody has it open
};

/// Removes a name from the file system, if it is there.
inline void remove_name(const std::string& path) noexcept { ::unlink(path.c_str()); }

inline endpoint endpoint::of_path(std::string_view path) {
    endpoint made;
    auto* const to = reinterpret_cast<sockaddr_un*>(&made.storage_);
    if (path.size() >= sizeof to->sun_path) // a NUL stands at the end of a path
        throw ValueError(fmt::format("a socket's path has {} bytes at most: {}", sizeof to->sun_path - 1, path));
    to->sun_family = AF_UNIX;
    std::memcpy(to->sun_path, path.data(), path.size());
    const bool is_abstract = !path.empty() && path.front() == '\0';
    made.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
    return made;
}

inline std::vector<endpoint> endpoint::of_host(const std::string& host, const std::string& port, bool to_listen, family only) {
    addrinfo wanted{};
    wanted.ai_family = only == family::inet ? AF_INET : only == family::inet6 ? AF_INET6 : AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0);
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &wanted, &found);
    const int code = errno;
    if (error != 0)
        throw_error(error == EAI_SYSTEM ? code : EHOSTUNREACH, "cannot find host {}: {}", host, ::gai_strerror(error));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    std::vector<endpoint> all;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        endpoint made;
        if (each->ai_addrlen > sizeof made.storage_) continue;
        std::memcpy(&made.storage_, each->ai_addr, each->ai_addrlen);
        made.size_ = each->ai_addrlen;
        all.push_back(made);
    }
    std::stable_partition(all.begin(), all.end(), [](const endpoint& e) { return e.storage_.ss_family == AF_INET; });
    return all;
}

inline std::string endpoint::text() const {
    if (is_unix()) {
        const std::size_t begin = offsetof(sockaddr_un, sun_path);
        if (size_ <= begin) return {};
        const auto* const path = reinterpret_cast<const sockaddr_un*>(&storage_)->sun_path;
        const std::size_t size = size_ - begin;
        return path[0] == '\0' ? std::string(path, size) : std::string(path, ::strnlen(path, size));
    }
    if (size_ == 0) return {};
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    if (::getnameinfo(get(), size_, host.data(), host.size(), port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return {};
    const bool has_colons = storage_.ss_family == AF_INET6;
    return fmt::format("{}{}{}:{}", has_colons ? "[" : "", host.data(), has_colons ? "]" : "", port.data());
}

namespace detail {

/// For messages: an abstract name shows its NUL as '@'.
inline std::string printed(const endpoint& where) {
    std::string text = where.text();
    if (!text.empty() && text.front() == '\0') text.front() = '@';
    return text;
}

inline descriptor new_socket(const endpoint& where, int flags) {
    descriptor made(::socket(where.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    if (!made) throw_errno("cannot make a socket");
    return clear_of_standard_streams(std::move(made));
}

/// What is sent goes out at once, nobody waits to fill a packet; and that the machine at the other end is gone shows within a
/// minute. A socket that knows no such option is as good.
inline void prepare_tcp(int socket) noexcept {
    const auto set = [&](int level, int option, int value) {
        static_cast<void>(::setsockopt(socket, level, option, &value, sizeof value));
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
#if defined(TCP_KEEPIDLE)
    set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
#endif
#if defined(TCP_KEEPINTVL) && defined(TCP_KEEPCNT)
    set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
#endif
}

/// Waits for one event of one socket; false when the deadline passed.
inline bool wait_for(int socket, short event, const deadline& until) noexcept {
    pollfd one{socket, event, 0};
    for (;;) {
        const int n = ::poll(&one, 1, until.milliseconds_left());
        if (n == 1 || (n == -1 && errno != EINTR)) return true; // the call that comes next says what is wrong
        if (until.passed()) return false;
    }
}

} // namespace detail

inline descriptor listen_at(const endpoint& where, int backlog) {
    descriptor made = detail::new_socket(where, SOCK_NONBLOCK);
    const int on = 1;
    if (!where.is_unix()) static_cast<void>(::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    if (::bind(made.get(), where.get(), where.size()) == -1) {
        const int code = errno;
        throw_error(code, "cannot listen at {}", detail::printed(where));
    }
    if (::listen(made.get(), backlog) == -1) throw_errno("cannot listen on socket {}", made.get());
    return made;
}

inline endpoint endpoint_of(int socket) {
    endpoint found;
    if (found.fill([&](sockaddr* to, socklen_t* size) { return ::getsockname(socket, to, size); }) == -1)
        throw_errno("cannot find out the address of socket {}", socket);
    return found;
}

inline std::optional<accepted> accept_from(int listening) {
    accepted made;
    for (;;) {
        made.socket.reset(made.from.fill(
            [&](sockaddr* to, socklen_t* size) { return ::accept4(listening, to, size, SOCK_CLOEXEC); }));
        if (made.socket) break;
        switch (errno) {
        case EINTR: continue;
        case EAGAIN: return std::nullopt;
        case ECONNABORTED: // whoever it was has gone again; of the network's errors Linux tells here, too
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
        case ETIMEDOUT: return std::nullopt;
        default: throw_errno("cannot accept a connection on socket {}", listening);
        }
    }
    made.socket = detail::clear_of_standard_streams(std::move(made.socket));
    if (!made.from.is_unix()) detail::prepare_tcp(made.socket.get());
    return made;
}

inline std::optional<descriptor> connect_to(const endpoint& where, const deadline& until) {
    const auto fail = [&](int code) { throw_error(code, "cannot connect to {}", detail::printed(where)); };
    for (;;) {
        descriptor made = detail::new_socket(where, 0);
        // A blocking call that gives up in time. A nonblocking one wouldn't wait for room in a unix socket's backlog at all.
        timeval limit{};
        if (!until.is_never()) {
            const auto left = until.left().count() / 1000 + 1; // 0 would stand for ever
            limit.tv_sec = static_cast<decltype(limit.tv_sec)>(left / 1'000'000);
            limit.tv_usec = static_cast<decltype(limit.tv_usec)>(left % 1'000'000);
            static_cast<void>(::setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
        }
        int code = ::connect(made.get(), where.get(), where.size()) == 0 ? 0 : errno;
        if (code == EINTR && where.is_unix()) continue;
        if (code == EINTR || code == EINPROGRESS) { // it goes on by itself
            if (!detail::wait_for(made.get(), POLLOUT, until)) return std::nullopt;
            socklen_t size = sizeof code;
            if (::getsockopt(made.get(), SOL_SOCKET, SO_ERROR, &code, &size) == -1) code = errno;
        }
        if (code == EAGAIN || (code == ETIMEDOUT && until.passed())) {
            if (until.passed()) return std::nullopt;
            continue;
        }
        if (code != 0) fail(code);
        limit = {};
        if (!until.is_never()) static_cast<void>(::setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
        if (!where.is_unix()) detail::prepare_tcp(made.get());
        return made;
    }
}

inline int send_all(int socket, std::span<const std::byte> first, std::span<const std::byte> second) noexcept {
    while (!first.empty() || !second.empty()) {
        std::array<iovec, 2> parts{{{const_cast<std::byte*>(first.data()), first.size()},
                                    {const_cast<std::byte*>(second.data()), second.size()}}};
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = parts.size();
        const ssize_t n = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (n == -1 && errno == EINTR) continue;
        if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) { // somebody has made it nonblocking
            detail::wait_for(socket, POLLOUT, deadline::never());
            continue;
        }
        if (n == -1) return errno;
        const auto sent = static_cast<std::size_t>(n);
        const std::size_t of_first = std::min(sent, first.size());
        first = first.subspan(of_first);
        second = second.subspan(sent - of_first);
    }
    return 0;
}

inline std::ptrdiff_t send_some(int socket, std::span<const std::byte> bytes) noexcept {
    const ssize_t n = retry([&] { return ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT); });
    return n == -1 ? -errno : n;
}

inline std::ptrdiff_t receive_some(int socket, std::span<std::byte> to) noexcept {
    const ssize_t n = retry([&] { return ::recv(socket, to.data(), to.size(), MSG_DONTWAIT); });
    return n == -1 ? -errno : n;
}

inline void wait_for_any(std::span<watched> all, const deadline& until) {
    std::vector<pollfd> polled;
    polled.reserve(all.size());
    for (const watched& each : all) polled.push_back({each.fd, POLLIN, 0});
    for (;;) {
        const int n = ::poll(polled.data(), static_cast<nfds_t>(polled.size()), until.milliseconds_left());
        if (n == -1 && errno != EINTR) throw_errno("cannot wait for {} sockets", polled.size());
        if (n > 0 || until.passed()) break;
    }
    for (std::size_t i = 0; i < all.size(); ++i) all[i].ready = polled[i].revents != 0;
}

inline private_directory::private_directory() {
    const char* const wanted = std::getenv("TMPDIR");
    // Longer ones leave no room for a socket's name.
    for (const std::string& under : {std::string(wanted != nullptr ? wanted : ""), std::string("/tmp")}) {
        if (under.empty() || under.size() > 80) continue;
        remove_what_the_dead_left(under);
        if (make(under)) return;
    }
    throw_errno("cannot make a directory for a socket in {}", "/tmp");
}

inline bool private_directory::make(const std::string& under) {
    for (;;) {
        std::string path = under + "/mp-XXXXXX";
        if (::mkdtemp(path.data()) == nullptr) return false;
        descriptor opened(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        const int code = errno;
        if (opened) opened = detail::clear_of_standard_streams(std::move(opened));
        while (opened && ::flock(opened.get(), LOCK_EX) == -1 && errno == EINTR) {}
        // Somebody may have taken it for one that was left, before it was locked.
        if (::access(path.c_str(), F_OK) == -1) continue;
        if (!opened) {
            ::rmdir(path.c_str());
            throw_error(code, "cannot open directory {}", path);
        }
        path_ = std::move(path);
        lock_ = std::move(opened);
        return true;
    }
}

inline void private_directory::remove_what_the_dead_left(const std::string& under) noexcept {
    const std::unique_ptr<DIR, int (*)(DIR*)> all(::opendir(under.c_str()), &::closedir);
    if (!all) return;
    while (const dirent* const each = ::readdir(all.get())) {
        const std::string_view name = each->d_name;
        if (name.size() != 9 || !name.starts_with("mp-")) continue;
        const descriptor left(::openat(::dirfd(all.get()), each->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct stat found {};
        if (!left || ::fstat(left.get(), &found) == -1 || found.st_uid != ::geteuid() || (found.st_mode & 0777) != 0700) continue;
        if (::flock(left.get(), LOCK_EX | LOCK_NB) == -1) continue; // its maker lives
        // Without a socket of that name it may be anybody's who chose such a name.
        if (::fstatat(left.get(), socket_name, &found, AT_SYMLINK_NOFOLLOW) == -1 || !S_ISSOCK(found.st_mode)) continue;
        ::unlinkat(left.get(), socket_name, 0);
        ::unlinkat(::dirfd(all.get()), each->d_name, AT_REMOVEDIR); // if there is nothing else in it
    }
}

} // namespace multiprocessing::os
