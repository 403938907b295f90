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

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/acquirer.hpp>
#include <multiprocessing/manager/barrier.hpp>
#include <multiprocessing/manager/base_manager.hpp>
#include <multiprocessing/manager/built_in.hpp>
#include <multiprocessing/manager/condition.hpp>
#include <multiprocessing/manager/dict.hpp>
#include <multiprocessing/manager/event.hpp>
#include <multiprocessing/manager/list.hpp>
#include <multiprocessing/manager/name_space.hpp>
#include <multiprocessing/manager/queue.hpp>
#include <multiprocessing/manager/semaphore.hpp>
#include <multiprocessing/manager/set.hpp>
#include <multiprocessing/manager/value.hpp>
#include <multiprocessing/os/deadline.hpp>

namespace multiprocessing {

/// A manager of dicts, lists and the like, beside what is registered with it as with any BaseManager.
///
///     mp::SyncManager manager({.address = "localhost:50000", .authkey = "abracadabra"});
///     manager.start();
///     auto d = manager.dict({{"a", 1}, {"b", {2, 3}}});
///
/// What it makes is of the shared memory of this program and its children, who work on it without asking the server; it lives as
/// long as somebody holds it, and doesn't end with the manager. Who reaches the manager by connect() gets the same types, but what
/// he makes stands in the server, and he works on it by messages. A Pool belongs to the server in either case.
///
/// What a server has is had by all who reach it, of its family or not, once it is registered:
///
///     mp::SyncManager manager({.address = ":50000", .authkey = "abracadabra"});
///     mp::Queue<std::string> tasks;
///     manager.register_type("get_tasks", [tasks] { return tasks; });          // a Queue, a JoinableQueue, a DictProxy, a ListProxy, ...
///     manager.start();
///     ...
///     mp::QueueProxy<std::string> tasks = manager.create<mp::Queue<std::string>>("get_tasks");    // elsewhere, after connect()
///
/// - Python: `multiprocessing.managers.SyncManager`. Within a family EventProxy, QueueProxy, ... are mp::Event, mp::Queue, ..., with
///   their promises, and can be given to whoever takes those.
/// - Over a network dicts, lists and queues hold values and proxies. Those of objects of the same server keep them, as long as they are
///   in there; what a proxy of another server refers to must be held by somebody else.
/// - A call that waits, over a network too, keeps nobody else waiting. When the client dies it takes nothing.
/// - Threads: any, once it is started.
/// - When the server dies: what was made without it goes on.
/// - When a client dies: what it held is free and its references are gone, within a minute also if its machine has vanished from the
///   network (net/listener.hpp).
/// - Errors: ValueError before start() or connect(), and after shutdown(); NotPortableError for what a network can't carry.
class SyncManager : public BaseManager {
public:
    explicit SyncManager(ManagerOptions options = {}) : BaseManager(std::move(options)) {
        manager::register_built_in(*this);
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

    template <typename T = Object>
    [[nodiscard]] SetProxy<T> set() const {
        return SetProxy<T>(new_dict("set"));
    }
    template <typename T = Object>
    [[nodiscard]] SetProxy<T> set(std::initializer_list<std::type_identity_t<T>> elements) const {
        return filled(set<T>(), elements);
    }
    template <typename T = Object, std::ranges::input_range R>
    [[nodiscard]] SetProxy<T> set(R&& elements) const {
        return filled(set<T>(), std::forward<R>(elements));
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
        store.insert(manager::row::end, store.pack(init).view());
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

    [[nodiscard]] AcquirerProxy Lock() const { return is_far() ? AcquirerProxy(far("Lock")) : AcquirerProxy::make(false); }
    [[nodiscard]] AcquirerProxy RLock() const { return is_far() ? AcquirerProxy(far("RLock")) : AcquirerProxy::make(true); }
    [[nodiscard]] SemaphoreProxy Semaphore(int tokens = 1) const {
        return is_far() ? SemaphoreProxy(far("Semaphore", std::int64_t{tokens})) : SemaphoreProxy(multiprocessing::Semaphore(tokens));
    }
    [[nodiscard]] BoundedSemaphoreProxy BoundedSemaphore(int tokens = 1) const {
        return is_far() ? BoundedSemaphoreProxy(far("BoundedSemaphore", std::int64_t{tokens}))
                        : BoundedSemaphoreProxy(multiprocessing::BoundedSemaphore(tokens));
    }
    [[nodiscard]] ConditionProxy Condition() const {
        return is_far() ? ConditionProxy(far("Condition")) : ConditionProxy(multiprocessing::Condition());
    }
    [[nodiscard]] EventProxy Event() const { return is_far() ? EventProxy(far("Event")) : EventProxy(multiprocessing::Event()); }
    /// The action runs in one of those who wait. (Python: in the server.)
    [[nodiscard]] BarrierProxy Barrier(int parties, sync::action action = {}) const {
        if (is_far()) return BarrierProxy(far("Barrier", std::pair(std::int64_t{parties}, std::int64_t{-1})), std::move(action));
        return BarrierProxy(multiprocessing::Barrier(parties, std::move(action)));
    }
    /// With a timeout for each wait() that has none of its own.
    template <typename Rep, typename Period>
    [[nodiscard]] BarrierProxy Barrier(int parties, sync::action action, std::chrono::duration<Rep, Period> timeout) const {
        if (!is_far()) return BarrierProxy(multiprocessing::Barrier(parties, std::move(action), timeout));
        const std::int64_t usual = manager::time_to_send(os::deadline(timeout));
        return BarrierProxy(far("Barrier", std::pair(std::int64_t{parties}, usual)), std::move(action));
    }
    template <typename T = Object>
    [[nodiscard]] QueueProxy<T> Queue(std::int64_t maxsize = 0) const {
        return is_far() ? QueueProxy<T>(far("Queue", maxsize)) : QueueProxy<T>(multiprocessing::Queue<T>(maxsize));
    }
    template <typename T = Object>
    [[nodiscard]] JoinableQueueProxy<T> JoinableQueue(std::int64_t maxsize = 0) const {
        return is_far() ? JoinableQueueProxy<T>(far("JoinableQueue", maxsize))
                        : JoinableQueueProxy<T>(multiprocessing::JoinableQueue<T>(maxsize));
    }
    /// Workers that belong to the server: manager.Pool(4), manager.Pool({.processes = 4}). Needs manager/pool.hpp, as
    /// <multiprocessing/managers.hpp> includes it.
    template <typename P = PoolProxy>
    [[nodiscard]] P Pool(const typename P::options& options = {}) const {
        return P(new_pool(P::call_that_makes(options)));
    }
    template <typename P = PoolProxy, std::integral N>
    [[nodiscard]] P Pool(N processes) const {
        return P(new_pool(P::call_that_makes({.processes = processes})));
    }

private:
    void demand_started() const {
        if (!is_connected()) throw ValueError("the manager's server isn't started yet: call start() or connect()");
        if (is_over_) throw ValueError("the manager has shut down: it makes nothing any more");
    }
    [[nodiscard]] bool is_far() const {
        demand_started();
        return is_far_;
    }
    template <typename T = std::uint8_t>
    [[nodiscard]] manager::remote far(const char* what, const T& with = T()) const {
        return create_remote(what, serial::pack_message(with));
    }
    [[nodiscard]] manager::remote new_pool(const serial::message& call) const {
        if (is_far()) throw NotPortableError("a Pool of a manager can't be had over a network, which carries no functions: register what "
                                             "its workers are to do, or put it onto a queue");
        return create_remote("Pool", call);
    }
    [[nodiscard]] manager::dict_store new_dict(const char* what = "dict") const {
        return is_far() ? manager::dict_store(create_remote(what, {})) : manager::dict_store(manager::table::make());
    }
    [[nodiscard]] manager::list_store new_list() const {
        return is_far() ? manager::list_store(create_remote("list", {})) : manager::list_store(manager::row::make());
    }
    template <typename Dict, typename Items>
    static Dict filled(Dict made, Items&& items) {
        made.update(std::forward<Items>(items));
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
