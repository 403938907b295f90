// Floor 10, manager/queue_store: where the items of a queue are that is served to clients elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <new> // std::bad_alloc
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/channel/joinable_queue.hpp>
#include <multiprocessing/channel/queue.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/waiting.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

/// An item as it travels: what call.hpp makes of a result, so it knows its type.
using packed_item = std::vector<std::byte>;

/// One that is in the server, with what keeps the objects of this server to which it refers.
struct kept_item {
    packed_item bytes;
    std::vector<memory::holding> kept = {};
};

/// An item of type T, to be sent. What is in a server elsewhere can't hold objects of this machine's memory.
template <typename T>
[[nodiscard]] packed_item pack_item(const T& x) {
    serial::message made = pack_result<T>(x);
    if (!made.shares.empty())
        throw NotPortableError("a shared object (a Lock, another queue, ...) can't be put into a queue of a manager that is reached "
                               "over a network: make it there, by that manager");
    return std::move(made.bytes);
}
/// TypeError when it is something else.
template <typename T>
[[nodiscard]] T unpack_item(packed_item bytes) {
    serial::message from;
    from.bytes = std::move(bytes);
    return unpack_result<T>(from);
}

/// The items of a queue, in bytes.
///
/// - Threads: any, at once. Who waits throws EOFError when his caller is gone, and has put or taken nothing then.
class queue_store {
public:
    queue_store() = default;
    queue_store(const queue_store&) = delete;
    queue_store& operator=(const queue_store&) = delete;
    virtual ~queue_store() = default;

    /// False: full until then.
    [[nodiscard]] virtual bool put(const packed_item& x, const os::deadline& until, const caller& who) = 0;
    /// Nothing: empty until then. What is taken counts as in somebody's hand until it is done().
    [[nodiscard]] virtual std::optional<kept_item> get(const os::deadline& until, const caller& who) = 0;
    /// What was taken last by somebody who is dead, or can't use it.
    virtual void give_back(kept_item x) noexcept = 0;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    [[nodiscard]] virtual bool full() const = 0;

    /// References in its items are counted as each is packed, so no two are sent in one answer.
    [[nodiscard]] virtual bool gives_singly() const noexcept = 0;
    /// Whether done() and join() mean anything.
    [[nodiscard]] virtual bool is_joinable() const noexcept = 0;
    /// ValueError when nothing is in anybody's hand.
    virtual void done() = 0;
    /// Waits until nothing is in the queue or in a hand.
    [[nodiscard]] virtual bool join(const os::deadline& until, const caller& who) = 0;
};

/// One that stands in the server itself, and knows no types.
///
/// - What is given back is the first again. Who put a proxy may let go of it.
class own_queue final : public queue_store {
public:
    own_queue(std::int64_t most, bool is_joinable) noexcept
        : most_(most > 0 ? static_cast<std::uint64_t>(most) : 0), is_joinable_(is_joinable) {}

