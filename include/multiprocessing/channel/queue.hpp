// Floor 6, channel/queue: Queue: a first-in first-out line of values between processes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <ranges>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/channel/polling.hpp>
#include <multiprocessing/channel/post.hpp>
#include <multiprocessing/channel/queue_reader.hpp>
#include <multiprocessing/channel/ring.hpp>
#include <multiprocessing/channel/shown.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/memory/handle.hpp>

namespace multiprocessing {

namespace channel {

/// close() of one handle: no more through this one.
class gate {
public:
    gate() noexcept = default;
    gate(const gate& other) noexcept : shut_(other.is_shut()) {}
    gate& operator=(const gate& other) noexcept {
        shut_.store(other.is_shut(), std::memory_order_relaxed);
        return *this;
    }
    void shut() noexcept { shut_.store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool is_shut() const noexcept { return shut_.load(std::memory_order_relaxed); }
    void demand_open(const char* what) const {
        if (is_shut()) throw ValueError(std::string(what) + " is closed");
    }

private:
    std::atomic<bool> shut_{false};
};

} // namespace channel

/// A first-in first-out line of values, for any number of producers and consumers, threads and processes.
///
///     mp::Queue<std::string> q;
///     mp::Process p([](mp::Queue<std::string> to) { to.put("hello"); }, q);
///     p.start();
///     fmt::print("{}\n", q.get());        // hello
///
/// An item is in the queue, for good, when put() returns: there is no thread that sends it later. So a process may end, or be
/// killed, right after, and one may join a process before reading what it has put.
///
/// - Python: `multiprocessing.Queue`. The "Queue" there loses what its feeder thread hadn't sent when a process is killed, and
///   joining a process that has put much hangs unless the queue is drained first; neither happens here. An item that can't be
///   sent is an exception of put(). qsize(), empty() and full() are exact while nobody else uses the queue.
/// - Threads and processes: all may use it at once. The items of one producer come out in their order.
/// - When a process dies: what it had put stays. Killed inside put(), its item is as if it had never been put; killed inside
///   get(), that one item is lost (inside get_many(), those it was about to return). Nobody else waits for it.
/// - Start methods: a handle; copies share the queue, also as an argument, as an item, or captured. It ends with its last handle
///   in the last process, and what is still in it then ends with it. (An item that holds a handle of the very queue it
///   lies in keeps it until the item is taken.)
/// - Growth: a cell of 64 bytes or more an item; items beyond about 1 KiB lie in blocks of their own, written in place and read
///   in place. What a burst took is given back when it has been drained.
/// - Errors: Full, Empty; ValueError after close(); NotPortableError, ValueError for what can't be written; std::bad_alloc.
template <typename T>
class Queue {
public:
    using value_type = T;

    /// At most `maxsize` items at once; 0 or less: as many as there is memory for.
    explicit Queue(std::int64_t maxsize = 0)
        : ring_(channel::typical_size<T>, maxsize > 0 ? static_cast<std::uint64_t>(maxsize) : 0) {}

    /// Appends an item, waiting while the queue is full. Full: it was, and `block` is false.
    void put(const T& item, bool block = true) const { put_in(item, channel::patience::unless(block)); }
    /// Waits so long at most, then Full.
    template <typename Rep, typename Period>
    void put(const T& item, std::chrono::duration<Rep, Period> timeout) const {
        put_in(item, channel::patience(timeout));
    }
    /// `timeout` counts only if `block`, as in Python.
    template <typename Rep, typename Period>
    void put(const T& item, bool block, std::chrono::duration<Rep, Period> timeout) const {
        put_in(item, block ? channel::patience(timeout) : channel::patience::none());
    }
    void put_nowait(const T& item) const { put(item, false); }
    /// False when the queue is full; the item is as it was then.
    [[nodiscard]] bool try_put(const T& item) const {
        gate_.demand_open("this Queue");
        return channel::send_value(ring_, item, channel::patience::none());
    }
    /// Appends each in turn, waiting while the queue is full; many of them in the time of few.
    template <std::ranges::input_range Range>
    void put_many(Range&& items) const;
    void put_many(std::initializer_list<T> items) const { put_many(std::span(items.begin(), items.size())); }

