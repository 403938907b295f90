// Floor 2, memory/doorbells: who of an object's users wants to be rung for by a descriptor.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/memory/members.hpp>
#include <multiprocessing/os/foreign_bell.hpp>

namespace multiprocessing::memory {

/// Part of a shared object: those who poll a descriptor until the object changes, instead of sleeping on a bell.
///
///     free -> registered -> armed -> registered ...
///
/// One word each: state, seat, and the number of his bell's descriptor (os/foreign_bell). He arms it, then looks at the object,
/// then polls. Who changes the object looks for armed ones after that; disarms, then rings. An entry of a dead one is freed by
/// who meets it.
///
/// Who dies between his change and his ring leaves it silent, armed or not. So whoever buries him rings at all of them, as he
/// disturbs those who sleep (bell.hpp).
///
/// All zeros: nobody polls.
struct alignas(64) doorbells {
    enum state : std::uint64_t { free, registered, armed };
    static constexpr std::size_t most = 8; ///< at once, on one line; whoever comes later looks every few milliseconds
    static constexpr std::uint32_t generation_mask = 0x3ffffff;

    std::array<std::atomic<std::uint64_t>, most> entries{};

    static constexpr std::uint64_t encode(state is, seat who, int fd) noexcept {
        return is | std::uint64_t{who.slot} << 2 | std::uint64_t{who.generation & generation_mask} << 14 |
               std::uint64_t{static_cast<std::uint32_t>(fd)} << 40;
    }
    static constexpr seat seat_of(std::uint64_t word) noexcept {
        return {static_cast<std::uint32_t>(word >> 2) & 0xfff, static_cast<std::uint32_t>(word >> 14) & generation_mask};
    }
    static constexpr std::uint64_t disarmed(std::uint64_t word) noexcept { return (word & ~std::uint64_t{3}) | registered; }

    /// After the change, by whoever has made it with a full fence.
    void ring() noexcept {
        for (auto& entry : entries)
            if ((entry.load() & 3) == armed) ring(entry);
    }

    /// Somebody died.
    void disturb() noexcept {
        for (auto& entry : entries)
            if ((entry.load() & 3) != free) ring(entry);
    }

private:
    static void ring(std::atomic<std::uint64_t>& entry) noexcept;
};
static_assert(sizeof(doorbells) == 64);

inline void doorbells::ring(std::atomic<std::uint64_t>& entry) noexcept {
    std::uint64_t word = entry.load();
    if ((word & 3) == free || !entry.compare_exchange_strong(word, disarmed(word))) return;
    MULTIPROCESSING_STEP(poller_disarmed);
    const members all(commons::here());
    const seat who = seat_of(word);
    const auto now = all.occupant(who.slot);
    const bool seated = now && (now->generation & generation_mask) == who.generation;
    const pid_t pid = seated ? all.pid_of(*now) : 0;
    word = disarmed(word);
    if (pid == 0 || !os::ring_foreign_bell(pid, static_cast<int>(word >> 40)))
        if (all.is_over(who, generation_mask)) entry.compare_exchange_strong(word, free);
}

} // namespace multiprocessing::memory
