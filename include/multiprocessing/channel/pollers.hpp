// Floor 6, channel/pollers: who wants to be rung for by a descriptor.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/os/foreign_bell.hpp>

namespace multiprocessing::channel {

/// Those at the receiving side of a ring who poll a descriptor instead of sleeping in the ring.
///
///     free -> registered -> armed -> registered ...
///
/// One word: state, seat, and the number of his bell's descriptor (os/foreign_bell). He arms it, then looks at the ring, then
/// polls. Who sends looks for armed ones after the message is there; disarms, then rings. An entry of a dead one is freed
/// by who meets it.
struct pollers {
    enum state : std::uint64_t { free, registered, armed };
    static constexpr std::size_t most = 8; ///< at once, on one line; whoever comes later looks every few milliseconds

    std::array<std::atomic<std::uint64_t>, most> entries{};

    static constexpr std::uint64_t encode(state is, memory::seat who, int fd) noexcept {
        return is | std::uint64_t{who.slot} << 2 | std::uint64_t{who.generation & 0x3ffffff} << 14 |
               std::uint64_t{static_cast<std::uint32_t>(fd)} << 40;
    }
    static constexpr memory::seat seat_of(std::uint64_t word) noexcept {
        return {static_cast<std::uint32_t>(word >> 2) & 0xfff, static_cast<std::uint32_t>(word >> 14) & 0x3ffffff};
    }

    /// After the change, by whoever has made it with a full fence.
    void ring() noexcept {
        for (auto& entry : entries)
            if ((entry.load() & 3) == armed) ring(entry);
    }
    void ring(std::atomic<std::uint64_t>& entry) noexcept {
        std::uint64_t word = entry.load();
        if ((word & 3) != armed || !entry.compare_exchange_strong(word, (word & ~std::uint64_t{3}) | registered)) return;
        MULTIPROCESSING_STEP(poller_disarmed);
        const memory::seat who = seat_of(word);
        const pid_t pid = memory::family::here().pid_of(who, 0x3ffffff);
        word = (word & ~std::uint64_t{3}) | registered;
        if (pid == 0 || !os::ring_foreign_bell(pid, static_cast<int>(word >> 40)))
            if (memory::family::here().is_over(who, 0x3ffffff)) entry.compare_exchange_strong(word, free);
    }
};

} // namespace multiprocessing::channel
