// Floor 10, manager/shelf: what the containers of a manager are made of: records of bytes, each changed by one store.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory> // std::construct_at
#include <new>    // std::bad_alloc
#include <optional>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/item.hpp>
#include <multiprocessing/manager/place.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/memory/keeping.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/robust_mutex.hpp>

namespace multiprocessing::manager {

/// What stands in the commons for a container. All else that it consists of are objects which it keeps: its *root*, a block of
/// records; the *arena*, a block of bytes that the records tell of; and an object for each value that has one of its own.
///
/// | word           | who writes it                                   | a writer killed in between leaves                      |
/// | -------------- | ----------------------------------------------- | ------------------------------------------------------ |
/// | mutex          | os/robust_mutex                                 | a mutex from the dead: the next holder mends, first thing |
/// | doubtful       | before an object is kept, or is needed no more  | names of objects, which the next holder looks at       |
/// | a record's value | one store, when all that it tells of is there | the old value or the new                               |
/// | used           | the same, for a record behind the last          | the record is there or isn't                           |
/// | root           | the same, for many records at once              | all the old ones or all the new                        |
/// | root_at, live  | after the root, a record                        | an old one: mended                                     |
/// | version        | + 1 after each commit                           | one too few: mended                                    |
/// | kept           | memory/keeping                                  | -                                                      |
///
/// A reader takes no lock. What he looks at is written to again only after the version was counted up, so what he has read is true
/// if the version is still the same; and whatever he reads before he knows it lies in the commons, which is always mapped. For
/// what lies in objects of their own he takes the lock.
struct shelf_state {
    memory::keeping kept; // first
    std::atomic<std::uint64_t> root{0};    ///< its name; 0: the container is empty and always was, or was cleared
    std::atomic<std::uint64_t> root_at{0}; ///< where that is in the commons, for readers
    std::atomic<std::uint64_t> version{0};
    std::atomic<std::uint64_t> doubtful[4]{};
    std::uint64_t salt = 0; ///< the maker's; what hashes begin with
    os::robust_mutex mutex;
};

/// Of a record: its value, and bytes in the arena that the next one goes to. They change places with each other, so a value that
/// is set again and again takes no new memory. Should they be the same, somebody died in between: there is no spare then.
struct content {
    std::atomic<std::uint64_t> value{0};
    std::atomic<std::uint64_t> spare{0};
};

struct root_header {
    static constexpr std::uint64_t magic_number = 0x6d70'726f'6f74'0001;
    std::uint64_t magic;
    std::uint64_t name;       ///< its own
    std::uint64_t capacity;   ///< records
    std::uint64_t index_size; ///< of a table, else 0
    std::uint64_t arena;      ///< its name
    std::uint64_t arena_at;   ///< where that is in the commons
    std::uint64_t arena_size; ///< all of it, with its header
    std::atomic<std::uint64_t> used; ///< records that were ever written
    std::atomic<std::uint64_t> live; ///< those that have a value
};

struct arena_header {
    std::atomic<std::uint64_t> used; ///< from its beginning, this included
    std::uint64_t name;              ///< its own
};

struct own_header {
    static constexpr std::uint64_t magic_number = 0x6d70'6f77'6e00'0001;
    std::uint64_t magic;
    std::uint64_t size;
    std::uint64_t shares;
};

/// An object of this process that becomes a container's, or is discarded.
class newcomer {
public:
    newcomer() noexcept = default;
    explicit newcomer(std::uint64_t bytes) : id_(memory::family::here().make_unheld(bytes)) {}
    newcomer(newcomer&& other) noexcept { *this = std::move(other); }
    newcomer& operator=(newcomer&& other) noexcept { return std::swap(id_, other.id_), *this; }
    ~newcomer() {
        if (*this) memory::family::here().discard(id_);
    }
    [[nodiscard]] explicit operator bool() const noexcept { return id_ != memory::no_object; }
    [[nodiscard]] memory::object_id id() const noexcept { return id_; }
    [[nodiscard]] memory::object_name name() const noexcept { return *this ? memory::family::here().name_of(id_) : 0; }
    [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(memory::family::here().payload(id_)); }
    [[nodiscard]] std::uint64_t room() const noexcept { return memory::family::here().room_of(id_); }
    void give_to(memory::object_id keeper) noexcept {
        if (*this) memory::family::here().keep(std::exchange(id_, memory::no_object), keeper);
    }

private:
    memory::object_id id_ = memory::no_object;
};

/// The common part of a table and a row. A Record has a `content` of that name, and for_each_place(f) for all of its words that
/// are places.
template <typename Record>
class shelf {
public:
    [[nodiscard]] auto& state() noexcept { return state_; }
    [[nodiscard]] const auto& state() const noexcept { return state_; }
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(state_); }