    bool put(const packed_item& x, const os::deadline& until, const caller& who) override {
        kept_item mine{x};
        mine.kept = who.keep(mine.bytes);
        auto held = room_.enter();
        if (!room_.await(held, until, who, [&] { return most_ == 0 || items_.size() < most_; })) return false;
        items_.push_back(std::move(mine));
        room_.changed();
        return true;
    }
    std::optional<kept_item> get(const os::deadline& until, const caller& who) override {
        auto held = room_.enter();
        if (!room_.await(held, until, who, [&] { return !items_.empty(); })) return std::nullopt;
        std::optional<kept_item> x = std::move(items_.front());
        items_.pop_front();
        ++taken_;
        if (most_ != 0) room_.changed();
        return x;
    }
    void give_back(kept_item x) noexcept override {
        const auto held = room_.enter();
        try {
            items_.push_front(std::move(x));
        } catch (const std::bad_alloc&) {
            os::log(os::log_level::error, "a manager has no memory for an item that was given back to a queue: it is lost");
        }
        --taken_;
        room_.changed();
    }
    std::uint64_t size() const override {
        const auto held = room_.enter();
        return items_.size();
    }
    bool full() const override {
        const auto held = room_.enter();
        return most_ != 0 && items_.size() >= most_;
    }
    bool gives_singly() const noexcept override { return false; }
    bool is_joinable() const noexcept override { return is_joinable_; }
    void done() override {
        const auto held = room_.enter();
        if (taken_ == 0) throw ValueError("task_done() called too many times");
        --taken_;
        room_.changed();
    }
    bool join(const os::deadline& until, const caller& who) override {
        auto held = room_.enter();
        return room_.await(held, until, who, [&] { return items_.empty() && taken_ == 0; });
    }

private:
    const std::uint64_t most_; ///< 0: as many as there is memory for
    const bool is_joinable_;
    waiting_room room_; // all else under its lock
    std::deque<kept_item> items_;
    std::uint64_t taken_ = 0;
};

/// An mp::Queue or mp::JoinableQueue that the server has: its family works on it directly, and others through here.
///
/// - What is given back goes to its end; one that is full then has it as soon as somebody has taken something.
template <typename Q>
class shared_queue final : public queue_store {
public:
    using item = typename Q::value_type;
    static constexpr bool joinable = std::is_base_of_v<Queue<item>, Q> && !std::is_same_v<Queue<item>, Q>;

    explicit shared_queue(Q queue) : queue_(std::move(queue)) {}

    bool put(const packed_item& x, const os::deadline& until, const caller& who) override {
        const item value = unpack_item<item>(x);
        for (;;) {
            if (queue_.try_put(value)) return true;
            if (until.passed()) return false;
            try {
                queue_.put(value, next_look(until).left());
                return true;
            } catch (const Full&) {
                demand_there(who);
            }
        }
    }
    std::optional<kept_item> get(const os::deadline& until, const caller& who) override {
        put_what_was_returned();
        std::optional<item> x = queue_.try_get();
        while (!x) {
            if (until.passed()) return std::nullopt;
            x = queue_.try_get_for(next_look(until).left());
            if (x || who.is_there()) continue;
            demand_there(who);
        }
        put_what_was_returned();
        try {
            demand_there(who); // it may have died just before the item came
            return kept_item{pack_item(*x)};
        } catch (...) {
            take_back(*std::move(x));
            throw;
        }
    }
    void give_back(kept_item x) noexcept override {
        try {
            take_back(unpack_item<item>(std::move(x.bytes)));
        } catch (const std::exception& error) {
            os::log(os::log_level::error, "a manager can't give an item back to a queue: {}", error.what());
        }
    }
    std::uint64_t size() const override { return queue_.qsize(); }
    bool full() const override { return queue_.full(); }
    bool gives_singly() const noexcept override { return true; }
    bool is_joinable() const noexcept override { return joinable; }
    void done() override {
        if constexpr (joinable) queue_.task_done();
    }
    bool join([[maybe_unused]] const os::deadline& until, [[maybe_unused]] const caller& who) override {
        if constexpr (joinable) {
            for (;;) {
                if (queue_.join(next_look(until).left())) return true;
                if (until.passed()) return false;
                demand_there(who);
            }
        }
        return true;
    }

private:
    void take_back(item x) {
        {
            const std::lock_guard lock(lock_);
            returned_.push_back(std::move(x));
        }
        put_what_was_returned();
    }
    void put_what_was_returned() {
        const std::lock_guard lock(lock_);
        while (!returned_.empty() && queue_.try_put(returned_.front())) {
            returned_.pop_front();
            if constexpr (joinable) queue_.task_done(); // in the queue again, and no more in a hand
        }
    }

    const Q queue_;
    std::mutex lock_; // around:
    std::deque<item> returned_;
};

} // namespace multiprocessing::manager
