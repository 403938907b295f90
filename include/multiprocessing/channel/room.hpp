// Floor 6, channel/room: where the cells of a ring stand.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <multiprocessing/memory/members.hpp>

namespace multiprocessing::channel {

/// A circle of cells, in a block that the ring keeps for good: a room is left and entered again, but its cells always stand at
/// the same place and count their positions on, so that a process which comes late, with a word it read in another age, can
/// only fail. What is given back is the pages.
///
///     idle -> opening(somebody) -> open(serial) -> opening(somebody) -> idle
///
/// | word   | is                                          | who writes it; a writer killed in between leaves          |
/// | ------ | ------------------------------------------- | --------------------------------------------------------- |
/// | phase  | idle, opening with its owner, open with its serial | by compare-and-swap; the owner's death: the next takes over |
/// | name   | the object its block is                     | who has it in opening; an object that died with its maker |
/// | offset | where its cells begin; 0: nowhere yet       | the same; once                                            |
/// | start  | the position it begins with when it is opened | the same; read from the closed cell again                |
/// | base   | start + base: the ordinal of its first message | the same, before the link to it; nothing: it isn't linked  |
/// | serial | which room in the ring's life it is         | the same                                                  |
///
/// A room is in use from the link to it (a closed cell in the room before) until the head has left it; by its serial one can
/// tell. It can be opened again when, beyond that, nobody is still reading in it. To look takes time, in which others may have
/// opened it again: so `open` names its serial, and who looked at one life of a room can't take it in the next.
struct alignas(64) room {
    std::atomic<std::uint64_t> phase;
    std::atomic<std::uint64_t> name;
    std::atomic<std::uint64_t> offset;
    std::atomic<std::uint64_t> start;
    std::atomic<std::uint64_t> base;
    std::atomic<std::uint64_t> serial;

    enum phase_type : std::uint64_t { idle, opening, open };
    [[nodiscard]] static std::uint64_t owned_by(memory::seat owner) noexcept {
        return opening | std::uint64_t{owner.slot} << 2 | std::uint64_t{owner.generation} << 32;
    }
    [[nodiscard]] static std::uint64_t open_as(std::uint64_t serial) noexcept { return open | serial << 2; }
    [[nodiscard]] static memory::seat owner_of(std::uint64_t word) noexcept {
        return {static_cast<std::uint32_t>(word >> 2) & 0x3fffffff, static_cast<std::uint32_t>(word >> 32)};
    }
};

/// All rooms that a ring can have: two kinds, for short cells and for long ones, each in sizes that double.
struct room_table {
    static constexpr unsigned kinds = 2;
    static constexpr unsigned sizes = 20;
    static constexpr unsigned size_bits = 5;
    static constexpr std::uint64_t first_bytes = std::uint64_t{16} << 10;  ///< the smallest room, about
    static constexpr std::uint64_t keep_bytes = std::uint64_t{256} << 10; ///< a room larger than that is left when it is empty

    std::uint32_t stride[kinds];      ///< bytes from one cell to the next
    std::uint32_t first_cells[kinds]; ///< cells of the smallest room, as a logarithm
    room rooms[kinds][sizes];

    [[nodiscard]] static constexpr unsigned number(unsigned kind, unsigned size) noexcept { return kind << size_bits | size; }
    [[nodiscard]] static constexpr unsigned kind_of(unsigned number) noexcept { return number >> size_bits; }
    [[nodiscard]] static constexpr unsigned size_of(unsigned number) noexcept { return number & ((1u << size_bits) - 1); }
    [[nodiscard]] static constexpr bool exists(unsigned number) noexcept {
        return kind_of(number) < kinds && size_of(number) < sizes;
    }
    [[nodiscard]] std::uint64_t bytes_of(unsigned number) const noexcept {
        return std::uint64_t{stride[kind_of(number)]} << (first_cells[kind_of(number)] + size_of(number));
    }
    [[nodiscard]] room& operator[](unsigned number) noexcept { return rooms[kind_of(number)][size_of(number)]; }
};

} // namespace multiprocessing::channel
