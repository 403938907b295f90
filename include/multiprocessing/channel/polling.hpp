// Floor 6, channel/polling: the descriptors with which one process waits at the receiving side of a ring.
#pragma once

#include <atomic>
#include <memory> // std::shared_ptr, std::unique_ptr
#include <mutex>  // std::unique_lock
#include <utility>

#include <multiprocessing/channel/poller.hpp>
#include <multiprocessing/os/private_lock.hpp>

namespace multiprocessing::channel {

/// Shared by the copies of a handle in one process: the one descriptor that fileno() gives away, and another one for whoever
/// waits himself, kept between waits because it costs several calls to make.
///
/// - Threads: safe. Of those who wait at once one has the kept descriptor, the others make their own.
/// - Across fork(): the child makes its own; what it has inherited it throws away.
class polling {
public:
    polling() noexcept = default;
    polling(const polling&) = delete;
    polling& operator=(const polling&) = delete;
    ~polling() {
        delete idle_.load();
        delete public_.load();
    }

    /// A poller that nobody else uses as long as this lives.
    class borrowed {
    public:
        borrowed(const borrowed&) = delete;
        borrowed& operator=(const borrowed&) = delete;
        ~borrowed() { delete from_->idle_.exchange(mine_.release()); }
        poller* operator->() const noexcept { return mine_.get(); }
        poller& operator*() const noexcept { return *mine_; }

    private:
        friend class polling;
        borrowed(polling& from, std::unique_ptr<poller> mine) noexcept : from_(&from), mine_(std::move(mine)) {}
        polling* from_;
        std::unique_ptr<poller> mine_;
    };
    /// make() -> std::unique_ptr<poller>.
    template <typename Make>
    [[nodiscard]] borrowed borrow(Make make) {
        std::unique_ptr<poller> mine(idle_.exchange(nullptr));
        if (!mine || !mine->is_ours()) mine = make();
        return {*this, std::move(mine)};
    }

    /// The poller whose descriptor is given away, made when first asked for; locked.
    class published {
    public:
        poller* operator->() const noexcept { return &kept_->is; }

    private:
        friend class polling;
        struct kept {
            explicit kept(std::unique_ptr<poller> made) : owner(std::move(made)), is(*owner) {}
            std::unique_ptr<poller> owner;
            poller& is;
            os::private_lock lock;
        };
        explicit published(kept& k) : kept_(&k), held_(k.lock) {}
        kept* kept_;
        std::unique_lock<os::private_lock> held_;
    };
    template <typename Make>
    [[nodiscard]] published publish(Make make) {
        published::kept* seen = public_.load();
        while (!is_ours(seen)) {
            auto made = std::make_unique<published::kept>(make());
            published::kept* const old = seen;
            if (!public_.compare_exchange_strong(seen, made.get())) continue;
            seen = made.release();
            delete old; // inherited: no thread of this process has ever used it
        }
        return published(*seen);
    }
    /// Whether somebody has its descriptor.
    [[nodiscard]] bool is_published() const noexcept { return is_ours(public_.load()); }

private:
    [[nodiscard]] static bool is_ours(const published::kept* k) noexcept { return k != nullptr && k->is.is_ours(); }

    std::atomic<poller*> idle_{nullptr};
    std::atomic<published::kept*> public_{nullptr};
};

/// The polling that the copies of a queue's handle share. It is never moved away: a queue that was moved from is the same still.
class shared_polling {
public:
    shared_polling() = default;
    shared_polling(const shared_polling&) = default;
    shared_polling& operator=(const shared_polling&) = default;
    polling* operator->() const noexcept { return its_.get(); }

private:
    std::shared_ptr<polling> its_ = std::make_shared<polling>();
};

} // namespace multiprocessing::channel
