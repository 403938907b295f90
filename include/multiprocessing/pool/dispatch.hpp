// Floor 9, pool/dispatch: from a call on a pool to a job on its board, and back to a result.
#pragma once

#include <algorithm> // std::min
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <exception>
#include <iterator>
#include <memory> // std::addressof, std::construct_at, std::shared_ptr
#include <ranges>
#include <optional>
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
    booking(crew& all, std::uint64_t items, const manner& how) : crew_(all), j_(all.reserve(items, how)) {}
    booking(const booking&) = delete;
    booking& operator=(const booking&) = delete;
    ~booking() {
        if (stage_ == waited)
            crew_.give_up(j_);
        else if (stage_ == filling)
            crew_.abandon(j_);
    }

    [[nodiscard]] crew& on() const noexcept { return crew_; }
    [[nodiscard]] unsigned slot() const noexcept { return j_; }
    [[nodiscard]] job& which() const noexcept { return crew_.at(j_); }

    /// Has it done; throws what an item threw, or why it was lost.
    void run(unsigned party = 0, bool results_in_place = false) {
        begin(party);
        end(results_in_place);
    }
    /// The two halves of that.
    void begin(unsigned party = 0) {
        stage_ = waited;
        crew_.start(j_, party);
        if (party != 0) crew_.dismiss(party);
    }
    void end(bool results_in_place = false) { crew_.wait(j_, results_in_place).require_good(); }
    /// Has it done while nobody waits.
    void run_detached(unsigned party, std::shared_ptr<remains> rest) {
        stage_ = detached;
        crew_.start_detached(j_, party, std::move(rest));
        if (party != 0) crew_.dismiss(party);
    }

private:
    crew& crew_;
    unsigned j_;
    enum { filling, waited, detached } stage_ = filling;
};

/// Heirs while one call needs them.
class following {
public:
    following(crew& all, std::uint64_t items, bool may_be_replaced)
        : crew_(&all), party_(all.summon(static_cast<unsigned>(std::min<std::uint64_t>(all.size(), items)), may_be_replaced)) {}
    following(const following&) = delete;
    following& operator=(const following&) = delete;
    ~following() {
        if (crew_ != nullptr && crew_->is_ours()) crew_->disband(party_, true);
    }
    [[nodiscard]] unsigned party() const noexcept { return party_; }
    /// From now on they leave by themselves.
    void let_go() noexcept { crew_ = nullptr; }

private:
    crew* crew_;
    unsigned party_;
};

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
        std::vector<memory::holding> all_shares;
        std::vector<memory::holding> shares;
        std::uint64_t size = 0;
        std::uint64_t i = 0;
        for (const T& item : range) {
            ends[i++] = size += pack_sharing<T>({}, item, shares);
            all_shares.insert(all_shares.end(), shares.begin(), shares.end());
        }
        const bool shared = !all_shares.empty();
        std::uint64_t more = 0; // for the names of shares, of all items so far
        if (shared) {
            i = 0;
            for (const T& item : range) {
                static_cast<void>(pack_sharing<T>({}, item, shares));
                more += size_of_names(shares.size());
                ends[i++] += more;
            }
            which.shared = 1;
            call.on().keep(call.slot(), std::move(all_shares));
        }
        std::byte* to = call.on().room_for_input(call.slot(), size + more);
        std::uint64_t begin = 0;
        i = 0;
        for (const T& item : range) {
            const std::uint64_t room = ends[i++] - begin;
            std::uint64_t names = 0;
            if (shared) {
                static_cast<void>(pack_sharing<T>({}, item, shares));
                names = size_of_names(shares.size());
                if (names > room) throw ValueError("an item isn't packed the same way twice: its save() must depend on its value alone");
                write_names(to + begin, shares);
            }
            if (pack_sharing<T>(std::span(to + begin + names, room - names), item, shares) != room - names)
                throw ValueError("an item isn't packed the same way twice: its save() must depend on its value alone");
            begin += room;
        }
        which.input = all.offset_of(to);
        which.input_index = all.offset_of(ends);
    }
}

// --- results

/// What a call wants of the results, each a type with
///   run_chunk<F, Items>   what the workers do (task.hpp)
///   logged         whether they log the results
///   in_place       whether somebody else's memory is written while the job runs
///   prepare(call)  before the start
///   collect(output, log)  after the end: where the output stands, and what was logged
///   nothing()      instead of all that, where there are no items
template <typename R>
class collected {
public:
    template <typename F, typename Items>
    static void run_chunk(desk& at) {
        pool::run_chunk<F, Items, std::conditional_t<Plain<R>, results_to_array<R>, results_to_log<R>>>(at);
    }
    static constexpr bool logged = !Plain<R>;
    static constexpr bool in_place = false;
    static constexpr bool in_pieces = Plain<R>;

