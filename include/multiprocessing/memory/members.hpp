// Floor 2, memory/members: the process table: who belongs to the family, and who of them is dead.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::memory {

/// A place in the process table. The generation tells its occupants apart: a seat outlives its process harmlessly.
struct seat {
    std::uint32_t slot = layout::max_members; ///< max_members: nowhere
    std::uint32_t generation = 0;

    [[nodiscard]] bool valid() const noexcept { return slot < layout::max_members; }
    friend bool operator==(const seat&, const seat&) = default;
};

/// One process of the family. One word says everything: phase, generation and a pid.
///
///     free -> reserved(parent) -> alive(itself) -> buried_by(undertaker) -> free, generation + 1
///                            \------------------------^
///
/// | word   | who writes it                                                   | a writer killed in between leaves |
/// | ------ | --------------------------------------------------------------- | --------------------------------- |
/// | state  | by compare-and-swap alone                                       | the state before or after         |
/// | start  | the newcomer, before it makes itself alive: a moment at which it had its pid | a reserved slot, judged by the parent's pid |
/// | parent | who reserved the slot, just after; read only to find orphans    | no parent known: found by the sweep |
/// | child  | who reserved the slot, when the newcomer has a pid              | a reserved slot, judged by the parent's pid |
///
/// A dead process can't give up its slot: another member becomes its undertaker, drops what it held (handle.hpp) and
/// frees the slot. If the undertaker dies, the next one takes the burial over and does it again from the start: every
/// step of it may be done twice.
class members {
public:
    explicit members(commons& all) noexcept : all_(all) {}

    enum class phase : std::uint32_t { free, reserved, alive, buried };
    static constexpr std::uint32_t generation_mask = (1u << 30) - 1;

    /// A free slot, reserved by this process for a newcomer. Throws ProcessError when all 4096 are taken.
    [[nodiscard]] seat reserve(seat parent);

    /// Who reserved the seat knows the newcomer's pid by now: should that end before it takes its place, it is dead.
    void note_child(seat place, pid_t child) noexcept {
        at(place.slot).child.store(std::uint64_t{place.generation} << 32 | static_cast<std::uint32_t>(child));
        MULTIPROCESSING_STEP(member_child_noted);
    }

    /// The newcomer takes its place. False if it was buried before it was born, because its parent died.
    [[nodiscard]] bool adopt(seat place) noexcept;

    /// Starts, or takes over, the burial of a seat: true if this process is now its undertaker.
    /// `known_dead`: the caller has seen the end of that process; else it is looked up.
    [[nodiscard]] bool start_burial(seat place, bool known_dead) noexcept;
    void end_burial(seat place) noexcept;

    /// Whether who sat there is no more: buried, or its process has ended. Reads a file if it isn't buried. Of the generation
    /// only the bits in `mask` are compared: for seats that are written down where room is scarce.
    [[nodiscard]] bool is_over(seat place, std::uint32_t mask = generation_mask) const noexcept;

    /// The seat that a slot holds now, unless it is free.
    [[nodiscard]] std::optional<seat> occupant(std::uint32_t slot) const noexcept;
    [[nodiscard]] std::optional<seat> parent_of(std::uint32_t slot) const noexcept;
    [[nodiscard]] pid_t pid_of(seat place) const noexcept; ///< 0 when it isn't alive, and before it has a pid

    /// Slots ever used; never more than there are, whatever stands in shared memory.
    [[nodiscard]] std::uint32_t used() const noexcept {
        const auto value = all_.header().members_used.load(std::memory_order_acquire);
        return value < layout::max_members ? value : layout::max_members;
    }
    [[nodiscard]] unsigned count() const noexcept;

private:
    struct member {
        std::atomic<std::uint64_t> state;
        std::atomic<std::uint64_t> start;
        std::atomic<std::uint64_t> parent;
        std::atomic<std::uint64_t> child; // with the generation, so that an older one's doesn't count
        std::uint64_t unused[4];
    };
    static_assert(sizeof(member) == 64);

    struct decoded {
        phase is;
        std::uint32_t generation;
        pid_t pid;
    };
    static std::uint64_t encode(phase is, std::uint32_t generation, pid_t pid) noexcept {
        return static_cast<std::uint64_t>(is) | std::uint64_t{generation & generation_mask} << 2 |
               std::uint64_t{static_cast<std::uint32_t>(pid)} << 32;
    }
    static decoded decode(std::uint64_t state) noexcept {
        return {static_cast<phase>(state & 3), static_cast<std::uint32_t>(state >> 2) & generation_mask,
                static_cast<pid_t>(state >> 32)};
    }
    [[nodiscard]] member& at(std::uint32_t slot) const noexcept {
        return all_.at<member>(all_.map().members)[slot];
    }
    [[nodiscard]] bool is_dead(const member& who, const decoded& state) const noexcept;

    commons& all_;
};

