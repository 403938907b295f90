// Floor 10, manager/row: a list of bytes in shared memory.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <numeric> // std::iota
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/shelf.hpp>

namespace multiprocessing::manager {

struct row_record {
    manager::content content;

    template <typename F>
    void for_each_place(F f) {
        f(content.value);
    }
    void copy(const row_record& from, bool spare_too) noexcept {
        content.value.store(from.content.value.load(std::memory_order_relaxed), std::memory_order_relaxed);
        if (spare_too) content.spare.store(from.content.spare.load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
};

/// Items one after the other, 16 bytes each, and what doesn't fit into 7 bytes in the arena (shelf.hpp).
///
/// | operation                                  | what commits it              | takes                    |
/// | ------------------------------------------ | ---------------------------- | ------------------------ |
/// | another item at its place                  | a store of its value         | constant time            |
/// | items behind the last, or fewer at the end | a store of `used`            | time for the new ones    |
/// | anything else                              | a store of the root          | 16 bytes copied an item  |
///
/// - Threads and processes: as for a table.
class row : public shelf<row_record> {
public:
    row() noexcept = default;
    [[nodiscard]] static row make() { return row(0); }

    [[nodiscard]] std::size_t size() const;

    /// Negative indices count from the end. False: there is none.
    [[nodiscard]] bool get(std::int64_t index, item& out) const;
    [[nodiscard]] bool set(std::int64_t index, const item_view& x) const;
    [[nodiscard]] bool take(std::int64_t index, item* out) const;

    void append(const item_view& x) const;
    void insert(std::int64_t before, const item_view& x) const;
    /// Puts items there instead of those from `first` up to `last`, all at once. Indices as in Python's slices.
    void splice(std::int64_t first, std::int64_t last, const items& with) const;
    void extend(const items& with) const { splice(end, end, with); }
    void clear() const { splice(0, end, {}); }
    static constexpr std::int64_t end = INT64_MAX;

    /// Those from `first` up to `last`, as they are at one moment. Returns a number that another change of the row changes.
    std::uint64_t read_some(std::int64_t first, std::int64_t last, items& out) const;

    /// Orders the items as it says, or removes those that it leaves out. False, and nothing is changed, when somebody else has
    /// changed the row since that number was had.
    [[nodiscard]] bool arrange(std::span<const std::uint32_t> order, std::uint64_t seen) const;
    [[nodiscard]] bool take_if(std::uint64_t index, std::uint64_t seen) const;
    [[nodiscard]] bool exchange(std::int64_t index, std::uint64_t seen, const item_view& x) const;
    void reverse() const;

private:
    void put(const view& v, std::uint64_t i, const item_view& x) const;

    explicit row(std::uint64_t salt) : shelf(salt) {}

    static std::optional<std::uint64_t> place_of(std::int64_t index, std::uint64_t n) noexcept {
        const auto count = static_cast<std::int64_t>(n);
        if (index < -count || index >= count) return std::nullopt;
        return static_cast<std::uint64_t>(index < 0 ? index + count : index);
    }
    static std::uint64_t bound(std::int64_t index, std::uint64_t n) noexcept {
        const auto count = static_cast<std::int64_t>(n);
        if (index < 0) index = index < -count ? 0 : index + count;
        return static_cast<std::uint64_t>(std::min(index, count));
    }
    [[nodiscard]] static std::uint64_t count(const view& v) noexcept { return v ? v.used() : 0; }
    static std::vector<std::uint32_t> as_they_are(std::uint64_t n) {
        std::vector<std::uint32_t> order(n);
        std::iota(order.begin(), order.end(), 0U);
        return order;
    }
    void set_used(const view& v, std::uint64_t n) const noexcept {
        v.root->used.store(n, std::memory_order_release);
        MULTIPROCESSING_STEP(row_used);
        v.root->live.store(n, std::memory_order_release);
        committed();
    }
    void replace_some(std::uint64_t first, std::uint64_t last, std::span<const item_view> with) const;
    [[nodiscard]] bool extend_in_place(const view& v, std::uint64_t n, std::span<const item_view> with) const;
    void cut(const view& v, std::uint64_t n) const;
    void rebuild(const view& v, std::uint64_t first, std::uint64_t last, std::span<const item_view> with) const;
};

inline std::size_t row::size() const {
    return read_with<std::size_t>([](const view& v) { return std::optional<std::size_t>(count(v)); },
                                  [](const view& v) { return static_cast<std::size_t>(count(v)); });
}

inline bool row::get(std::int64_t index, item& out) const {
    return read_with<bool>(
        [&](const view& v) -> std::optional<bool> {
            const auto i = place_of(index, count(v));
            if (!i) return false;
            const place it(v.records[*i].content.value.load(std::memory_order_acquire));
            return read_unlocked(v, it, out) ? std::optional(true) : std::nullopt;
        },
        [&](const view& v) {
            const auto i = place_of(index, count(v));
            if (i) read(v, place(v.records[*i].content.value.load(std::memory_order_relaxed)), out);
            return i.has_value();
        });
}

inline bool row::set(std::int64_t index, const item_view& x) const {
    const hold held(*this);
    const view v = open();
    const auto i = place_of(index, count(v));
    if (!i) return false;
    put(v, *i, x);
    return true;
}

inline void row::put(const view& v, std::uint64_t i, const item_view& x) const {
    if (replace(v, v.records[i].content, x)) return;
    const auto order = as_they_are(count(v));
    install(draw(v, order, std::max<std::uint64_t>(8, order.size() * 2), 0, arena_bytes(x)));
    const view larger = open();
    if (!replace(larger, larger.records[i].content, x)) throw std::bad_alloc();
}

inline bool row::exchange(std::int64_t index, std::uint64_t seen, const item_view& x) const {
    const hold held(*this);
    if (state_->version.load(std::memory_order_relaxed) != seen) return false;
    const view v = open();
    const auto i = place_of(index, count(v));
    if (!i) return false;
    put(v, *i, x);
    return true;
}

inline bool row::take(std::int64_t index, item* out) const {
    const hold held(*this);
    const view v = open();
    const auto i = place_of(index, count(v));
    if (!i) return false;
    if (out != nullptr) read(v, place(v.records[*i].content.value.load(std::memory_order_relaxed)), *out);
    replace_some(*i, *i + 1, {});
    return true;
}

inline void row::append(const item_view& x) const {
    const hold held(*this);
    const std::uint64_t n = count(open());
    replace_some(n, n, {&x, 1});
}

inline void row::insert(std::int64_t before, const item_view& x) const {
    const hold held(*this);
    const std::uint64_t at = bound(before, count(open()));
    replace_some(at, at, {&x, 1});
}

inline void row::splice(std::int64_t first, std::int64_t last, const items& with) const {
    std::vector<item_view> all;
    all.reserve(with.size());
    for (std::size_t i = 0; i < with.size(); ++i) all.push_back(with[i]);
    const hold held(*this);
    const std::uint64_t n = count(open());
    const std::uint64_t begin = bound(first, n);
    replace_some(begin, std::max(begin, bound(last, n)), all);
}

inline void row::replace_some(std::uint64_t first, std::uint64_t last, std::span<const item_view> with) const {
    const view v = open();
    const std::uint64_t n = count(v);
    if (first == last && with.empty()) return;
    if (first == n && extend_in_place(v, n, with)) return;
    if (last == n && with.empty() && n - first == 1) return cut(v, first);
    rebuild(v, first, last, with);
}

inline bool row::extend_in_place(const view& v, std::uint64_t n, std::span<const item_view> with) const {
    if (!v || with.size() > v.capacity - n) return false;
    std::uint64_t bytes = 0;
    for (const item_view& x : with) {
        if (!goes_in_arena(x) && with.size() != 1) return false; // only so many objects may be in doubt at once
        bytes += arena_bytes(x);
    }
    const std::uint64_t used = (v.arena_used() + 7) / 8 * 8;
    if (used > v.arena_size || bytes > v.arena_size - used) return false;
    newcomer own;
    for (std::uint64_t i = 0; i < with.size(); ++i) {
        content& to = v.records[n + i].content;
        std::optional<place> at;
        if (goes_in_arena(with[i])) {
            at = write_short(v, with[i]);
            if (!at) return false;
        } else {
            own = make_own(with[i]);
            at = place::own(own.name());
        }
        to.spare.store(0, std::memory_order_relaxed);
        to.value.store(at->word(), std::memory_order_release);
        MULTIPROCESSING_STEP(record_written);
    }
    const bool cares = static_cast<bool>(own);
    if (cares) {
        doubt(0, own.name());
        own.give_to(state_.id());
    }
    set_used(v, n + with.size());
    if (cares) doubt_nothing();
    return true;
}

inline void row::cut(const view& v, std::uint64_t n) const {
    const place last(v.records[n].content.value.load(std::memory_order_relaxed));
    if (last.is_own()) doubt(1, last.name());
    set_used(v, n);
    if (!last.is_own()) return;
    discard(last.name());
    doubt_nothing();
}

inline void row::rebuild(const view& v, std::uint64_t first, std::uint64_t last, std::span<const item_view> with) const {
    const std::uint64_t n = count(v);
    const std::uint64_t left = n - (last - first);
    if (left + with.size() == 0) return install({});
    std::vector<std::uint32_t> order;
    order.reserve(left + with.size());
    for (std::uint64_t i = 0; i < first; ++i) order.push_back(static_cast<std::uint32_t>(i));
    // The new ones' records are copies of any other, until they get their values; an empty row has none to copy.
    for (std::uint64_t i = last; i < n; ++i) order.push_back(static_cast<std::uint32_t>(i));

    std::uint64_t bytes = 0;
    for (const item_view& x : with) bytes += arena_bytes(x);
    const std::uint64_t used = v ? (v.arena_used() + 7) / 8 * 8 : 0;
    const bool fits = v && used <= v.arena_size && bytes <= v.arena_size - used;
    const std::uint64_t total = left + with.size();
    blueprint made = draw(v, order, std::max<std::uint64_t>(8, total + total / 2 + 1), 0,
                          fits ? std::nullopt : std::optional(bytes));
    // A gap for the new ones.
    for (std::uint64_t i = left; i-- > first;) made.v.records[i + with.size()].copy(made.v.records[i], true);
    std::vector<newcomer> own;
    for (std::uint64_t i = 0; i < with.size(); ++i) {
        content& to = made.v.records[first + i].content;
        std::optional<place> at;
        if (goes_in_arena(with[i])) at = write_short(made.v, with[i]);
        if (!at) {
            own.push_back(make_own(with[i]));
            at = place::own(own.back().name());
        }
        to.spare.store(0, std::memory_order_relaxed);
        to.value.store(at->word(), std::memory_order_relaxed);
    }
    made.v.root->used.store(total, std::memory_order_relaxed);
    made.v.root->live.store(total, std::memory_order_relaxed);
    install(std::move(made), own);
}

inline std::uint64_t row::read_some(std::int64_t first, std::int64_t last, items& out) const {
    const hold held(*this);
    const view v = open();
    const std::uint64_t n = count(v);
    for (std::uint64_t i = bound(first, n), stop = bound(last, n); i < stop; ++i)
        read_in_place(v, place(v.records[i].content.value.load(std::memory_order_relaxed)),
                      [&](const item_view& x) { out.add(x); });
    return state_->version.load(std::memory_order_relaxed);
}

inline bool row::arrange(std::span<const std::uint32_t> order, std::uint64_t seen) const {
    const hold held(*this);
    if (state_->version.load(std::memory_order_relaxed) != seen) return false;
    const view v = open();
    std::vector<bool> named(count(v));
    for (const std::uint32_t i : order) { // each item once: two records can't own one object
        if (i >= named.size() || named[i]) throw ValueError("this is no order of the items that a list has");
        named[i] = true;
    }
    if (order.empty()) {
        if (v) install({});
        return true;
    }
    install(draw(v, order, std::max<std::uint64_t>(8, order.size() + order.size() / 2), 0, std::nullopt));
    return true;
}

inline bool row::take_if(std::uint64_t index, std::uint64_t seen) const {
    const hold held(*this);
    if (state_->version.load(std::memory_order_relaxed) != seen) return false;
    if (index >= count(open())) return false;
    replace_some(index, index + 1, {});
    return true;
}

inline void row::reverse() const {
    const hold held(*this);
    const view v = open();
    const std::uint64_t n = count(v);
    if (n < 2) return;
    auto order = as_they_are(n);
    std::reverse(order.begin(), order.end());
    install(draw(v, order, v.capacity, 0, std::nullopt));
}

} // namespace multiprocessing::manager
