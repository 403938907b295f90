// Floor 10, manager/built_in: what every SyncManager's server can make for clients who can't reach its memory.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <multiprocessing/manager/acquirer.hpp>
#include <multiprocessing/manager/barrier.hpp>
#include <multiprocessing/manager/base_manager.hpp>
#include <multiprocessing/manager/condition.hpp>
#include <multiprocessing/manager/dict_store.hpp>
#include <multiprocessing/manager/event.hpp>
#include <multiprocessing/manager/list_store.hpp>
#include <multiprocessing/manager/made_by_call.hpp>
#include <multiprocessing/manager/queue_servant.hpp>
#include <multiprocessing/manager/semaphore.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

namespace detail {

template <typename T>
T given(const serial::message& arguments) {
    return serial::unpack_message<T>(arguments);
}
template <typename S, auto... With>
std::shared_ptr<servant> make_plain(const serial::message&, const caller&) {
    return std::make_shared<S>(With...);
}
template <bool IsBounded>
std::shared_ptr<servant> make_semaphore(const serial::message& arguments, const caller&) {
    return std::make_shared<semaphore_servant>(given<std::int64_t>(arguments), IsBounded);
}
inline std::shared_ptr<servant> make_barrier(const serial::message& arguments, const caller&) {
    const auto [parties, usual_time] = given<std::pair<std::int64_t, std::int64_t>>(arguments);
    return std::make_shared<barrier_servant>(parties, usual_time);
}
template <bool IsJoinable>
std::shared_ptr<servant> make_queue(const serial::message& arguments, const caller&) {
    return std::make_shared<queue_servant>(std::make_unique<own_queue>(given<std::int64_t>(arguments), IsJoinable));
}

} // namespace detail

/// By the names that Python has for them.
inline void register_built_in(BaseManager& m) {
    m.register_servant("dict", &detail::make_plain<dict_servant>);
    m.register_servant("list", &detail::make_plain<list_servant>);
    m.register_servant("set", &detail::make_plain<dict_servant>); // of keys without values
    m.register_servant("Lock", &detail::make_plain<lock_servant, false>);
    m.register_servant("RLock", &detail::make_plain<lock_servant, true>);
    m.register_servant("Semaphore", &detail::make_semaphore<false>);
    m.register_servant("BoundedSemaphore", &detail::make_semaphore<true>);
    m.register_servant("Condition", &detail::make_plain<condition_servant>);
    m.register_servant("Event", &detail::make_plain<event_servant>);
    m.register_servant("Barrier", &detail::make_barrier);
    m.register_servant("Queue", &detail::make_queue<false>);
    m.register_servant("JoinableQueue", &detail::make_queue<true>);
    m.register_servant("Pool", &made_by_call::make);
}

} // namespace multiprocessing::manager