    /// Values there are.
    [[nodiscard]] std::size_t size() const;

protected:
    shelf() noexcept = default;
    explicit shelf(std::uint64_t salt) : state_(memory::handle<shelf_state>::create()) {
        state_->salt = salt;
        memory::family::here().keeps_others(state_.id());
    }

    /// A root that was looked at, with its sizes, which were compared with what there is. (Those in the root itself may be others
    /// by now: its memory may have gone to somebody else.)
    struct view {
        root_header* root = nullptr;
        std::uint32_t* index = nullptr;
        Record* records = nullptr;
        std::byte* arena = nullptr;
        std::uint64_t arena_size = 0;
        std::uint64_t capacity = 0;
        std::uint64_t index_size = 0;

        [[nodiscard]] explicit operator bool() const noexcept { return root != nullptr; }
        [[nodiscard]] std::uint64_t used() const noexcept {
            return std::min(root->used.load(std::memory_order_acquire), capacity);
        }
        [[nodiscard]] std::uint64_t arena_used() const noexcept {
            return std::min(reinterpret_cast<arena_header*>(arena)->used.load(std::memory_order_relaxed), arena_size);
        }
    };

    /// The lock, and a container that is whole.
    class hold {
    public:
        explicit hold(const shelf& of) : of_(of) {
            if (of.state_->mutex.lock(os::deadline::never()) != os::taken::from_the_dead) [[likely]]
                return;
            try {
                of.mend();
            } catch (...) {
                of.state_->mutex.unlock();
                throw;
            }
        }
        ~hold() { of_.state_->mutex.unlock(); }
        hold(const hold&) = delete;
        hold& operator=(const hold&) = delete;

    private:
        const shelf& of_;
    };

    [[nodiscard]] static std::uint64_t root_bytes(std::uint64_t capacity, std::uint64_t index_size) noexcept {
        return sizeof(root_header) + capacity * sizeof(Record) + index_size * sizeof(std::uint32_t);
    }
    [[nodiscard]] static std::optional<view> look_at(std::uint64_t at, std::uint64_t room) noexcept;
    /// Without the lock: true only as long as the version is the same. Nothing: not now, or never.
    [[nodiscard]] std::optional<view> peek() const noexcept;
    /// With the lock. An empty one has no root.
    [[nodiscard]] view open() const;
    [[nodiscard]] std::optional<view> open(memory::object_name name) const noexcept;

    [[nodiscard]] bool keeps(memory::object_name name) const noexcept {
        return name != 0 && memory::family::here().is_kept_by(name, state_.id());
    }

    // Reading -----------------------------------------------------------------------------------------------------------------

    /// False: only with the lock. Then `out` may hold anything.
    [[nodiscard]] static bool read_unlocked(const view& v, place from, item& out) noexcept;
    void read(const view& v, place from, item& out) const;
    /// f(item_view), with the lock.
    template <typename F>
    void read_in_place(const view& v, place from, F f) const;

    /// take(view, version) reads something without the lock; nothing when it must be read with it: then take_locked(view) does.
    /// Both return a std::optional of the same.
    template <typename R, typename Take, typename TakeLocked>
    [[nodiscard]] R read_with(Take take, TakeLocked take_locked) const {
        // Thread sanitizers can't know that what is read in vain isn't used.
        constexpr int tries = MULTIPROCESSING_THREAD_SANITIZER() ? 0 : 8;
        for (int i = 0; i < tries; ++i) {
            const std::uint64_t version = state_->version.load(std::memory_order_acquire);
            const std::optional<view> v = peek();
            if (!v) continue;
            std::optional<R> got = take(*v);
            if (state_->version.load(std::memory_order_relaxed) != version) continue;
            if (!got) break;
            return *std::move(got);
        }
        const hold held(*this);
        return take_locked(open());
    }

    // Writing: with the lock --------------------------------------------------------------------------------------------------