    [[nodiscard]] std::vector<R> nothing() const { return {}; }
    void prepare(booking& call, std::uint64_t n) {
        n_ = n;
        call.which().output = 0;
        if constexpr (Plain<R>) {
            const std::uint64_t bytes = n * sizeof(R);
            job& which = call.which();
            std::byte* to = bytes <= sizeof(which.small) / 2 ? which.small + sizeof(which.small) / 2
                                                             : call.on().room_for_output(call.slot(), bytes);
            which.output = memory::commons::here().offset_of(to);
        }
    }
    std::vector<R> collect(const std::byte* output, const log_reader& log) const {
        if constexpr (Plain<R>) {
            const R* first = reinterpret_cast<const R*>(output);
            return std::vector<R>(first, first + n_);
        } else {
            struct place {
                std::span<const std::byte> bytes;
                bool found = false;
                memory::holding parcel;
            };
            std::vector<place> places(n_);
            std::uint64_t found = 0;
            log.for_each([&](std::uint64_t item, std::span<const std::byte> bytes) {
                const std::uint64_t i = item & ~log_record::parcel;
                if (i >= n_) throw ProcessError("a worker's log has the result of an item that there isn't");
                found += !std::exchange(places[i].found, true);
                places[i].bytes = bytes; // of an item that was tried twice, the last
                places[i].parcel = {};
                if ((item & log_record::parcel) == 0) return;
                memory::object_name name = 0;
                if (bytes.size() != sizeof name) throw ProcessError("a worker's log has a parcel without a name");
                std::memcpy(&name, bytes.data(), sizeof name);
                places[i].parcel = memory::holding::receive(name);
            });
            if (found != n_) throw ProcessError("the workers' logs don't have a result for each item");
            std::vector<R> all;
            all.reserve(n_);
            for (const place& each : places)
                all.push_back(each.parcel ? unpack_parcel<R>(each.parcel) : serial::unpack<R>(each.bytes));
            return all;
        }
    }

private:
    std::uint64_t n_ = 0;
};

/// Nobody wants them.
struct discarded {
    template <typename F, typename Items>
    static void run_chunk(desk& at) {
        pool::run_chunk<F, Items, results_dropped>(at);
    }
    static constexpr bool logged = false;
    static constexpr bool in_place = false;
    void nothing() const noexcept {}
    void prepare(booking& call, std::uint64_t) const noexcept { call.which().output = 0; }
    void collect(const std::byte*, const log_reader&) const noexcept {}
};

/// Into an array of the caller's: written by the workers themselves if it is common memory.
template <typename U>
class written_into {
public:
    template <typename F, typename Items>
    static void run_chunk(desk& at) {
        pool::run_chunk<F, Items, results_to_array<U>>(at);
    }
    static constexpr bool logged = false;
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
    void collect(const std::byte* output, const log_reader&) const {
        if (in_place) return;
        const U* first = reinterpret_cast<const U*>(output);
        for (std::uint64_t i = 0; i < n_; ++i) to_[i] = first[i];
    }

private:
    U* to_;
    std::uint64_t room_;
    std::uint64_t n_ = 0;
};

// --- the call

/// Takes the results of a call that is over.
template <typename Wanted>
auto collect(booking& call, Wanted& wanted) {
    const auto* output = memory::commons::here().at<const std::byte>(call.which().output);
    if constexpr (Wanted::logged)
        return wanted.collect(output, call.on().take_log(call.slot()));
    else
        return wanted.collect(output, log_reader());
}

/// On workers that stand already: the items travel to them.
template <typename F, typename Range, typename Wanted>
auto run_on_standing(crew& all, F& f, Range& range, std::uint64_t n, const manner& how, Wanted wanted) {
    using T = std::ranges::range_value_t<Range>;
    booking call(all, n, how);
    stage(call, range, n);
    put_callable(call.which().callable, f);
    call.which().run = code_number(&Wanted::template run_chunk<F, standing_items<T>>);
    wanted.prepare(call, n);
    call.run(0, wanted.in_place);
    return collect(call, wanted);
}

