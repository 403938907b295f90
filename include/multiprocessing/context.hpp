// Roof, context: the start methods, and every name for one of them.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility> // std::forward, std::move
#include <vector>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/channel/joinable_queue.hpp>
#include <multiprocessing/channel/pipe.hpp>
#include <multiprocessing/channel/queue.hpp>
#include <multiprocessing/channel/simple_queue.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/manager.hpp>
#include <multiprocessing/pool/pool.hpp>
#include <multiprocessing/process/exit.hpp>
#include <multiprocessing/process/forkserver.hpp>
#include <multiprocessing/process/parent.hpp>
#include <multiprocessing/process/process.hpp>
#include <multiprocessing/process/spawn.hpp>
#include <multiprocessing/process/start_method.hpp>
#include <multiprocessing/serial/object.hpp>
#include <multiprocessing/shared/array.hpp>
#include <multiprocessing/shared/value.hpp>
#include <multiprocessing/sync/barrier.hpp>
#include <multiprocessing/sync/condition.hpp>
#include <multiprocessing/sync/event.hpp>
#include <multiprocessing/sync/lock.hpp>
#include <multiprocessing/sync/recursive_lock.hpp>
#include <multiprocessing/sync/semaphore.hpp>

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

    template <typename T = Object, typename... Args>
    [[nodiscard]] static multiprocessing::Queue<T> Queue(Args&&... args) {
        return multiprocessing::Queue<T>(std::forward<Args>(args)...);
    }
    template <typename T = Object, typename... Args>
    [[nodiscard]] static multiprocessing::JoinableQueue<T> JoinableQueue(Args&&... args) {
        return multiprocessing::JoinableQueue<T>(std::forward<Args>(args)...);
    }
    template <typename T = Object>
    [[nodiscard]] static multiprocessing::SimpleQueue<T> SimpleQueue() {
        return multiprocessing::SimpleQueue<T>();
    }

    /// A started one, whose server is started by this method.
    [[nodiscard]] multiprocessing::Manager Manager(ManagerOptions options = {}) const {
        options.start_method = method_;
        return multiprocessing::Manager(std::move(options));
    }

    [[nodiscard]] static std::pair<Connection, Connection> Pipe(bool duplex = true) { return multiprocessing::Pipe(duplex); }

    [[nodiscard]] static multiprocessing::Lock Lock() { return {}; }
    [[nodiscard]] static multiprocessing::RLock RLock() { return {}; }
    template <typename... Args>
    [[nodiscard]] static multiprocessing::Semaphore Semaphore(Args&&... args) {
        return multiprocessing::Semaphore(std::forward<Args>(args)...);
    }
    template <typename... Args>
    [[nodiscard]] static multiprocessing::BoundedSemaphore BoundedSemaphore(Args&&... args) {
        return multiprocessing::BoundedSemaphore(std::forward<Args>(args)...);
    }
    template <typename... Args>
    [[nodiscard]] static multiprocessing::Condition Condition(Args&&... args) {
        return multiprocessing::Condition(std::forward<Args>(args)...);
    }
    [[nodiscard]] static multiprocessing::Event Event() { return {}; }
    template <typename... Args>
    [[nodiscard]] static multiprocessing::Barrier Barrier(Args&&... args) {
        return multiprocessing::Barrier(std::forward<Args>(args)...);
    }

    template <typename T, typename... Args>
    [[nodiscard]] static multiprocessing::Value<T> Value(Args&&... args) {
        return multiprocessing::Value<T>(std::forward<Args>(args)...);
    }
    template <typename T, typename... Args>
    [[nodiscard]] static multiprocessing::RawValue<T> RawValue(Args&&... args) {
        return multiprocessing::RawValue<T>(std::forward<Args>(args)...);
    }
    template <typename T, typename... Args>
    [[nodiscard]] static multiprocessing::Array<T> Array(Args&&... args) {
        if constexpr (sizeof...(Args) == 1 && (std::integral<std::remove_cvref_t<Args>> && ...))
            return multiprocessing::Array<T>(static_cast<std::size_t>(args)...);
        else
            return multiprocessing::Array<T>(std::forward<Args>(args)...);
    }
    template <typename T>
    [[nodiscard]] static multiprocessing::Array<T> Array(std::initializer_list<T> items) {
        return multiprocessing::Array<T>(items);
    }
    template <typename T, typename... Args>
    [[nodiscard]] static multiprocessing::RawArray<T> RawArray(Args&&... args) {
        if constexpr (sizeof...(Args) == 1 && (std::integral<std::remove_cvref_t<Args>> && ...))
            return multiprocessing::RawArray<T>(static_cast<std::size_t>(args)...);
        else
            return multiprocessing::RawArray<T>(std::forward<Args>(args)...);
    }
    template <typename T>
    [[nodiscard]] static multiprocessing::RawArray<T> RawArray(std::initializer_list<T> items) {
        return multiprocessing::RawArray<T>(items);
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
