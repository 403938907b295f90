// Floor 1, os/foreign_bell: a doorbell that a process can ring without having been given a descriptor for it.
#pragma once

#include <cerrno>
#include <algorithm> // std::copy_n
#include <charconv>  // std::to_chars
#include <cstddef>
#include <span>
#include <utility>

#include <fcntl.h>       // open, fcntl
#include <sys/stat.h>    // fstat
#include <sys/syscall.h> // SYS_pidfd_open
#include <unistd.h>      // read, write

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// A doorbell of this process. Whoever knows its number and this process's pid can ring it, by opening `/proc/<pid>/fd/<number>`:
/// the same user's processes may.
///
/// - Across fork(): a child's copy is its parent's bell; it must make its own.
/// - Errors: making one throws std::system_error; the rest can't fail.
class foreign_bell {
public:
    foreign_bell() : ends_(make_pipe()) {
        for (const int fd : {ends_.read.get(), ends_.write.get()})
            if (::fcntl(fd, F_SETFL, O_NONBLOCK) == -1) throw_errno("cannot make descriptor {} nonblocking", fd);
    }
    /// To poll; readable while it rings.
    [[nodiscard]] int fd() const noexcept { return ends_.read.get(); }
    void ring() noexcept {
        [[maybe_unused]] const auto n = ::write(ends_.write.get(), "", 1); // EAGAIN: it is full, so it rings
    }
    void silence() noexcept {
        char rings[64];
        while (::read(ends_.read.get(), rings, sizeof rings) == static_cast<ssize_t>(sizeof rings)) {}
    }

private:
    pipe_ends ends_;
};

/// Rings the bell of another process. False: there is none of that number, or this process may not.
inline bool ring_foreign_bell(pid_t pid, int fd) noexcept {
    char path[48] = "/proc/";
    char* end = std::to_chars(path + 6, path + 20, pid).ptr;
    end = std::copy_n("/fd/", 4, end);
    end = std::to_chars(end, end + 12, fd).ptr;
    *end = '\0';
    const descriptor bell(retry([&] { return ::open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC); }));
    struct stat what {};
    if (!bell || ::fstat(bell.get(), &what) != 0 || !S_ISFIFO(what.st_mode)) return false; // the number is something else's by now
    const ssize_t n = detail::write_quietly(bell.get(), std::span(reinterpret_cast<const std::byte*>(""), 1));
    return n == 1 || errno == EAGAIN;
}

/// Readable when that process has ended. None where that isn't known, or it has ended already.
inline descriptor watch_process(pid_t pid) noexcept {
#if MULTIPROCESSING_PORTABLE()
    static_cast<void>(pid);
    return {};
#else
    return descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
#endif
}

} // namespace multiprocessing::os
