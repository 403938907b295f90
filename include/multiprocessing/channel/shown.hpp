// Floor 6, channel/shown: queues and connections as they are printed.
#pragma once

#include <concepts>
#include <iosfwd>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <multiprocessing/fwd.hpp>

namespace multiprocessing {

namespace channel {

/// What a kind of channel is called; nothing for what is none.
template <typename T>
inline constexpr std::string_view shown_as;
template <typename T>
inline constexpr std::string_view shown_as<Queue<T>> = "Queue";
template <typename T>
inline constexpr std::string_view shown_as<JoinableQueue<T>> = "JoinableQueue";
template <typename T>
inline constexpr std::string_view shown_as<SimpleQueue<T>> = "SimpleQueue";
template <>
inline constexpr std::string_view shown_as<Connection> = "Connection";

template <typename T>
concept Shown = !shown_as<T>.empty();

/// Templates throughout, so that who prints nothing compiles nothing.
struct shown {
    template <Shown T>
    static std::string text(const T& x) {
        if constexpr (std::same_as<T, Connection>)
            return connection(x);
        else
            return queue(x);
    }

private:
    template <typename T>
    static std::string queue(const T& x);
    template <typename T>
    static std::string connection(const T& x);
};

} // namespace channel

/// For messages; fmt and streams print the same. As of a moment ago.
///
///     <Queue at 0x100000004: qsize=2, maxsize=10>  <SimpleQueue at 0x100000005: qsize=0>  <JoinableQueue at 0x100000006: closed>
///     <Connection at 0x100000008: read-write>  <Connection, descriptor 5: read-only>  <Connection: closed>
///
/// What stands behind `at` is the shared object's number, the same in every process. Items aren't shown: to look at one is to
/// take it.
///
/// - Python: `<multiprocessing.queues.Queue object at 0x...>` and the like.
template <channel::Shown T>
[[nodiscard]] std::string to_string(const T& x) {
    return channel::shown::text(x);
}
template <typename Traits, channel::Shown T>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const T& x) {
    return out << to_string(x);
}

template <typename T>
std::string channel::shown::queue(const T& x) {
    const auto& state = x.ring_.state();
    if (!state) return fmt::format("<{}, moved from>", shown_as<T>);
    const auto number = state.name();
    if (x.gate_.is_shut()) return fmt::format("<{} at {:#x}: closed>", shown_as<T>, number);
    const auto most = x.ring_.capacity();
    return fmt::format("<{} at {:#x}: qsize={}{}>", shown_as<T>, number, x.ring_.size(),
                       most == 0 ? std::string() : fmt::format(", maxsize={}", most));
}

template <typename T>
std::string channel::shown::connection(const T& x) {
    if (x.closed()) return "<Connection: closed>";
    const std::string_view ways = !x.writable() ? "read-only" : !x.readable() ? "write-only" : "read-write";
    if (x.stream_.get) return fmt::format("<Connection, descriptor {}: {}>", x.stream_.get->fd(), ways);
    return fmt::format("<Connection at {:#x}: {}>", x.end_.name(), ways);
}

} // namespace multiprocessing

/// As to_string.
template <multiprocessing::channel::Shown T>
struct fmt::formatter<T> : fmt::formatter<fmt::string_view> {
    template <typename Context>
    auto format(const T& x, Context& context) const {
        return fmt::formatter<fmt::string_view>::format(multiprocessing::to_string(x), context);
    }
};