inline seat members::reserve(seat parent) {
    for (std::uint32_t slot = 0; slot < layout::max_members; ++slot) {
        member& place = at(slot);
        std::uint64_t state = place.state.load(std::memory_order_acquire);
        const decoded now = decode(state);
        if (now.is != phase::free) continue;
        if (!place.state.compare_exchange_strong(state, encode(phase::reserved, now.generation, os::pid()))) continue;
        MULTIPROCESSING_STEP(member_reserved);
        place.parent.store(parent.valid() ? std::uint64_t{parent.slot} << 32 | parent.generation : ~std::uint64_t{0});
        MULTIPROCESSING_STEP(member_parent_noted);
        auto& used_count = all_.header().members_used;
        std::uint32_t seen = used_count.load();
        while (seen <= slot && !used_count.compare_exchange_weak(seen, slot + 1)) {}
        MULTIPROCESSING_STEP(member_counted);
        return {slot, now.generation};
    }
    throw ProcessError(fmt::format("cannot start another process: the family has {} members, the most there can be",
                                   unsigned{layout::max_members}));
}

inline bool members::adopt(seat place) noexcept {
    member& me = at(place.slot);
    std::uint64_t state = me.state.load(std::memory_order_acquire);
    const decoded now = decode(state);
    if (now.is != phase::reserved || now.generation != place.generation) return false;
    me.start.store(os::moment());
    MULTIPROCESSING_STEP(member_start_noted);
    const bool mine = me.state.compare_exchange_strong(state, encode(phase::alive, place.generation, os::pid()));
    MULTIPROCESSING_STEP(member_alive);
    return mine;
}

// A reserved slot is judged by the newcomer's pid, or until that is known by the pid of who reserved it: should that pid be in use again, the slot stays taken
// until that process ends too. Nothing worse can come of it.
inline bool members::is_dead(const member& who, const decoded& state) const noexcept {
    pid_t judged = state.pid;
    if (state.is == phase::reserved) {
        const std::uint64_t child = who.child.load(std::memory_order_acquire);
        const auto pid = static_cast<pid_t>(static_cast<std::uint32_t>(child));
        if (pid != 0 && child >> 32 == state.generation) judged = pid;
    }
    if (judged == os::pid()) return false;
    if (state.is == phase::alive) return !os::still_runs(judged, who.start.load(std::memory_order_acquire));
    return os::start_time(judged) == 0;
}

inline bool members::is_over(seat place, std::uint32_t mask) const noexcept {
    if (!place.valid()) return true;
    const decoded now = decode(at(place.slot).state.load(std::memory_order_acquire));
    if (now.is == phase::free || now.is == phase::buried || (now.generation & mask) != (place.generation & mask)) return true;
    return is_dead(at(place.slot), now);
}

inline bool members::start_burial(seat place, bool known_dead) noexcept {
    if (!place.valid()) return false;
    member& who = at(place.slot);
    std::uint64_t state = who.state.load(std::memory_order_acquire);
    for (;;) {
        const decoded now = decode(state);
        if (now.is == phase::free || now.generation != place.generation) return false; // buried already
        // The caller's knowledge is of the member, not of an undertaker who is at work on it.
        const bool dead = (known_dead && now.is != phase::buried) || is_dead(who, now);
        if (!dead) return false;
        if (who.state.compare_exchange_weak(state, encode(phase::buried, place.generation, os::pid()))) break;
    }
    MULTIPROCESSING_STEP(burial_started);
    return true;
}

inline void members::end_burial(seat place) noexcept {
    member& who = at(place.slot);
    all_.header().deaths.fetch_add(1); // before the slot is free: whoever sees it free also sweeps for what was lost
    MULTIPROCESSING_STEP(burial_death_counted);
    std::uint64_t state = encode(phase::buried, place.generation, os::pid());
    who.state.compare_exchange_strong(state, encode(phase::free, place.generation + 1, 0));
    MULTIPROCESSING_STEP(burial_ended);
}

inline std::optional<seat> members::occupant(std::uint32_t slot) const noexcept {
    const decoded now = decode(at(slot).state.load(std::memory_order_acquire));
    if (now.is == phase::free) return std::nullopt;
    return seat{slot, now.generation};
}

inline std::optional<seat> members::parent_of(std::uint32_t slot) const noexcept {
    const std::uint64_t noted = at(slot).parent.load(std::memory_order_acquire);
    const seat parent{static_cast<std::uint32_t>(noted >> 32), static_cast<std::uint32_t>(noted)};
    if (!parent.valid()) return std::nullopt;
    return parent;
}

inline pid_t members::pid_of(seat place) const noexcept {
    if (!place.valid()) return 0;
    const decoded now = decode(at(place.slot).state.load(std::memory_order_acquire));
    if (now.generation != place.generation) return 0;
    if (now.is == phase::alive) return now.pid;
    const std::uint64_t child = at(place.slot).child.load(std::memory_order_acquire);
    return now.is == phase::reserved && child >> 32 == now.generation ? static_cast<pid_t>(static_cast<std::uint32_t>(child)) : 0;
}

inline unsigned members::count() const noexcept {
    unsigned n = 0;
    for (std::uint32_t slot = 0, end = used(); slot < end; ++slot) n += occupant(slot).has_value();
    return n;
}

} // namespace multiprocessing::memory
