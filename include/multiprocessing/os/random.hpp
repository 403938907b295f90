// Floor 1, os/random: bytes that nobody can guess.
#pragma once

#include <cstddef> // std::byte
#include <span>

#include <sys/random.h> // getentropy

#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// Fills the span with bytes fit for keys. Python: `os.urandom`.
///
/// - Threads: safe. Across fork(): parent and child get different ones.
/// - Errors: std::system_error, where the kernel has no such source.
inline void fill_random(std::span<std::byte> bytes) {
    constexpr std::size_t at_once = 256; // more getentropy() refuses
    while (!bytes.empty()) {
        const auto part = bytes.first(bytes.size() < at_once ? bytes.size() : at_once);
        if (::getentropy(part.data(), part.size()) == -1) throw_errno("cannot get {} random bytes", part.size());
        bytes = bytes.subspan(part.size());
    }
}

} // namespace multiprocessing::os
