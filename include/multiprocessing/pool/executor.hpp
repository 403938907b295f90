// Floor 9, pool/executor: ProcessPoolExecutor: a pool as concurrent.futures has it.
#pragma once

#include <algorithm> // std::find
#include <atomic>
#include <chrono>
#include <concepts>
#include <csignal> // SIGTERM, SIGKILL
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex> // std::lock_guard
#include <optional>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/pool/call.hpp>
#include <multiprocessing/pool/imap.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/pool/pool.hpp>
#include <multiprocessing/pool/result.hpp>

namespace multiprocessing::futures {

/// A worker of the executor died, or couldn't begin: all that was outstanding fails with this, and all that is submitted
/// afterwards. what() says who died, and how.
struct BrokenProcessPool : ProcessError {
    using ProcessError::ProcessError;
};

class ProcessPoolExecutor;

/// The outcome of something submitted.
///
///     mp::futures::Future<int> square = executor.submit(f, 7);
///     square.add_done_callback([](auto& future) { show(future.result()); });
///
/// Copies are the same future.
///
/// - Python: `concurrent.futures.Future`.
/// - Threads: every function, by any thread; see AsyncResult for callbacks.
template <typename R>
class Future {
public:
    using value_type = R;
    Future() noexcept = default;

    /// The value, or what it threw; CancelledError if it was cancelled.
    R result() { return result_.get(); }
    template <typename Rep, typename Period>
    R result(std::chrono::duration<Rep, Period> timeout) {
        return result_.get(timeout);
    }
    /// What it threw; null if it didn't. CancelledError if it was cancelled.
    [[nodiscard]] std::exception_ptr exception() const { return exception_until(os::deadline::never()); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::exception_ptr exception(std::chrono::duration<Rep, Period> timeout) const {
        return exception_until(os::deadline(timeout));
    }

    [[nodiscard]] bool done() const { return own().arrived(); }
    [[nodiscard]] bool running() const { return own().running(); }
    [[nodiscard]] bool cancelled() const { return own().cancelled(); }
    /// True if it won't be done; again as well. False if somebody is on it, or it is over.
    bool cancel() const { return own().cancelled() || own().cancel(); }

    /// f(future) when it is done, at once if it is; in the order added. What f throws is logged.
    template <typename F>
    void add_done_callback(F f) const {
        own().when_done([weak = std::weak_ptr(pool::result_access::call_of(result_)), f = std::make_shared<F>(std::move(f))] {
            if (auto strong = weak.lock()) {
                Future self(pool::result_access::make(std::move(strong)));
                std::invoke(*f, self);
            }
        });
    }

    friend bool operator==(const Future& a, const Future& b) noexcept { return a.identity() == b.identity(); }
    [[nodiscard]] const void* identity() const noexcept { return pool::result_access::call_of(result_).get(); }
    [[nodiscard]] pool::call<R>& own() const {
        if (!pool::result_access::call_of(result_)) throw ValueError("this Future belongs to nothing that was submitted");
        return *pool::result_access::call_of(result_);
    }

private:
    friend class ProcessPoolExecutor;
    explicit Future(AsyncResult<R> result) noexcept : result_(std::move(result)) {}

    [[nodiscard]] std::exception_ptr exception_until(const os::deadline& until) const {
        if (!own().wait(until)) throw TimeoutError("the future isn't done yet");
        const std::exception_ptr error = own().error();
        if (own().cancelled()) std::rethrow_exception(error);
        return error;
    }

    AsyncResult<R> result_;
};

/// When wait() is to return.
enum return_when { FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED };

namespace detail {

/// Waits until `enough(has_arrived, has_failed)` of all these calls, each a function of a call.
template <typename R, typename Enough>
bool wait_for(const std::vector<Future<R>>& all, Enough enough, const os::deadline& until) {
    const auto arrived = [](const Future<R>& f) { return f.own().arrived(); };
    const auto failed = [](const Future<R>& f) { return f.own().failed(); };
    if (all.empty() || enough(arrived, failed)) return true;
    const void* host = all.front().own().host();
    if (std::all_of(all.begin(), all.end(), [&](const auto& each) { return each.own().host() == host; })) {
        for (const auto& each : all) each.own().want();
        const auto arrived_locked = [](const Future<R>& f) { return f.own().arrived_locked(); };
        return all.front().own().await_until([&] { return enough(arrived_locked, failed); }, until);
    }
    // Of several executors: each tells when it has one.
    auto told = std::make_shared<std::atomic<std::uint32_t>>(0);
    for (const auto& each : all)
        each.own().when_done([told] {
            told->fetch_add(1);
            os::wake_all(*told);
        });
    for (;;) {
        const std::uint32_t seen = told->load();
        if (enough(arrived, failed)) return true;
        if (!os::sleep_on(*told, seen, until)) return enough(arrived, failed);
    }
}

template <typename R>
[[nodiscard]] std::vector<Future<R>> without_duplicates(std::vector<Future<R>> all) {
    std::vector<Future<R>> unique;
    for (auto& each : all)
        if (std::find(unique.begin(), unique.end(), each) == unique.end()) unique.push_back(std::move(each));
    return unique;
}

} // namespace detail

/// What wait() found.
template <typename R>
struct DoneAndNotDone {
    std::vector<Future<R>> done, not_done;
};

/// Waits for one, for all, or for the first that fails. Duplicates count once; the lists are in the order given.
///
/// - Python: `concurrent.futures.wait`. A cancelled future is done here at once.
template <typename R>
DoneAndNotDone<R> wait(std::vector<Future<R>> fs, return_when how = ALL_COMPLETED, pool::time_span timeout = {}) {
    const auto all = detail::without_duplicates(std::move(fs));
    const auto until = timeout.given() ? os::deadline::after(timeout.value()) : os::deadline::never();
    static_cast<void>(detail::wait_for(
        all,
        [&](auto arrived, auto failed) {
            std::size_t n = 0;
            for (const auto& each : all) {
                if (!arrived(each)) continue;
                ++n;
                if (how == FIRST_COMPLETED || (how == FIRST_EXCEPTION && failed(each))) return true;
            }
            return n == all.size();
        },
        until));
    DoneAndNotDone<R> found;
    for (const auto& each : all) (each.done() ? found.done : found.not_done).push_back(each);
    return found;
}
/// In Python's order.
template <typename R>
DoneAndNotDone<R> wait(std::vector<Future<R>> fs, pool::time_span timeout, return_when how = ALL_COMPLETED) {
    return wait(std::move(fs), how, timeout);
}

/// What as_completed() returns: the futures as they are done, as an input range.
template <typename R>
class Completions {
public:
    Completions(std::vector<Future<R>> fs, os::deadline until)
        : left_(detail::without_duplicates(std::move(fs))), total_(left_.size()), until_(until) {}

