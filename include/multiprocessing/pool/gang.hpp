// Floor 9, pool/gang: threads that do one call after another.
#pragma once

#include <algorithm> // std::erase
#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex> // std::unique_lock
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/cpu.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/thread.hpp>
#include <multiprocessing/pool/call.hpp>

namespace multiprocessing::pool {

/// What a crew is to processes. Waiting is waiting for `events_` to change.
class gang {
public:
    using job = std::function<void()>;

    gang(unsigned threads, std::function<void()> initializer) {
        try {
            for (unsigned t = 0; t < threads; ++t) threads_.emplace_back([this, initializer] { work(initializer); });
        } catch (...) {
            terminate();
            join();
            throw;
        }
    }
    gang(const gang&) = delete;
    gang& operator=(const gang&) = delete;
    ~gang() {
        terminate();
        join();
        stop_collector();
    }

    void add(job next) {
        const locked held(lock_);
        queue_.push_back(std::move(next));
        news_.fetch_add(1);
        if (spinning_.load() == 0) wake_one();
    }
    /// Something that somebody may wait for has changed.
    void announce() noexcept {
        events_.fetch_add(1);
        if (waiting_.load() != 0) os::wake_all(events_);
    }
    template <typename Done>
    bool wait_until(Done done, const os::deadline& until) {
        if (done()) return true;
        waiting_.fetch_add(1);
        bool met = false;
        for (;;) {
            const std::uint32_t seen = events_.load();
            met = done();
            if (met || !os::sleep_on(events_, seen, until)) break;
        }
        waiting_.fetch_sub(1);
        return met || done();
    }

    void call_back(std::shared_ptr<call_base> settled) {
        {
            const locked held(lock_);
            if (!collector_leaves_) {
                to_call_back_.push_back(std::move(settled));
                if (!collector_) collector_ = os::thread([this] { collect(); });
            }
        }
        if (settled) return settled->run_callbacks(); // after the end
        announce();
    }
    [[nodiscard]] bool is_collector() const noexcept { return collector_.is_current(); }

    void close() {
        const locked held(lock_);
        closing_ = true;
        news_.fetch_add(1);
        os::wake_all(news_);
    }
    void terminate() {
        std::deque<job> dropped; // each says so to whoever waits for it when it goes
        {
            const locked held(lock_);
            closing_ = terminated_ = true;
            dropped.swap(queue_);
            news_.fetch_add(1);
            os::wake_all(news_);
        }
    }
    void join() {
        for (auto& each : threads_) each.join();
    }
    void stop_collector() {
        {
            const locked held(lock_);
            collector_leaves_ = true;
        }
        announce();
        collector_.join();
    }
    [[nodiscard]] bool ended() const noexcept { return closing_.load(); }
    [[nodiscard]] std::exception_ptr broken() {
        const locked held(lock_);
        return broken_;
    }

private:
    using locked = std::unique_lock<os::private_lock>;

    void work(const std::function<void()>& initializer) noexcept {
        try {
            if (initializer) initializer();
        } catch (...) {
            const locked held(lock_);
            if (!broken_) broken_ = std::current_exception();
        }
        for (;;) {
            const std::uint32_t seen = news_.load();
            job next;
            bool more = false;
            {
                const locked held(lock_);
                if (!queue_.empty()) {
                    next = std::move(queue_.front());
                    queue_.pop_front();
                    more = !queue_.empty();
                } else if (closing_) {
                    return;
                }
            }
            if (more) wake_one(); // who added it relied on those who were looking
            if (next)
                next(); // doesn't throw: it keeps what its function throws
            else
                await_news(seen);
        }
    }
    void wake_one() noexcept {
        if (asleep_.load() != 0) os::wake_one(news_);
    }
    void await_news(std::uint32_t seen) noexcept {
        // A few at most look out for what comes next without sleeping: it is one who is wanted at a time.
        const bool may_spin = spinning_.fetch_add(1) < most_spinning;
        const bool there = may_spin && os::spin_for([&] { return news_.load() != seen; });
        spinning_.fetch_sub(1);
        if (there) return;
        asleep_.fetch_add(1); // then the kernel compares: whoever adds sees one of the two
        os::sleep_on(news_, seen, os::deadline::never());
        asleep_.fetch_sub(1);
    }
    void collect() {
        std::vector<std::shared_ptr<call_base>> ready;
        for (bool over = false; !over;) {
            wait_until(
                [&] {
                    const locked held(lock_);
                    for (auto& each : to_call_back_)
                        if (each->arrived()) ready.push_back(std::move(each));
                    std::erase(to_call_back_, nullptr);
                    over = collector_leaves_ && to_call_back_.empty();
                    return over || !ready.empty();
                },
                os::deadline::never());
            for (auto& each : ready) each->run_callbacks();
            ready.clear();
        }
    }