    void committed() const noexcept {
        auto& version = state_->version;
        version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        MULTIPROCESSING_STEP(shelf_counted);
    }
    void doubt(std::size_t which, memory::object_name name) const noexcept {
        state_->doubtful[which].store(name, std::memory_order_release);
        MULTIPROCESSING_STEP(shelf_doubts);
    }
    void doubt_nothing() const noexcept {
        for (auto& each : state_->doubtful)
            if (each.load(std::memory_order_relaxed) != 0) each.store(0, std::memory_order_release);
        MULTIPROCESSING_STEP(shelf_doubts_nothing);
    }
    void discard(memory::object_name name) const noexcept {
        if (name == 0) return;
        const auto id = memory::family::here().adopt(name, state_.id());
        if (id != memory::no_object) memory::family::here().discard(id);
    }

    [[nodiscard]] static bool goes_in_arena(const item_view& x) noexcept {
        return x.shares.empty() && x.bytes.size() <= place::most_in_arena;
    }
    /// What an item takes of an arena at most.
    [[nodiscard]] static std::uint64_t arena_bytes(const item_view& x) noexcept {
        return goes_in_arena(x) && x.bytes.size() > place::most_here ? words::room_for(x.bytes.size()) : 0;
    }
    [[nodiscard]] static newcomer make_own(const item_view& x);
    /// Nothing when the arena is full.
    [[nodiscard]] static std::optional<place> write_in_arena(const view& v, const std::byte* bytes, std::size_t n) noexcept;
    /// An item that goes_in_arena(), at a place of its own.
    [[nodiscard]] static std::optional<place> write_short(const view& v, const item_view& x) noexcept {
        if (x.bytes.size() <= place::most_here) return place::here(x.bytes.data(), x.bytes.size());
        return write_in_arena(v, x.bytes.data(), x.bytes.size());
    }
    /// A value that is there gets another one. False when the arena is full: nothing has changed.
    [[nodiscard]] bool replace(const view& v, content& in, const item_view& x) const;
    /// And none.
    void remove(const view& v, content& from) const;

    /// A new root with the records that `order` names, in that order, and room for more. The arena is the old one, or a new one
    /// with room for `more_bytes`. Nobody knows of it until install().
    struct blueprint {
        newcomer root;
        newcomer arena;
        view v;
    };
    [[nodiscard]] static blueprint draw(const view& from, std::span<const std::uint32_t> order, std::uint64_t capacity,
                                        std::uint64_t index_size, std::optional<std::uint64_t> more_bytes);
    /// One store, and what was there before is gone but for what the new root has too. An empty blueprint clears.
    void install(blueprint made, std::span<newcomer> own = {}) const;

private:
    [[nodiscard]] static std::unordered_set<memory::object_name> own_names(const view& v);
    void release_root(memory::object_name name, const std::unordered_set<memory::object_name>& needed) const;
    void mend() const;

protected:
    memory::handle<shelf_state> state_;
};

template <typename Record>
auto shelf<Record>::look_at(std::uint64_t at, std::uint64_t room) noexcept -> std::optional<view> {
    auto& all = memory::commons::here();
    auto* const root = all.at<root_header>(at);
    const std::uint64_t capacity = root->capacity, index_size = root->index_size;
    if (root->magic != root_header::magic_number || capacity > ~std::uint32_t{0} || index_size > std::uint64_t{1} << 33 ||
        (index_size & (index_size - 1)) != 0 || root_bytes(capacity, index_size) > room)
        return std::nullopt;
    const std::uint64_t total = all.map().total, arena_at = root->arena_at, arena_size = root->arena_size;
    if (arena_at % 8 != 0 || arena_at > total || arena_size > total - arena_at || arena_size < sizeof(arena_header))
        return std::nullopt;
    auto* const records = all.at<Record>(at + sizeof(root_header));
    auto* const index = reinterpret_cast<std::uint32_t*>(records + capacity);
    return view{root, index, records, all.at<std::byte>(arena_at), arena_size, capacity, index_size};
}

template <typename Record>
auto shelf<Record>::peek() const noexcept -> std::optional<view> {
    const std::uint64_t at = state_->root_at.load(std::memory_order_acquire);
    if (at == 0) return view{};
    const std::uint64_t total = memory::commons::here().map().total;
    if (at % 8 != 0 || at > total - sizeof(root_header)) return std::nullopt;
    return look_at(at, total - at);
}

template <typename Record>
auto shelf<Record>::open(memory::object_name name) const noexcept -> std::optional<view> {
    if (!keeps(name)) return std::nullopt;
    auto& family = memory::family::here();
    const auto id = static_cast<memory::object_id>(name) - 1;
    const std::uint64_t room = family.room_of(id);
    if (room < sizeof(root_header)) return std::nullopt;
    return look_at(memory::commons::here().offset_of(family.payload(id)), room);
}