    class iterator {
    public:
        using value_type = Future<R>;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        iterator() = default;
        explicit iterator(Completions* from) : from_(from) { ++*this; }
        Future<R>& operator*() const { return *current_; }
        iterator& operator++() {
            current_ = from_->next();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return !current_; }

    private:
        Completions* from_ = nullptr;
        mutable std::optional<Future<R>> current_;
    };
    iterator begin() { return iterator(this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    std::optional<Future<R>> next() {
        if (left_.empty()) return std::nullopt;
        const auto enough = [&](auto arrived, auto) { return std::any_of(left_.begin(), left_.end(), arrived); };
        if (!detail::wait_for(left_, enough, until_))
            throw TimeoutError(fmt::format("{} (of {}) futures unfinished", left_.size(), total_));
        const auto found = std::find_if(left_.begin(), left_.end(), [](const auto& each) { return each.done(); });
        Future<R> next = *found;
        left_.erase(found);
        return next;
    }

    std::vector<Future<R>> left_;
    std::size_t total_;
    os::deadline until_;
};

/// The futures as they are done, each once.
///
/// - Python: `concurrent.futures.as_completed`.
/// - Errors: TimeoutError, while one is waited for, that says how many aren't done.
template <typename R>
[[nodiscard]] Completions<R> as_completed(std::vector<Future<R>> fs, pool::time_span timeout = {}) {
    return Completions<R>(std::move(fs), timeout.given() ? os::deadline::after(timeout.value()) : os::deadline::never());
}

/// A Pool with the interface of concurrent.futures.
///
///     mp::futures::ProcessPoolExecutor executor(4);
///     auto square = executor.submit(f, 7);
///     fmt::print("{}\n", square.result());
///
/// What a worker's death means is the difference to Pool: it breaks the executor. All that is outstanding, and all that is
/// submitted later, fails with BrokenProcessPool. Whoever wants only the work of that worker to fail uses a Pool.
///
/// - Python: `concurrent.futures.ProcessPoolExecutor`; all workers are started at once. Submitting after shutdown() is a
///   ProcessError (a std::runtime_error, as there).
/// - Threads: as Pool. A callback starts the one thread there is, not submitting.
/// - The destructor is shutdown(): it waits for what was submitted.
class ProcessPoolExecutor {
public:
    ProcessPoolExecutor() : ProcessPoolExecutor(PoolOptions{}) {}
    template <std::integral N>
    explicit ProcessPoolExecutor(N max_workers) : ProcessPoolExecutor(PoolOptions{.processes = max_workers}) {}
    explicit ProcessPoolExecutor(PoolOptions options) : pool_(std::move(options), pool::broken_by_death{breaking()}) {}
    template <typename F, typename... Args>
        requires std::invocable<std::decay_t<F>&, std::decay_t<Args>&...>
    ProcessPoolExecutor(PoolOptions options, F&& initializer, Args&&... initargs)
        : pool_(std::move(options), pool::broken_by_death{breaking()}, std::forward<F>(initializer), std::forward<Args>(initargs)...) {}

    ProcessPoolExecutor(const ProcessPoolExecutor&) = delete;
    ProcessPoolExecutor& operator=(const ProcessPoolExecutor&) = delete;
    ~ProcessPoolExecutor() {
        try {
            shutdown();
        } catch (const std::exception&) {
            // another process's copy
        }
    }

    /// f(args...) in a worker.
    template <typename F, typename... Args>
    auto submit(F&& f, Args&&... args) {
        require_service();
        return made(pool_.apply_async(std::forward<F>(f), std::forward<Args>(args)...));
    }

    /// f(item) for each, in order. All are submitted at once, unless a buffersize says how many ahead of the results; what is
    /// left when the iterator is destroyed is cancelled.
    template <typename F, std::ranges::input_range Range>
    auto map(F&& f, Range&& range, MapOptions options = {}) {
        require_service();
        if (options.chunksize.value() < 0) throw ValueError("chunksize must be >= 1.");
        if (options.buffersize.value() == 0) options.buffersize = INT64_MAX;
        return pool_.imap(std::forward<F>(f), std::forward<Range>(range), options);
    }
    template <typename F, typename T, typename Options = MapOptions>
    auto map(F&& f, std::initializer_list<T> items, Options options = {}) {
        return map(std::forward<F>(f), std::vector<T>(items), options);
    }

    /// Nothing more is taken. `wait`: returns when what was submitted is done, and the workers have ended. `cancel_futures`: what
    /// hasn't begun is cancelled.
    void shutdown(bool wait = true, bool cancel_futures = false) {
        {
            const std::lock_guard held(lock_);
            shut_ = true;
        }
        if (cancel_futures) cancel_all();
        pool_.close();
        if (wait) pool_.join();
    }
    /// SIGTERM to all workers: what they were on fails with BrokenProcessPool, what hadn't begun is cancelled.
    void terminate_workers() { end_workers(SIGTERM); }
    void kill_workers() { end_workers(SIGKILL); }

private:
    static std::function<std::exception_ptr(const std::string&)> breaking() {
        return [](const std::string& why) { return std::make_exception_ptr(BrokenProcessPool("the process pool is broken: " + why)); };
    }
    void require_service() {
        const std::lock_guard held(lock_);
        if (const auto why = pool_.broken()) std::rethrow_exception(why);
        if (shut_) throw ProcessError("cannot schedule new futures after shutdown");
    }
    template <typename R>
    Future<R> made(AsyncResult<R> result) {
        const std::lock_guard held(lock_);
        if (outstanding_.size() >= look_again_) { // those that are over needn't be remembered
            std::erase_if(outstanding_, [](const auto& each) {
                const auto call = each.lock();
                return !call || call->arrived();
            });
            look_again_ = std::max<std::size_t>(64, 2 * outstanding_.size());
        }
        outstanding_.push_back(pool::result_access::call_of(result));
        return Future<R>(std::move(result));
    }
    void cancel_all() {
        std::vector<std::weak_ptr<pool::call_base>> all;
        {
            const std::lock_guard held(lock_);
            all.swap(outstanding_);
        }
        for (const auto& each : all)
            if (const auto call = each.lock()) call->cancel();
    }
    void end_workers(int signal) {
        {
            const std::lock_guard held(lock_);
            shut_ = true;
        }
        cancel_all();
        pool_.end_workers(signal, "its workers were ended");
    }

    Pool pool_;
    os::private_lock lock_;
    bool shut_ = false;
    std::vector<std::weak_ptr<pool::call_base>> outstanding_;
    std::size_t look_again_ = 64;
};

} // namespace multiprocessing::futures

// The names of concurrent.futures, for those who write mp:: before every name.
namespace multiprocessing {
using futures::ALL_COMPLETED;
using futures::as_completed;
using futures::BrokenProcessPool;
using futures::FIRST_COMPLETED;
using futures::FIRST_EXCEPTION;
using futures::Future;
using futures::ProcessPoolExecutor;
using futures::wait;
} // namespace multiprocessing
