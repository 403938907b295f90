// Floor 10, manager/pool: PoolProxy, a pool of workers that belong to a manager's server.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional> // std::invoke
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/made_by_call.hpp>
#include <multiprocessing/manager/near_or_far.hpp> // time_to_send
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/server_core.hpp> // serve
#include <multiprocessing/manager/waiting.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/pool/pool.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/callable.hpp>

namespace multiprocessing {

/// What apply_async() and the like of a PoolProxy return.
///
/// - Python: the proxy of an `AsyncResult`.
/// - When the server dies: EOFError, for whoever waits at once.
template <typename R>
class AsyncResultProxy {
public:
    /// The value, or what the call threw. Waits for it. Any number of times.
    R get() const { return take(os::deadline::never()); }
    /// TimeoutError if it isn't there by then.
    template <typename Rep, typename Period>
    R get(std::chrono::duration<Rep, Period> timeout) const {
        return take(os::deadline(timeout));
    }
    void wait() const { static_cast<void>(its_.ask<bool>("#wait", std::int64_t{-1})); }
    /// False when the time is up.
    template <typename Rep, typename Period>
    bool wait(std::chrono::duration<Rep, Period> timeout) const {
        return its_.ask<bool>("#wait", manager::time_to_send(os::deadline(timeout)));
    }
    [[nodiscard]] bool ready() const { return its_.ask<bool>("#wait", std::int64_t{0}); }
    /// Whether it is a value. ValueError when it isn't there yet.
    [[nodiscard]] bool successful() const { return its_.ask<bool>("#successful", std::uint8_t{}); }

    /// For managers.
    explicit AsyncResultProxy(manager::remote its) noexcept : its_(std::move(its)) {}

private:
    R take(const os::deadline& until) const {
        return manager::unpack_result<R>(its_.call("#get", its_.pack(manager::time_to_send(until))));
    }

    manager::remote its_;
};

/// What manager.Pool() returns: workers that belong to the manager's server, for any process of its family. They are there as long
/// as somebody holds this, and end with the server.
///
///     int square(int x) { return x * x; }
///
///     mp::Manager manager;
///     auto pool = manager.Pool(4);                                    // for children too, who needn't start workers
///     pool.map(square, std::vector{1, 2, 3});                         // 1, 4, 9
///
/// Its functions are those that travel without captures, as under spawn: functions, captureless lambdas, mp::bind(f, args...).
///
/// - Python: `PoolProxy`; imap() isn't here. A pool of this very process is mp::Pool, which takes any callable and copies less.
/// - Threads and processes: any of its family, at once. Over a network: not at all, since a function is nothing but a place in this
///   program, and what comes from a network is never taken for one.
/// - Start methods: all. By fork the workers are copies of the server, whose threads it warns of in the log, once.
/// - When a worker dies: WorkerLostError, as mp::Pool says. - When a client dies: what it began goes on.
/// - When the server dies: EOFError, for whoever waits at once.
/// - Errors: those of mp::Pool; NotPortableError for a function that can't travel.
class PoolProxy {
public:
    using options = PoolOptions;

    /// f(item) for each item of the range, in its order. Returns a vector, or nothing if f does.
    template <typename F, std::ranges::input_range Range>
    auto map(F f, Range&& range, std::optional<std::int64_t> chunksize = {}) const {
        using R = results_of<F, std::ranges::range_value_t<Range>>;
        return run<R>(&do_map<F, std::ranges::range_value_t<Range>>, f, collected(range), chunksize);
    }
    template <typename F, typename T>
    auto map(F f, std::initializer_list<T> items, std::optional<std::int64_t> chunksize = {}) const {
        return map(f, std::vector<T>(items), chunksize);
    }
    template <typename F, std::ranges::input_range Range>
    [[nodiscard]] auto map_async(F f, Range&& range, std::optional<std::int64_t> chunksize = {}) const {
        using R = results_of<F, std::ranges::range_value_t<Range>>;
        return start<R>(&do_map_async<F, std::ranges::range_value_t<Range>>, f, collected(range), chunksize);
    }
    /// f(a, b, ...) for each tuple (a, b, ...) of the range.
    template <typename F, std::ranges::input_range Range>
    auto starmap(F f, Range&& range, std::optional<std::int64_t> chunksize = {}) const {
        using T = std::ranges::range_value_t<Range>;
        using one = decltype(std::apply(std::declval<F&>(), std::declval<T&>()));
        return run<vector_of<std::remove_cvref_t<one>>>(&do_starmap<F, T>, f, collected(range), chunksize);
    }
    /// f(args...) in one worker; returns what it returns.
    template <typename F, typename... Args>
    auto apply(F f, const Args&... args) const {
        return run<applied<F, Args...>>(&do_apply<F, manager::detail::travelling_t<Args>...>, f,
                                        manager::detail::travelling_t<Args>(args)...);
    }
    template <typename F, typename... Args>
    [[nodiscard]] auto apply_async(F f, const Args&... args) const {
        return start<applied<F, Args...>>(&do_apply_async<F, manager::detail::travelling_t<Args>...>, f,
                                          manager::detail::travelling_t<Args>(args)...);
    }

