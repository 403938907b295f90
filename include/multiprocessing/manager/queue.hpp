// Floor 10, manager/queue: QueueProxy and JoinableQueueProxy, queues of a manager.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <ranges>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <multiprocessing/channel/joinable_queue.hpp>
#include <multiprocessing/channel/queue.hpp>
#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/near_or_far.hpp>
#include <multiprocessing/manager/queue_store.hpp> // pack_item
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing {

namespace manager {

/// What both kinds of queues can: Near is the mp::Queue or mp::JoinableQueue that one of this family is.
template <typename Near>
class queue_proxy : public near_or_far<Near> {
public:
    using value_type = typename Near::value_type;
    using T = value_type;

    /// Appends an item, waiting while the queue is full. Full: it was, and `block` is false.
    void put(const T& x, bool block = true) const {
        this->is_near() ? this->near_.put(x, block) : demand_put(x, block ? os::deadline::never() : now());
    }
    /// Waits so long at most, then Full.
    template <typename Rep, typename Period>
    void put(const T& x, std::chrono::duration<Rep, Period> timeout) const {
        this->is_near() ? this->near_.put(x, timeout) : demand_put(x, os::deadline(timeout));
    }
    /// `timeout` counts only if `block`, as in Python.
    template <typename Rep, typename Period>
    void put(const T& x, bool block, std::chrono::duration<Rep, Period> timeout) const {
        block ? put(x, timeout) : put(x, false);
    }
    void put_nowait(const T& x) const { put(x, false); }
    [[nodiscard]] bool try_put(const T& x) const { return this->is_near() ? this->near_.try_put(x) : put_far(x, now()); }
    /// Appends each in turn, waiting while the queue is full. Over a network in one message, or a few.
    template <std::ranges::input_range Range>
    void put_many(Range&& items) const;
    void put_many(std::initializer_list<T> items) const { put_many(std::vector<T>(items)); }

    /// Takes the first item, waiting for one. Empty: there was none, and `block` is false.
    [[nodiscard]] T get(bool block = true) const {
        return this->is_near() ? this->near_.get(block) : demand(take_one(block ? os::deadline::never() : now()));
    }
    /// Waits so long at most, then Empty.
    template <typename Rep, typename Period>
    [[nodiscard]] T get(std::chrono::duration<Rep, Period> timeout) const {
        return this->is_near() ? this->near_.get(timeout) : demand(take_one(os::deadline(timeout)));
    }
    template <typename Rep, typename Period>
    [[nodiscard]] T get(bool block, std::chrono::duration<Rep, Period> timeout) const {
        return block ? get(timeout) : get(false);
    }
    [[nodiscard]] T get_nowait() const { return get(false); }
    [[nodiscard]] std::optional<T> try_get() const { return this->is_near() ? this->near_.try_get() : take_one(now()); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::optional<T> try_get_for(std::chrono::duration<Rep, Period> timeout) const {
        return this->is_near() ? this->near_.try_get_for(timeout) : take_one(os::deadline(timeout));
    }
    /// Waits for one item, and takes those behind it that are there already, `most` altogether. Nothing if `most` is 0.
    [[nodiscard]] std::vector<T> get_many(std::size_t most) const {
        return this->is_near() ? this->near_.get_many(most) : take_many(most, os::deadline::never());
    }
    /// The same, waiting so long at most; empty when none came.
    template <typename Rep, typename Period>
    [[nodiscard]] std::vector<T> get_many(std::size_t most, std::chrono::duration<Rep, Period> timeout) const {
        return this->is_near() ? this->near_.get_many(most, timeout) : take_many(most, os::deadline(timeout));
    }

    [[nodiscard]] std::size_t qsize() const {
        return this->is_near() ? this->near_.qsize()
                               : static_cast<std::size_t>(this->far().template ask<std::uint64_t>("#size", std::uint8_t{}));
    }
    [[nodiscard]] bool empty() const { return qsize() == 0; }
    [[nodiscard]] bool full() const {
        return this->is_near() ? this->near_.full() : this->far().template ask<bool>("#full", std::uint8_t{});
    }

protected:
    using near_or_far<Near>::near_or_far;

    [[nodiscard]] static os::deadline now() noexcept { return os::deadline::after({}); }

private:
    static constexpr std::size_t most_bytes_at_once = std::size_t{4} << 20;

    /// How many were put in time.
    [[nodiscard]] std::uint64_t send(const std::vector<packed_item>& items, const os::deadline& until) const {
        return this->far().template ask<std::uint64_t>("#put", std::pair(items, time_to_send(until)));
    }
    [[nodiscard]] packed_item packed(const T& x) const {
        const for_the_network medium(this->far().is_by_network());
        return pack_item<T>(x);
    }
    [[nodiscard]] bool put_far(const T& x, const os::deadline& until) const { return send({packed(x)}, until) == 1; }
    void demand_put(const T& x, const os::deadline& until) const {
        if (!put_far(x, until)) throw Full("the queue is full");
    }
    [[nodiscard]] T demand(std::optional<T> x) const {
        if (!x) throw Empty("the queue is empty");
        return *std::move(x);
    }
    [[nodiscard]] std::optional<T> take_one(const os::deadline& until) const {
        std::vector<T> all;
        static_cast<void>(take(1, until, all));
        return all.empty() ? std::nullopt : std::optional<T>(std::move(all.front()));
    }
    [[nodiscard]] std::vector<T> take_many(std::size_t most, const os::deadline& until) const {
        std::vector<T> all;
        bool may_be_more = take(most, until, all);
        while (may_be_more && all.size() < most) may_be_more = take(most - all.size(), now(), all);
        return all;
    }
    /// One question. The items are this client's when the server was told that they are here; before, a death gives them back.
    [[nodiscard]] bool take(std::size_t most, const os::deadline& until, std::vector<T>& all) const {
        auto [number, items, may_be_more] = this->far().template ask<std::tuple<std::uint64_t, std::vector<packed_item>, bool>>(
            "#get", std::pair(static_cast<std::uint64_t>(most), time_to_send(until)));
        if (items.empty()) return false;
        MULTIPROCESSING_STEP(far_items_here);
        const std::size_t before = all.size();
        try {
            for (auto& each : items) all.push_back(unpack_item<T>(std::move(each)));
        } catch (...) {
            while (all.size() > before) all.pop_back();
            this->far().tell("#refuse", serial::pack_message(number));
            throw;
        }
        this->far().tell("#have", serial::pack_message(number));
        MULTIPROCESSING_STEP(far_items_had);
        return may_be_more;
    }
};

template <typename Near>
template <std::ranges::input_range Range>
void queue_proxy<Near>::put_many(Range&& items) const {
    if (this->is_near()) return this->near_.put_many(std::forward<Range>(items));
    std::vector<packed_item> some;
    std::size_t bytes = 0;
    for (const T& each : items) {
        some.push_back(packed(each));
        bytes += some.back().size();
        if (bytes < most_bytes_at_once) continue;
        static_cast<void>(send(some, os::deadline::never()));
        some.clear();
        bytes = 0;
    }
    if (!some.empty()) static_cast<void>(send(some, os::deadline::never()));
}

} // namespace manager

/// What manager.Queue<T>() returns: within a family an mp::Queue<T>, which it is for whoever takes one; over a network the same in
/// the server.
///
///     auto tasks = manager.Queue<std::string>();                                          // a new one
///     mp::QueueProxy<std::string> tasks = manager.create<mp::Queue<std::string>>("get_tasks");   // one that the server registered
///
/// - Python: `manager.Queue()`, an `AutoProxy[Queue]`.
/// - Threads and processes: all may use it at once. The items of one producer come out in their order.
/// - When a process dies: what it had put stays. Within a family as mp::Queue says. Over a network nothing is lost: what was on its
///   way to a client that dies before its get() returns is in the queue again, once that client's connections have ended; first of
///   all in a queue that connected managers made, last in an mp::Queue that the server registered. Of put_many() a part may be there.
/// - When the server dies: over a network EOFError, for whoever waits at once. The items are gone.
/// - Errors: Full, Empty; over a network NotPortableError for an item that is a shared object; TypeError for one of another type,
///   which then stays in the queue.
template <typename T>
class QueueProxy : public manager::queue_proxy<Queue<T>> {
public:
    /// For managers.
    explicit QueueProxy(Queue<T> near) : manager::queue_proxy<Queue<T>>(std::move(near)) {}
    explicit QueueProxy(manager::remote far) noexcept : manager::queue_proxy<Queue<T>>(std::move(far)) {}

private:
    friend struct memory::access;
    explicit QueueProxy(memory::nothing_t nothing) noexcept : manager::queue_proxy<Queue<T>>(nothing) {}
    auto parts() noexcept { return this->both(); }
};

/// What manager.JoinableQueue<T>() returns: as a QueueProxy, with task_done() and join().
///
/// - Python: `manager.JoinableQueue()`.
/// - When a process dies: what it had taken and not reported counts as dealt with, so join() returns; over a network once its
///   connections have ended.
template <typename T>
class JoinableQueueProxy : public manager::queue_proxy<JoinableQueue<T>> {
public:
    /// An item that was taken, by this process or another, is done with. ValueError when there is none such.
    void task_done() const {
        if (this->is_near()) return this->near_.task_done();
        this->far().template ask<void>("#done", std::uint8_t{});
    }
    /// Waits until every item ever put has been taken and reported.
    void join() const { static_cast<void>(join(os::deadline::never())); }
    /// Waits so long at most. True if it is so.
    template <typename Rep, typename Period>
    bool join(std::chrono::duration<Rep, Period> timeout) const {
        return join(os::deadline(timeout));
    }

    /// For managers.
    explicit JoinableQueueProxy(JoinableQueue<T> near) : manager::queue_proxy<JoinableQueue<T>>(std::move(near)) {}
    explicit JoinableQueueProxy(manager::remote far) noexcept : manager::queue_proxy<JoinableQueue<T>>(std::move(far)) {}

private:
    friend struct memory::access;
    explicit JoinableQueueProxy(memory::nothing_t nothing) noexcept : manager::queue_proxy<JoinableQueue<T>>(nothing) {}
    auto parts() noexcept { return this->both(); }

    bool join(const os::deadline& until) const {
        if (!this->is_near()) return this->far().template ask<bool>("#join", manager::time_to_send(until));
        if (!until.is_never()) return this->near_.join(until.left());
        this->near_.join();
        return true;
    }
};

} // namespace multiprocessing
