// Floor 2, memory/records: what objects there are, and which processes hold them.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/bell.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/memory/doorbells.hpp>
#include <multiprocessing/memory/heap.hpp>
#include <multiprocessing/memory/hints.hpp>
#include <multiprocessing/memory/keeping.hpp>
#include <multiprocessing/memory/left_name.hpp>
#include <multiprocessing/memory/members.hpp>
#include <multiprocessing/memory/pins.hpp>

namespace multiprocessing::memory {

/// A shared object's number in its family.
using object_id = std::uint32_t;
inline constexpr object_id no_object = ~object_id{0};

/// An object's name for messages: never 0, and never another object's, even when the number is used again.
using object_name = std::uint64_t;

/// One record an object. An object lives as long as one living member holds it; what a member holds is written down
/// twice, and neither place is a count, because a count can't say whether a dead process had added itself already:
///
///   holders  one bit a member beside the object: the truth. Setting or clearing a bit twice does no harm.
///   ledger   one bit an object beside the member: where to look when the member dies. It may list too much, never
///            too little: it is written before the holder's bit is set, and wiped after that was cleared.
///
///     free -> made_by(m) -> live -> unmade_by(m) -> free, generation + 1
///                |   \------------^     ^
///                v                      |
///             kept_by(object), spare_of(object)
///
/// An object may also belong to another one, which keeps it (keeping.hpp): then no member holds it, its keeper's end is its own,
/// and a member takes it back, into made_by, before it reads or frees it. A spare one is kept for its memory alone. So what
/// is between two hands always belongs to exactly one of them, by one word.
///
/// | word             | who writes it                                             | a writer killed in between leaves |
/// | ---------------- | --------------------------------------------------------- | --------------------------------- |
/// | state            | by compare-and-swap; made_by/unmade_by only by that member | that member's undertaker goes on: back to free |
/// | block            | who is in made_by or unmade_by                            | a block that is freed through it, or is somebody else's |
/// | size             | who is in made_by                                         | nothing                           |
/// | traits           | who is in made_by or holds it; 0 again before it is free  | nothing                           |
/// | moves in traits  | who has set a holder's bit, before it can let go itself   | nothing: it is only compared      |
/// | holders' bit     | the member, who gives it the object, or its undertaker     | a bit that the ledger knows of    |
/// | ledger's bit     | the same                                                  | a bit too many                    |
///
/// A message on its way holds what it names by pins (pins.hpp), which nobody's ledger knows.
///
/// Two members that let go at once may both see that nobody is left; the compare-and-swap to unmade_by decides. A bit is
/// only ever set for somebody else while the setter holds the object itself, so nobody left means for ever.
class records {
public:
    explicit records(commons& all) noexcept : all_(all), heap_(all), pins_(all) {}

    /// What there is to know of an object beside its block.
    enum trait : std::uint64_t {
        keeps_others = 1, ///< its block begins with a keeping
        was_pinned = 2,   ///< pins may hold it, or have held it
        has_pins = 4,     ///< it is a message that holds objects
        leaves_name = 8,  ///< its block begins with a left_name
    };

    /// A new object with a block, in state made_by(maker) and held by it. Throws std::bad_alloc.
    /// One thread of a process at a time (handle.hpp), as for every function that changes this member's own ledger.
    [[nodiscard]] object_id make(seat maker, std::uint64_t bytes);

    void add_traits(object_id id, std::uint64_t traits) noexcept;
    /// So many bells, 15 at most, stand in its block, `offset` bytes from its beginning, and so many doorbells, 15 at most, on
    /// the lines behind: the death of a member who held it disturbs who sleeps or polls there.
    void has_bells(object_id id, std::uint64_t offset, unsigned bells, unsigned doorbells) noexcept;

