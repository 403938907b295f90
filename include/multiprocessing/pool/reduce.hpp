// Floor 9, pool/reduce: folding what a function makes of many items, in the workers.
#pragma once

#include <algorithm> // std::sort
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <functional> // std::invoke
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/throw_site.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/pool/carried.hpp>
#include <multiprocessing/pool/dispatch.hpp>
#include <multiprocessing/pool/log.hpp>
#include <multiprocessing/pool/task.hpp>

namespace multiprocessing::pool {

/// Both functions of a fold.
template <typename F, typename Op>
struct folding {
    [[no_unique_address]] F function;
    [[no_unique_address]] Op combine;

    template <typename Item>
        requires CallableWith<F, std::remove_cvref_t<Item>>
    constexpr decltype(auto) operator()(Item&& item) {
        std::remove_cvref_t<Item> mine(std::forward<Item>(item));
        return call_with(function, mine);
    }
};

namespace detail {

/// A pointer beside nothing; two pointers fit too.
template <typename F>
inline constexpr bool is_code_or_nothing = (std::is_empty_v<F> && std::is_trivially_copyable_v<F>) ||
                                           (std::is_pointer_v<F> && is_pointer_to_code<F>);
template <typename F, typename Op>
inline constexpr bool is_pointer_to_code<folding<F, Op>> =
    is_code_or_nothing<F> && is_code_or_nothing<Op> && !(std::is_empty_v<F> && std::is_empty_v<Op>);

} // namespace detail

/// Each of the two in a form that travels.
template <typename F, typename Op>
[[nodiscard]] auto packable(const folding<F, Op>& f) {
    return folding<packable_form<F>, packable_form<Op>>{packable(f.function), packable(f.combine)};
}

/// Where both come along with each item: calls the one, and keeps the other.
template <typename Op>
struct unfolding {
    std::optional<Op>& combine;

    template <typename F, typename T>
    auto operator()(carried<folding<F, Op>, T>&& both) const {
        if (!combine) combine.emplace(both.function.combine);
        return call_with(both.function, both.item);
    }
};

/// A fold as what a call wants (dispatch.hpp). Each worker folds the chunk it has claimed and logs one partial result under
/// the number of the chunk's first item; the caller folds these in the order of the items. So `op` needn't commute, and
/// since a chunk is on record as one result or none, a worker that dies can't have a part of it counted twice. A chunk is
/// up to 50 us of work: what travels doesn't show.
template <typename T, typename Op>
class folded {
public:
    template <typename F, typename Items>
    static void run_chunk(desk& at) {
        job& which = at.which();
        station& here = at.all.station_of(at.w);
        const std::uint64_t first = which.first;
        const std::uint64_t timeout = which.timeout;
        std::uint64_t i = at.work.begin;
        os::throw_site site;
        try {
            site.watch([&] {
                auto&& both = get_callable<F>(which.callable);
                const Items items(which);
                constexpr bool is_carried = std::is_same_v<F, call_carried>;
                std::optional<packable_form<Op>> combine;
                const auto call = [&](std::uint64_t item) {
                    if constexpr (is_carried) {
                        unfolding<packable_form<Op>> apart{combine};
                        return items.call(apart, item, at.transfer);
                    } else {
                        return items.call(both, item, at.transfer);
                    }
                };
                std::optional<T> sum;
                for (; i < at.work.end; ++i) {
                    if (which.dropped.load(std::memory_order_relaxed) != 0) return;
                    here.item.store(i, std::memory_order_relaxed);
                    if (timeout != 0) here.due.store(now() + timeout, std::memory_order_relaxed);
                    if constexpr (Items::packed) at.transfer.begin_item();
                    if (!sum) sum.emplace(call(first + i));
                    else if constexpr (is_carried) sum.emplace(std::invoke(*combine, std::move(*sum), call(first + i)));
                    else sum.emplace(std::invoke(both.combine, std::move(*sum), call(first + i)));
                }
                at.log.append(at.j, at.work, first + at.work.begin, [&](std::span<std::byte> room) {
                    return std::optional<std::uint64_t>(serial::pack_into(room, *sum));
                });
            });
        } catch (...) {
            fail_job(at, first + i, site);
        }
        if (timeout != 0) here.due.store(0, std::memory_order_relaxed);
    }
    static constexpr bool logged = true;
    static constexpr bool by_chunk = true;
    static constexpr bool in_place = false;

    folded(T init, Op& combine) : init_(std::move(init)), combine_(combine) {}
    [[nodiscard]] T nothing() { return std::move(init_); }
    void prepare(booking& call, std::uint64_t) const noexcept { call.which().output = 0; }
    T collect(const std::byte*, const log_reader& log) {
        struct partial {
            std::uint64_t first;
            std::span<const std::byte> bytes;
        };
        std::vector<partial> all;
        log.for_each([&](std::uint64_t item, std::span<const std::byte> bytes) { all.push_back({item, bytes}); });
        std::sort(all.begin(), all.end(), [](const partial& a, const partial& b) { return a.first < b.first; });
        T sum = std::move(init_);
        for (const partial& each : all) sum = std::invoke(combine_, std::move(sum), serial::unpack<T>(each.bytes));
        return sum;
    }

private:
    T init_;
    Op& combine_;
};

} // namespace multiprocessing::pool
