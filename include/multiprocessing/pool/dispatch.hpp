// Floor 9, pool/dispatch: from a call on a pool to a job on its board, and back to a result.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <exception>
#include <iterator>
#include <memory> // std::addressof, std::construct_at
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/os/module.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/pool/crew.hpp>
#include <multiprocessing/pool/log.hpp>
#include <multiprocessing/pool/task.hpp>

namespace multiprocessing::pool {

/// A slot of a crew while one call uses it.
class booking {
public:
    booking(crew& all, std::uint64_t items, std::uint64_t chunk) : crew_(all), j_(all.reserve(items, chunk)) {}
    booking(const booking&) = delete;
    booking& operator=(const booking&) = delete;
    ~booking() {
        if (started_)
            crew_.release(j_);
        else
            crew_.abandon(j_);
    }

    [[nodiscard]] crew& on() const noexcept { return crew_; }
    [[nodiscard]] unsigned slot() const noexcept { return j_; }
    [[nodiscard]] job& which() const noexcept { return crew_.at(j_); }

    /// Has it done; throws what an item threw, or why it was lost.
    void run(bool results_in_place = false);

private:
    crew& crew_;
    unsigned j_;
    bool started_ = false;
};

inline void booking::run(bool results_in_place) {
    started_ = true;
    crew_.start(j_);
    const outcome how = crew_.wait(j_, results_in_place);
    if (how.good()) return;
    if (how.lost) std::rethrow_exception(how.lost);
    if (how.unspeakable) throw ProcessError("an item failed, and its worker had no memory left to say how");
    std::rethrow_exception(reported(how.failure));
}

// --- items

/// How items reach workers that stand already.
template <typename T>
using standing_items = std::conditional_t<Plain<T>, items_in_array<T>, items_in_archive<T>>;

/// Puts the items where standing workers find them; nothing is copied that is common memory already.
template <typename Range>
void stage(booking& call, Range& range, std::uint64_t n) {
    using T = std::ranges::range_value_t<Range>;
    job& which = call.which();
    auto& all = memory::commons::here();
    if constexpr (Plain<T>) {
        if constexpr (std::ranges::contiguous_range<Range>) {
            const T* first = std::to_address(std::ranges::begin(range));
            if (all.contains(first, n * sizeof(T))) {
                which.input = all.offset_of(first);
                return;
            }
        }
        const std::uint64_t bytes = n * sizeof(T);
        std::byte* to = bytes <= sizeof(which.small) / 2 ? which.small : call.on().room_for_input(call.slot(), bytes);
        which.input = all.offset_of(to);
        if constexpr (std::ranges::contiguous_range<Range> && std::is_trivially_copyable_v<T>) {
            std::memcpy(to, std::to_address(std::ranges::begin(range)), bytes);
        } else {
            T* place = reinterpret_cast<T*>(to);
            for (auto&& item : range) std::construct_at(place++, std::forward<decltype(item)>(item));
        }
    } else {
        // Measured first, then packed where they are read: nothing is copied twice.
        auto* ends = reinterpret_cast<std::uint64_t*>(call.on().room_for_index(call.slot(), n * sizeof(std::uint64_t)));
        std::uint64_t size = 0;
        std::uint64_t i = 0;
        for (const T& item : range) ends[i++] = size += serial::packed_size<T>(item);
        std::byte* to = call.on().room_for_input(call.slot(), size);
        std::uint64_t begin = 0;
        i = 0;
        for (const T& item : range) {
            const std::uint64_t room = ends[i++] - begin;
            if (serial::pack_into<T>(std::span(to + begin, room), item) != room)
                throw ValueError("an item isn't packed the same way twice: its save() must depend on its value alone");
            begin += room;
        }
        which.input = all.offset_of(to);
        which.input_index = all.offset_of(ends);
    }
}

// --- results

/// What a call wants of the results, each a type with
///   results<R>     what the workers do with them (task.hpp)
///   in_place       whether somebody else's memory is written while the job runs
///   prepare(call)  before the start
///   collect(call)  after the end
///   nothing()      instead of all that, where there are no items
template <typename R>
class collected {
public:
    using results = std::conditional_t<Plain<R>, results_to_array<R>, results_to_log<R>>;
    static constexpr bool in_place = false;

