// Floor 9, pool/pool: Pool: worker processes that apply a function to many items.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional> // std::function, std::invoke
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
#include <multiprocessing/pool/carried.hpp>
#include <multiprocessing/pool/crew.hpp>
#include <multiprocessing/pool/detached.hpp>
#include <multiprocessing/pool/dispatch.hpp>
#include <multiprocessing/pool/imap.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/pool/reduce.hpp>
#include <multiprocessing/pool/result.hpp>
#include <multiprocessing/pool/short_forms.hpp>
#include <multiprocessing/process/start_method.hpp>

namespace multiprocessing {

namespace pool {

/// What the death of a worker does to a pool that can't do without it: what it returns is thrown by everything from then on.
struct broken_by_death {
    std::function<std::exception_ptr(const std::string&)> with;
};

} // namespace pool

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
/// - Start methods: all. Workers that aren't forked from here are told what to call: a callable with captures must be able to
///   travel (mp::bind), and what can't is refused (NotPortableError).
/// - Errors: ValueError for a size below 1, and for calls in the wrong state; what a task throws is thrown by the call (the
///   first one; the rest of that map is dropped), as its own type and as RemoteError; CancelledError after terminate().
class Pool : public pool::short_forms<Pool> {
public:
    /// As many workers as there are processors that this process may use (process_cpu_count).
    Pool() : Pool(PoolOptions{}) {}
    template <std::integral N>
    explicit Pool(N processes) : Pool(PoolOptions{.processes = processes}) {}
    explicit Pool(PoolOptions options) : Pool(std::move(options), std::function<void()>()) {}

    /// Each worker calls `initializer(initargs...)` before anything else.
    template <typename F, typename... Args>
        requires std::invocable<std::decay_t<F>&, std::decay_t<Args>&...>
    Pool(PoolOptions options, F&& initializer, Args&&... initargs) : Pool(std::move(options), pool::broken_by_death{}, std::forward<F>(initializer), std::forward<Args>(initargs)...) {}
    /// For executors: a death ends it all.
    Pool(PoolOptions options, pool::broken_by_death how) : Pool(std::move(options), std::move(how), std::function<void()>()) {}
    template <typename F, typename... Args>
    Pool(PoolOptions options, pool::broken_by_death how, F&& initializer, Args&&... initargs);

    Pool(Pool&&) noexcept = default;
    Pool& operator=(Pool&& other) noexcept {
        end();
        crew_ = std::move(other.crew_);
        modules_ = other.modules_;
        return *this;
    }
    ~Pool() { end(); }

    // With a list in braces, or the chunk size alone.
    using pool::short_forms<Pool>::map;
    using pool::short_forms<Pool>::starmap;
    using pool::short_forms<Pool>::map_async;
    using pool::short_forms<Pool>::starmap_async;
    using pool::short_forms<Pool>::imap;
    using pool::short_forms<Pool>::imap_unordered;
    using pool::short_forms<Pool>::for_each;
    using pool::short_forms<Pool>::map_into;
    using pool::short_forms<Pool>::map_reduce;

    /// f(item) for each item of the range, in its order. Returns a vector, or nothing if f does.
    ///
    /// The range may be any input range; what isn't single-pass is not copied first. f may take its item by value, by
    /// rvalue or by reference; what it does to it is seen by nobody.
    template <typename F, std::ranges::input_range Range>
    auto map(F&& f, Range&& range, MapOptions options = {});

    /// f(a, b, ...) for each tuple (a, b, ...) of the range.
    template <typename F, std::ranges::input_range Range>
    auto starmap(F&& f, Range&& range, MapOptions options = {});

    /// out[i] = f(in[i]). `out` is contiguous, of values whose bytes are all there is to them, and has room for all items
    /// (else ValueError). What stands in common memory already (an Array, a RawArray) is read and written there by the
    /// workers, without a copy. After an error some of `out` is written.
    template <typename F, std::ranges::input_range In, std::ranges::contiguous_range Out>
    void map_into(F&& f, In&& in, Out&& out, MapOptions options = {});

    /// f(item) for each item, for what it does.
    template <typename F, std::ranges::input_range Range>
    void for_each(F&& f, Range&& range, MapOptions options = {});

    /// map() that returns at once. A callable with captures and its items are what they are at this moment, also if they are
    /// changed or destroyed before the call is over.
    template <typename F, std::ranges::input_range Range>
    auto map_async(F&& f, Range&& range, MapOptions options = {});

    /// starmap() that returns at once.
    template <typename F, std::ranges::input_range Range>
    auto starmap_async(F&& f, Range&& range, MapOptions options = {});