template <typename Record>
auto shelf<Record>::open() const -> view {
    const memory::object_name name = state_->root.load(std::memory_order_acquire);
    if (name == 0) return {};
    // By its place rather than by its name, which takes longer; that both are of the same one is seen there.
    const auto v = peek();
    if (v && *v && v->root->name == name && keeps(name) && keeps(v->root->arena) &&
        reinterpret_cast<const arena_header*>(v->arena)->name == v->root->arena)
        return *v;
    throw ProcessError("what belongs to a manager's container was overwritten: it can't be used any more");
}

template <typename Record>
std::size_t shelf<Record>::size() const {
    return read_with<std::size_t>(
        [](const view& v) { return std::optional<std::size_t>(v ? v.root->live.load(std::memory_order_acquire) : 0); },
        [](const view& v) { return static_cast<std::size_t>(v ? v.root->live.load(std::memory_order_acquire) : 0); });
}

template <typename Record>
bool shelf<Record>::read_unlocked(const view& v, place from, item& out) noexcept {
    if (from.is() == place::kind::here) {
        from.copy_here(out.set_short(from.size_here()));
        return true;
    }
    const std::uint64_t size = v.arena_size;
    const std::uint64_t at = from.offset();
    if (from.is() != place::kind::arena || from.size() > place::most_in_arena || at < sizeof(arena_header) || at > size ||
        words::room_for(from.size()) > size - at)
        return false;
    words::read(out.set_short(from.size()), v.arena + at, from.size());
    return true;
}

template <typename Record>
template <typename F>
void shelf<Record>::read_in_place(const view& v, place from, F f) const {
    const auto is_broken = [] { throw ProcessError("a value in a manager's container was overwritten by something that is none"); };
    if (!from.is_own()) {
        item short_one;
        if (!read_unlocked(v, from, short_one)) is_broken();
        f(short_one.view());
        return;
    }
    auto& family = memory::family::here();
    if (!keeps(from.name())) is_broken();
    const auto id = static_cast<memory::object_id>(from.name()) - 1;
    const std::uint64_t room = family.room_of(id);
    const auto* const head = static_cast<const own_header*>(family.payload(id));
    if (room < sizeof *head || head->magic != own_header::magic_number) is_broken();
    const std::uint64_t shares = head->shares, size = head->size;
    const std::uint64_t left = room - sizeof *head;
    if (shares > left / sizeof(memory::pins::index) || size > left - shares * sizeof(memory::pins::index)) is_broken();
    const auto* const list = reinterpret_cast<const std::byte*>(head + 1);
    std::vector<memory::holding> objects;
    for (std::uint64_t i = 0; i < shares; ++i) {
        memory::pins::index which = 0;
        std::memcpy(&which, list + i * sizeof which, sizeof which);
        objects.push_back(memory::holding::receive(which, id));
    }
    f(item_view{{list + shares * sizeof(memory::pins::index), static_cast<std::size_t>(size)}, objects});
}

template <typename Record>
void shelf<Record>::read(const view& v, place from, item& out) const {
    read_in_place(v, from, [&](const item_view& x) {
        if (x.shares.empty() && x.bytes.size() <= place::most_in_arena) {
            std::copy(x.bytes.begin(), x.bytes.end(), out.set_short(x.bytes.size()));
            return;
        }
        serial::message& to = out.set_large();
        to.bytes.assign(x.bytes.begin(), x.bytes.end());
        to.shares.assign(x.shares.begin(), x.shares.end());
    });
}

template <typename Record>
newcomer shelf<Record>::make_own(const item_view& x) {
    const std::uint64_t list_bytes = x.shares.size() * sizeof(memory::pins::index);
    newcomer made(sizeof(own_header) + list_bytes + x.bytes.size());
    std::byte* at = made.data();
    const own_header head{own_header::magic_number, x.bytes.size(), x.shares.size()};
    std::memcpy(at, &head, sizeof head);
    at += sizeof head;
    for (const auto& each : x.shares) {
        const memory::pins::index which = memory::family::here().pin(each.id(), made.id());
        std::memcpy(at, &which, sizeof which);
        at += sizeof which;
    }
    if (!x.bytes.empty()) std::memcpy(at, x.bytes.data(), x.bytes.size());
    return made;
}

