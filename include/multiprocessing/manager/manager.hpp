// Floor 10, manager/manager: SyncManager and Manager, which make dicts, lists, locks, queues, ... for many processes.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/channel/joinable_queue.hpp>
#include <multiprocessing/channel/queue.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/acquirer.hpp>
#include <multiprocessing/manager/base_manager.hpp>
#include <multiprocessing/manager/dict.hpp>
#include <multiprocessing/manager/list.hpp>
#include <multiprocessing/manager/name_space.hpp>
#include <multiprocessing/manager/value.hpp>
#include <multiprocessing/sync/barrier.hpp>
#include <multiprocessing/sync/condition.hpp>
#include <multiprocessing/sync/event.hpp>
#include <multiprocessing/sync/semaphore.hpp>

namespace multiprocessing {

/// A manager of dicts, lists and the like, beside what is registered with it as with any BaseManager.
///
///     mp::SyncManager manager({.address = "localhost:50000", .authkey = "abracadabra"});
///     manager.start();
///     auto d = manager.dict({{"a", 1}, {"b", {2, 3}}});
///
/// What it makes is of the shared memory of this program and its children, who work on it without asking the server; it lives as
/// long as somebody holds it, and doesn't end with the manager. Who reaches the manager by connect() gets dicts, lists, Namespaces,
/// Values and Arrays that stand in the server, and works on them by messages.
///
/// - Python: `multiprocessing.managers.SyncManager`. Locks, queues and so on are what mp::Semaphore, mp::Event, mp::Queue, ... are,
///   with their promises; they can't be had over a network. Pool() is a pool of the process that makes it.
/// - Threads: any, once it is started.
/// - When the server dies: what was made without it goes on.
/// - Errors: ValueError before start() or connect(), and after shutdown(); NotPortableError for what a network can't carry.
class SyncManager : public BaseManager {
public:
    explicit SyncManager(ManagerOptions options = {}) : BaseManager(std::move(options)) {
        register_servant("dict", [](const serial::message&, const manager::caller&) -> std::shared_ptr<manager::servant> {
            return std::make_shared<manager::dict_servant>();
        });
        register_servant("list", [](const serial::message&, const manager::caller&) -> std::shared_ptr<manager::servant> {
            return std::make_shared<manager::list_servant>();
        });
    }

    void connect() {
        BaseManager::connect();
        is_far_ = true;
    }
    void shutdown() {
        BaseManager::shutdown();
        is_over_ = true;
    }

    // Each with what is in it at first, in any form that update() or extend() takes.

    template <typename K = Object, typename V = Object>
    [[nodiscard]] DictProxy<K, V> dict() const {
        return DictProxy<K, V>(new_dict());
    }
    template <typename K = Object, typename V = Object>
    [[nodiscard]] DictProxy<K, V> dict(std::initializer_list<std::type_identity_t<std::pair<K, V>>> items) const {
        return filled(dict<K, V>(), items);
    }
    template <typename K = Object, typename V = Object, typename R>
        requires requires(const DictProxy<K, V>& d, const R& items) { d.update(items); }
    [[nodiscard]] DictProxy<K, V> dict(const R& items) const {
        return filled(dict<K, V>(), items);
    }

    template <typename T = Object>
    [[nodiscard]] ListProxy<T> list() const {
        return ListProxy<T>(new_list());
    }
    template <typename T = Object>
    [[nodiscard]] ListProxy<T> list(std::initializer_list<std::type_identity_t<T>> items) const {
        return extended(list<T>(), items);
    }
    template <typename T = Object, std::ranges::input_range R>
    [[nodiscard]] ListProxy<T> list(R&& items) const {
        return extended(list<T>(), std::forward<R>(items));
    }

    [[nodiscard]] multiprocessing::Namespace Namespace() const { return multiprocessing::Namespace(new_dict()); }
    /// `Namespace({{"x", 1}, {"y", 2}})`: Namespace(x=1, y=2).
    [[nodiscard]] multiprocessing::Namespace Namespace(std::initializer_list<std::pair<std::string, Object>> names) const {
        auto made = Namespace();
        made.names().update(names);
        return made;
    }