/// Whether a call's items and results are private arrays so large that they are better moved in pieces: room that was used
/// a moment ago takes a copy at the speed of memory, fresh room costs a page fault for every 4 KiB of it, in the caller and
/// in the worker.
template <typename Range, typename Wanted>
[[nodiscard]] bool goes_in_pieces(Range& range, std::uint64_t n, const manner& how) {
    using T = std::ranges::range_value_t<Range>;
    if constexpr (Plain<T> && std::ranges::contiguous_range<Range> && requires { requires Wanted::in_pieces; }) {
        constexpr std::uint64_t large = 16 << 20;
        return how.chunk == 0 && !how.progress && n * sizeof(T) >= large &&
               !memory::commons::here().contains(std::to_address(std::ranges::begin(range)), n * sizeof(T));
    } else {
        return false;
    }
}

/// On workers that stand already, piece by piece: while they work on one, the next is copied to them, and the last copied back.
template <typename F, typename Range, typename R>
std::vector<R> run_in_pieces(crew& all, F& f, Range& range, std::uint64_t n, const manner& how, const collected<R>&) {
    using T = std::ranges::range_value_t<Range>;
    constexpr std::uint64_t piece = std::max<std::uint64_t>(1, (4 << 20) / std::max(sizeof(T), sizeof(R)));
    const T* const first = std::to_address(std::ranges::begin(range));
    struct under_way {
        under_way(crew& on, std::uint64_t items, const manner& part) : call(on, items, part) {}
        booking call;
        collected<R> wanted;
    };
    std::vector<R> results;
    results.reserve(n);
    std::optional<under_way> ahead[3];
    const auto begin_piece = [&](std::uint64_t k) {
        const std::uint64_t at = k * piece;
        const std::uint64_t items = std::min(piece, n - at);
        manner part = how;
        part.before = at;
        part.of = n;
        under_way& next = ahead[k % 3].emplace(all, items, part);
        std::span<const T> from(first + at, items);
        stage(next.call, from, items);
        put_callable(next.call.which().callable, f);
        next.call.which().run = code_number(&collected<R>::template run_chunk<F, standing_items<T>>);
        next.wanted.prepare(next.call, items);
        next.call.begin();
    };
    const std::uint64_t pieces = (n + piece - 1) / piece;
    begin_piece(0);
    if (pieces > 1) begin_piece(1);
    for (std::uint64_t k = 0; k < pieces; ++k) {
        if (k + 2 < pieces) begin_piece(k + 2);
        under_way& done = *ahead[k % 3];
        done.call.end();
        const R* output = memory::commons::here().at<const R>(done.call.which().output);
        results.insert(results.end(), output, output + std::min(piece, n - k * piece));
        ahead[k % 3].reset();
    }
    return results;
}

/// Calls use(first, code): where heirs find the items of the range, an iterator that they inherit and that is there until use()
/// returns, and the number of what is to be done with a chunk of them.
template <typename F, typename Wanted, typename Range, typename Use>
auto with_heritage(Range& range, std::uint64_t n, Use use) {
    using T = std::ranges::range_value_t<Range>;
    const auto use_it = [&]<bool Indirect>(auto first, std::bool_constant<Indirect>) {
        using Items = items_inherited<decltype(first), T, Indirect>;
        return use(&first, code_number(&Wanted::template run_chunk<F, Items>));
    };
    if constexpr (std::ranges::random_access_range<Range>) {
        return use_it(std::ranges::begin(range), std::false_type{});
    } else { // not the items: where they are
        std::vector<std::ranges::iterator_t<Range>> index;
        index.reserve(n);
        for (auto i = std::ranges::begin(range); i != std::ranges::end(range); ++i) index.push_back(i);
        return use_it(index.begin(), std::true_type{});
    }
}

/// On workers forked for this call, at this moment: f, what it refers to and the items are theirs by inheritance.
template <typename F, typename Range, typename Wanted>
auto run_on_heirs(crew& all, F& f, Range& range, std::uint64_t n, const manner& how, Wanted wanted) {
    return with_heritage<F, Wanted>(range, n, [&](const auto* first, std::uint64_t code) {
        booking call(all, n, how);
        put_callable(call.which().callable, f);
        call.which().input = reinterpret_cast<std::uintptr_t>(first);
        call.which().run = code;
        wanted.prepare(call, n);
        const following heirs(all, n, true);
        call.run(heirs.party(), wanted.in_place);
        return collect(call, wanted);
    });
}

/// Whether standing workers, forked when so many modules had been loaded, have this code as well.
template <typename F, typename Code>
bool workers_have(const F& f, std::uint64_t modules_then, Code* run) {
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
template <typename F, typename Code>
bool workers_have(const starred<F>& f, std::uint64_t modules_then, Code* run) {
    return workers_have(f.function, modules_then, run);
}

} // namespace multiprocessing::pool