template <typename Record>
std::optional<place> shelf<Record>::write_in_arena(const view& v, const std::byte* bytes, std::size_t n) noexcept {
    auto& used = reinterpret_cast<arena_header*>(v.arena)->used;
    const std::uint64_t at = (v.arena_used() + 7) / 8 * 8;
    if (at < sizeof(arena_header) || at > v.arena_size || words::room_for(n) > v.arena_size - at) return std::nullopt;
    used.store(at + words::room_for(n), std::memory_order_relaxed);
    MULTIPROCESSING_STEP(arena_used);
    words::write(v.arena + at, bytes, n);
    MULTIPROCESSING_STEP(arena_written);
    return place::arena(at, n);
}

template <typename Record>
bool shelf<Record>::replace(const view& v, content& in, const item_view& x) const {
    const place old(in.value.load(std::memory_order_relaxed));
    place next;
    newcomer own;
    if (!goes_in_arena(x)) {
        own = make_own(x);
        next = place::own(own.name());
    } else if (const place spare(in.spare.load(std::memory_order_relaxed));
               x.bytes.size() > place::most_here && spare.is() == place::kind::arena && spare.offset() != old.offset() &&
               words::room_for(x.bytes.size()) <= words::room_for(spare.size()) && spare.offset() >= sizeof(arena_header) &&
               spare.offset() + words::room_for(spare.size()) <= v.arena_size) {
        words::write(v.arena + spare.offset(), x.bytes.data(), x.bytes.size());
        MULTIPROCESSING_STEP(spare_written);
        next = place::arena(spare.offset(), x.bytes.size());
    } else {
        const auto fresh = write_short(v, x);
        if (!fresh) return false;
        next = *fresh;
    }
    const bool cares = next.is_own() || old.is_own();
    if (cares) {
        doubt(0, next.is_own() ? next.name() : 0);
        own.give_to(state_.id());
        doubt(1, old.is_own() ? old.name() : 0);
    }
    in.value.store(next.word(), std::memory_order_release);
    MULTIPROCESSING_STEP(value_committed);
    if (old.is() == place::kind::arena) in.spare.store(old.word(), std::memory_order_release);
    MULTIPROCESSING_STEP(value_spared);
    committed();
    if (cares) {
        if (old.is_own()) discard(old.name());
        doubt_nothing();
    }
    return true;
}

template <typename Record>
void shelf<Record>::remove(const view& v, content& from) const {
    const place old(from.value.load(std::memory_order_relaxed));
    if (old.is_own()) doubt(1, old.name());
    from.value.store(0, std::memory_order_release);
    MULTIPROCESSING_STEP(value_removed);
    v.root->live.store(v.root->live.load(std::memory_order_relaxed) - 1, std::memory_order_release);
    committed();
    if (!old.is_own()) return;
    discard(old.name());
    doubt_nothing();
}

template <typename Record>
auto shelf<Record>::draw(const view& from, std::span<const std::uint32_t> order, std::uint64_t capacity, std::uint64_t index_size,
                         std::optional<std::uint64_t> more_bytes) -> blueprint {
    blueprint made;
    const std::uint64_t bytes = root_bytes(capacity, index_size);
    if (capacity >= ~std::uint32_t{0}) throw std::bad_alloc();
    made.root = newcomer(bytes);
    auto* const root = std::construct_at(reinterpret_cast<root_header*>(made.root.data()));
    auto& all = memory::commons::here();
    if (more_bytes) {
        std::uint64_t needed = 0;
        for (const std::uint32_t i : order)
            from.records[i].for_each_place([&](std::atomic<std::uint64_t>& word) {
                const place p(word.load(std::memory_order_relaxed));
                if (p.is() == place::kind::arena) needed += words::room_for(p.size());
            });
        needed += *more_bytes;
        if (needed > std::uint64_t{1} << 34) throw std::bad_alloc();
        // Twice what there is: what is written to it from now on pays for the copying of the next one.
        made.arena = newcomer(sizeof(arena_header) + 2 * needed + 16 * capacity);
        root->arena = made.arena.name();
        root->arena_at = all.offset_of(made.arena.data());
        root->arena_size = std::min(made.arena.room(), std::uint64_t{1} << 35);
        auto* const head = std::construct_at(reinterpret_cast<arena_header*>(made.arena.data()));
        head->used.store(sizeof(arena_header), std::memory_order_relaxed);
        head->name = root->arena;
    } else {
        root->arena = from.root->arena;
        root->arena_at = from.root->arena_at;
        root->arena_size = from.root->arena_size;
    }
    root->magic = root_header::magic_number;
    root->name = made.root.name();
    root->capacity = capacity;
    root->index_size = index_size;
    root->used.store(order.size(), std::memory_order_relaxed);
    root->live.store(order.size(), std::memory_order_relaxed);
    auto* const records = reinterpret_cast<Record*>(root + 1);
    auto* const index = reinterpret_cast<std::uint32_t*>(records + capacity);
    std::fill_n(index, index_size, 0U);
    made.v = {root, index, records, all.at<std::byte>(root->arena_at), root->arena_size, capacity, index_size};
    for (std::uint64_t i = 0; i < capacity; ++i) std::construct_at(records + i);
    for (std::size_t i = 0; i < order.size(); ++i) {
        records[i].copy(from.records[order[i]], !more_bytes);
        if (!more_bytes) continue;
        records[i].for_each_place([&](std::atomic<std::uint64_t>& word) {
            const place p(word.load(std::memory_order_relaxed));
            if (p.is() != place::kind::arena) return;
            item bytes_of;
            if (!read_unlocked(from, p, bytes_of))
                throw ProcessError("a value in a manager's container was overwritten by something that is none");
            const auto moved = write_in_arena(made.v, bytes_of.bytes().data(), bytes_of.bytes().size());
            if (!moved) throw ProcessError("a manager's container was overwritten: its values are more than they were");
            word.store(moved->word(), std::memory_order_relaxed);
        });
    }
    return made;
}