    /// f(item) for each item, one by one, in the order of the items; the input is read no further than the results are.
    /// `chunksize` means nothing here: the workers see to it themselves.
    template <typename F, std::ranges::input_range Range>
    auto imap(F&& f, Range&& range, MapOptions options = {}) {
        return imap_by(std::forward<F>(f), std::forward<Range>(range), options, true);
    }
    /// The same, in the order in which they are done.
    template <typename F, std::ranges::input_range Range>
    auto imap_unordered(F&& f, Range&& range, MapOptions options = {}) {
        return imap_by(std::forward<F>(f), std::forward<Range>(range), options, false);
    }

    /// op(... op(op(init, f(a)), f(b)) ..., f(z)), with the parentheses anywhere: the workers fold what they do themselves.
    /// `op` is associative, takes two T and returns one; it needn't commute. What f returns is a T, or converts to one.
    template <typename F, typename Op, std::ranges::input_range Range, typename T>
    T map_reduce(F&& f, Op&& op, Range&& range, T init, MapOptions options = {});

    /// f(args...) in one worker; returns what it returns.
    template <typename F, typename... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, MapOptions>)
    auto apply(F&& f, Args&&... args) {
        return apply(MapOptions{}, std::forward<F>(f), std::forward<Args>(args)...);
    }
    /// The same, tried again if its worker dies, or given so much time: `pool.apply({.retries = 2}, f, args...)`.
    template <typename F, typename... Args>
    auto apply(const MapOptions& options, F&& f, Args&&... args);

    /// f(args...) in one worker, as soon as one has time. Thousands may be outstanding, in the order of the calls. With
    /// captures it runs on a worker forked for it at this moment: that waits when 16, or four for each worker of the pool, are
    /// at work already.
    template <typename F, typename... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, MapOptions>)
    auto apply_async(F&& f, Args&&... args) {
        return apply_async(MapOptions{}, std::forward<F>(f), std::forward<Args>(args)...);
    }
    template <typename F, typename... Args>
    auto apply_async(const MapOptions& options, F&& f, Args&&... args);

    /// No more work is taken; the workers leave when what was begun is done.
    void close() { own().close(); }
    /// The workers end now; calls that other threads wait for fail with CancelledError.
    void terminate() { own().terminate(); }
    /// Waits until all workers have ended. After close() or terminate(); else ValueError.
    void join();

    /// For executors: why nothing can be done any more; the end of the workers, with what was outstanding.
    [[nodiscard]] std::exception_ptr broken() { return own().broken(); }
    void end_workers(int signal, const std::string& why) {
        own().break_up(why, signal);
        own().terminate(signal);
    }

    /// How many workers it has.
    [[nodiscard]] std::size_t size() const noexcept { return crew_->size(); }
    /// Of the workers that stand now. A dead one is replaced while somebody waits for a result, or asks for this.
    [[nodiscard]] std::vector<pid_t> pids() { return own().pids(); }
    /// What they have done so far.
    [[nodiscard]] PoolStats stats() { return own().stats(); }
    /// Which worker did what when, as a file that Perfetto (ui.perfetto.dev) and chrome://tracing show, one row a worker. Of a pool
    /// that was made with `.trace = true`; of another: ValueError.
    ///
    ///     mp::Pool pool({.processes = 4, .trace = true});
    ///     pool.map(render, frames);
    ///     pool.write_trace("run.json");
    ///
    /// - Errors: std::system_error when the file can't be written.
    void write_trace(const std::string& path) { own().write_trace(path); }

private:
    void end() noexcept;
    [[nodiscard]] pool::crew& own() const;
    [[nodiscard]] pool::crew& in_service() const;

    template <typename F, typename Range, typename Wanted>
    auto run(F& f, Range& range, const MapOptions& options, Wanted wanted);
    template <typename T, typename F, typename Range, typename Wanted>
    std::shared_ptr<pool::call<T>> detach(F& f, Range& range, const MapOptions& options, Wanted wanted);
    template <typename F, typename Range>
    auto imap_by(F&& f, Range&& range, const MapOptions& options, bool ordered);
    template <typename Call, typename Item>
    auto submit(const MapOptions& options, Call&& call, Item&& item);
    void attend_to(const pool::manner& how);

    std::shared_ptr<pool::crew> crew_; // shared with the results of its calls
    std::uint64_t modules_ = 0; // loaded when the workers were forked
};

