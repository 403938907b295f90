// Floor 8, process/settling: a child tells its parent whether the conditions it was to run under are met.
#pragma once

#include <array>
#include <chrono>
#include <csignal> // SIGKILL
#include <cstddef> // std::byte
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/conditions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/process/running.hpp>

namespace multiprocessing::process {

namespace detail {

/// What the child says when its conditions are met, or not. Told, not shown by closing the pipe: a process that is
/// forked meanwhile by others' means has a copy of its end.
struct settled {
    std::int32_t error = 0; // 0, an errno, or unknown_error
    std::uint32_t length = 0;
    static constexpr std::int32_t unknown_error = -1;
};

} // namespace detail

/// Says to the parent why it can't be; 0: that it can.
inline void tell(int pipe, std::int32_t error, std::string_view text) {
    const detail::settled header{error, static_cast<std::uint32_t>(text.size())};
    os::write_all(pipe, std::as_bytes(std::span(&header, 1)));
    os::write_all(pipe, std::as_bytes(std::span(text)));
}

/// In the child. Where a condition can't be met it ends here: it has done nothing yet that would have to be tidied up.
inline void settle(const os::conditions& conditions, int pipe) {
    try {
        os::apply(conditions);
    } catch (const std::system_error& error) {
        std::string_view text = error.what();
        const std::string suffix = ": " + error.code().message(); // the parent's own exception appends it again
        if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
        tell(pipe, error.code().value(), text);
        os::leave(1);
    } catch (const std::exception& error) {
        tell(pipe, detail::settled::unknown_error, error.what());
        os::leave(1);
    }
    tell(pipe, 0, {});
}

/// In the parent: waits until the child has settled. A child that died meanwhile has been started, and has ended.
inline void wait_until_settled(const running& child, int pipe) {
    try {
        os::poll_set both;
        both.add(pipe, 0);
        both.add(child.sentinel(), 1);
        std::array<std::uint64_t, 2> ready;
        static_cast<void>(both.wait(ready, os::deadline::never())); // which of them, is asked below
    } catch (...) { // no descriptor left to wait with: what can't be watched must not go on
        child.signal(SIGKILL);
        child.wait(os::deadline::never());
        throw;
    }

    detail::settled header;
    if (!os::wait_readable(pipe, os::deadline::after(std::chrono::nanoseconds::zero()))) return;
    if (os::read_all(pipe, std::as_writable_bytes(std::span(&header, 1))) != sizeof header || header.error == 0) return;
    std::string text(header.length, '\0');
    os::read_all(pipe, std::as_writable_bytes(std::span(text)));
    child.wait(os::deadline::never());
    text = fmt::format("cannot start {}: {}", child.name(), text);
    if (header.error == detail::settled::unknown_error) throw ProcessError(text);
    throw std::system_error(header.error, std::generic_category(), text);
}

} // namespace multiprocessing::process