template <typename Record>
void shelf<Record>::install(blueprint made, std::span<newcomer> own) const {
    const memory::object_name old = state_->root.load(std::memory_order_relaxed);
    const memory::object_name name = made.root.name();
    const std::uint64_t at = name == 0 ? 0 : memory::commons::here().offset_of(made.root.data());
    doubt(0, name);
    doubt(1, made.arena.name());
    doubt(2, old);
    made.root.give_to(state_.id());
    made.arena.give_to(state_.id());
    for (newcomer& each : own) each.give_to(state_.id());
    state_->root.store(name, std::memory_order_release);
    MULTIPROCESSING_STEP(root_committed);
    state_->root_at.store(at, std::memory_order_release);
    MULTIPROCESSING_STEP(root_shown);
    committed();
    auto needed = own_names(made.v);
    if (made.v) needed.insert(made.v.root->arena);
    if (old != 0) release_root(old, needed);
    doubt_nothing();
}

template <typename Record>
std::unordered_set<memory::object_name> shelf<Record>::own_names(const view& v) {
    std::unordered_set<memory::object_name> names;
    if (!v) return names;
    for (std::uint64_t i = 0, n = v.used(); i < n; ++i)
        v.records[i].for_each_place([&](std::atomic<std::uint64_t>& word) {
            const place p(word.load(std::memory_order_relaxed));
            if (p.is_own()) names.insert(p.name());
        });
    return names;
}

template <typename Record>
void shelf<Record>::release_root(memory::object_name name, const std::unordered_set<memory::object_name>& needed) const {
    if (const auto v = open(name)) {
        for (const memory::object_name own : own_names(*v))
            if (!needed.contains(own)) discard(own);
        if (!needed.contains(v->root->arena)) discard(v->root->arena);
    }
    discard(name);
}

// Whoever had the lock died. Nothing here changes what the container holds.
template <typename Record>
void shelf<Record>::mend() const {
    const memory::object_name root = state_->root.load(std::memory_order_relaxed);
    view v;
    if (root != 0) {
        const auto found = open(root);
        if (!found) throw ProcessError("what belongs to a manager's container was overwritten: it can't be used any more");
        v = *found;
    }
    auto needed = own_names(v);
    if (v) {
        needed.insert(v.root->arena);
        needed.insert(root);
        std::uint64_t live = 0;
        for (std::uint64_t i = 0, n = v.used(); i < n; ++i) live += v.records[i].content.value.load(std::memory_order_relaxed) != 0;
        v.root->live.store(live, std::memory_order_release);
    }
    state_->root_at.store(v ? memory::commons::here().offset_of(v.root) : 0, std::memory_order_release);
    MULTIPROCESSING_STEP(shelf_mended);
    committed();
    for (auto& each : state_->doubtful) {
        const memory::object_name name = each.load(std::memory_order_relaxed);
        if (keeps(name) && !needed.contains(name)) release_root(name, needed);
    }
    doubt_nothing();
}

} // namespace multiprocessing::manager