    /// What `who` has made and not published is the keeper's from now on.
    void keep(object_id id, object_id keeper, seat who, bool spare = false) noexcept;
    /// Takes back what the keeper keeps, as if `who` had made it; no_object if it isn't there any more.
    [[nodiscard]] object_id adopt(object_name name, object_id keeper, seat who, bool spare = false) noexcept;
    [[nodiscard]] bool is_kept_by(object_name name, object_id keeper) const noexcept;
    /// Who made `id` died or dawdles: the keeper has it now. For what is found through the keeper.
    void keep_for_maker(object_id id, object_id keeper) noexcept;

    /// A pin on an object that `who` holds, to be given to a message that `who` has made.
    [[nodiscard]] pins::index pin(object_id target, seat who);
    void pin_to(pins::index which, object_id message, seat who) noexcept;
    /// The name of what a message's pin holds; 0 for a number that is none.
    [[nodiscard]] object_name pinned_by(pins::index which, object_id message) const noexcept {
        return pins_.target_of(which, message);
    }
    void unpin(pins::index which, seat who) noexcept;

    /// It has been constructed: from now on it dies with its last holder instead of with its maker.
    void publish(object_id id) noexcept;

    /// `to` holds the object too. The caller holds it itself.
    void hold(object_id id, seat to) noexcept;

    /// `who` holds it no longer; without holders it is freed.
    void let_go(object_id id, seat who) noexcept;

    /// Everything that `from` holds, `to` holds as well.
    void inherit(seat from, seat to) noexcept;

    /// Lets go of everything that a dead member held, and ends what it had begun. May be repeated.
    void let_go_of_all(seat dead) noexcept;

    [[nodiscard]] object_name name_of(object_id id) const noexcept;
    /// The number in a name; no_object if that object isn't there any more.
    [[nodiscard]] object_id find(object_name name) const noexcept;

    [[nodiscard]] bool is_live(object_id id) const noexcept;
    [[nodiscard]] bool holds(object_id id, seat who) const noexcept;
    [[nodiscard]] std::uint64_t size_of(object_id id) const noexcept; ///< what was asked for
    [[nodiscard]] std::uint64_t room_of(object_id id) const noexcept; ///< what its block has room for; 0 if it has none
    [[nodiscard]] void* payload(object_id id) const noexcept;         ///< nullptr if it has no block
    [[nodiscard]] bool payload_is_zero(object_id id) const noexcept;
    [[nodiscard]] std::uint64_t count() const noexcept; ///< objects that aren't free; looks at every record

private:
    enum class phase : std::uint32_t { free, made, live, unmade, kept, spare };

    struct record {
        std::atomic<std::uint64_t> state;
        std::atomic<std::uint64_t> block;
        std::atomic<std::uint64_t> size;
        std::atomic<std::uint64_t> traits; // bells << 8, doorbells << 12, their offset << 16, moves << 48
    };
    static_assert(sizeof(record) == 32);

    struct decoded {
        phase is;
        std::uint32_t by; // a member's slot, or the keeper
        std::uint64_t generation;
    };
    static constexpr unsigned by_bits = 26;
    static_assert(layout::largest >> 16 <= std::uint64_t{1} << by_bits);

    static std::uint64_t encode(phase is, std::uint32_t by, std::uint64_t generation) noexcept {
        return static_cast<std::uint64_t>(is) | std::uint64_t{by} << 3 | generation << (3 + by_bits);
    }
    static decoded decode(std::uint64_t state) noexcept {
        return {static_cast<phase>(state & 7), static_cast<std::uint32_t>(state >> 3) & ((1u << by_bits) - 1),
                state >> (3 + by_bits)};
    }

    using word = std::atomic<std::uint64_t>;
    [[nodiscard]] record& at(object_id id) const noexcept { return all_.at<record>(all_.map().records.slots)[id]; }
    [[nodiscard]] word& holders(object_id id, unsigned column) const noexcept {
        return *all_.at<word>(all_.map().holder_word(id, column));
    }
    [[nodiscard]] word& ledger(seat who, std::uint64_t index) const noexcept {
        return *all_.at<word>(all_.map().ledger_word(who.slot, index));
    }
    static std::uint64_t bit(std::uint64_t index) noexcept { return std::uint64_t{1} << (index % 64); }

