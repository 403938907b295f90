// Floor 5, serial/object/dict: a hash table that keeps its order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <utility>

#include <multiprocessing/serial/object/compare.hpp>
#include <multiprocessing/serial/object/nesting.hpp>
#include <multiprocessing/serial/object/value.hpp>

namespace multiprocessing {

template <typename Entry>
class dict::cursor {
public:
    cursor() = default;
    cursor(Entry* at, Entry* end) noexcept : at_(at), end_(end) { skip(); }

    [[nodiscard]] Entry& entry() const noexcept { return *at_; }
    void next() noexcept {
        ++at_;
        skip();
    }
    friend bool operator==(const cursor& a, const cursor& b) noexcept { return a.at_ == b.at_; }

private:
    void skip() noexcept {
        while (at_ != end_ && at_->hash == 0) ++at_;
    }
    Entry* at_ = nullptr;
    Entry* end_ = nullptr;
};

class dict::iterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Object;
    using difference_type = std::ptrdiff_t;
    using pointer = const Object*;
    using reference = const Object&;

    iterator() = default;
    [[nodiscard]] reference operator*() const noexcept { return at_.entry().key; }
    [[nodiscard]] pointer operator->() const noexcept { return &at_.entry().key; }
    iterator& operator++() noexcept {
        at_.next();
        return *this;
    }
    iterator operator++(int) noexcept {
        iterator before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept = default;

private:
    friend class dict;
    explicit iterator(cursor<const entry> at) noexcept : at_(at) {}
    cursor<const entry> at_;
};

template <typename Entry>
class dict::item_range {
public:
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = std::pair<const Object&, decltype((std::declval<Entry&>().value))>;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = value_type;

        iterator() = default;
        explicit iterator(cursor<Entry> at) noexcept : at_(at) {}
        [[nodiscard]] value_type operator*() const noexcept { return {at_.entry().key, at_.entry().value}; }
        iterator& operator++() noexcept {
            at_.next();
            return *this;
        }
        iterator operator++(int) noexcept {
            iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept = default;

    private:
        cursor<Entry> at_;
    };

