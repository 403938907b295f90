// Floor 6, channel/cell: the place of one message in a ring, and the word that says whose it is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <multiprocessing/memory/members.hpp>

namespace multiprocessing::channel {

/// One word decides everything about a cell. It names the position it stands for, so that who comes late changes nothing, and
/// who is at work on it, so that it can be found out whether he lives.
///
///     free(p) -> claimed(producer, p) -> ready(p) -> taken(consumer, p) -> free(p + cells)
///        \              \--------------------------------^
///         \-> closed(next room, p)                  the producer died: whoever meets it takes it over, and drops it
///
/// | transition        | who does it                                             | killed just after it                           |
/// | ----------------- | ------------------------------------------------------- | ---------------------------------------------- |
/// | free -> claimed   | a producer, by compare-and-swap                         | the message was never sent: the next consumer skips it |
/// | claimed -> ready  | its producer, when all is written                       | the message stays; its burial tells who waits   |
/// | ready -> taken    | a consumer, by compare-and-swap                         | that message is lost; who sweeps frees the cell |
/// | claimed -> taken, taken -> taken | whoever finds the owner dead             | the next one finds him dead                    |
/// | taken -> free     | its owner                                               | nothing                                        |
/// | free -> closed    | who opens the next room of the ring (ring.hpp)          | nothing: others follow the link                |
///
/// A claim or a taking may cover a batch: that cell and those after it, 2 to 128. Their own words change last to first,
/// and the first one's last of all, so a batch is sent and freed by that single store.
struct cell_state {
    enum phase_type : std::uint64_t { none, free, claimed, ready, taken, closed };

    phase_type is = none;
    unsigned batch = 0;       ///< logarithm of the number of cells
    std::uint32_t slot = 0;   ///< the owner's; of a closed cell the next room
    std::uint32_t generation = 0; ///< the owner's, the lowest bits
    std::uint64_t position = 0;

    static constexpr unsigned position_bits = 37; // the same one comes back after 10^11 messages
    static constexpr std::uint64_t position_mask = (std::uint64_t{1} << position_bits) - 1;
    static constexpr std::uint32_t generation_mask = 0x1ff;
    static constexpr unsigned largest_batch = 7;
    static_assert(memory::layout::max_members <= 1 << 12);

    [[nodiscard]] static constexpr cell_state decode(std::uint64_t word) noexcept {
        return {static_cast<phase_type>(word & 7), static_cast<unsigned>(word >> 3 & 7),
                static_cast<std::uint32_t>(word >> 6 & 0xfff), static_cast<std::uint32_t>(word >> 18 & generation_mask),
                word >> 27};
    }
    [[nodiscard]] static constexpr std::uint64_t plain(phase_type is, std::uint64_t position) noexcept {
        return is | position << 27;
    }
    [[nodiscard]] static constexpr std::uint64_t owned(phase_type is, unsigned batch, memory::seat owner,
                                                       std::uint64_t position) noexcept {
        return is | std::uint64_t{batch} << 3 | std::uint64_t{owner.slot} << 6 |
               std::uint64_t{owner.generation & generation_mask} << 18 | position << 27;
    }
    [[nodiscard]] static constexpr std::uint64_t link(unsigned room, std::uint64_t position) noexcept {
        return closed | std::uint64_t{room} << 6 | position << 27;
    }
    [[nodiscard]] constexpr bool stands_for(std::uint64_t p) const noexcept { return position == (p & position_mask); }
    [[nodiscard]] constexpr memory::seat owner() const noexcept { return {slot, generation}; }
};

/// What stands beside the state: how many bytes, and whether they are here or in a block of their own.
struct cell_header {
    std::uint64_t size = 0;   ///< bytes of the message
    std::uint32_t shares = 0; ///< objects that it names
    bool block = false;       ///< the body is the name of a block
    bool marked = false;      ///< whatever that means to who sends it

    static constexpr std::uint32_t most_shares = 0x3fff;
    static constexpr std::uint64_t largest = (std::uint64_t{1} << 48) - 1;

    [[nodiscard]] static constexpr cell_header decode(std::uint64_t word) noexcept {
        return {word & largest, static_cast<std::uint32_t>(word >> 48 & most_shares), word >> 63 != 0, (word >> 62 & 1) != 0};
    }
    [[nodiscard]] constexpr std::uint64_t encode() const noexcept {
        return size | std::uint64_t{shares} << 48 | std::uint64_t{marked} << 62 | std::uint64_t{block} << 63;
    }
};

/// The state and the header, then the body, up to the next cell.
struct cell {
    std::atomic<std::uint64_t> state;
    std::atomic<std::uint64_t> header;

    [[nodiscard]] std::byte* body() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};
static_assert(sizeof(cell) == 16);

} // namespace multiprocessing::channel