    /// Takes the first item, waiting for one. Empty: there was none, and `block` is false.
    [[nodiscard]] T get(bool block = true) const { return get_from(channel::patience::unless(block)); }
    /// Waits so long at most, then Empty.
    template <typename Rep, typename Period>
    [[nodiscard]] T get(std::chrono::duration<Rep, Period> timeout) const {
        return get_from(channel::patience(timeout));
    }
    template <typename Rep, typename Period>
    [[nodiscard]] T get(bool block, std::chrono::duration<Rep, Period> timeout) const {
        return get_from(block ? channel::patience(timeout) : channel::patience::none());
    }
    [[nodiscard]] T get_nowait() const { return get(false); }
    [[nodiscard]] std::optional<T> try_get() const { return receive(channel::patience::none()); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::optional<T> try_get_for(std::chrono::duration<Rep, Period> timeout) const {
        return receive(channel::patience(timeout));
    }
    /// Waits for one item, and takes those behind it that are there already, `most` altogether. Nothing if `most` is 0.
    [[nodiscard]] std::vector<T> get_many(std::size_t most) const { return receive_many(most, channel::patience::for_ever()); }
    /// The same, waiting so long at most; empty when none came.
    template <typename Rep, typename Period>
    [[nodiscard]] std::vector<T> get_many(std::size_t most, std::chrono::duration<Rep, Period> timeout) const {
        return receive_many(most, channel::patience(timeout));
    }

    [[nodiscard]] std::size_t qsize() const { return static_cast<std::size_t>(ring_.size()); }
    [[nodiscard]] bool empty() const { return ring_.size() == 0; }
    [[nodiscard]] bool full() const { return ring_.capacity() != 0 && ring_.size() >= ring_.capacity(); }

    /// A descriptor to poll, in an event loop: readable when there is an item. Not to be read from. Made when first asked for;
    /// another one in each process. It may be readable for nothing (another consumer was quicker; a producer has just died), so
    /// look with try_get(). From then on an item costs its producer a call of the system when the queue was empty.
    /// (connection::wait() takes the queue itself.)
    [[nodiscard]] int fileno() const {
        gate_.demand_open("this Queue");
        return reader().fileno();
    }
    operator channel::queue_reader() const { return reader(); }

    /// No more through this handle: everything but close(), join_thread(), cancel_join_thread(), and the three questions above,
    /// is a ValueError. Other handles aren't concerned.
    void close() noexcept { gate_.shut(); }
    /// Nothing to wait for: there is no thread. ValueError before close(), as Python asserts.
    void join_thread() const {
        if (!gate_.is_shut()) throw ValueError("join_thread() before close()");
    }
    void cancel_join_thread() const noexcept {}

    friend bool operator==(const Queue& a, const Queue& b) noexcept { return a.ring_.state() == b.ring_.state(); }

protected:
    friend struct memory::access;
    friend struct channel::shown;
    explicit Queue(memory::nothing_t) {}
    auto parts() noexcept { return std::tie(ring_.state()); }

    void put_in(const T& item, const channel::patience& how_long) const {
        gate_.demand_open("this Queue");
        if (!channel::send_value(ring_, item, how_long)) throw Full("the queue is full");
    }
    std::optional<T> receive(const channel::patience& how_long) const {
        gate_.demand_open("this Queue");
        auto item = channel::receive_value<T>(ring_, how_long);
        if (polling_->is_published()) reader().after_receiving();
        return item;
    }
    [[nodiscard]] channel::queue_reader reader() const { return {ring_, polling_}; }
    T get_from(const channel::patience& how_long) const {
        auto item = receive(how_long);
        if (!item) throw Empty("the queue is empty");
        return *std::move(item);
    }
    std::vector<T> receive_many(std::size_t most, const channel::patience& how_long) const;

    mutable channel::ring ring_;
    channel::gate gate_;
    channel::shared_polling polling_;
};

template <typename T>
template <std::ranges::input_range Range>
void Queue<T>::put_many(Range&& items) const {
    auto at = std::ranges::begin(items);
    const auto end = std::ranges::end(items);
    if constexpr (channel::lies_in_cells<T>) {
        gate_.demand_open("this Queue");
        constexpr unsigned largest = 6;
        std::array<T, std::size_t{1} << largest> some;
        while (at != end) {
            std::size_t n = 0;
            for (; n < some.size() && at != end; ++at) some[n++] = static_cast<T>(*at);
            for (std::size_t sent = 0; sent < n;) {
                auto batch = static_cast<unsigned>(std::bit_width(n - sent) - 1);
                const auto attempt = [&] {
                    return ring_.try_send(batch, sizeof(T), [&](std::uint64_t i, std::byte* body) {
                        std::memcpy(body, &some[sent + static_cast<std::size_t>(i)], sizeof(T));
                        return channel::cell_header{sizeof(T)};
                    });
                };
                while (attempt() != channel::ring::result::done) {
                    if (batch == 0) {
                        static_cast<void>(ring_.wait_for_room(attempt, os::deadline::never()));
                        break;
                    }
                    --batch;
                }
                sent += std::size_t{1} << batch;
            }
        }
    } else {
        for (; at != end; ++at) put(*at);
    }
}

template <typename T>
std::vector<T> Queue<T>::receive_many(std::size_t most, const channel::patience& how_long) const {
    gate_.demand_open("this Queue");
    std::vector<T> items;
    if (most == 0) return items;
    if constexpr (channel::lies_in_cells<T>) {
        bool good = true;
        const auto read = [&](const channel::cell_header& header, const std::byte* body) {
            good = good && !header.block && header.size == sizeof(T);
            if (!good) return;
            T& x = items.emplace_back(); // reserved below: nothing can throw here
            std::memcpy(static_cast<void*>(&x), body, sizeof(T));
        };
        const auto attempt = [&](bool closer) {
            constexpr std::size_t a_batch = std::size_t{1} << channel::cell_state::largest_batch;
            items.reserve(items.size() + std::min(most - items.size(), a_batch));
            return ring_.try_receive(read, closer, most - items.size());
        };
        if (!channel::receive_with(ring_, attempt, how_long)) return items;
        while (good && items.size() < most && attempt(false) == channel::ring::result::done) {}
        if (polling_->is_published()) reader().after_receiving();
        if (!good) throw ProcessError("what was received from a queue isn't what was put");
    } else {
        auto item = receive(how_long);
        while (item) {
            items.push_back(*std::move(item));
            if (items.size() == most) break;
            item = receive(channel::patience::none());
        }
    }
    return items;
}

} // namespace multiprocessing