    template <typename T = Object>
    [[nodiscard]] ValueProxy<T> Value(const T& init = T()) const {
        const auto store = new_list();
        store.insert(manager::row::end, manager::item(init).view());
        return ValueProxy<T>(store);
    }
    /// So many T().
    template <typename T = Object>
    [[nodiscard]] ArrayProxy<T> Array(std::size_t n) const {
        return Array<T>(std::vector<T>(n));
    }
    template <typename T = Object>
    [[nodiscard]] ArrayProxy<T> Array(std::initializer_list<T> items) const {
        return ArrayProxy<T>(list<T>(items).store());
    }
    template <typename T = Object, std::ranges::input_range R>
    [[nodiscard]] ArrayProxy<T> Array(R&& items) const {
        return ArrayProxy<T>(list<T>(std::forward<R>(items)).store());
    }

    [[nodiscard]] AcquirerProxy Lock() const { return near("Lock"), AcquirerProxy::make(false); }
    [[nodiscard]] AcquirerProxy RLock() const { return near("RLock"), AcquirerProxy::make(true); }
    [[nodiscard]] multiprocessing::Semaphore Semaphore(int tokens = 1) const {
        return near("Semaphore"), multiprocessing::Semaphore(tokens);
    }
    [[nodiscard]] multiprocessing::BoundedSemaphore BoundedSemaphore(int tokens = 1) const {
        return near("BoundedSemaphore"), multiprocessing::BoundedSemaphore(tokens);
    }
    [[nodiscard]] multiprocessing::Condition Condition() const { return near("Condition"), multiprocessing::Condition(); }
    [[nodiscard]] multiprocessing::Event Event() const { return near("Event"), multiprocessing::Event(); }
    /// The action runs in one of those who wait. (Python: in the server.)
    template <typename... Rest>
    [[nodiscard]] multiprocessing::Barrier Barrier(int parties, Rest&&... action_and_timeout) const {
        return near("Barrier"), multiprocessing::Barrier(parties, std::forward<Rest>(action_and_timeout)...);
    }
    template <typename T = Object>
    [[nodiscard]] multiprocessing::Queue<T> Queue(std::int64_t maxsize = 0) const {
        return near("Queue"), multiprocessing::Queue<T>(maxsize);
    }
    template <typename T = Object>
    [[nodiscard]] multiprocessing::JoinableQueue<T> JoinableQueue(std::int64_t maxsize = 0) const {
        return near("JoinableQueue"), multiprocessing::JoinableQueue<T>(maxsize);
    }
    /// For who includes <multiprocessing/pool.hpp>.
    template <typename P = multiprocessing::Pool, typename... Args>
    [[nodiscard]] P Pool(Args&&... args) const {
        return near("Pool"), P(std::forward<Args>(args)...);
    }

private:
    void demand_started() const {
        if (!is_connected()) throw ValueError("the manager's server isn't started yet: call start() or connect()");
        if (is_over_) throw ValueError("the manager has shut down: it makes nothing any more");
    }
    void near(const char* what) const {
        demand_started();
        if (is_far_)
            throw NotPortableError(std::string("a ") + what + " of a manager can't be had over a network: make it where the manager "
                                                              "was started, or register a type of your own that does what is needed");
    }
    [[nodiscard]] manager::dict_store new_dict() const {
        demand_started();
        return is_far_ ? manager::dict_store(create_remote("dict", {})) : manager::dict_store(manager::table::make());
    }
    [[nodiscard]] manager::list_store new_list() const {
        demand_started();
        return is_far_ ? manager::list_store(create_remote("list", {})) : manager::list_store(manager::row::make());
    }
    template <typename Dict, typename Items>
    static Dict filled(Dict made, const Items& items) {
        made.update(items);
        return made;
    }
    template <typename List, typename Items>
    static List extended(List made, Items&& items) {
        made.extend(std::forward<Items>(items));
        return made;
    }

    bool is_far_ = false;
    bool is_over_ = false;
};

/// A SyncManager that is started.
///
///     mp::Manager manager;
///     auto d = manager.dict();
///     auto l = manager.list(std::views::iota(0, 10));
///     mp::Process p(f, d, l);
///
/// Its server is shut down where it goes out of scope, as by Python's `with`. What it made lives on as long as somebody holds it.
///
/// - Python: `multiprocessing.Manager()`.
/// - Movable, not copyable. All else as SyncManager and BaseManager say.
class Manager : public SyncManager {
public:
    explicit Manager(ManagerOptions options = {}) : SyncManager(std::move(options)) { start(); }
    Manager(Manager&&) noexcept = default;
    Manager& operator=(Manager&&) noexcept = default;
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;
};

} // namespace multiprocessing
