// Floor 9, pool/call: an asynchronous call: where its outcome is found, and who is told.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex> // std::lock_guard, std::unique_lock
#include <optional>
#include <type_traits>
#include <utility>
#include <variant> // std::monostate
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/private_lock.hpp>

namespace multiprocessing::pool {

/// A call that somebody will ask about. What arrives is an outcome, once; it is fetched by the first who wants it, and kept.
///
/// - Threads: any function, by any thread.
class call_base : public std::enable_shared_from_this<call_base> {
public:
    call_base() = default;
    call_base(const call_base&) = delete;
    call_base& operator=(const call_base&) = delete;
    virtual ~call_base() = default;

    /// Whether the outcome is there.
    [[nodiscard]] virtual bool arrived() = 0;
    /// The same for whoever has the lock of the crew.
    [[nodiscard]] virtual bool arrived_locked() = 0;
    /// Whoever sleeps is to be rung for when it arrives.
    virtual void want() noexcept {}
    /// Waits until it has arrived. False when the time is up.
    virtual bool await(const os::deadline& until) = 0;
    /// Waits, as if for this call, until done(), which is called with the lock of the crew held.
    virtual bool await_until(const std::function<bool()>& done, const os::deadline& until) = 0;
    /// What it waits on: calls of one host can be waited for together.
    [[nodiscard]] virtual const void* host() const noexcept = 0;
    /// True if it won't be done, or no further.
    virtual bool cancel() = 0;
    /// Somebody works on it.
    [[nodiscard]] virtual bool running() = 0;
    /// It was cancelled before it was begun.
    [[nodiscard]] virtual bool cancelled() = 0;
    /// It has arrived, and is an error that isn't a cancellation.
    [[nodiscard]] virtual bool failed() = 0;

    /// As await(), and until the callbacks that were registered have run; but these themselves don't wait for one another.
    bool wait(const os::deadline& until);
    [[nodiscard]] bool ready() { return arrived() && (callbacks_.load() == 0 || runs_callbacks()); }

    /// What was registered, once each; nothing they throw gets out. By one thread, when the outcome has arrived.
    void run_callbacks() noexcept;

protected:
    using callback = std::function<void()>;
    void add_callback(callback f);

    /// Has run_callbacks() called when the outcome has arrived, on the thread that does nothing else.
    virtual void call_back_soon() = 0;
    /// Whether the caller is that thread.
    [[nodiscard]] virtual bool runs_callbacks() const noexcept = 0;

    os::private_lock lock_; // around what follows, and the outcome

private:
    std::vector<callback> registered_;
    std::atomic<std::uint32_t> callbacks_{0}; // that haven't run
};

/// With an outcome of type T.
template <typename T>
class call : public call_base {
public:
    using value_type = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

    /// What it threw; null if it didn't. It has arrived.
    [[nodiscard]] std::exception_ptr error() {
        settle();
        return error_;
    }
    /// The value itself, for as long as the call is there; throws what it threw. It has arrived.
    [[nodiscard]] value_type& value() {
        settle();
        if (error_) std::rethrow_exception(error_);
        if (!value_) throw ValueError("this result has been moved out of its AsyncResult already");
        return *value_;
    }
    [[nodiscard]] value_type take() {
        value_type taken = std::move(value());
        const std::lock_guard held(lock_);
        value_.reset();
        return taken;
    }

    /// f() when the outcome has arrived.
    void when_done(std::function<void()> f) { add_callback(std::move(f)); }

protected:
    /// Fetches the outcome, once; throws it if it is an error.
    virtual value_type fetch() = 0;

    /// Fetches it unless that was done.
    void settle() {
        if (settled_.load(std::memory_order_acquire)) return;
        const std::lock_guard held(fetching_);
        if (settled_.load(std::memory_order_relaxed)) return;
        try {
            value_.emplace(fetch());
        } catch (...) {
            error_ = std::current_exception();
        }
        settled_.store(true, std::memory_order_release);
    }
    [[nodiscard]] bool has_settled() const noexcept { return settled_.load(std::memory_order_acquire); }

private:
    os::private_lock fetching_;
    std::atomic<bool> settled_{false};
    std::optional<value_type> value_;
    std::exception_ptr error_;
};

inline bool call_base::wait(const os::deadline& until) {
    if (!arrived() && !await(until)) return false;
    while (const std::uint32_t left = callbacks_.load()) {
        if (runs_callbacks()) return true;
        if (!os::sleep_on(callbacks_, left, until)) return callbacks_.load() == 0;
    }
    return true;
}

inline void call_base::add_callback(callback f) {
    {
        const std::lock_guard held(lock_);
        registered_.push_back(std::move(f));
        if (callbacks_.fetch_add(1) != 0) return; // whoever runs those runs this one too
    }
    call_back_soon();
}

inline void call_base::run_callbacks() noexcept {
    for (;;) {
        callback next;
        {
            const std::lock_guard held(lock_);
            if (registered_.empty()) return;
            next = std::move(registered_.front());
            registered_.erase(registered_.begin());
        }
        try {
            next();
        } catch (const std::exception& error) {
            os::log(os::log_level::error, "a callback threw {}", error.what());
        } catch (...) {
            os::log(os::log_level::error, "a callback threw what is no std::exception");
        }
        next = nullptr; // what it captured is gone before anybody is told
        const std::lock_guard held(lock_);
        callbacks_.fetch_sub(1);
        os::wake_all(callbacks_);
    }
}

} // namespace multiprocessing::pool
