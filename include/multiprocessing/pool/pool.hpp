// Floor 9, pool/pool: Pool: worker processes that apply a function to many items.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional> // std::function, std::invoke
#include <initializer_list>
#include <iterator>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/cpu.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/pool/crew.hpp>
#include <multiprocessing/pool/dispatch.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/process/start_method.hpp>

namespace multiprocessing {

/// A fixed number of worker processes that apply a function to many items at once.
///
///     int square(int x) { return x * x; }
///
///     mp::Pool pool(4);
///     std::vector<int> squares = pool.map(square, std::vector{1, 2, 3});       // 1, 4, 9
///     pool.for_each([&](const fs::path& file) { convert(file, settings); }, files);
///
/// Any callable works. A captureless one (a function, a captureless lambda, an empty functor) runs on the workers that
/// stand since the pool was made, if its items can travel (API of serialization.hpp). One with captures, or whose items
/// can't travel, runs on workers forked from the caller at that moment, as many as the pool has: it, what it refers to
/// and the items are exactly as the caller sees them, and nothing is copied to them. What is done to them stays there.
/// Results must be able to travel.
///
/// - Python: `multiprocessing.Pool`, and better than it in this: a worker that dies fails the calls whose items it held, at
///   once and by name, and is replaced (Python's hang for ever); the chunk size is found as the map runs; an initializer
///   that throws fails the calls; after terminate() what is outstanding fails. Results come in the order of the items, as
///   there. The destructor does what `with` does: terminate(), then join().
/// - Threads: every function, by many threads at once, of the process that made the pool; another process's copy throws
///   ValueError. No thread is started: whoever waits for a result does what the pool needs meanwhile.
/// - When a worker dies (SIGKILL, SIGSEGV, exit, out of memory): WorkerLostError to whoever waits for an item that it held,
///   naming the item, the pid and the signal; other calls don't notice. When this process dies, however it dies, its
///   workers end within moments, also while they compute.
/// - Start methods: fork.
/// - Errors: ValueError for a size below 1, and for calls in the wrong state; what a task throws is thrown by the call (the
///   first one; the rest of that map is dropped), as its own type and as RemoteError; CancelledError after terminate().
class Pool {
public:
    /// As many workers as there are processors that this process may use (process_cpu_count).
    Pool() : Pool(PoolOptions{}) {}
    template <std::integral N>
    explicit Pool(N processes) : Pool(PoolOptions{.processes = processes}) {}
    explicit Pool(PoolOptions options) : Pool(std::move(options), std::function<void()>()) {}

    /// Each worker calls `initializer(initargs...)` before anything else.
    template <typename F, typename... Args>
        requires std::invocable<std::decay_t<F>&, std::decay_t<Args>&...>
    Pool(PoolOptions options, F&& initializer, Args&&... initargs);

    Pool(Pool&&) noexcept = default;
    Pool& operator=(Pool&&) noexcept = default;

