// Floor 6, channel/wait: waiting for several connections, processes and descriptors at once.
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/channel/post.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/poll.hpp>

namespace multiprocessing::connection {

/// A Connection, or any descriptor that can be polled: a Process's sentinel(), a socket.
using Waitable = std::variant<Connection, int>;

namespace detail {

inline std::vector<std::size_t> wait_for(std::span<Waitable> all, const os::deadline& until) {
    for (std::size_t i = 0; i < all.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (all[i] == all[j]) throw ValueError("the same thing stands twice in what is waited for");
    os::poll_set set;
    const bool sees_all = set.fd() >= 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (const int* const fd = std::get_if<int>(&all[i])) set.add(*fd, i);
        else set.add(std::get<Connection>(all[i]).fileno(), i);
    }
    std::vector<bool> is_ready(all.size());
    for (;;) {
        std::vector<std::size_t> ready;
        std::array<std::uint64_t, 64> keys;
        is_ready.assign(all.size(), false);
        for (const auto key : std::span(keys).first(set.wait(keys, os::deadline::after({})))) is_ready[key] = true;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (auto* const c = std::get_if<Connection>(&all[i])) {
                is_ready[i] = c->poll();
                if (!is_ready[i]) static_cast<void>(c->fileno()); // to ring again
            }
            if (is_ready[i]) ready.push_back(i);
        }
        if (!ready.empty() || until.passed()) return ready;
        const auto soon = os::deadline::after(std::chrono::milliseconds(5));
        static_cast<void>(set.wait(keys, sees_all ? until : std::min(until, soon)));
    }
}

inline std::vector<Waitable> wait(std::vector<Waitable> all, const os::deadline& until) {
    std::vector<Waitable> ready;
    for (const std::size_t i : wait_for(all, until)) ready.push_back(all[i]);
    return ready;
}

} // namespace detail

/// Waits until at least one is ready, and returns those that are, in the order given. A Connection is ready when recv() would
/// return at once, with a message or with EOFError (over a socket: when a part of a message is there); a descriptor when reading
/// it wouldn't block.
///
///     for (auto& each : mp::connection::wait({here, p.sentinel()})) ...
///
/// - Python: `multiprocessing.connection.wait`.
/// - Errors: ValueError when something stands in the list twice; std::system_error for what is no descriptor.
[[nodiscard]] inline std::vector<Waitable> wait(std::vector<Waitable> all) {
    return detail::wait(std::move(all), os::deadline::never());
}
/// Waits so long at most; a negative time is none. Nothing is ready then.
template <typename Rep, typename Period>
[[nodiscard]] std::vector<Waitable> wait(std::vector<Waitable> all, std::chrono::duration<Rep, Period> timeout) {
    return detail::wait(std::move(all), os::deadline(timeout));
}

/// The same for connections alone, or descriptors alone, in any container of them.
template <std::ranges::input_range List>
    requires std::same_as<std::ranges::range_value_t<List>, Connection> || std::same_as<std::ranges::range_value_t<List>, int>
[[nodiscard]] std::vector<std::ranges::range_value_t<List>> wait(const List& all,
                                                                 const os::deadline& until = os::deadline::never()) {
    std::vector<std::ranges::range_value_t<List>> ready;
    for (auto& each : detail::wait({all.begin(), all.end()}, until))
        ready.push_back(std::get<std::ranges::range_value_t<List>>(std::move(each)));
    return ready;
}
template <std::ranges::input_range List, typename Rep, typename Period>
    requires std::same_as<std::ranges::range_value_t<List>, Connection> || std::same_as<std::ranges::range_value_t<List>, int>
[[nodiscard]] std::vector<std::ranges::range_value_t<List>> wait(const List& all, std::chrono::duration<Rep, Period> timeout) {
    return wait(all, os::deadline(timeout));
}

} // namespace multiprocessing::connection

namespace multiprocessing {

/// Whether what wait() has returned is that Connection, or that descriptor.
template <typename T>
    requires std::same_as<T, Connection> || std::same_as<T, int>
[[nodiscard]] bool operator==(const connection::Waitable& ready, const T& x) noexcept {
    const T* const is = std::get_if<T>(&ready);
    return is != nullptr && *is == x;
}

} // namespace multiprocessing
