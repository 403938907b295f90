// Floor 9, pool/result: AsyncResult: the outcome of a call that nobody waits for yet.
#pragma once

#include <chrono>
#include <concepts>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/pool/call.hpp>

namespace multiprocessing {

template <typename T>
class AsyncResult;

namespace pool {

struct result_access {
    template <typename T>
    [[nodiscard]] static AsyncResult<T> make(std::shared_ptr<call<T>> from) {
        return AsyncResult<T>(std::move(from));
    }
    template <typename T>
    [[nodiscard]] static const std::shared_ptr<call<T>>& call_of(const AsyncResult<T>& result) noexcept {
        return result.call_;
    }
};

} // namespace pool

/// What an asynchronous call returns at once: its outcome, as soon as there is one.
///
///     mp::AsyncResult<int> square = pool.apply_async(f, 7);
///     ...
///     fmt::print("{}\n", square.get());
///
///     pool.map_async(f, numbers).callback([](const std::vector<int>& all) { show(all); });     // nobody waits
///     int seven = co_await pool.apply_async(f, 7);                                             // in a coroutine
///
/// Copies are the same result. It is kept until the last of them is gone, however long; one that nobody holds is freed when
/// it arrives. The call is carried out whether anybody holds it or not.
///
/// - Python: `AsyncResult`. There callbacks are arguments of the call; here they are registered afterwards, which is the same,
///   for one registered after the outcome is there runs as well. There is no cancel() there.
/// - Threads: every function, by any thread. Waiting starts no thread. The first callback, or co_await, of a pool starts one,
///   on which all of that pool's callbacks run, one after the other, each exactly once; it ends with the pool.
/// - When the worker dies: get() throws WorkerLostError; or the call is done again (MapOptions::retries).
/// - When the pool is destroyed or terminated: what is there stays; what isn't ends with CancelledError.
/// - Errors: get() throws what the call threw, as its own type and as RemoteError; TimeoutError when the time is up.
template <typename T>
class AsyncResult {
public:
    /// No call's; only to be assigned to.
    AsyncResult() noexcept = default;

    /// The value, or what the call threw. Waits for it. Any number of times, unless the value can only be moved: then once,
    /// and from then on ValueError. From a temporary (`pool.map_async(...).get()`) the value is moved.
    T get() & { return get_until(os::deadline::never(), false); }
    T get() && { return get_until(os::deadline::never(), call_.use_count() == 1); }
    /// TimeoutError if it isn't there by then.
    template <typename Rep, typename Period>
    T get(std::chrono::duration<Rep, Period> timeout) {
        return get_until(os::deadline(timeout), false);
    }

    /// Waits for the outcome, and for the callbacks registered so far; whether it is good or bad isn't said.
    void wait() const { static_cast<void>(own().wait(os::deadline::never())); }
    /// False when the time is up.
    template <typename Rep, typename Period>
    bool wait(std::chrono::duration<Rep, Period> timeout) const {
        return own().wait(os::deadline(timeout));
    }

    /// Whether the outcome is there.
    [[nodiscard]] bool ready() const { return own().ready(); }
    /// Whether it is a value. ValueError when it isn't there yet.
    [[nodiscard]] bool successful() const {
        if (!own().ready()) throw ValueError("successful() is known when the result is ready, and it isn't");
        return own().error() == nullptr;
    }

    /// Has it not done, or no further: true if that could be said before it was. A single task that a worker is on already
    /// is left alone: false. Of a map the items that haven't been begun are dropped. Then get() throws CancelledError.
    bool cancel() const { return own().cancel(); }

    /// f(value) when there is one, f() where there is none to be had. Returns this result, for another.
    template <typename F>
    const AsyncResult& callback(F f) const;
    /// f(error) when there is one: a std::exception_ptr, or const std::exception& if f takes that.
    template <typename F>
    const AsyncResult& error_callback(F f) const;

    /// co_await: the coroutine goes on with the value, or with what the call threw, on the thread of the callbacks.
    [[nodiscard]] auto operator co_await() const {
        struct awaiter {
            AsyncResult result;
            [[nodiscard]] bool await_ready() const { return result.ready(); }
            void await_suspend(std::coroutine_handle<> rest) const { result.own().when_done([rest] { rest.resume(); }); }
            T await_resume() { return result.get(); }
        };
        return awaiter{*this};
    }

private:
    friend struct pool::result_access;
    explicit AsyncResult(std::shared_ptr<pool::call<T>> from) noexcept : call_(std::move(from)) {}

    [[nodiscard]] pool::call<T>& own() const {
        if (!call_) throw ValueError("this AsyncResult belongs to no call: it was made empty, or moved from");
        return *call_;
    }
    T get_until(const os::deadline& until, bool last);

    std::shared_ptr<pool::call<T>> call_;
};

template <typename T>
T AsyncResult<T>::get_until(const os::deadline& until, bool last) {
    pool::call<T>& from = own();
    if (!from.wait(until)) throw TimeoutError("the result isn't there yet");
    if constexpr (std::is_void_v<T>) {
        static_cast<void>(from.value());
        static_cast<void>(last);
    } else if constexpr (std::copy_constructible<T>) {
        return last ? from.take() : from.value();
    } else {
        return from.take();
    }
}

template <typename T>
template <typename F>
const AsyncResult<T>& AsyncResult<T>::callback(F f) const {
    // Not the shared pointer: the call would hold itself. It is there as long as its callbacks run.
    own().when_done([from = call_.get(), f = std::make_shared<F>(std::move(f))] {
        if (from->error()) return;
        if constexpr (std::is_void_v<T>) {
            std::invoke(*f);
        } else if constexpr (std::is_invocable_v<F&, const T&>) {
            std::invoke(*f, std::as_const(from->value()));
        } else if constexpr (std::is_invocable_v<F&, T&&>) {
            std::invoke(*f, from->take());
        } else {
            static_assert(std::is_invocable_v<F&>, "a callback takes the value of the call, or nothing");
            std::invoke(*f);
        }
    });
    return *this;
}

template <typename T>
template <typename F>
const AsyncResult<T>& AsyncResult<T>::error_callback(F f) const {
    own().when_done([from = call_.get(), f = std::make_shared<F>(std::move(f))] {
        const std::exception_ptr error = from->error();
        if (!error) return;
        if constexpr (std::is_invocable_v<F&, std::exception_ptr>) {
            std::invoke(*f, error);
        } else {
            static_assert(std::is_invocable_v<F&, const std::exception&>,
                          "an error callback takes a std::exception_ptr or a const std::exception&");
            try {
                std::rethrow_exception(error);
            } catch (const std::exception& e) {
                std::invoke(*f, e);
            }
        }
    });
    return *this;
}

} // namespace multiprocessing
