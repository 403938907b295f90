// Floor 9, pool/short_forms: a pool's calls with a list in braces, or with the chunk size alone.
#pragma once

#include <concepts>
#include <initializer_list>
#include <ranges>
#include <utility>
#include <vector>

#include <multiprocessing/pool/options.hpp>

namespace multiprocessing::pool {

/// Base of what has map(f, range, options) and the like:
///
///     pool.map(f, {1, 2, 3});                         // pool.map(f, std::vector{1, 2, 3})
///     pool.map(f, numbers, 100);                      // pool.map(f, numbers, {.chunksize = 100})
///
/// Whoever derives from it says `using pool::short_forms<Pool>::map;` and so on, since his own would hide these.
template <typename Self>
class short_forms {
public:
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    auto map(F&& f, Range&& range, Chunk chunksize) {
        return self().map(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T, typename Options = MapOptions>
    auto map(F&& f, std::initializer_list<T> items, Options options = {}) {
        return self().map(std::forward<F>(f), std::vector<T>(items), options);
    }
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    auto starmap(F&& f, Range&& range, Chunk chunksize) {
        return self().starmap(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T, typename Options = MapOptions>
    auto starmap(F&& f, std::initializer_list<T> items, Options options = {}) {
        return self().starmap(std::forward<F>(f), std::vector<T>(items), options);
    }
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    auto map_async(F&& f, Range&& range, Chunk chunksize) {
        return self().map_async(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T, typename Options = MapOptions>
    auto map_async(F&& f, std::initializer_list<T> items, Options options = {}) {
        return self().map_async(std::forward<F>(f), std::vector<T>(items), options);
    }
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    auto starmap_async(F&& f, Range&& range, Chunk chunksize) {
        return self().starmap_async(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T, typename Options = MapOptions>
    auto starmap_async(F&& f, std::initializer_list<T> items, Options options = {}) {
        return self().starmap_async(std::forward<F>(f), std::vector<T>(items), options);
    }
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    auto imap(F&& f, Range&& range, Chunk chunksize) {
        return self().imap(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T, typename Options = MapOptions>
    auto imap(F&& f, std::initializer_list<T> items, Options options = {}) {
        return self().imap(std::forward<F>(f), std::vector<T>(items), options);
    }
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    auto imap_unordered(F&& f, Range&& range, Chunk chunksize) {
        return self().imap_unordered(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T, typename Options = MapOptions>
    auto imap_unordered(F&& f, std::initializer_list<T> items, Options options = {}) {
        return self().imap_unordered(std::forward<F>(f), std::vector<T>(items), options);
    }
    template <typename F, std::ranges::input_range Range, std::integral Chunk>
    void for_each(F&& f, Range&& range, Chunk chunksize) {
        self().for_each(std::forward<F>(f), std::forward<Range>(range), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T, typename Options = MapOptions>
    void for_each(F&& f, std::initializer_list<T> items, Options options = {}) {
        self().for_each(std::forward<F>(f), std::vector<T>(items), options);
    }
    template <typename F, std::ranges::input_range In, std::ranges::contiguous_range Out, std::integral Chunk>
    void map_into(F&& f, In&& in, Out&& out, Chunk chunksize) {
        self().map_into(std::forward<F>(f), std::forward<In>(in), std::forward<Out>(out), MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename T, std::ranges::contiguous_range Out, typename Options = MapOptions>
    void map_into(F&& f, std::initializer_list<T> items, Out&& out, Options options = {}) {
        self().map_into(std::forward<F>(f), std::vector<T>(items), std::forward<Out>(out), options);
    }
    template <typename F, typename Op, std::ranges::input_range Range, typename T, std::integral Chunk>
    T map_reduce(F&& f, Op&& op, Range&& range, T init, Chunk chunksize) {
        return self().map_reduce(std::forward<F>(f), std::forward<Op>(op), std::forward<Range>(range), std::move(init),
                                 MapOptions{.chunksize = chunksize});
    }
    template <typename F, typename Op, typename Item, typename T, typename Options = MapOptions>
    T map_reduce(F&& f, Op&& op, std::initializer_list<Item> items, T init, Options options = {}) {
        return self().map_reduce(std::forward<F>(f), std::forward<Op>(op), std::vector<Item>(items), std::move(init), options);
    }

protected:
    short_forms() = default;

private:
    [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }
};

} // namespace multiprocessing::pool
