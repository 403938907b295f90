// Floor 8, process/start_method: fork, spawn, forkserver, and which of them is taken.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>

namespace multiprocessing {

/// How a process is started.
///
/// | method     | the new process is                             | what travels to it                                    |
/// | ---------- | ---------------------------------------------- | ----------------------------------------------------- |
/// | fork       | a copy of its creator                          | everything: any callable, any argument, as it is      |
/// | spawn      | this program, run again                        | a callable that means the same there, and Serializable arguments |
/// | forkserver | a copy of a clean process made by spawn, once  | as by spawn                                           |
///
/// fork is the quickest, and copies the calling thread alone: what another thread has locked stays locked in the child. Programs
/// with threads take spawn or forkserver; those need freeze_support() as the first line of main().
///
/// - Python: the names "fork", "spawn", "forkserver".
enum class StartMethod { fork, spawn, forkserver };

[[nodiscard]] inline std::string to_string(StartMethod method) {
    switch (method) {
    case StartMethod::fork: return "fork";
    case StartMethod::spawn: return "spawn";
    case StartMethod::forkserver: return "forkserver";
    }
    throw ValueError(fmt::format("there is no start method {}", static_cast<int>(method)));
}

namespace process {

namespace detail {

/// -1: nobody has chosen one.
inline constinit std::atomic<int> chosen_method{-1};

} // namespace detail

/// The one that was chosen for all; none: nobody has, and it is fork.
[[nodiscard]] inline std::optional<StartMethod> chosen_start_method() noexcept {
    const int chosen = detail::chosen_method.load(std::memory_order_relaxed);
    if (chosen < 0) return std::nullopt;
    return static_cast<StartMethod>(chosen);
}
inline void choose_start_method(std::optional<StartMethod> method) noexcept {
    detail::chosen_method.store(method ? static_cast<int>(*method) : -1, std::memory_order_relaxed);
}

/// What a start takes that was told this.
[[nodiscard]] inline StartMethod method_for(std::optional<StartMethod> told) noexcept {
    return told ? *told : chosen_start_method().value_or(StartMethod::fork);
}

[[nodiscard]] inline StartMethod method_called(std::string_view name) {
    for (const StartMethod each : {StartMethod::fork, StartMethod::spawn, StartMethod::forkserver})
        if (to_string(each) == name) return each;
    throw ValueError(fmt::format("cannot find context for '{}': there are 'fork', 'spawn' and 'forkserver'", name));
}

} // namespace process

/// How processes are started from now on that aren't told otherwise. Once in a program, in main(); again only with `force`.
///
/// - Python: the same; RuntimeError is ValueError here. Children start theirs by the same method.
/// - Threads: safe, but it is meant for the beginning of main().
/// - Errors: ValueError for a second call without `force`, and for a name that there isn't.
inline void set_start_method(StartMethod method, bool force = false) {
    int none = -1;
    if (force)
        process::choose_start_method(method);
    else if (!process::detail::chosen_method.compare_exchange_strong(none, static_cast<int>(method)))
        throw ValueError("context has already been set: the start method is chosen once, or with force");
}
inline void set_start_method(std::string_view name, bool force = false) {
    set_start_method(process::method_called(name), force);
}

/// Its name; "fork" if nobody has chosen, which is a choice from now on.
///
/// - Python: the same. There is no allow_none: ask before anybody sets it, or not at all.
[[nodiscard]] inline std::string get_start_method() {
    int none = -1;
    process::detail::chosen_method.compare_exchange_strong(none, static_cast<int>(StartMethod::fork));
    return to_string(*process::chosen_start_method());
}

/// All there are, the default first.
[[nodiscard]] inline std::vector<std::string> get_all_start_methods() {
    return {"fork", "spawn", "forkserver"};
}

} // namespace multiprocessing