    item_range(Entry* first, Entry* last) noexcept : begin_(cursor<Entry>(first, last)), end_(cursor<Entry>(last, last)) {}
    [[nodiscard]] iterator begin() const noexcept { return begin_; }
    [[nodiscard]] iterator end() const noexcept { return end_; }

private:
    iterator begin_, end_;
};

inline auto dict::begin() const noexcept -> iterator {
    return iterator({entries_.data(), entries_.data() + entries_.size()});
}
inline auto dict::end() const noexcept -> iterator {
    const entry* const end = entries_.data() + entries_.size();
    return iterator({end, end});
}
inline auto dict::items() noexcept {
    return item_range<entry>(entries_.data(), entries_.data() + entries_.size());
}
inline auto dict::items() const noexcept {
    return item_range<const entry>(entries_.data(), entries_.data() + entries_.size());
}

inline dict::dict(std::initializer_list<std::pair<Object, Object>> items) {
    for (const auto& [key, value] : items) (*this)[key] = value;
}

inline std::size_t dict::hash_of(const Object& key) {
    const std::size_t hash = key.hash();
    return hash != 0 ? hash : 1;
}

/// No table for this many.
inline constexpr std::size_t few_entries = 8;

inline auto dict::lookup(const Object& key, std::size_t hash) const -> entry* {
    const auto is_it = [&](const entry& each) { return each.hash == hash && each.key == key; };
    auto* const first = const_cast<entry*>(entries_.data()); // the callers give it the const back
    if (table_.empty()) {
        for (std::size_t i = 0; i < entries_.size(); ++i)
            if (is_it(first[i])) return first + i;
        return nullptr;
    }
    for (std::size_t at = hash & (table_.size() - 1); table_[at] != 0; at = (at + 1) & (table_.size() - 1)) {
        const std::size_t which = table_[at] - 1;
        if (which < entries_.size() && is_it(first[which])) return first + which;
    }
    return nullptr;
}

inline void dict::enter(std::size_t which) noexcept {
    std::size_t at = entries_[which].hash & (table_.size() - 1);
    while (table_[at] != 0) at = (at + 1) & (table_.size() - 1);
    table_[at] = static_cast<std::uint32_t>(which + 1);
    ++taken_;
}

/// Throws what was removed away, and makes a table in which half of the places are free for as many again.
inline void dict::rebuild() {
    std::size_t places = 0;
    if (size() >= few_entries)
        for (places = 4 * few_entries; places < 4 * size();) places *= 2;
    if (places / 2 > std::numeric_limits<std::uint32_t>::max()) throw std::length_error("a dict of too many keys");
    std::vector<std::uint32_t> table(places); // all that can throw comes first
    std::erase_if(entries_, [](const entry& each) { return each.hash == 0; });
    removed_ = 0;
    taken_ = 0;
    table_ = std::move(table);
    if (!table_.empty())
        for (std::size_t i = 0; i < entries_.size(); ++i) enter(i);
}

inline Object& dict::add(Object key, std::size_t hash, Object value) {
    if (table_.empty() ? entries_.size() >= few_entries : 2 * taken_ >= table_.size()) rebuild();
    entries_.push_back({hash, std::move(key), std::move(value)});
    // Its place in the table is new, even where one is left that led to a predecessor: see lookup().
    if (!table_.empty()) enter(entries_.size() - 1);
    return entries_.back().value;
}

inline Object dict::take(entry& from) noexcept {
    Object value = std::move(from.value);
    from.key = Object();
    from.hash = 0;
    ++removed_;
    while (!entries_.empty() && entries_.back().hash == 0) { // so that popitem() finds the last at the end
        entries_.pop_back();
        --removed_;
    }
    return value;
}

inline Object* dict::find(const Object& key) {
    entry* const found = lookup(key, hash_of(key));
    return found != nullptr ? &found->value : nullptr;
}
inline const Object* dict::find(const Object& key) const {
    const entry* const found = lookup(key, hash_of(key));
    return found != nullptr ? &found->value : nullptr;
}

inline Object& dict::operator[](const Object& key) { return setdefault(key); }

inline Object& dict::setdefault(const Object& key, Object value) {
    const std::size_t hash = hash_of(key);
    if (entry* const found = lookup(key, hash)) return found->value;
    return add(key, hash, std::move(value));
}

inline bool dict::insert(Object key, Object value) {
    const std::size_t hash = hash_of(key);
    if (lookup(key, hash) != nullptr) return false;
    add(std::move(key), hash, std::move(value));
    return true;
}

inline Object dict::get(const Object& key, Object otherwise) const {
    const Object* const found = find(key);
    return found != nullptr ? *found : std::move(otherwise);
}

inline void dict::update(const dict& other) {
    if (&other == this) return;
    for (const auto& [key, value] : other.items()) (*this)[key] = value;
}

inline Object dict::pop(const Object& key, Object otherwise) {
    entry* const found = lookup(key, hash_of(key));
    return found != nullptr ? take(*found) : std::move(otherwise);
}

inline bool dict::erase(const Object& key) {
    entry* const found = lookup(key, hash_of(key));
    if (found != nullptr) static_cast<void>(take(*found));
    return found != nullptr;
}

inline void dict::clear() noexcept {
    entries_.clear();
    table_.clear();
    removed_ = 0;
    taken_ = 0;
}

inline list dict::keys() const {
    list all;
    all.reserve(size());
    for (const Object& key : *this) all.append(key);
    return all;
}
inline list dict::values() const {
    list all;
    all.reserve(size());
    for (const auto& [key, value] : items()) all.append(value);
    return all;
}

inline bool dict::same(const dict& a, const dict& b) {
    const serial::dynamic::nesting deeper;
    if (a.size() != b.size()) return false;
    for (const entry& each : a.entries_) {
        if (each.hash == 0) continue;
        const entry* const other = b.lookup(each.key, each.hash);
        if (other == nullptr || !(each.value == other->value)) return false;
    }
    return true;
}

} // namespace multiprocessing
