// Floor 6, channel/wait: waiting for several connections, processes and descriptors at once.
#pragma once

#include <algorithm> // std::min
#include <array>
#include <atomic>
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
#include <multiprocessing/channel/queue_reader.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/poll.hpp>

namespace multiprocessing::connection {

/// A Connection, any descriptor that can be polled (a Process's sentinel(), a socket), or a queue.
using Waitable = std::variant<Connection, int, channel::queue_reader>;

namespace detail {

template <typename T>
concept CanWait = std::same_as<T, Connection> || std::same_as<T, int> ||
                  (!std::same_as<T, Waitable> && std::convertible_to<const T&, channel::queue_reader>);

inline int fd_of(const Waitable& x) {
    if (const int* const fd = std::get_if<int>(&x)) return *fd;
    if (const auto* const c = std::get_if<Connection>(&x)) return c->fileno();
    return std::get<channel::queue_reader>(x).fileno();
}
inline bool has_something(const Waitable& x) {
    if (const auto* const c = std::get_if<Connection>(&x)) return c->poll();
    return std::get<channel::queue_reader>(x).is_ready();
}

inline std::vector<std::size_t> wait_for(std::span<Waitable> all, const os::deadline& until) {
    for (std::size_t i = 0; i < all.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (all[i] == all[j]) throw ValueError("the same thing stands twice in what is waited for");
    os::poll_set set;
    const bool sees_all = set.fd() >= 0;
    for (std::size_t i = 0; i < all.size(); ++i) set.add(fd_of(all[i]), i);
    std::vector<bool> is_ready(all.size());
    const std::atomic<std::uint32_t> by_nobody{0};
    // Who sends may die between the message and the ring. Who buries him rings; should nobody do that, one looks by oneself,
    // ever more rarely.
    std::chrono::nanoseconds nap = std::chrono::milliseconds(sees_all ? 10 : 5);
    for (unsigned in_vain = 0;; ++in_vain) {
        std::vector<std::size_t> ready;
        std::array<std::uint64_t, 64> keys;
        is_ready.assign(all.size(), false);
        for (const auto key : std::span(keys).first(set.wait(keys, os::deadline::after({})))) is_ready[key] = true;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (!std::holds_alternative<int>(all[i])) {
                is_ready[i] = has_something(all[i]);
                if (!is_ready[i]) static_cast<void>(fd_of(all[i])); // to ring again
            }
            if (is_ready[i]) ready.push_back(i);
        }
        if (!ready.empty() || until.passed()) return ready;
        if (in_vain % 8 == 7) os::sleep_on(by_nobody, 0, std::min(until, os::deadline::after(std::chrono::milliseconds(1)))); // it rings for nothing
        if (set.wait(keys, std::min(until, os::deadline::after(nap))) == 0 && sees_all)
            nap = std::min<std::chrono::nanoseconds>(2 * nap, std::chrono::seconds(1));
    }
}

inline std::vector<Waitable> wait(std::vector<Waitable> all, const os::deadline& until) {
    std::vector<Waitable> ready;
    for (const std::size_t i : wait_for(all, until)) ready.push_back(all[i]);
    return ready;
}

} // namespace detail

/// Waits until at least one is ready, and returns those that are, in the order given. A Connection is ready when recv() would
/// return at once, with a message or with EOFError (over a socket: when a part of a message is there); a queue when it has an
/// item; a descriptor when reading it wouldn't block.
///
///     for (auto& each : mp::connection::wait({here, results, p.sentinel()}))
///         if (each == results) ...                     // a Connection, a queue, or a descriptor
///
/// - Python: `multiprocessing.connection.wait`, which takes a queue's `_reader`.
/// - Somebody else may be quicker: what was ready may be gone when it is received. Use try_get() and try_recv_for().
/// - Errors: ValueError when something stands in the list twice; std::system_error for what is no descriptor.
[[nodiscard]] inline std::vector<Waitable> wait(std::vector<Waitable> all) {
    return detail::wait(std::move(all), os::deadline::never());
}
/// Waits so long at most; a negative time is none. Nothing is ready then.
template <typename Rep, typename Period>
[[nodiscard]] std::vector<Waitable> wait(std::vector<Waitable> all, std::chrono::duration<Rep, Period> timeout) {
    return detail::wait(std::move(all), os::deadline(timeout));
}

/// The same for connections alone, descriptors alone, or queues of one type alone, in any container of them.
template <std::ranges::input_range List>
    requires detail::CanWait<std::ranges::range_value_t<List>>
[[nodiscard]] std::vector<std::ranges::range_value_t<List>> wait(const List& all,
                                                                 const os::deadline& until = os::deadline::never()) {
    std::vector<std::ranges::range_value_t<List>> given(all.begin(), all.end()), ready;
    std::vector<Waitable> them(given.begin(), given.end());
    for (const std::size_t i : detail::wait_for(them, until)) ready.push_back(given[i]);
    return ready;
}
template <std::ranges::input_range List, typename Rep, typename Period>
    requires detail::CanWait<std::ranges::range_value_t<List>>
[[nodiscard]] std::vector<std::ranges::range_value_t<List>> wait(const List& all, std::chrono::duration<Rep, Period> timeout) {
    return wait(all, os::deadline(timeout));
}

} // namespace multiprocessing::connection

namespace multiprocessing {

/// Whether what wait() has returned is that Connection, that descriptor, or that queue.
template <typename T>
    requires connection::detail::CanWait<T>
[[nodiscard]] bool operator==(const connection::Waitable& ready, const T& x) {
    return ready == connection::Waitable(x);
}

} // namespace multiprocessing