    static constexpr std::uint32_t most_spinning = 2;

    os::private_lock lock_;
    std::deque<job> queue_;
    std::vector<std::shared_ptr<call_base>> to_call_back_;
    std::exception_ptr broken_;
    bool terminated_ = false;
    bool collector_leaves_ = false;
    std::atomic<bool> closing_{false};
    std::atomic<std::uint32_t> news_{0};
    std::atomic<std::uint32_t> asleep_{0};
    std::atomic<std::uint32_t> spinning_{0};
    std::atomic<std::uint32_t> events_{0};
    std::atomic<std::uint32_t> waiting_{0};
    std::vector<os::thread> threads_;
    os::thread collector_;
};

/// A call on a gang: body() is done by one of its threads.
template <typename T>
class gang_call final : public call<T> {
public:
    using value_type = typename call<T>::value_type;

    gang_call(std::shared_ptr<gang> on, std::function<value_type()> body) : gang_(std::move(on)), body_(std::move(body)) {}

    /// On a thread of the gang.
    void run() noexcept {
        std::uint32_t none = pending;
        if (!state_.compare_exchange_strong(none, at_work)) return;
        try {
            if (const auto why = gang_->broken()) std::rethrow_exception(why);
            outcome_.emplace(body_());
        } catch (...) {
            failure_ = std::current_exception();
        }
        body_ = nullptr;
        state_.store(over);
        gang_->announce();
    }
    /// Nobody will do it any more.
    void drop() noexcept {
        std::uint32_t none = pending;
        if (state_.compare_exchange_strong(none, dropped)) gang_->announce();
    }

    bool arrived() override { return state_.load() >= over; }
    bool arrived_locked() override { return arrived(); }
    bool await(const os::deadline& until) override {
        return os::spin_for([&] { return arrived(); }) || gang_->wait_until([&] { return arrived(); }, until);
    }
    bool await_until(const std::function<bool()>& done, const os::deadline& until) override {
        return gang_->wait_until([&] { return done(); }, until);
    }
    [[nodiscard]] const void* host() const noexcept override { return gang_.get(); }
    bool cancel() override {
        std::uint32_t none = pending;
        if (!state_.compare_exchange_strong(none, cancelled_state)) return false;
        gang_->announce();
        return true;
    }
    bool running() override { return state_.load() == at_work; }
    bool cancelled() override { return state_.load() == cancelled_state; }
    bool failed() override { return state_.load() == over && failure_; }

private:
    enum : std::uint32_t { pending, at_work, over, cancelled_state, dropped };

    value_type fetch() override {
        switch (state_.load()) {
        case cancelled_state: throw CancelledError("the task was cancelled");
        case dropped: throw CancelledError("the pool was terminated before this was done");
        default: break;
        }
        if (failure_) std::rethrow_exception(failure_);
        return std::move(*outcome_);
    }
    void call_back_soon() override { gang_->call_back(this->shared_from_this()); }
    [[nodiscard]] bool runs_callbacks() const noexcept override { return gang_->is_collector(); }

    std::shared_ptr<gang> gang_;
    std::function<value_type()> body_;
    std::atomic<std::uint32_t> state_{pending};
    std::optional<value_type> outcome_;
    std::exception_ptr failure_;
};

} // namespace multiprocessing::pool
