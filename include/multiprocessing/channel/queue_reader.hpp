// Floor 6, channel/queue_reader: the receiving side of a queue, whatever its items, as something to wait for.
#pragma once

#include <memory> // std::make_unique
#include <utility>

#include <multiprocessing/channel/poller.hpp>
#include <multiprocessing/channel/polling.hpp>
#include <multiprocessing/channel/ring.hpp>

namespace multiprocessing::channel {

/// What connection::wait() takes for a queue; every queue turns into one by itself.
///
/// - Threads and processes: safe.
class queue_reader {
public:
    queue_reader(ring of, shared_polling by) : ring_(std::move(of)), polling_(std::move(by)) {}

    /// Whether there is an item.
    [[nodiscard]] bool is_ready() const { return ring_.peek(true) == ring::result::done; }

    /// A descriptor that is readable whenever there is an item, from this call to the next get.
    ///
    /// The order is the protocol: who waits says so, then looks; who sends makes the item visible, then looks for who waits.
    /// While somebody is in the middle of sending, or has died there, one had better look again: it rings too.
    [[nodiscard]] int fileno() const {
        const auto bell = polling_->publish([this] { return std::make_unique<poller>(ring_.state(), ring_.state()->polling); });
        ring_.state()->polled.store(1);
        MULTIPROCESSING_STEP(ring_polled);
        bell->arm();
        if (!bell->is_known() || ring_.peek(true) != ring::result::not_now) bell->ring();
        return bell->fd();
    }
    /// After a get, by who may have given the descriptor away.
    void after_receiving() const {
        if (polling_->is_published()) static_cast<void>(fileno());
    }

    /// The same queue.
    friend bool operator==(const queue_reader& a, const queue_reader& b) noexcept { return a.ring_.state() == b.ring_.state(); }

private:
    mutable ring ring_;
    shared_polling polling_;
};

} // namespace multiprocessing::channel
