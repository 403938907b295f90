// Floor 3, sync/shown: locks and signals as Python prints them.
#pragma once

#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <tuple> // std::get

#include <fmt/format.h>

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/name.hpp>

namespace multiprocessing {

namespace sync {

template <typename T>
concept Shown = std::same_as<T, Lock> || std::same_as<T, RLock> || std::same_as<T, Semaphore> ||
                std::same_as<T, BoundedSemaphore> || std::same_as<T, Condition> || std::same_as<T, Event> ||
                std::same_as<T, Barrier>;

/// Templates throughout, so that who prints nothing compiles nothing.
struct shown {
    template <Shown T>
    static std::string text(const T& x);

private:
    template <typename T>
    static constexpr std::string_view name() noexcept;
    /// The handle that stands at place I in it.
    template <std::size_t I, typename T>
    static auto& part(const T& x) noexcept {
        return std::get<I>(memory::access::parts(const_cast<T&>(x)));
    }
    template <typename State>
    static std::string owner(const State& lock);
    template <typename State>
    static std::string lock(const State& lock);
};

} // namespace sync

/// As Python's repr, for messages; fmt and streams print the same. As of a moment ago.
///
///     <Lock(owner=None)>  <Lock(owner=MainProcess)>  <Lock(owner=SomeOtherThread)>  <Lock(owner=SomeOtherProcess)>
///     <RLock(None, 0)>  <RLock(Process-1, 2)>  <RLock(SomeOtherProcess, nonzero)>
///     <Semaphore(value=3)>  <BoundedSemaphore(value=2, maxvalue=3)>
///     <Condition(<RLock(None, 0)>, 1)>                            // one waits
///     <Event at 0x100000004 set>  <Barrier at 0x100000005: waiters=1/3>
///
/// - Python: the same, but that threads have no names here, and what stands behind `at` is the shared object's number, the same in
///   every process.
template <sync::Shown T>
[[nodiscard]] std::string to_string(const T& x) {
    return sync::shown::text(x);
}
template <typename Traits, sync::Shown T>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const T& x) {
    return out << to_string(x);
}

template <typename T>
constexpr std::string_view sync::shown::name() noexcept {
    if constexpr (std::same_as<T, Lock>) return "Lock";
    if constexpr (std::same_as<T, RLock>) return "RLock";
    if constexpr (std::same_as<T, Semaphore>) return "Semaphore";
    if constexpr (std::same_as<T, BoundedSemaphore>) return "BoundedSemaphore";
    if constexpr (std::same_as<T, Condition>) return "Condition";
    if constexpr (std::same_as<T, Event>) return "Event";
    return "Barrier";
}

template <typename State>
std::string sync::shown::owner(const State& lock) {
    if (lock.mutex.held_here()) return os::name();
    if (!lock.mutex.held()) return "None";
    return lock.mutex.held_in_this_process() ? "SomeOtherThread" : "SomeOtherProcess";
}

template <typename State>
std::string sync::shown::lock(const State& lock) {
    const std::string who = owner(lock);
    if (lock.nests == 0) return fmt::format("<Lock(owner={})>", who);
    const std::string count = lock.mutex.held_here() ? fmt::to_string(lock.depth) : who == "None" ? "0" : "nonzero";
    return fmt::format("<RLock({}, {})>", who, count);
}

template <sync::Shown T>
std::string sync::shown::text(const T& x) {
    if (!part<0>(x)) return fmt::format("<{}, moved from>", name<T>());
    auto& state = *part<0>(x);
    if constexpr (std::same_as<T, Lock> || std::same_as<T, RLock>)
        return lock(state);
    else if constexpr (std::same_as<T, Condition>)
        return fmt::format("<Condition({}, {})>", lock(state), part<1>(x)->waiting());
    else if constexpr (std::same_as<T, BoundedSemaphore>)
        return fmt::format("<BoundedSemaphore(value={}, maxvalue={})>", x.get_value(), state.bound);
    else if constexpr (std::same_as<T, Semaphore>)
        return fmt::format("<Semaphore(value={})>", x.get_value());
    else if constexpr (std::same_as<T, Event>)
        return fmt::format("<Event at {:#x} {}>", part<0>(x).name(), x.is_set() ? "set" : "unset");
    else if (x.broken())
        return fmt::format("<Barrier at {:#x}: broken>", part<0>(x).name());
    else
        return fmt::format("<Barrier at {:#x}: waiters={}/{}>", part<0>(x).name(), x.n_waiting(), x.parties());
}

} // namespace multiprocessing

/// As to_string.
template <multiprocessing::sync::Shown T>
struct fmt::formatter<T> : fmt::formatter<fmt::string_view> {
    template <typename Context>
    auto format(const T& x, Context& context) const {
        return fmt::formatter<fmt::string_view>::format(multiprocessing::to_string(x), context);
    }
};
