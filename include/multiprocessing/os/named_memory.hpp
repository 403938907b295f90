// Floor 1, os/named_memory: shared memory that is found by its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <fcntl.h>    // O_CREAT
#include <sys/mman.h> // shm_open
#include <sys/stat.h> // fstat

#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// The longest name, without the slash before it.
inline constexpr std::size_t longest_memory_name = 254;

/// A new segment of that name, of no length, for this user alone. std::system_error: EEXIST when there is one.
/// The name begins with its only slash.
inline descriptor create_named_memory(const std::string& name) {
    descriptor made(retry([&] { return ::shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600); }));
    if (!made) throw_errno("cannot create shared memory {}", name);
    return detail::clear_of_standard_streams(std::move(made));
}

/// The segment of that name. std::system_error: ENOENT when there is none.
inline descriptor open_named_memory(const std::string& name) {
    descriptor found(retry([&] { return ::shm_open(name.c_str(), O_RDWR, 0); }));
    if (!found) throw_errno("cannot open shared memory {}", name);
    return detail::clear_of_standard_streams(std::move(found));
}

/// Takes the name away; who has the segment open keeps it. Whether there was one; std::system_error for anything else.
inline bool unlink_named_memory(const std::string& name) {
    if (::shm_unlink(name.c_str()) == 0) return true;
    if (errno != ENOENT) throw_errno("cannot unlink shared memory {}", name);
    return false;
}

/// Tells a segment from another one of the same name, made after the first was unlinked.
[[nodiscard]] inline std::uint64_t memory_number(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) throw_errno("cannot ask which shared memory descriptor {} is", fd);
    return static_cast<std::uint64_t>(about.st_ino);
}

/// As unlink_named_memory, if it still is that segment. (Between the look and the act somebody may replace it.)
inline bool unlink_named_memory(const std::string& name, std::uint64_t number) {
    const descriptor found(retry([&] { return ::shm_open(name.c_str(), O_RDONLY, 0); }));
    return found && memory_number(found.get()) == number && unlink_named_memory(name);
}

} // namespace multiprocessing::os
