// Roof, context: the start methods, and every name for one of them.
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility> // std::forward, std::move
#include <vector>

#include <multiprocessing/pool/pool.hpp>
#include <multiprocessing/process/exit.hpp>
#include <multiprocessing/process/forkserver.hpp>
#include <multiprocessing/process/parent.hpp>
#include <multiprocessing/process/process.hpp>
#include <multiprocessing/process/spawn.hpp>
#include <multiprocessing/process/start_method.hpp>

namespace multiprocessing {

/// The names of this library, for one start method: what it makes is started by that, whatever set_start_method() says.
///
///     auto ctx = mp::get_context("spawn");
///     auto p = ctx.Process(greet, "bob");
///     p.start();
///
/// Shared objects are the same whoever makes them, and travel by every start method; so a library can take what it likes and leave
/// the choice for the program alone.
///
/// - Python: the context objects. There, what was made by one can't always be handed to another.
/// - Threads: safe. Copies are the same.
class Context {
public:
    explicit Context(StartMethod method) noexcept : method_(method) {}

    [[nodiscard]] std::string get_start_method() const { return to_string(method_); }

    template <process::Target F, typename... Args>
    [[nodiscard]] multiprocessing::Process Process(F&& target, Args&&... args) const {
        return Process(ProcessOptions{}, std::forward<F>(target), std::forward<Args>(args)...);
    }
    template <typename F, typename... Args>
    [[nodiscard]] multiprocessing::Process Process(ProcessOptions options, F&& target, Args&&... args) const {
        options.start_method = method_;
        return multiprocessing::Process(std::move(options), std::forward<F>(target), std::forward<Args>(args)...);
    }

    [[nodiscard]] multiprocessing::Pool Pool() const { return Pool(PoolOptions{}); }
    template <std::integral N>
    [[nodiscard]] multiprocessing::Pool Pool(N processes) const {
        return Pool(PoolOptions{.processes = processes});
    }
    template <typename... Initializer>
    [[nodiscard]] multiprocessing::Pool Pool(PoolOptions options, Initializer&&... initializer) const {
        options.start_method = method_;
        return multiprocessing::Pool(std::move(options), std::forward<Initializer>(initializer)...);
    }

    [[nodiscard]] static multiprocessing::Process current_process() { return multiprocessing::current_process(); }
    [[nodiscard]] static std::optional<ParentProcess> parent_process() { return multiprocessing::parent_process(); }
    [[nodiscard]] static std::vector<multiprocessing::Process> active_children() { return multiprocessing::active_children(); }
    [[nodiscard]] static unsigned cpu_count() { return multiprocessing::cpu_count(); }

private:
    StartMethod method_;
};

/// - Errors: ValueError for a name that there isn't.
[[nodiscard]] inline Context get_context(std::string_view method) {
    return Context(process::method_called(method));
}
[[nodiscard]] inline Context get_context(StartMethod method) noexcept {
    return Context(method);
}
/// Of the start method that was chosen; asking is a choice (get_start_method).
[[nodiscard]] inline Context get_context() {
    return get_context(get_start_method());
}

} // namespace multiprocessing