namespace pool {

[[nodiscard]] inline unsigned checked_size(const PoolOptions& options) {
    if (!options.processes) return os::process_cpu_count();
    const std::int64_t n = options.processes->value();
    if (n < 1) throw ValueError(fmt::format("a pool needs at least 1 process, not {}", n));
    if (n > largest_crew) throw ValueError(fmt::format("a pool can have {} processes at most, not {}", largest_crew, n));
    return static_cast<unsigned>(n);
}

[[nodiscard]] inline std::uint64_t checked_items(const PoolOptions& options) {
    if (!options.maxtasksperchild) return 0;
    const std::int64_t n = options.maxtasksperchild->value();
    if (n < 1) throw ValueError(fmt::format("maxtasksperchild must be at least 1, not {}", n));
    return static_cast<std::uint64_t>(n);
}

[[nodiscard]] inline manner checked(const MapOptions& options) {
    return {.chunk = checked_chunksize(options), .retries = checked_retries(options), .timeout = checked_timeout(options), .progress = options.progress};
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
Pool::Pool(PoolOptions options, pool::broken_by_death how, F&& initializer, Args&&... initargs) {
    pool::crew::terms terms;
    terms.method = process::method_for(options.start_method);
    if (terms.method == StartMethod::spawn) terms.name = "SpawnPoolWorker";
    if (terms.method == StartMethod::forkserver) terms.name = "ForkServerPoolWorker";
    terms.workers = pool::checked_size(options);
    terms.conditions.affinity = std::move(options.affinity);
    terms.conditions.limits = options.limits;
    terms.conditions.nice = options.nice;
    terms.conditions.env = std::move(options.env);
    terms.conditions.cwd = std::move(options.cwd);
    terms.items = pool::checked_items(options);
    terms.trace = options.trace;
    terms.broken_by = std::move(how.with);
    if constexpr (std::is_same_v<std::decay_t<F>, std::function<void()>> && sizeof...(Args) == 0) {
        terms.initializer = std::forward<F>(initializer);
    } else {
        if (terms.method != StartMethod::fork) terms.packed_initializer = serial::pack_call(initializer, initargs...);
        // Shared, because std::function wants what it holds to be copyable.
        auto call = std::make_shared<std::tuple<std::decay_t<F>, std::decay_t<Args>...>>(std::forward<F>(initializer),
                                                                                      std::forward<Args>(initargs)...);
        terms.initializer = [call] {
            std::apply([](auto& f, auto&... args) { static_cast<void>(std::invoke(f, args...)); }, *call);
        };
    }
    modules_ = os::modules_loaded();
    crew_ = std::make_shared<pool::crew>(std::move(terms));
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

inline void Pool::end() noexcept {
    if (!crew_ || !crew_->is_ours()) return; // moved from, or a child's copy
    crew_->dissolve();
}

// What happens while nobody waits needs somebody who does.
inline void Pool::attend_to(const pool::manner& how) {
    if (how.timeout.count() != 0 || crew_->items_a_worker() != 0) crew_->start_collector();
}

template <typename F, typename Range, typename Wanted>
auto Pool::run(F& f, Range& range, const MapOptions& options, Wanted wanted) {
    using T = std::ranges::range_value_t<Range>;
    pool::crew& all = in_service();
    pool::manner how = pool::checked(options);
    how.by_chunk = requires { requires Wanted::by_chunk; };
    if constexpr (!std::ranges::forward_range<Range>) {
        // Can be gone through once only, so the items have to be kept.
        std::vector<T> items;
        for (auto&& item : range) items.emplace_back(std::forward<decltype(item)>(item));
        return run(f, items, options, std::move(wanted));
    } else {
        const auto n = static_cast<std::uint64_t>(std::ranges::distance(range));
        if (n == 0) return wanted.nothing();
        if constexpr (pool::KnownToAll<F> && Serializable<T>) {
            const pool::chunk_function code = &Wanted::template run_chunk<F, pool::standing_items<T>>;
            if (all.is_distant() ? pool::is_in_program(f, code) : pool::workers_have(f, modules_, code)) {
                if constexpr (requires { requires Wanted::in_pieces; } && std::ranges::contiguous_range<Range>)
                    if (pool::goes_in_pieces<Range, Wanted>(range, n, how))
                        return pool::run_in_pieces(all, f, range, n, how, wanted);
                return pool::run_on_standing(all, f, range, n, how, std::move(wanted));
            }
        }
        if (all.is_distant()) {
            if constexpr (pool::Carriable<F, T>) {
                if (!pool::can_be_called_there<F, T>()) pool::refuse_to_carry<F, T>();
                auto items = pool::with_each(f, range, n);
                pool::call_carried call;
                return pool::run_on_standing(all, call, items, n, how, std::move(wanted));
            } else {
                pool::refuse_to_carry<F, T>();
            }
        }
        return pool::run_on_heirs(all, f, range, n, how, std::move(wanted));
    }
}

template <typename T, typename F, typename Range, typename Wanted>
std::shared_ptr<pool::call<T>> Pool::detach(F& f, Range& range, const MapOptions& options, Wanted wanted) {
    using Item = std::ranges::range_value_t<Range>;
    static_cast<void>(in_service());
    const pool::manner how = pool::checked(options);
    if constexpr (!std::ranges::forward_range<Range>) {
        std::vector<Item> items;
        for (auto&& item : range) items.emplace_back(std::forward<decltype(item)>(item));
        return detach<T>(f, items, options, std::move(wanted));
    } else {
        const auto n = static_cast<std::uint64_t>(std::ranges::distance(range));
        attend_to(how);
        if (n == 0) { // over as soon as it has begun
            auto rest = std::make_shared<pool::remains>();
            rest->there.store(true);
            return std::make_shared<pool::job_call<T, Wanted>>(crew_, 0, std::move(wanted), std::move(rest), nullptr);
        }
        if constexpr (pool::KnownToAll<F> && Serializable<Item>) {
            const pool::chunk_function code = &Wanted::template run_chunk<F, pool::standing_items<Item>>;
            if (crew_->is_distant() ? pool::is_in_program(f, code) : pool::workers_have(f, modules_, code))
                return pool::detach_on_standing<T>(crew_, f, range, n, how, std::move(wanted));
        }
        if (crew_->is_distant()) {
            if constexpr (pool::Carriable<F, Item>) {
                if (!pool::can_be_called_there<F, Item>()) pool::refuse_to_carry<F, Item>();
                auto items = pool::with_each(f, range, n);
                pool::call_carried call;
                return pool::detach_on_standing<T>(crew_, call, items, n, how, std::move(wanted));
            } else {
                pool::refuse_to_carry<F, Item>();
            }
        }
        return pool::detach_on_heirs<T>(crew_, f, range, n, how, std::move(wanted));
    }
}

template <typename Call, typename Item>
auto Pool::submit(const MapOptions& options, Call&& call, Item&& item) {
    using F = std::remove_cvref_t<Call>;
    using T = std::remove_cvref_t<Item>;
    static_cast<void>(in_service());
    const pool::manner how = pool::checked(options);
    if constexpr (pool::KnownToAll<F> && Serializable<T>) {
        const auto code = &pool::run_entry<F, T, false>;
        if (crew_->is_distant() ? pool::is_in_program(call, code) : pool::workers_have(call, modules_, code))
            return pool::submit(crew_, crew_->standing_line(), call, item, how);
    }
    if (crew_->is_distant()) {
        if constexpr (pool::Carriable<F, T>) {
            if (!pool::can_be_called_there<F, T>()) pool::refuse_to_carry<F, T>();
            const pool::call_carried with;
            const pool::carried<pool::packable_form<F>, T> both{pool::packable(call), std::forward<Item>(item)};
            return pool::submit(crew_, crew_->standing_line(), with, both, how);
        } else {
            pool::refuse_to_carry<F, T>();
        }
    }
    return pool::submit_to_heir(crew_, std::forward<Call>(call), std::forward<Item>(item), how);
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

template <typename F, std::ranges::input_range Range>
auto Pool::map_async(F&& f, Range&& range, MapOptions options) {
    using Call = std::decay_t<F>;
    using T = std::ranges::range_value_t<Range>;
    pool::check_call<Call, T>();
    using R = pool::result_of<Call, T>;
    pool::as_callable<F> call(f);
    if constexpr (std::is_void_v<R>)
        return pool::result_access::make(detach<void>(call.get(), range, options, pool::discarded{}));
    else
        return pool::result_access::make(detach<std::vector<R>>(call.get(), range, options, pool::collected<R>{}));
}

template <typename F, std::ranges::input_range Range>
auto Pool::starmap_async(F&& f, Range&& range, MapOptions options) {
    return map_async(pool::starred<std::decay_t<F>>{std::forward<F>(f)}, std::forward<Range>(range), options);
}

template <typename F, typename Range>
auto Pool::imap_by(F&& f, Range&& range, const MapOptions& options, bool ordered) {
    using Call = std::decay_t<F>;
    using T = std::ranges::range_value_t<Range>;
    using Reference = std::ranges::range_reference_t<Range>;
    pool::check_call<Call, T>();
    using R = pool::result_of<Call, T>;
    pool::crew& all = in_service();
    const pool::manner how = pool::checked(options);
    const std::uint64_t ahead = pool::checked_buffersize(options, all.size());
    attend_to(how);
    const auto window = [&](auto begin) {
        using Window = pool::imap_window<R, Range, decltype(begin)>;
        return IMapIterator<R>(std::make_unique<Window>(std::forward<Range>(range), std::move(begin), ahead, ordered, options.progress));
    };
    using call_pointer = std::shared_ptr<pool::call<R>>;
    auto call = std::make_shared<Call>(std::forward<F>(f));
    std::function<call_pointer(Reference)> begin;
    if constexpr (Serializable<T>) {
        bool standing = false;
        if constexpr (pool::KnownToAll<Call>) {
            const auto code = &pool::run_entry<Call, T, false>;
            standing = all.is_distant() ? pool::is_in_program(*call, code) : pool::workers_have(*call, modules_, code);
        }
        if (!standing && all.is_distant()) {
            if constexpr (pool::Carriable<Call, T>) {
                if (!pool::can_be_called_there<Call, T>()) pool::refuse_to_carry<Call, T>();
                using Both = pool::carried<pool::packable_form<Call>, T>;
                begin = [on = crew_, packed = pool::packable(*call), how](Reference item) -> call_pointer {
                    const Both both{packed, T(std::forward<Reference>(item))};
                    return pool::submit<pool::call_carried, Both>(on, on->standing_line(), pool::call_carried(), both, how);
                };
            } else {
                pool::refuse_to_carry<Call, T>();
            }
        } else if (standing) {
            begin = [on = crew_, call, how](Reference item) -> call_pointer {
                return pool::submit<Call, T>(on, on->standing_line(), *call, item, how);
            };
        } else {
            begin = [on = crew_, call, how, heirs = std::make_shared<pool::heirs_in_line>(crew_)](Reference item) -> call_pointer {
                return pool::submit<Call, T>(on, heirs->where(), *call, item, how, call);
            };
        }
    } else { // only an heir forked for it can have such an item
        if (all.is_distant()) pool::refuse_to_carry<Call, T>();
        static_assert(std::copy_constructible<Call>, "imap over items that can't travel forks a worker for each, with a copy of the function");
        begin = [on = crew_, call, how](Reference item) -> call_pointer {
            return pool::submit_to_heir(on, Call(*call), T(std::forward<Reference>(item)), how);
        };
    }
    return window(std::move(begin));
}

template <typename F, typename Op, std::ranges::input_range Range, typename T>
T Pool::map_reduce(F&& f, Op&& op, Range&& range, T init, MapOptions options) {
    using Call = std::decay_t<F>;
    using Combine = std::decay_t<Op>;
    using Item = std::ranges::range_value_t<Range>;
    static_assert(pool::CallableWith<Call, Item>, "the function can't be called with an item of this range");
    static_assert(Serializable<T>, "what is folded must be able to travel from the workers");
    static_assert(std::convertible_to<pool::result_of<Call, Item>, T>, "what the function returns must convert to what is folded");
    static_assert(std::is_invocable_r_v<T, Combine&, T, T>, "the operation takes two of what is folded, and returns one");
    pool::folding<Call, Combine> both{std::forward<F>(f), std::forward<Op>(op)};
    return run(both, range, options, pool::folded<T, Combine>(std::move(init), both.combine));
}

template <typename F, typename... Args>
auto Pool::apply_async(const MapOptions& options, F&& f, Args&&... args) {
    using Call = pool::starred<std::decay_t<F>>;
    using Item = std::tuple<std::decay_t<Args>...>;
    static_assert(pool::CallableWith<Call, Item>, "the function can't be called with these arguments");
    pool::check_call<Call, Item>();
    using R = pool::result_of<Call, Item>;
    attend_to(pool::checked(options));
    return pool::result_access::make<R>(submit(options, Call{std::forward<F>(f)}, Item(std::forward<Args>(args)...)));
}

template <typename F, typename... Args>
auto Pool::apply(const MapOptions& options, F&& f, Args&&... args) {
    using Call = pool::starred<std::decay_t<F>>;
    using Item = std::tuple<std::decay_t<Args>...>;
    static_assert(pool::CallableWith<Call, Item>, "the function can't be called with these arguments");
    pool::check_call<Call, Item>();
    using R = pool::result_of<Call, Item>;
    const auto task = submit(options, Call{std::forward<F>(f)}, Item(std::forward<Args>(args)...));
    static_cast<void>(task->await(os::deadline::never()));
    if constexpr (std::is_void_v<R>)
        static_cast<void>(task->value());
    else
        return std::move(task->value());
}

} // namespace multiprocessing
