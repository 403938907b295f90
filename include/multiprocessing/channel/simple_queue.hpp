// Floor 6, channel/simple_queue: SimpleQueue: put, get and nothing else.
#pragma once

#include <string>
#include <tuple>
#include <utility>

#include <multiprocessing/channel/queue.hpp>
#include <multiprocessing/channel/shown.hpp>

namespace multiprocessing {

/// A queue without a bound, without timeouts and without a size.
///
/// - Python: `multiprocessing.SimpleQueue`. Its put() blocks when the pipe is full; here never.
/// - All else as Queue says.
template <typename T>
class SimpleQueue {
public:
    using value_type = T;

    SimpleQueue() : ring_(channel::typical_size<T>, 0) {}

    void put(const T& item) const {
        gate_.demand_open("this SimpleQueue");
        static_cast<void>(channel::send_value(ring_, item, channel::patience::for_ever()));
    }
    /// Waits for an item.
    [[nodiscard]] T get() const {
        gate_.demand_open("this SimpleQueue");
        auto item = channel::receive_value<T>(ring_, channel::patience::for_ever());
        if (polling_->is_published()) reader().after_receiving();
        return *std::move(item);
    }
    [[nodiscard]] bool empty() const {
        gate_.demand_open("this SimpleQueue");
        return ring_.size() == 0;
    }
    /// As Queue's.
    [[nodiscard]] int fileno() const {
        gate_.demand_open("this SimpleQueue");
        return reader().fileno();
    }
    operator channel::queue_reader() const { return reader(); }

    /// No more through this handle: all of the above is a ValueError.
    void close() noexcept { gate_.shut(); }

    friend bool operator==(const SimpleQueue& a, const SimpleQueue& b) noexcept { return a.ring_.state() == b.ring_.state(); }

private:
    friend struct memory::access;
    friend struct channel::shown;
    explicit SimpleQueue(memory::nothing_t) {}
    auto parts() noexcept { return std::tie(ring_.state()); }
    [[nodiscard]] channel::queue_reader reader() const { return {ring_, polling_}; }

    mutable channel::ring ring_;
    channel::gate gate_;
    channel::shared_polling polling_;
};

} // namespace multiprocessing
