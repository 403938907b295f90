// Floor 9, pool/thread_pool: ThreadPool: Pool's interface, on threads of this process.
#pragma once

#include <algorithm> // std::max, std::min
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex> // std::lock_guard
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant> // std::monostate
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/pool/gang.hpp>
#include <multiprocessing/pool/imap.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/pool/pool.hpp>
#include <multiprocessing/pool/result.hpp>
#include <multiprocessing/pool/short_forms.hpp>

namespace multiprocessing::pool {

/// Threads of this process that apply a function to many items: the interface of Pool where the work needs no processes of
/// its own, or waits most of the time.
///
///     mp::pool::ThreadPool pool(8);
///     const auto pages = pool.map(fetch, urls);
///
/// Nothing travels, so items and results may be anything. Functions and items aren't copied by map, starmap, for_each and
/// apply; the asynchronous calls keep copies of both until they are done.
///
/// - Python: `multiprocessing.pool.ThreadPool`, `multiprocessing.dummy.Pool`.
/// - What isn't as in Pool: the function works on this program's memory, from several threads at once; what it throws arrives
///   as it is, not as a RemoteError; terminate() drops what hasn't begun, and can't stop what has, so the destructor waits for
///   that; a task can't be killed, so a task_timeout is refused (ValueError), and retries and progress mean nothing.
/// - Threads: as Pool. It has as many as it was made with, and one more from the first callback on.
/// - Errors: as Pool.
class ThreadPool : public short_forms<ThreadPool> {
public:
    ThreadPool() : ThreadPool(PoolOptions{}) {}
    template <std::integral N>
    explicit ThreadPool(N threads) : ThreadPool(PoolOptions{.processes = threads}) {}
    explicit ThreadPool(const PoolOptions& options) : size_(checked_size(options)), gang_(std::make_shared<gang>(size_, nullptr)) {}
    /// Each thread calls `initializer(initargs...)` before anything else. If it throws, every call throws that.
    template <typename F, typename... Args>
        requires std::invocable<std::decay_t<F>&, std::decay_t<Args>&...>
    ThreadPool(const PoolOptions& options, F&& initializer, Args&&... initargs) : size_(checked_size(options)) {
        auto call = std::make_shared<std::tuple<std::decay_t<F>, std::decay_t<Args>...>>(std::forward<F>(initializer),
                                                                                      std::forward<Args>(initargs)...);
        gang_ = std::make_shared<gang>(size_, [call] {
            std::apply([](auto f, auto... args) { static_cast<void>(std::invoke(f, args...)); }, *call);
        });
    }
    ThreadPool(ThreadPool&&) noexcept = default;
    ThreadPool& operator=(ThreadPool&& other) noexcept {
        end();
        size_ = other.size_;
        gang_ = std::move(other.gang_);
        return *this;
    }
    ~ThreadPool() { end(); }

    // With a list in braces, or the chunk size alone.
    using short_forms<ThreadPool>::map;
    using short_forms<ThreadPool>::starmap;
    using short_forms<ThreadPool>::map_async;
    using short_forms<ThreadPool>::starmap_async;
    using short_forms<ThreadPool>::imap;
    using short_forms<ThreadPool>::imap_unordered;
    using short_forms<ThreadPool>::for_each;
    using short_forms<ThreadPool>::map_into;
    using short_forms<ThreadPool>::map_reduce;

    template <typename F, std::ranges::input_range Range>
    auto map(F&& f, Range&& range, MapOptions options = {}) {
        using R = result_of<std::decay_t<F>, std::ranges::range_value_t<Range>>;
        as_callable<F> callable(f); // the threads look at it until the end
        auto made = begin_map(callable.get(), listed(range), nullptr, options);
        static_cast<void>(made->await(os::deadline::never()));
        if constexpr (std::is_void_v<R>)
            static_cast<void>(made->value());
        else
            return made->take();
    }
    template <typename F, std::ranges::input_range Range>
    auto map_async(F&& f, Range&& range, MapOptions options = {}) {
        using T = std::ranges::range_value_t<Range>;
        struct copies {
            std::decay_t<F> f;
            std::vector<T> items;
        };
        auto kept = std::make_shared<copies>(copies{std::forward<F>(f), {}});
        for (auto&& item : range) kept->items.emplace_back(std::forward<decltype(item)>(item));
        return result_access::make(begin_map(kept->f, listed(kept->items), kept, options));
    }
    template <typename F, std::ranges::input_range Range>
    auto starmap(F&& f, Range&& range, MapOptions options = {}) {
        return map(starred<std::decay_t<F>>{std::forward<F>(f)}, std::forward<Range>(range), options);
    }
    template <typename F, std::ranges::input_range Range>
    auto starmap_async(F&& f, Range&& range, MapOptions options = {}) {
        return map_async(starred<std::decay_t<F>>{std::forward<F>(f)}, std::forward<Range>(range), options);
    }
    template <typename F, std::ranges::input_range In, std::ranges::contiguous_range Out>
    void map_into(F&& f, In&& in, Out&& out, MapOptions options = {}) {
        auto all = map(std::forward<F>(f), std::forward<In>(in), options);
        const auto room = static_cast<std::size_t>(std::ranges::distance(out));
        if (all.size() > room) throw ValueError(fmt::format("there are {} items, and room for {} results", all.size(), room));
        std::ranges::move(all, std::ranges::begin(out));
    }
    template <typename F, std::ranges::input_range Range>
    void for_each(F&& f, Range&& range, MapOptions options = {}) {
        map([&f](auto&& item) { static_cast<void>(std::invoke(f, std::forward<decltype(item)>(item))); }, std::forward<Range>(range), options);
    }
    template <typename F, typename Op, std::ranges::input_range Range, typename T>
    T map_reduce(F&& f, Op&& op, Range&& range, T init, MapOptions options = {}) {
        for (auto&& each : map(std::forward<F>(f), std::forward<Range>(range), options))
            init = std::invoke(op, std::move(init), std::forward<decltype(each)>(each));
        return init;
    }