    /// No more work is taken; the workers leave when what was begun is done.
    void close() const { ask<void>("#close"); }
    /// The workers end now; calls that others wait for fail with CancelledError.
    void terminate() const { ask<void>("#terminate"); }
    /// Waits until all workers have ended. After close() or terminate(); else ValueError.
    void join() const { ask<void>("#join"); }
    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(ask<std::uint64_t>("#size")); }
    [[nodiscard]] std::vector<pid_t> pids() const { return ask<std::vector<pid_t>>("#pids"); }

    /// The same pool.
    friend bool operator==(const PoolProxy& a, const PoolProxy& b) noexcept { return a.its_ == b.its_; }

    /// For managers.
    explicit PoolProxy(manager::remote its) noexcept : its_(std::move(its)) {}
    [[nodiscard]] static serial::message call_that_makes(const PoolOptions& options);

private:
    friend struct serial::codec<PoolProxy>;

    template <typename R>
    using vector_of = typename std::conditional_t<std::is_void_v<R>, std::type_identity<void>, std::type_identity<std::vector<R>>>::type;
    template <typename F, typename T>
    using results_of = vector_of<pool::result_of<F, T>>;
    template <typename F, typename... Args>
    using applied = std::remove_cvref_t<decltype(std::invoke(std::declval<F&>(), std::declval<manager::detail::travelling_t<Args>&>()...))>;

    template <typename Range>
    [[nodiscard]] static auto collected(Range&& range) {
        std::vector<std::ranges::range_value_t<Range>> all;
        for (auto&& each : range) all.push_back(static_cast<std::ranges::range_value_t<Range>>(std::forward<decltype(each)>(each)));
        return all;
    }
    template <typename R>
    R ask(std::string_view what) const {
        return its_.ask<R>(what, std::uint8_t{});
    }
    template <typename R, typename Call, typename... Args>
    R run(Call call, const Args&... args) const {
        return manager::unpack_result<R>(its_.call("#run", serial::pack_call(call, args...)));
    }
    template <typename R, typename Call, typename... Args>
    AsyncResultProxy<R> start(Call call, const Args&... args) const {
        return AsyncResultProxy<R>(run<manager::remote>(call, args...));
    }

    // What runs in the server, called by the bytes that pack_call() made here.
    static MapOptions options_of(const std::optional<std::int64_t>& chunksize) {
        MapOptions options;
        if (chunksize) options.chunksize = *chunksize;
        return options;
    }
    template <typename F, typename T>
    static void do_map(F f, std::vector<T> items, std::optional<std::int64_t> chunksize);
    template <typename F, typename T>
    static void do_map_async(F f, std::vector<T> items, std::optional<std::int64_t> chunksize);
    template <typename F, typename T>
    static void do_starmap(F f, std::vector<T> items, std::optional<std::int64_t> chunksize);
    template <typename F, typename... Args>
    static void do_apply(F f, Args... args);
    template <typename F, typename... Args>
    static void do_apply_async(F f, Args... args);

    manager::remote its_;
};

namespace manager {

/// A pool in a server.
class pool_servant final : public servant {
public:
    explicit pool_servant(PoolOptions options) : pool_(std::move(options)) {}

    serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override {
        demand_family(who, "a pool's work");
        if (method == "#run") {
            in_work mine{pool_, {}};
            in_work* const before = std::exchange(in_work::current(), &mine);
            try {
                serial::run_call(arguments);
            } catch (...) {
                in_work::current() = before;
                throw;
            }
            in_work::current() = before;
            return std::move(mine.answer);
        }
        if (method == "#size") return serial::pack_message(std::uint64_t{pool_.size()});
        if (method == "#pids") return serial::pack_message(pool_.pids());
        if (method == "#close") pool_.close();
        else if (method == "#terminate") pool_.terminate();
        else if (method == "#join") pool_.join();
        else refuse("Pool", method);
        return {};
    }

    /// What the call works with that this thread carries out.
    struct in_work {
        multiprocessing::Pool& pool;
        serial::message answer;

