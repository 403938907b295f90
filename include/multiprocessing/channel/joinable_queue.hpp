// Floor 6, channel/joinable_queue: JoinableQueue: a Queue that knows when all its items have been dealt with.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <multiprocessing/channel/hands.hpp>
#include <multiprocessing/channel/queue.hpp>

namespace multiprocessing {

/// A Queue whose consumers report each item as done, so that a producer can wait for the last one.
///
///     for (auto& page : pages) q.put(page);
///     q.join();                                   // every page has been rendered
///     // a consumer: for (;;) { render(q.get()); q.task_done(); }
///
/// - Python: `multiprocessing.JoinableQueue`. There join() waits for ever for what a killed consumer had taken.
/// - When a process dies: (or ends) what it had taken and not reported counts as dealt with, so join() returns. Whether it really was can't
///   be known; who must know lets the consumers answer.
/// - All else as Queue says.
template <typename T>
class JoinableQueue : public Queue<T> {
public:
    explicit JoinableQueue(std::int64_t maxsize = 0) : Queue<T>(maxsize), hands_(channel::hands::make()) {}

    /// An item that was taken, by this process or another, is done with. ValueError when there is none such. (Python counts items
    /// that nobody has taken yet too.)
    void task_done() const {
        this->gate_.demand_open("this JoinableQueue");
        if (!hands_.report()) throw ValueError("task_done() called too many times");
        this->ring_.state()->more.ring_all();
    }

    /// Waits until every item ever put has been taken and reported.
    void join() const { static_cast<void>(wait(channel::patience::for_ever())); }
    /// Waits so long at most. True if it is so.
    template <typename Rep, typename Period>
    bool join(std::chrono::duration<Rep, Period> timeout) const {
        return wait(channel::patience(timeout));
    }

    [[nodiscard]] T get(bool block = true) const { return taken(channel::patience::unless(block)); }
    template <typename Rep, typename Period>
    [[nodiscard]] T get(std::chrono::duration<Rep, Period> timeout) const {
        return taken(channel::patience(timeout));
    }
    template <typename Rep, typename Period>
    [[nodiscard]] T get(bool block, std::chrono::duration<Rep, Period> timeout) const {
        return taken(block ? channel::patience(timeout) : channel::patience::none());
    }
    [[nodiscard]] T get_nowait() const { return get(false); }
    [[nodiscard]] std::optional<T> try_get() const { return receive(channel::patience::none()); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::optional<T> try_get_for(std::chrono::duration<Rep, Period> timeout) const {
        return receive(channel::patience(timeout));
    }
    [[nodiscard]] std::vector<T> get_many(std::size_t most) const { return receive_many(most, channel::patience::for_ever()); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::vector<T> get_many(std::size_t most, std::chrono::duration<Rep, Period> timeout) const {
        return receive_many(most, channel::patience(timeout));
    }

private:
    friend struct memory::access;
    explicit JoinableQueue(memory::nothing_t) : Queue<T>(memory::nothing) {}
    auto parts() noexcept { return std::tie(this->ring_.state(), hands_.share()); }

    struct counter {
        const channel::hands* hands;
        memory::bell* done;
        void about_to_take(std::uint64_t n) const { hands->add(static_cast<std::int32_t>(n)); }
        void not_taken(std::uint64_t n) const {
            hands->add(-static_cast<std::int32_t>(n));
            done->ring_all();
        }
    };

    // In the queue or in somebody's hand. The hands after the queue: an item goes from there into a hand, where it is counted
    // before it has left.
    [[nodiscard]] std::uint64_t outstanding() const {
        const std::uint64_t queued = this->ring_.size();
        return queued + hands_.sum(true);
    }
    bool wait(const channel::patience& how_long) const {
        const std::chrono::nanoseconds nap = std::chrono::milliseconds(20); // for who died with an item, and nobody knows
        return this->ring_.state()->more.await([&] { return outstanding() == 0; }, how_long.until(), nap);
    }
    std::optional<T> receive(const channel::patience& how_long) const {
        this->gate_.demand_open("this JoinableQueue");
        auto item = channel::receive_value<T>(this->ring_, how_long, counter{&hands_, &this->ring_.state()->more});
        if (this->polling_->is_published()) this->reader().after_receiving();
        return item;
    }
    T taken(const channel::patience& how_long) const {
        auto item = receive(how_long);
        if (!item) throw Empty("the queue is empty");
        return *std::move(item);
    }
    std::vector<T> receive_many(std::size_t most, const channel::patience& how_long) const {
        std::vector<T> items;
        if (most == 0) return items;
        auto item = receive(how_long);
        while (item) {
            items.push_back(*std::move(item));
            if (items.size() == most) break;
            item = receive(channel::patience::none());
        }
        return items;
    }

    channel::hands hands_;
};

} // namespace multiprocessing
