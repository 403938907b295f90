// Floor 1, os/pages: what the kernel is told about shared pages: how long a file of them is, and which may go.
#pragma once

#include <cstddef>
#include <cstdint>

#include <fcntl.h>    // fcntl, F_ADD_SEALS
#include <sys/mman.h> // madvise
#include <sys/stat.h> // fstat
#include <unistd.h>   // ftruncate

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// Makes a file exactly `bytes` long; sparse, so only touched pages cost memory.
inline void resize_file(int fd, std::uint64_t bytes) {
    if (retry([&] { return ::ftruncate(fd, static_cast<off_t>(bytes)); }) != 0)
        throw_errno("cannot make descriptor {} {} bytes long", fd, bytes);
}

[[nodiscard]] inline std::uint64_t file_size(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) throw_errno("cannot ask for the size of descriptor {}", fd);
    return static_cast<std::uint64_t>(about.st_size);
}

/// The next read, by whoever has the file, begins at its beginning.
inline void rewind(int fd) {
    if (::lseek(fd, 0, SEEK_SET) != 0) throw_errno("cannot go back to the beginning of descriptor {}", fd);
}

/// How much memory the pages of a memory file take now.
[[nodiscard]] inline std::uint64_t resident_bytes(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) throw_errno("cannot ask for the pages of descriptor {}", fd);
    return static_cast<std::uint64_t>(about.st_blocks) * 512;
}

/// Nobody who holds the file can shorten or lengthen it from now on: a mapping of it can't be made to fault.
inline void seal_size(int fd) {
    if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        throw_errno("cannot seal the size of descriptor {}", fd);
}

[[nodiscard]] inline bool size_is_sealed(int fd) noexcept {
    constexpr int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
    const int seals = ::fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & wanted) == wanted;
}

/// Frees the memory behind whole pages of a shared mapping, for every process; they read as zero afterwards.
/// Best effort: where the kernel can't, the pages simply stay. Returns whether they are gone.
inline bool give_back(void* begin, std::size_t bytes) noexcept {
    return ::madvise(begin, bytes, MADV_REMOVE) == 0;
}

/// Leaves a mapping out of core dumps: a dump would walk every page of a sparse terabyte.
inline void leave_out_of_core_dumps(void* begin, std::size_t bytes) noexcept {
    ::madvise(begin, bytes, MADV_DONTDUMP); // advice only; a kernel that doesn't know it dumps more
}

} // namespace multiprocessing::os