    template <typename F, std::ranges::input_range Range>
    auto imap(F&& f, Range&& range, MapOptions options = {}) {
        return imap_by(std::forward<F>(f), std::forward<Range>(range), options, true);
    }
    template <typename F, std::ranges::input_range Range>
    auto imap_unordered(F&& f, Range&& range, MapOptions options = {}) {
        return imap_by(std::forward<F>(f), std::forward<Range>(range), options, false);
    }

    template <typename F, typename... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, MapOptions>)
    auto apply_async(F&& f, Args&&... args) {
        return apply_async(MapOptions{}, std::forward<F>(f), std::forward<Args>(args)...);
    }
    template <typename F, typename... Args>
    auto apply_async(const MapOptions& options, F&& f, Args&&... args) {
        check(options);
        using Call = starred<std::decay_t<F>>;
        using Item = std::tuple<std::decay_t<Args>...>;
        return result_access::make(begin_task<Call, Item>(gang_, Call{std::forward<F>(f)}, Item(std::forward<Args>(args)...)));
    }
    template <typename F, typename... Args>
    auto apply(F&& f, Args&&... args) {
        return apply_async(std::forward<F>(f), std::forward<Args>(args)...).get();
    }

    void close() { own().close(); }
    void terminate() { own().terminate(); }
    void join() {
        if (!own().ended()) throw ValueError("Pool is still running: close() or terminate() it first");
        own().join();
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    /// A range as something with places: the items themselves, or where they are.
    template <typename Range>
    [[nodiscard]] static auto listed(Range& range) {
        if constexpr (std::ranges::random_access_range<Range> && std::ranges::sized_range<Range>) {
            return std::pair(std::ranges::begin(range), static_cast<std::uint64_t>(std::ranges::size(range)));
        } else {
            using T = std::ranges::range_value_t<Range>;
            auto items = std::make_shared<std::vector<T>>();
            for (auto&& item : range) items->emplace_back(std::forward<decltype(item)>(item));
            return std::pair(kept_iterator<T>{items, items->data()}, static_cast<std::uint64_t>(items->size()));
        }
    }
    template <typename T>
    struct kept_iterator {
        std::shared_ptr<std::vector<T>> items;
        T* first;
        T& operator[](std::ptrdiff_t i) const { return first[i]; }
    };

    void end() noexcept {
        if (!gang_) return;
        gang_->terminate();
        gang_->join();
        gang_->stop_collector();
    }
    [[nodiscard]] gang& own() const {
        if (!gang_) throw ValueError("this ThreadPool was moved from");
        return *gang_;
    }
    void check(const MapOptions& options) const {
        if (own().ended()) throw ValueError("Pool not running");
        static_cast<void>(checked_chunksize(options));
        static_cast<void>(checked_retries(options));
        if (options.task_timeout.given()) throw ValueError("a ThreadPool can't keep a task_timeout: a thread can't be killed. Use a Pool");
    }

    template <typename T>
    static void add(gang& on, const std::shared_ptr<gang_call<T>>& task) {
        // Dropped with the queue it is told so.
        struct in_queue {
            std::shared_ptr<gang_call<T>> task;
            explicit in_queue(std::shared_ptr<gang_call<T>> t) : task(std::move(t)) {}
            in_queue(const in_queue&) = delete;
            in_queue& operator=(const in_queue&) = delete;
            ~in_queue() { task->drop(); }
        };
        on.add([entry = std::make_shared<in_queue>(task)] { entry->task->run(); });
    }

    template <typename F, typename Item>
    static std::shared_ptr<call<result_of<F, Item>>> begin_task(const std::shared_ptr<gang>& on, F f, Item item) {
        using R = result_of<F, Item>;
        struct kept {
            F f;
            Item item;
        };
        auto all = std::make_shared<kept>(kept{std::move(f), std::move(item)});
        auto made = std::make_shared<gang_call<R>>(on, [all]() -> typename call<R>::value_type {
            if constexpr (std::is_void_v<R>) {
                call_with(all->f, all->item);
                return {};
            } else {
                return call_with(all->f, all->item);
            }
        });
        add(*on, made);
        return made;
    }

    template <typename F, typename Listed>
    auto begin_map(F& f, Listed items, std::shared_ptr<void> kept, const MapOptions& options) {
        using T = std::remove_cvref_t<decltype(items.first[0])>;
        using R = result_of<F, T>;
        using Results = std::conditional_t<std::is_void_v<R>, void, std::vector<std::conditional_t<std::is_void_v<R>, int, R>>>;
        static_assert(CallableWith<F, T>, "the function can't be called with an item of this range");
        check(options);
        struct progress {
            std::vector<std::optional<std::conditional_t<std::is_void_v<R>, std::monostate, R>>> results;
            std::atomic<std::uint64_t> next{0};
            std::atomic<std::uint64_t> working{0};
            os::private_lock lock;
            std::exception_ptr error;
        };
        auto all = std::make_shared<progress>();
        if constexpr (!std::is_void_v<R>) all->results.resize(items.second);
        const std::uint64_t n = items.second;
        const std::uint64_t given = checked_chunksize(options);
        const std::uint64_t hands = std::min<std::uint64_t>(size_, std::max<std::uint64_t>(n, 1));
        // Whoever is the last to leave finds all done.
        auto made = std::make_shared<gang_call<Results>>(gang_, [all, kept]() -> typename call<Results>::value_type {
            if (all->error) std::rethrow_exception(all->error);
            if constexpr (std::is_void_v<R>) {
                return {};
            } else {
                std::vector<R> results;
                results.reserve(all->results.size());
                for (auto& each : all->results) results.push_back(std::move(*each));
                return results;
            }
        });
        if (n == 0) {
            made->run();
            return std::shared_ptr<call<Results>>(made);
        }
        all->working = hands;
        struct in_queue { // one of the hands; dropped with the queue, the whole is
            std::shared_ptr<gang_call<Results>> whole;
            bool begun = false;
            explicit in_queue(std::shared_ptr<gang_call<Results>> w) : whole(std::move(w)) {}
            in_queue(const in_queue&) = delete;
            in_queue& operator=(const in_queue&) = delete;
            ~in_queue() {
                if (!begun) whole->drop();
            }
        };
        for (std::uint64_t h = 0; h < hands; ++h)
            gang_->add([all, made, kept, items, n, given, hands, f = &f, entry = std::make_shared<in_queue>(made)] {
                entry->begun = true;
                try {
                    for (;;) {
                        if (made->cancelled()) break;
                        std::uint64_t begin = all->next.load();
                        std::uint64_t end = 0;
                        do {
                            if (begin >= n) break;
                            end = std::min(n, begin + (given != 0 ? given : std::max<std::uint64_t>(1, (n - begin) / (4 * hands))));
                        } while (!all->next.compare_exchange_weak(begin, end));
                        if (begin >= n) break;
                        for (std::uint64_t i = begin; i < end; ++i) {
                            const auto at = static_cast<std::ptrdiff_t>(i);
                            if constexpr (std::is_void_v<R>)
                                call_in_place(*f, items.first[at]);
                            else
                                all->results[i].emplace(call_in_place(*f, items.first[at]));
                        }
                    }
                } catch (...) {
                    const std::lock_guard held(all->lock);
                    if (!all->error) all->error = std::current_exception();
                    all->next.store(n);
                }
                if (all->working.fetch_sub(1) == 1) made->run();
            });
        return std::shared_ptr<call<Results>>(made);
    }

    // The item is the caller's: looked at where that is possible, else copied, else given away.
    template <typename F, typename Reference>
    static decltype(auto) call_in_place(F& f, Reference&& found) {
        using T = std::remove_cvref_t<Reference>;
        if constexpr (std::is_invocable_v<F&, const T&>) {
            return std::invoke(f, std::as_const(found));
        } else if constexpr (std::copy_constructible<T>) {
            T item(found);
            return call_with(f, item);
        } else {
            return call_with(f, const_cast<T&>(found));
        }
    }

    template <typename F, typename Range>
    auto imap_by(F&& f, Range&& range, const MapOptions& options, bool ordered) {
        using Call = std::decay_t<F>;
        using T = std::ranges::range_value_t<Range>;
        using Reference = std::ranges::range_reference_t<Range>;
        using R = result_of<Call, T>;
        check(options);
        auto shared = std::make_shared<Call>(std::forward<F>(f));
        struct forwarding { // one function for all of them
            std::shared_ptr<Call> f;
            decltype(auto) operator()(T& item) { return call_with(*f, item); }
        };
        std::function<std::shared_ptr<call<R>>(Reference)> begin =
            [on = gang_, shared](Reference item) -> std::shared_ptr<call<R>> {
            return begin_task<forwarding, T>(on, forwarding{shared}, T(std::forward<Reference>(item)));
        };
        using Window = imap_window<R, Range, decltype(begin)>;
        return IMapIterator<R>(std::make_unique<Window>(std::forward<Range>(range), std::move(begin),
                                                        checked_buffersize(options, size_), ordered));
    }

    unsigned size_ = 0;
    std::shared_ptr<gang> gang_;
};

} // namespace multiprocessing::pool