    static constexpr std::uint64_t one_move = std::uint64_t{1} << 48; // the sixteen bits above wrap round into nowhere
    /// Words that a record's holders' bits fill.
    [[nodiscard]] unsigned columns() const noexcept { return (members(all_).used() + 63) / 64; }

    void note(object_id id, seat who) noexcept;
    void strike(object_id id, seat who) noexcept;
    [[nodiscard]] bool held_by_nobody(object_id id) const noexcept;
    [[nodiscard]] bool nobody_left(object_id id) const noexcept;
    void unmake(object_id id, std::uint64_t state, seat who) noexcept;
    void unmake_if_alone(object_id id, std::uint64_t state, seat who) noexcept;
    void free_what_is_kept_by(object_id keeper, seat who) noexcept;
    void disturb(object_id id) noexcept;
    void remove_name_of(object_id id) noexcept;

    /// f(id) for everything in a member's ledger.
    template <typename F>
    void for_each_noted(seat who, F f) const;

    commons& all_;
    heap heap_;
    pins pins_;
};

inline void records::note(object_id id, seat who) noexcept {
    ledger(who, id / 64).fetch_or(bit(id));
    MULTIPROCESSING_STEP(ledger_noted);
}

inline void records::strike(object_id id, seat who) noexcept {
    ledger(who, id / 64).fetch_and(~bit(id));
    MULTIPROCESSING_STEP(ledger_struck);
}

inline object_id records::make(seat maker, std::uint64_t bytes) {
    const auto deaths = all_.header().deaths.load(std::memory_order_acquire);
    std::uint64_t generation = 0;
    const auto claim = [&](std::uint64_t index) {
        const auto id = static_cast<object_id>(index);
        std::uint64_t state = at(id).state.load(std::memory_order_acquire);
        const decoded now = decode(state);
        if (now.is != phase::free) return false;
        note(id, maker); // before the claim: a claim that no ledger knows of would be lost with its maker
        generation = now.generation + 1;
        const bool mine = at(id).state.compare_exchange_strong(state, encode(phase::made, maker.slot, generation));
        MULTIPROCESSING_STEP(record_claimed);
        if (!mine && !holds(id, maker)) strike(id, maker);
        return mine;
    };
    const auto is_free = [&](std::uint64_t index) {
        return decode(at(static_cast<object_id>(index)).state.load(std::memory_order_acquire)).is == phase::free;
    };
    const auto taken = hints(all_.data(), all_.map().records).take(deaths, claim, is_free);
    if (!taken) throw std::bad_alloc();
    const auto id = static_cast<object_id>(*taken);
    record& r = at(id);
    holders(id, maker.slot / 64).fetch_or(bit(maker.slot));
    MULTIPROCESSING_STEP(record_held);
    r.size.store(bytes);
    MULTIPROCESSING_STEP(record_sized);
    try {
        static_cast<void>(heap_.allocate(bytes, id + 1, r.block));
    } catch (...) {
        let_go(id, maker);
        throw;
    }
    MULTIPROCESSING_STEP(record_has_block);
    return id;
}

inline void records::publish(object_id id) noexcept {
    const decoded now = decode(at(id).state.load(std::memory_order_acquire));
    at(id).state.store(encode(phase::live, 0, now.generation));
    MULTIPROCESSING_STEP(record_published);
}

inline void records::hold(object_id id, seat to) noexcept {
    note(id, to);
    holders(id, to.slot / 64).fetch_or(bit(to.slot));
    MULTIPROCESSING_STEP(record_held);
    if (columns() == 1) return; // who sees a single word sees every move
    at(id).traits.fetch_add(one_move);
    MULTIPROCESSING_STEP(record_moved);
}

inline bool records::held_by_nobody(object_id id) const noexcept {
    for (unsigned column = 0, end = columns(); column < end; ++column)
        if (holders(id, column).load() != 0) return false;
    return true;
}

// A share may move, any number of times, while this looks at one place after the other:
//
// - from a holder to a pin (a sender sets the pin, then lets go) and from a pin to a holder (a receiver holds, then frees the
//   pin). If no pin was set between the two looks at the version, then whatever pin there is at the look at the holders was
//   there before at the look at the pins.
// - from a holder to another one, whose bit stands in a word that was read already. Then moves has changed, before the
//   first could let go; or the first died just before that, and the second look finds the other's bit.
inline bool records::nobody_left(object_id id) const noexcept {
    for (;;) {
        const std::uint64_t version = pins_.version();
        const std::uint64_t traits = at(id).traits.load();
        if (!held_by_nobody(id)) return false;
        if ((traits & was_pinned) != 0 && pins_.target(name_of(id))) return false;
        if (((traits & was_pinned) != 0 || columns() != 1) && !held_by_nobody(id)) return false;
        if (at(id).traits.load() == traits && ((traits & was_pinned) == 0 || pins_.version() == version)) return true;
    }
}

inline void records::unmake_if_alone(object_id id, std::uint64_t state, seat who) noexcept {
    const decoded now = decode(state);
    if (now.is != phase::live || !nobody_left(id)) return;
    const std::uint64_t mine = encode(phase::unmade, who.slot, now.generation);
    if (at(id).state.compare_exchange_strong(state, mine)) {
        MULTIPROCESSING_STEP(record_unmaking);
        unmake(id, mine, who);
    }
}

inline void records::let_go(object_id id, seat who) noexcept {
    std::uint64_t state = at(id).state.load(); // before the bit is cleared: an older generation must not be unmade
    holders(id, who.slot / 64).fetch_and(~bit(who.slot));
    MULTIPROCESSING_STEP(record_let_go);
    const decoded now = decode(state);
    const bool began = (now.is == phase::made || now.is == phase::unmade) && now.by == who.slot;
    if (began)
        unmake(id, state, who);
    else
        unmake_if_alone(id, state, who);
    strike(id, who);
}

// Whatever it keeps is freed as by `who`, in whose ledger it stands meanwhile, so that an undertaker of his can go on.
inline void records::free_what_is_kept_by(object_id keeper, seat who) noexcept {
    const auto* const range = static_cast<const keeping*>(payload(keeper));
    if (range == nullptr) return;
    const std::uint64_t all = hints(all_.data(), all_.map().records).fresh();
    for (object_id id = range->above.load(), end = range->below.load(); id < end && id < all; ++id) {
        std::uint64_t state = at(id).state.load();
        const decoded now = decode(state);
        if ((now.is != phase::kept && now.is != phase::spare) || now.by != keeper) continue;
        note(id, who);
        const std::uint64_t mine = encode(phase::unmade, who.slot, now.generation);
        if (at(id).state.compare_exchange_strong(state, mine)) unmake(id, mine, who);
        strike(id, who);
    }
}

inline void records::remove_name_of(object_id id) noexcept {
    auto* const name = static_cast<left_name*>(payload(id));
    if (name != nullptr && size_of(id) >= sizeof(left_name)) name->remove();
}

inline void records::unmake(object_id id, std::uint64_t state, seat who) noexcept {
    record& r = at(id);
    const std::uint64_t traits = r.traits.load();
    if ((traits & keeps_others) != 0) free_what_is_kept_by(id, who);
    if ((traits & leaves_name) != 0) remove_name_of(id);
    if ((traits & has_pins) != 0) pins_.for_each_kept_by(id, [&](pins::index which) { unpin(which, who); });
    heap_.release(r.block.load(std::memory_order_acquire), id + 1);
    r.block.store(0);
    MULTIPROCESSING_STEP(record_without_block);
    r.traits.store(0);
    MULTIPROCESSING_STEP(record_without_traits);
    r.state.compare_exchange_strong(state, encode(phase::free, 0, decode(state).generation));
    MULTIPROCESSING_STEP(record_free);
    hints(all_.data(), all_.map().records).set(id);
}

inline void records::add_traits(object_id id, std::uint64_t traits) noexcept {
    at(id).traits.fetch_or(traits);
    MULTIPROCESSING_STEP(record_has_traits);
}

inline void records::has_bells(object_id id, std::uint64_t offset, unsigned bells, unsigned doorbells) noexcept {
    add_traits(id, std::uint64_t{bells & 0xf} << 8 | std::uint64_t{doorbells & 0xf} << 12 | (offset & 0xffff'ffff) << 16);
}

inline void records::disturb(object_id id) noexcept {
    const std::uint64_t traits = at(id).traits.load();
    const std::uint64_t bells = traits >> 8 & 0xf, others = traits >> 12 & 0xf, offset = traits >> 16 & 0xffff'ffff;
    if (bells + others == 0 || !is_live(id)) return;
    auto* const begin = static_cast<std::byte*>(payload(id));
    const std::uint64_t last = offset + bells * sizeof(bell), line = (last + 63) / 64 * 64;
    const std::uint64_t end = others == 0 ? last : line + others * sizeof(doorbells);
    if (begin == nullptr || offset % alignof(bell) != 0 || end > size_of(id)) return;
    for (std::uint64_t i = 0; i < bells; ++i) reinterpret_cast<bell*>(begin + offset)[i].disturb();
    for (std::uint64_t i = 0; i < others; ++i) reinterpret_cast<doorbells*>(begin + line)[i].disturb();
}

inline void records::keep(object_id id, object_id keeper, seat who, bool spare) noexcept {
    static_cast<keeping*>(payload(keeper))->cover(id);
    std::uint64_t state = at(id).state.load();
    const decoded now = decode(state);
    if (now.is == phase::made && now.by == who.slot) {
        at(id).state.compare_exchange_strong(state, encode(spare ? phase::spare : phase::kept, keeper, now.generation));
        MULTIPROCESSING_STEP(record_kept);
    }
    holders(id, who.slot / 64).fetch_and(~bit(who.slot));
    strike(id, who);
}

inline void records::keep_for_maker(object_id id, object_id keeper) noexcept {
    static_cast<keeping*>(payload(keeper))->cover(id);
    std::uint64_t state = at(id).state.load();
    const decoded now = decode(state);
    if (now.is != phase::made) return;
    at(id).state.compare_exchange_strong(state, encode(phase::kept, keeper, now.generation));
    MULTIPROCESSING_STEP(record_kept);
}

inline bool records::is_kept_by(object_name name, object_id keeper) const noexcept {
    const object_id id = static_cast<object_id>(name) - 1;
    if (id >= all_.map().max_objects()) return false;
    const std::uint64_t state = at(id).state.load(std::memory_order_acquire);
    const decoded now = decode(state);
    return now.is == phase::kept && now.by == keeper && (now.generation << 32 | (id + 1)) == name;
}

inline object_id records::adopt(object_name name, object_id keeper, seat who, bool spare) noexcept {
    const object_id id = static_cast<object_id>(name) - 1;
    if (id >= all_.map().max_objects()) return no_object;
    std::uint64_t state = at(id).state.load(std::memory_order_acquire);
    const decoded now = decode(state);
    if (now.is != (spare ? phase::spare : phase::kept) || now.by != keeper || (now.generation << 32 | (id + 1)) != name)
        return no_object;
    note(id, who);
    const bool mine = at(id).state.compare_exchange_strong(state, encode(phase::made, who.slot, now.generation));
    MULTIPROCESSING_STEP(record_adopted);
    if (!mine) strike(id, who);
    return mine ? id : no_object;
}

inline pins::index records::pin(object_id target, seat who) {
    add_traits(target, was_pinned);
    return pins_.make(who.slot, name_of(target));
}

inline void records::pin_to(pins::index which, object_id message, seat who) noexcept {
    add_traits(message, has_pins);
    pins_.keep(which, who.slot, message);
}

inline void records::unpin(pins::index which, seat who) noexcept {
    const object_name name = pins_.target_of(which);
    const object_id target = name == 0 ? no_object : find(name);
    // It may be the last who holds it. Should `who` die after the next step, his undertaker finds the object in his ledger.
    if (target != no_object) note(target, who);
    pins_.free(which);
    if (target == no_object) return;
    const std::uint64_t state = at(target).state.load();
    if (name_of(target) == name) unmake_if_alone(target, state, who);
    if (!holds(target, who)) strike(target, who);
}

template <typename F>
void records::for_each_noted(seat who, F f) const {
    const std::uint64_t words = (hints(all_.data(), all_.map().records).fresh() + 63) / 64;
    for (std::uint64_t index = 0; index < words; ++index) {
        std::uint64_t bits = ledger(who, index).load(std::memory_order_acquire);
        for (; bits != 0; bits &= bits - 1)
            f(static_cast<object_id>(index * 64 + static_cast<std::uint64_t>(std::countr_zero(bits))));
    }
}

inline void records::inherit(seat from, seat to) noexcept {
    for_each_noted(from, [&](object_id id) {
        if (is_live(id) && holds(id, from)) hold(id, to);
    });
}

inline void records::let_go_of_all(seat dead) noexcept {
    for_each_noted(dead, [&](object_id id) { disturb(id); });
    pins_.for_each_made_by(dead.slot, [&](pins::index which) { unpin(which, dead); });
    for_each_noted(dead, [&](object_id id) { let_go(id, dead); });
}

inline object_name records::name_of(object_id id) const noexcept {
    return decode(at(id).state.load(std::memory_order_acquire)).generation << 32 | (id + 1);
}

inline object_id records::find(object_name name) const noexcept {
    const object_id id = static_cast<object_id>(name) - 1;
    return is_live(id) && name_of(id) == name ? id : no_object;
}

inline bool records::is_live(object_id id) const noexcept {
    return id < all_.map().max_objects() && decode(at(id).state.load(std::memory_order_acquire)).is == phase::live;
}

inline bool records::holds(object_id id, seat who) const noexcept {
    return (holders(id, who.slot / 64).load(std::memory_order_acquire) & bit(who.slot)) != 0;
}

inline std::uint64_t records::size_of(object_id id) const noexcept {
    const std::uint64_t room = heap_.size_at(at(id).block.load(std::memory_order_acquire));
    const std::uint64_t size = at(id).size.load(std::memory_order_acquire);
    return size < room ? size : room;
}

inline std::uint64_t records::room_of(object_id id) const noexcept {
    return id < all_.map().max_objects() ? heap_.size_at(at(id).block.load(std::memory_order_acquire)) : 0;
}

inline void* records::payload(object_id id) const noexcept {
    const std::uint64_t offset = at(id).block.load(std::memory_order_acquire);
    return heap_.size_at(offset) == 0 ? nullptr : all_.at<void>(offset);
}

inline bool records::payload_is_zero(object_id id) const noexcept {
    return heap_.size_at(at(id).block.load(std::memory_order_acquire)) >= heap::large;
}

inline std::uint64_t records::count() const noexcept {
    std::uint64_t n = 0;
    for (std::uint64_t id = 0, end = hints(all_.data(), all_.map().records).fresh(); id < end; ++id)
        n += decode(at(static_cast<object_id>(id)).state.load(std::memory_order_acquire)).is != phase::free;
    return n;
}

} // namespace multiprocessing::memory