    [[nodiscard]] std::vector<R> nothing() const { return {}; }
    void prepare(booking& call, std::uint64_t n) {
        n_ = n;
        if constexpr (Plain<R>) {
            const std::uint64_t bytes = n * sizeof(R);
            job& which = call.which();
            std::byte* to = bytes <= sizeof(which.small) / 2 ? which.small + sizeof(which.small) / 2
                                                             : call.on().room_for_output(call.slot(), bytes);
            which.output = memory::commons::here().offset_of(to);
        }
    }
    std::vector<R> collect(booking& call) const {
        if constexpr (Plain<R>) {
            const R* first = memory::commons::here().at<const R>(call.which().output);
            return std::vector<R>(first, first + n_);
        } else {
            log_reader log;
            log.take(call.on().on(), call.slot());
            std::vector<std::span<const std::byte>> places(n_);
            std::uint64_t found = 0;
            log.for_each([&](std::uint64_t item, std::span<const std::byte> bytes) {
                if (item >= n_) throw ProcessError("a worker's log has the result of an item that there isn't");
                places[item] = bytes;
                ++found;
            });
            if (found != n_) throw ProcessError("the workers' logs don't have a result for each item");
            std::vector<R> all;
            all.reserve(n_);
            for (const auto bytes : places) all.push_back(serial::unpack<R>(bytes));
            return all;
        }
    }

private:
    std::uint64_t n_ = 0;
};

/// Nobody wants them.
struct discarded {
    using results = results_dropped;
    static constexpr bool in_place = false;
    void nothing() const noexcept {}
    void prepare(booking&, std::uint64_t) const noexcept {}
    void collect(booking&) const noexcept {}
};

/// Into an array of the caller's: written by the workers themselves if it is common memory.
template <typename U>
class written_into {
public:
    using results = results_to_array<U>;
    bool in_place = false;

    written_into(U* to, std::uint64_t room) noexcept : to_(to), room_(room) {}
    void nothing() const noexcept {}
    void prepare(booking& call, std::uint64_t n) {
        if (n > room_) throw ValueError(fmt::format("there are {} items, and room for {} results", n, room_));
        n_ = n;
        auto& all = memory::commons::here();
        in_place = all.contains(to_, n * sizeof(U));
        call.which().output =
            all.offset_of(in_place ? reinterpret_cast<std::byte*>(to_) : call.on().room_for_output(call.slot(), n * sizeof(U)));
    }
    void collect(booking& call) const {
        if (in_place) return;
        const U* first = memory::commons::here().at<const U>(call.which().output);
        for (std::uint64_t i = 0; i < n_; ++i) to_[i] = first[i];
    }

private:
    U* to_;
    std::uint64_t room_;
    std::uint64_t n_ = 0;
};

// --- the call

/// On workers that stand already: the items travel to them.
template <typename F, typename Range, typename Wanted>
auto run_on_standing(crew& all, F& f, Range& range, std::uint64_t n, std::uint64_t chunk, Wanted wanted) {
    using T = std::ranges::range_value_t<Range>;
    booking call(all, n, chunk);
    stage(call, range, n);
    put_callable(call.which(), f);
    call.which().run = reinterpret_cast<std::uintptr_t>(&run_chunk<F, standing_items<T>, typename Wanted::results>);
    wanted.prepare(call, n);
    call.run(wanted.in_place);
    return wanted.collect(call);
}

/// On workers forked for this call, at this moment: f, what it refers to and the items are theirs by inheritance.
template <typename F, typename Range, typename Wanted>
auto run_on_heirs(unsigned workers, F& f, Range& range, std::uint64_t n, std::uint64_t chunk, Wanted wanted) {
    using T = std::ranges::range_value_t<Range>;
    const auto run_with = [&]<bool Indirect>(auto first, std::bool_constant<Indirect>) {
        using Items = items_inherited<decltype(first), T, Indirect>;
        crew heirs({.workers = static_cast<unsigned>(std::min<std::uint64_t>(workers, n)),
                    .name = "ForkPoolHeir",
                    .kill_at_end = true});
        booking call(heirs, n, chunk);
        put_callable(call.which(), f);
        call.which().input = reinterpret_cast<std::uintptr_t>(&first);
        call.which().run = reinterpret_cast<std::uintptr_t>(&run_chunk<F, Items, typename Wanted::results>);
        wanted.prepare(call, n);
        call.run(wanted.in_place);
        return wanted.collect(call);
    };
    if constexpr (std::ranges::random_access_range<Range>) {
        return run_with(std::ranges::begin(range), std::false_type{});
    } else { // not the items: where they are
        std::vector<std::ranges::iterator_t<Range>> index;
        index.reserve(n);
        for (auto i = std::ranges::begin(range); i != std::ranges::end(range); ++i) index.push_back(i);
        return run_with(index.begin(), std::true_type{});
    }
}

/// Whether standing workers, forked when so many modules had been loaded, have this code as well.
template <typename F, typename... Parts>
bool workers_have(const F& f, std::uint64_t modules_then, chunk_function run) {
    const auto had = [&](const void* code) { return os::in_executable(code) || os::modules_loaded() == modules_then; };
    if (!had(reinterpret_cast<const void*>(run))) return false;
    if constexpr (std::is_pointer_v<F>) {
        return had(reinterpret_cast<const void*>(f));
    } else if constexpr (detail::is_pointer_to_code<F>) {
        return os::modules_loaded() == modules_then; // a member's code isn't where its pointer says
    } else {
        return true;
    }
}

} // namespace multiprocessing::pool