        [[nodiscard]] static in_work*& current() noexcept {
            static thread_local in_work* which = nullptr;
            return which;
        }
    };
    /// f(pool), and what it returns is the answer.
    template <typename F>
    static void answer_with(F f) {
        in_work* const mine = in_work::current();
        if (mine == nullptr) throw ValueError("this runs in a manager's server alone");
        if constexpr (std::is_void_v<decltype(f(mine->pool))>) f(mine->pool);
        else mine->answer = pack_result(f(mine->pool));
    }

private:
    multiprocessing::Pool pool_;
};

/// The result of a pool's call.
template <typename R>
class result_servant final : public servant {
public:
    explicit result_servant(AsyncResult<R> its) noexcept : its_(std::move(its)) {}

    serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override {
        if (method == "#successful") return serial::pack_message(its_.successful());
        const os::deadline until = received_time(serial::unpack_message<std::int64_t>(arguments));
        for (;;) { // who waits does what the pool needs meanwhile
            const bool is_there = its_.wait(next_look(until).left());
            if (!is_there && !until.passed()) {
                demand_there(who);
                continue;
            }
            if (method == "#wait") return serial::pack_message(is_there);
            if (method != "#get") refuse("AsyncResult", method);
            if (!is_there) throw TimeoutError("the result wasn't there in the time given");
            if constexpr (std::is_void_v<R>) return its_.get(), pack_no_result();
            else return pack_result<R>(its_.get());
        }
    }

private:
    AsyncResult<R> its_;
};

template <typename R>
[[nodiscard]] remote serve_result(AsyncResult<R> its) {
    return serve(std::make_shared<result_servant<R>>(std::move(its)), "AsyncResult");
}

inline void make_pool_here(std::optional<std::int64_t> processes, std::optional<std::int64_t> tasks, std::optional<int> method, int nice,
                           std::vector<int> affinity, std::map<std::string, std::string> env, std::string cwd) {
    PoolOptions options;
    if (processes) options.processes = *processes;
    if (tasks) options.maxtasksperchild = *tasks;
    if (method) options.start_method = static_cast<StartMethod>(*method);
    options.nice = nice;
    options.affinity = std::move(affinity);
    options.env = std::move(env);
    options.cwd = std::move(cwd);
    made_by_call::put(std::make_shared<pool_servant>(std::move(options)));
}

} // namespace manager

inline serial::message PoolProxy::call_that_makes(const PoolOptions& options) {
    if (!options.limits.empty() || options.trace)
        throw ValueError("the pool of a manager takes no .limits and no .trace: give those to an mp::Pool");
    const auto number = [](const std::optional<pool::whole_number>& x) {
        return x ? std::optional(x->value()) : std::nullopt;
    };
    const auto method = options.start_method ? std::optional(static_cast<int>(*options.start_method)) : std::nullopt;
    return serial::pack_call(&manager::make_pool_here, number(options.processes), number(options.maxtasksperchild), method, options.nice,
                             options.affinity, options.env, options.cwd);
}

template <typename F, typename T>
void PoolProxy::do_map(F f, std::vector<T> items, std::optional<std::int64_t> chunksize) {
    manager::pool_servant::answer_with([&](Pool& p) { return p.map(f, items, options_of(chunksize)); });
}
template <typename F, typename T>
void PoolProxy::do_map_async(F f, std::vector<T> items, std::optional<std::int64_t> chunksize) {
    manager::pool_servant::answer_with([&](Pool& p) { return manager::serve_result(p.map_async(f, items, options_of(chunksize))); });
}
template <typename F, typename T>
void PoolProxy::do_starmap(F f, std::vector<T> items, std::optional<std::int64_t> chunksize) {
    manager::pool_servant::answer_with([&](Pool& p) { return p.starmap(f, items, options_of(chunksize)); });
}
template <typename F, typename... Args>
void PoolProxy::do_apply(F f, Args... args) {
    manager::pool_servant::answer_with([&](Pool& p) { return p.apply(f, std::move(args)...); });
}
template <typename F, typename... Args>
void PoolProxy::do_apply_async(F f, Args... args) {
    manager::pool_servant::answer_with([&](Pool& p) { return manager::serve_result(p.apply_async(f, std::move(args)...)); });
}

namespace serial {

template <>
struct codec<PoolProxy> {
    static void write(writer& out, const PoolProxy& x) { serial::write(out, x.its_); }
    static PoolProxy make(reader& in) { return PoolProxy(serial::take<manager::remote>(in)); }
};

} // namespace serial
} // namespace multiprocessing