    /// f(item) for each item of the range, in its order. Returns a vector, or nothing if f does.
    ///
    /// The range may be any input range; what isn't single-pass is not copied first. f may take its item by value, by
    /// rvalue or by reference; what it does to it is seen by nobody.
    template <typename F, std::ranges::input_range Range>
    auto map(F&& f, Range&& range, MapOptions options = {});
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    auto map(F&& f, Range&& range, Chunk chunksize) {
        return map(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T>
    auto map(F&& f, std::initializer_list<T> items, MapOptions options = {}) {
        return map(std::forward<F>(f), std::vector<T>(items), options);
    }
    template <typename F, typename T, std::integral Chunk>
    auto map(F&& f, std::initializer_list<T> items, Chunk chunksize) {
        return map(std::forward<F>(f), std::vector<T>(items), MapOptions{.chunksize = chunksize});
    }

    /// f(a, b, ...) for each tuple (a, b, ...) of the range.
    template <typename F, std::ranges::input_range Range>
    auto starmap(F&& f, Range&& range, MapOptions options = {});
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    auto starmap(F&& f, Range&& range, Chunk chunksize) {
        return starmap(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T>
    auto starmap(F&& f, std::initializer_list<T> items, MapOptions options = {}) {
        return starmap(std::forward<F>(f), std::vector<T>(items), options);
    }
    template <typename F, typename T, std::integral Chunk>
    auto starmap(F&& f, std::initializer_list<T> items, Chunk chunksize) {
        return starmap(std::forward<F>(f), std::vector<T>(items), MapOptions{.chunksize = chunksize});
    }

    /// out[i] = f(in[i]). `out` is contiguous, of values whose bytes are all there is to them, and has room for all items
    /// (else ValueError). What stands in common memory already (an Array, a RawArray) is read and written there by the
    /// workers, without a copy. After an error some of `out` is written.
    template <typename F, std::ranges::input_range In, std::ranges::contiguous_range Out>
    void map_into(F&& f, In&& in, Out&& out, MapOptions options = {});
    template <typename F, std::ranges::input_range In, std::ranges::contiguous_range Out, std::integral Chunk>
    void map_into(F&& f, In&& in, Out&& out, Chunk chunksize) {
        map_into(std::forward<F>(f), std::forward<In>(in), std::forward<Out>(out), MapOptions{.chunksize = chunksize});
    }

    /// f(item) for each item, for what it does.
    template <typename F, std::ranges::input_range Range>
    void for_each(F&& f, Range&& range, MapOptions options = {});
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    void for_each(F&& f, Range&& range, Chunk chunksize) {
        for_each(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T>
    void for_each(F&& f, std::initializer_list<T> items, MapOptions options = {}) {
        for_each(std::forward<F>(f), std::vector<T>(items), options);
    }

    /// f(args...) in one worker; returns what it returns.
    template <typename F, typename... Args>
    auto apply(F&& f, Args&&... args);

    /// No more work is taken; the workers leave when what was begun is done.
    void close() { own().close(); }
    /// The workers end now; calls that other threads wait for fail with CancelledError.
    void terminate() { own().terminate(); }
    /// Waits until all workers have ended. After close() or terminate(); else ValueError.
    void join();

    /// How many workers it has.
    [[nodiscard]] std::size_t size() const noexcept { return crew_->size(); }
    /// Of the workers that stand now. A dead one is replaced while somebody waits for a result, or asks for this.
    [[nodiscard]] std::vector<pid_t> pids() { return own().pids(); }

private:
    [[nodiscard]] pool::crew& own() const;
    [[nodiscard]] pool::crew& in_service() const;

    template <typename F, typename Range, typename Wanted>
    auto run(F& f, Range& range, const MapOptions& options, Wanted wanted);

    std::unique_ptr<pool::crew> crew_;
    std::uint64_t modules_ = 0; // loaded when the workers were forked
};

namespace pool {

[[nodiscard]] inline unsigned checked_size(const PoolOptions& options) {
    if (!options.processes) return os::process_cpu_count();
    const std::int64_t n = options.processes->value();
    if (n < 1) throw ValueError(fmt::format("a pool needs at least 1 process, not {}", n));
    if (n > max_workers) throw ValueError(fmt::format("a pool can have {} processes at most, not {}", max_workers, n));
    return static_cast<unsigned>(n);
}

/// What a call requires of its callable and its results, said before anything else can go wrong.
template <typename F, typename T>
constexpr void check_call() {
    static_assert(CallableWith<F, T>, "the function can't be called with an item of this range");
    if constexpr (CallableWith<F, T>) {
        using R = result_of<F, T>;
        static_assert(std::is_void_v<R> || Serializable<R>,
                      "what the function returns can't travel back from a worker: return a value (arithmetic, string, standard "
                      "container, aggregate of such, or a type with cereal's serialize), not a pointer, reference or view");
    }
}

} // namespace pool

template <typename F, typename... Args>
    requires std::invocable<std::decay_t<F>&, std::decay_t<Args>&...>
Pool::Pool(PoolOptions options, F&& initializer, Args&&... initargs) {
    process::require_available(options.start_method);
    pool::crew::terms terms;
    terms.workers = pool::checked_size(options);
    terms.conditions.affinity = std::move(options.affinity);
    terms.conditions.limits = options.limits;
    if constexpr (std::is_same_v<std::decay_t<F>, std::function<void()>> && sizeof...(Args) == 0) {
        terms.initializer = std::forward<F>(initializer);
    } else {
        // Shared, because std::function wants what it holds to be copyable.
        auto call = std::make_shared<std::tuple<std::decay_t<F>, std::decay_t<Args>...>>(std::forward<F>(initializer),
                                                                                      std::forward<Args>(initargs)...);
        terms.initializer = [call] {
            std::apply([](auto& f, auto&... args) { static_cast<void>(std::invoke(f, args...)); }, *call);
        };
    }
    modules_ = os::modules_loaded();
    crew_ = std::make_unique<pool::crew>(std::move(terms));
}

inline pool::crew& Pool::own() const {
    if (!crew_) throw ValueError("this Pool was moved from");
    if (!crew_->is_ours())
        throw ValueError("a Pool can be used by the process that made it alone: make another one here");
    return *crew_;
}

inline pool::crew& Pool::in_service() const {
    pool::crew& all = own();
    if (all.ended()) throw ValueError("Pool not running");
    return all;
}

inline void Pool::join() {
    pool::crew& all = own();
    if (!all.ended()) throw ValueError("Pool is still running: close() or terminate() it first");
    all.join();
}

template <typename F, typename Range, typename Wanted>
auto Pool::run(F& f, Range& range, const MapOptions& options, Wanted wanted) {
    using T = std::ranges::range_value_t<Range>;
    pool::crew& all = in_service();
    const std::uint64_t chunk = pool::checked_chunksize(options);
    if constexpr (!std::ranges::forward_range<Range>) {
        // Can be gone through once only, so the items have to be kept.
        std::vector<T> items;
        for (auto&& item : range) items.emplace_back(std::forward<decltype(item)>(item));
        return run(f, items, options, std::move(wanted));
    } else {
        const auto n = static_cast<std::uint64_t>(std::ranges::distance(range));
        if (n == 0) return wanted.nothing();
        if constexpr (pool::KnownToAll<F> && Serializable<T>) {
            const pool::chunk_function code = &pool::run_chunk<F, pool::standing_items<T>, typename Wanted::results>;
            if (pool::workers_have(f, modules_, code))
                return pool::run_on_standing(all, f, range, n, chunk, std::move(wanted));
        }
        return pool::run_on_heirs(all.size(), f, range, n, chunk, std::move(wanted));
    }
}

template <typename F, std::ranges::input_range Range>
auto Pool::map(F&& f, Range&& range, MapOptions options) {
    using Call = std::decay_t<F>;
    using T = std::ranges::range_value_t<Range>;
    pool::check_call<Call, T>();
    using R = pool::result_of<Call, T>;
    pool::as_callable<F> call(f);
    if constexpr (std::is_void_v<R>)
        run(call.get(), range, options, pool::discarded{});
    else
        return run(call.get(), range, options, pool::collected<R>{});
}

template <typename F, std::ranges::input_range Range>
auto Pool::starmap(F&& f, Range&& range, MapOptions options) {
    return map(pool::starred<std::decay_t<F>>{std::forward<F>(f)}, std::forward<Range>(range), options);
}

template <typename F, std::ranges::input_range In, std::ranges::contiguous_range Out>
void Pool::map_into(F&& f, In&& in, Out&& out, MapOptions options) {
    using Call = std::decay_t<F>;
    using T = std::ranges::range_value_t<In>;
    using U = std::ranges::range_value_t<Out>;
    static_assert(pool::CallableWith<Call, T>, "the function can't be called with an item of this range");
    static_assert(pool::Plain<U>, "map_into writes values whose bytes are all there is to them: use map() for others");
    static_assert(std::convertible_to<pool::result_of<Call, T>, U>, "what the function returns doesn't fit into `out`");
    const auto room = static_cast<std::uint64_t>(std::ranges::distance(out));
    pool::as_callable<F> call(f);
    run(call.get(), in, options, pool::written_into<U>(std::to_address(std::ranges::begin(out)), room));
}

template <typename F, std::ranges::input_range Range>
void Pool::for_each(F&& f, Range&& range, MapOptions options) {
    using Call = std::decay_t<F>;
    static_assert(pool::CallableWith<Call, std::ranges::range_value_t<Range>>,
                  "the function can't be called with an item of this range");
    pool::as_callable<F> call(f);
    run(call.get(), range, options, pool::discarded{});
}

template <typename F, typename... Args>
auto Pool::apply(F&& f, Args&&... args) {
    using Call = pool::starred<std::decay_t<F>>;
    using Item = std::tuple<std::decay_t<Args>...>;
    static_assert(pool::CallableWith<Call, Item>, "the function can't be called with these arguments");
    pool::check_call<Call, Item>();
    using R = pool::result_of<Call, Item>;
    Call call{std::forward<F>(f)};
    std::array<Item, 1> item{Item(std::forward<Args>(args)...)};
    if constexpr (std::is_void_v<R>)
        run(call, item, {}, pool::discarded{});
    else
        return std::move(run(call, item, {}, pool::collected<R>{}).front());
}

} // namespace multiprocessing
