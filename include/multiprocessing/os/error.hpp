// Floor 1, os/error: how a failed system call becomes an exception.
#pragma once

#include <cerrno>       // errno, EINTR
#include <system_error> // std::system_error
#include <utility>      // std::forward

#include <fmt/format.h> // the message

namespace multiprocessing::os {

/// Throws an error number as a std::system_error, with what was being done and to what: for calls that return their
/// error.
template <typename... Args>
[[noreturn]] void throw_error(int code, fmt::format_string<Args...> what, Args&&... args) {
    throw std::system_error(code, std::generic_category(), fmt::format(what, std::forward<Args>(args)...));
}

/// Throws the current errno as a std::system_error, with what was being done and to what.
///
///     throw_errno("cannot map segment {} of {} bytes", name, size);
///     // what(): "cannot map segment /mp-7 of 4096 bytes: Cannot allocate memory"
///
/// The arguments are evaluated before errno is read: none of them may call anything that fails.
template <typename... Args>
[[noreturn]] void throw_errno(fmt::format_string<Args...> what, Args&&... args) {
    const int code = errno; // first: formatting may allocate, and allocating may change errno
    throw_error(code, what, std::forward<Args>(args)...);
}

/// Calls again while a signal interrupts the call. Not for close(): Linux has freed the number already.
template <typename Call>
auto retry(Call call) {
    for (;;) {
        const auto result = call();
        if (result != -1 || errno != EINTR) return result;
    }
}

} // namespace multiprocessing::os
