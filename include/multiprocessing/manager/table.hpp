// Floor 10, manager/table: a hash table in shared memory that keeps its order, from bytes to bytes.
#pragma once

#include <algorithm> // std::equal, std::max
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/shelf.hpp>
#include <multiprocessing/os/random.hpp>

namespace multiprocessing::manager {

struct table_record {
    std::atomic<std::uint64_t> hash{0};
    std::atomic<std::uint64_t> key{0}; ///< a place
    manager::content content;

    template <typename F>
    void for_each_place(F f) {
        f(key);
        f(content.value);
    }
    void copy(const table_record& from, bool spare_too) noexcept {
        hash.store(from.hash.load(std::memory_order_relaxed), std::memory_order_relaxed);
        key.store(from.key.load(std::memory_order_relaxed), std::memory_order_relaxed);
        content.value.store(from.content.value.load(std::memory_order_relaxed), std::memory_order_relaxed);
        if (spare_too) content.spare.store(from.content.spare.load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
};

/// A key: what is stored, of which only the beginning is compared. (True equals 1, but is shown as it came.)
/// No packed value is the beginning of another one.
struct table_key {
    item_view stored;
    std::size_t compared;

    [[nodiscard]] std::span<const std::byte> identity() const noexcept { return stored.bytes.first(compared); }
};

/// The words of a record, and who sees what after a death (the rest stands in shelf.hpp):
///
/// | step of adding a key            | killed after it                                                    |
/// | ------------------------------- | ------------------------------------------------------------------ |
/// | hash, key; value 0              | nothing: the record isn't used                                     |
/// | used + 1                        | a record without a value, as a removed key leaves one              |
/// | its number into the index       | the same; lookups pass it                                          |
/// | value                           | the key is there                                                   |
///
/// A key that is removed and comes again gets a new record, behind all others. Records without a value, and what is no longer
/// used of the arena, go when the records or the arena are full: what has a value is copied to a new root, which is twice as
/// large as it needs to be.
///
/// - Threads and processes: any number of readers beside one writer. A reader takes no lock, unless writers interrupt him again
///   and again, or what he reads is long or has shared objects in it.
/// - Errors: std::bad_alloc; ProcessError when somebody has overwritten it.
class table : public shelf<table_record> {
public:
    table() noexcept = default;
    [[nodiscard]] static table make() {
        std::uint64_t salt = 0;
        os::fill_random(std::as_writable_bytes(std::span(&salt, 1)));
        return table(salt);
    }

    /// False: there is no such key.
    [[nodiscard]] bool get(const table_key& key, item& out) const;
    [[nodiscard]] bool contains(const table_key& key) const;

    void set(const table_key& key, const item_view& value) const;
    /// Several in one locking. Who is killed within has set the first so many.
    void set_all(std::span<const std::size_t> compared, const items& keys, const items& values) const;
    /// The value that is there (true), or this one from now on.
    [[nodiscard]] bool set_default(const table_key& key, const item_view& value, item& out) const;
    /// Another value, if the one that is there is the expected one; without an expected one, if there is none.
    [[nodiscard]] bool exchange(const table_key& key, const item* expected, const item_view& value) const;
    /// Removes it; false: it wasn't there.
    [[nodiscard]] bool take(const table_key& key, item* out) const;
    /// The last one.
    [[nodiscard]] bool take_last(item& key, item& value) const;
    /// All at once.
    void clear() const;

    /// As they are at one moment, in their order.
    void read_all(items* keys, items* values) const;

private:
    explicit table(std::uint64_t salt) : shelf(salt) {}

    enum class answer { absent, present, unclear };
    struct found {
        answer is = answer::absent;
        std::uint64_t record = 0;
        place value;
    };
    [[nodiscard]] std::uint64_t hash_of(std::span<const std::byte> bytes) const noexcept;
    [[nodiscard]] found find(const view& v, std::uint64_t hash, std::span<const std::byte> key, bool locked) const;
    [[nodiscard]] answer equal(const view& v, place stored, std::span<const std::byte> key, bool locked) const;
    [[nodiscard]] found find_locked(const view& v, std::uint64_t hash, std::span<const std::byte> key) const {
        const found it = find(v, hash, key, true);
        if (it.is == answer::unclear)
            throw ProcessError("what belongs to a manager's dict was overwritten: it can't be used any more");
        return it;
    }
    void put(view& v, std::uint64_t hash, const table_key& key, const item_view& value) const;
    void add(view& v, std::uint64_t hash, const table_key& key, const item_view& value) const;
    void drop(const view& v, std::uint64_t record) const { remove(v, v.records[record].content); }
    [[nodiscard]] view rebuild(const view& v, std::optional<std::uint64_t> more_bytes) const;
    static void enter(const view& v, std::uint64_t hash, std::uint64_t record) noexcept;
};

namespace detail {

__extension__ using two_words = unsigned __int128;

inline std::uint64_t fold_product(std::uint64_t a, std::uint64_t b) noexcept {
    const two_words product = static_cast<two_words>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

} // namespace detail

// Begins with what nobody outside knows: whoever chooses keys can't choose their hashes.
inline std::uint64_t table::hash_of(std::span<const std::byte> bytes) const noexcept {
    constexpr std::uint64_t odd = 0x9e37'79b9'7f4a'7c15;
    std::uint64_t state = state_->salt ^ bytes.size() * odd;
    const std::byte* at = bytes.data();
    std::size_t n = bytes.size();
    for (; n >= 8; n -= 8, at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        state = detail::fold_product(state ^ word, (odd ^ std::rotl(state_->salt, 23)) | 1) + std::rotl(word, 31);
    }
    state = detail::fold_product(state ^ few_bytes(at, n), odd) ^ state_->salt;
    return detail::fold_product(state, 0xe703'7ed1'a0b4'28db);
}

inline table::answer table::equal(const view& v, place stored, std::span<const std::byte> key, bool locked) const {
    const auto verdict = [](bool is) { return is ? answer::present : answer::absent; };
    switch (stored.is()) {
    case place::kind::none: return answer::unclear;
    case place::kind::here: {
        if (stored.size_here() < key.size()) return answer::absent;
        return verdict(((stored.bytes_here() ^ few_bytes(key.data(), key.size())) & words::lowest(key.size())) == 0);
    }
    case place::kind::arena: {
        const std::uint64_t at = stored.offset();
        if (stored.size() < key.size()) return answer::absent;
        if (at < sizeof(arena_header) || at > v.arena_size || words::room_for(stored.size()) > v.arena_size - at)
            return answer::unclear;
        return verdict(words::equal(v.arena + at, key.data(), key.size()));
    }
    case place::kind::own: break;
    }
    if (!locked) return answer::unclear;
    bool same = false;
    read_in_place(v, stored, [&](const item_view& x) {
        same = x.bytes.size() >= key.size() && std::memcmp(x.bytes.data(), key.data(), key.size()) == 0;
    });
    return verdict(same);
}

inline table::found table::find(const view& v, std::uint64_t hash, std::span<const std::byte> key, bool locked) const {
    if (!v) return {};
    if (v.index_size == 0) return {answer::unclear, 0, {}};
    const std::uint64_t mask = v.index_size - 1;
    const std::uint64_t most = locked ? mask : std::min<std::uint64_t>(mask, 1 << 12);
    std::uint64_t i = hash & mask;
    for (std::uint64_t n = 0; n <= most; ++n, i = (i + 1) & mask) {
        const std::uint64_t entry = __atomic_load_n(v.index + i, __ATOMIC_ACQUIRE);
        if (entry == 0) return {};
        if (entry > v.capacity) break;
        const table_record& record = v.records[entry - 1];
        if (record.hash.load(std::memory_order_acquire) != hash) continue;
        const place value(record.content.value.load(std::memory_order_acquire));
        if (!value) continue;
        const answer same = equal(v, place(record.key.load(std::memory_order_acquire)), key, locked);
        if (same != answer::absent) return {same, entry - 1, value};
    }
    return {answer::unclear, 0, {}};
}

inline void table::enter(const view& v, std::uint64_t hash, std::uint64_t record) noexcept {
    const std::uint64_t mask = v.index_size - 1;
    for (std::uint64_t i = hash & mask, n = 0; n <= mask; ++n, i = (i + 1) & mask)
        if (__atomic_load_n(v.index + i, __ATOMIC_RELAXED) == 0)
            return __atomic_store_n(v.index + i, static_cast<std::uint32_t>(record + 1), __ATOMIC_RELEASE);
}

inline table::view table::rebuild(const view& v, std::optional<std::uint64_t> more_bytes) const {
    std::vector<std::uint32_t> order;
    for (std::uint64_t i = 0, n = v ? v.used() : 0; i < n; ++i)
        if (v.records[i].content.value.load(std::memory_order_relaxed) != 0) order.push_back(static_cast<std::uint32_t>(i));
    const std::uint64_t capacity = std::max<std::uint64_t>(8, 2 * order.size() + 2);
    blueprint made = draw(v, order, capacity, std::bit_ceil(2 * capacity), v ? more_bytes : more_bytes.value_or(0));
    for (std::size_t i = 0; i < order.size(); ++i) enter(made.v, made.v.records[i].hash.load(std::memory_order_relaxed), i);
    install(std::move(made));
    return open();
}

inline void table::add(view& v, std::uint64_t hash, const table_key& key, const item_view& value) const {
    const std::uint64_t needed = arena_bytes(key.stored) + arena_bytes(value);
    if (!v || needed > v.arena_size - std::min(v.arena_size, (v.arena_used() + 7) / 8 * 8)) v = rebuild(v, needed);
    else if (v.used() == v.capacity) v = rebuild(v, {});

    const auto placed = [&](const item_view& x, newcomer& own) {
        if (goes_in_arena(x))
            if (const auto fresh = write_short(v, x)) return *fresh;
        own = make_own(x);
        return place::own(own.name());
    };
    newcomer own_key, own_value;
    const place key_place = placed(key.stored, own_key);
    const place value_place = placed(value, own_value);

    const std::uint64_t which = v.used();
    table_record& record = v.records[which];
    record.content.value.store(0, std::memory_order_relaxed);
    record.content.spare.store(0, std::memory_order_relaxed);
    record.hash.store(hash, std::memory_order_relaxed);
    record.key.store(key_place.word(), std::memory_order_relaxed);
    MULTIPROCESSING_STEP(record_written);
    const bool cares = own_key || own_value;
    if (own_key) {
        doubt(0, own_key.name());
        own_key.give_to(state_.id());
    }
    if (own_value) {
        doubt(1, own_value.name());
        own_value.give_to(state_.id());
    }
    v.root->used.store(which + 1, std::memory_order_release);
    MULTIPROCESSING_STEP(record_used);
    enter(v, hash, which);
    MULTIPROCESSING_STEP(record_entered);
    record.content.value.store(value_place.word(), std::memory_order_release);
    MULTIPROCESSING_STEP(value_committed);
    v.root->live.store(v.root->live.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    committed();
    if (cares) doubt_nothing();
}

inline void table::put(view& v, std::uint64_t hash, const table_key& key, const item_view& value) const {
    const found it = find_locked(v, hash, key.identity());
    if (it.is == answer::absent) return add(v, hash, key, value);
    if (replace(v, v.records[it.record].content, value)) return;
    v = rebuild(v, arena_bytes(value));
    if (!replace(v, v.records[find_locked(v, hash, key.identity()).record].content, value)) throw std::bad_alloc();
}

inline bool table::get(const table_key& key, item& out) const {
    const std::uint64_t hash = hash_of(key.identity());
    return read_with<bool>(
        [&](const view& v) -> std::optional<bool> {
            const found it = find(v, hash, key.identity(), false);
            if (it.is == answer::absent) return false;
            if (it.is == answer::unclear || !read_unlocked(v, it.value, out)) return std::nullopt;
            return true;
        },
        [&](const view& v) {
            const found it = find_locked(v, hash, key.identity());
            if (it.is == answer::present) read(v, it.value, out);
            return it.is == answer::present;
        });
}

inline bool table::contains(const table_key& key) const {
    const std::uint64_t hash = hash_of(key.identity());
    return read_with<bool>(
        [&](const view& v) -> std::optional<bool> {
            const found it = find(v, hash, key.identity(), false);
            return it.is == answer::unclear ? std::nullopt : std::optional(it.is == answer::present);
        },
        [&](const view& v) { return find_locked(v, hash, key.identity()).is == answer::present; });
}

inline void table::set(const table_key& key, const item_view& value) const {
    const std::uint64_t hash = hash_of(key.identity());
    const hold held(*this);
    view v = open();
    put(v, hash, key, value);
}

inline void table::set_all(std::span<const std::size_t> compared, const items& keys, const items& values) const {
    const hold held(*this);
    view v = open();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const table_key key{keys[i], compared[i]};
        put(v, hash_of(key.identity()), key, values[i]);
    }
}

inline bool table::set_default(const table_key& key, const item_view& value, item& out) const {
    const std::uint64_t hash = hash_of(key.identity());
    const hold held(*this);
    view v = open();
    const found it = find_locked(v, hash, key.identity());
    if (it.is == answer::present) read(v, it.value, out);
    else add(v, hash, key, value);
    return it.is == answer::present;
}

inline bool table::exchange(const table_key& key, const item* expected, const item_view& value) const {
    const std::uint64_t hash = hash_of(key.identity());
    const hold held(*this);
    view v = open();
    const found it = find_locked(v, hash, key.identity());
    if ((it.is == answer::present) != (expected != nullptr)) return false;
    if (expected != nullptr) {
        bool same = false;
        read_in_place(v, it.value, [&](const item_view& x) {
            const item_view other = expected->view();
            same = std::equal(x.bytes.begin(), x.bytes.end(), other.bytes.begin(), other.bytes.end()) &&
                   std::equal(x.shares.begin(), x.shares.end(), other.shares.begin(), other.shares.end());
        });
        if (!same) return false;
    }
    put(v, hash, key, value);
    return true;
}

inline bool table::take(const table_key& key, item* out) const {
    const std::uint64_t hash = hash_of(key.identity());
    const hold held(*this);
    const view v = open();
    const found it = find_locked(v, hash, key.identity());
    if (it.is == answer::absent) return false;
    if (out != nullptr) read(v, it.value, *out);
    drop(v, it.record);
    return true;
}

inline bool table::take_last(item& key, item& value) const {
    const hold held(*this);
    view v = open();
    if (!v || v.root->live.load(std::memory_order_relaxed) == 0) return false;
    // Records without a value are passed; not again and again.
    if (v.used() > 32 && v.root->live.load(std::memory_order_relaxed) < v.used() / 2) v = rebuild(v, {});
    for (std::uint64_t i = v.used(); i-- != 0;) {
        const place it(v.records[i].content.value.load(std::memory_order_relaxed));
        if (!it) continue;
        read(v, place(v.records[i].key.load(std::memory_order_relaxed)), key);
        read(v, it, value);
        drop(v, i);
        return true;
    }
    return false;
}

inline void table::clear() const {
    const hold held(*this);
    if (open()) install({});
}

inline void table::read_all(items* keys, items* values) const {
    const hold held(*this);
    const view v = open();
    if (!v) return;
    for (std::uint64_t i = 0, n = v.used(); i < n; ++i) {
        table_record& record = v.records[i];
        const place it(record.content.value.load(std::memory_order_relaxed));
        if (!it) continue;
        const place key(record.key.load(std::memory_order_relaxed));
        if (keys != nullptr) read_in_place(v, key, [&](const item_view& x) { keys->add(x); });
        if (values != nullptr) read_in_place(v, it, [&](const item_view& x) { values->add(x); });
    }
}

} // namespace multiprocessing::manager
