// Floor 2, memory/layout: where everything stands in the commons, computed from its size alone.
#pragma once

#include <algorithm> // std::lower_bound
#include <array>
#include <cstddef>
#include <cstdint>

namespace multiprocessing::memory {

/// The commons is a very large and very sparse file. Because address space is nearly free and pages cost only when
/// touched, every kind of thing has a stretch of its own, every block of a size stands at a fixed place, and nothing
/// is ever split or merged: there is no structure that a death could leave half changed.
///
///     header | members | records | pins | holders x 64 | ledgers | size class 0 | size class 1 | ... | size class 39
///
/// Nobody trusts shared memory for any of this: each process computes it from the size of the mapping.
///
/// Growth: one page for each page's worth of records, owners, hints or blocks in use; a member adds one bit per
/// object to its ledger, and every 64 members add a word per object to the holders.

/// A stretch of equal slots with the words that say who owns each and which may be free.
struct stretch {
    std::uint64_t slot_size = 0;
    std::uint64_t count = 0;  ///< slots; 0: this size doesn't exist in a commons so small
    std::uint64_t slots = 0;  ///< offset of slot 0
    std::uint64_t owners = 0; ///< offset of count 32-bit words (size classes alone)
    std::uint64_t hints = 0;  ///< offset of the hints (hints.hpp)

    [[nodiscard]] constexpr std::uint64_t offset_of(std::uint64_t index) const { return slots + index * slot_size; }
    [[nodiscard]] constexpr bool contains(std::uint64_t offset) const {
        return offset >= slots && offset < slots + count * slot_size;
    }
};

/// Sizes of blocks: at most a half is wasted, for small blocks a third; untouched pages of a large one cost nothing.
inline constexpr std::array<std::uint64_t, 40> block_sizes = [] {
    std::array<std::uint64_t, 40> sizes{32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096};
    for (std::size_t i = 13; i < sizes.size(); ++i) sizes[i] = sizes[i - 1] * 2;
    return sizes;
}();

/// Three levels of 64: a bit a slot, a bit a word of those, a bit a word of those. A cache line of counters first.
[[nodiscard]] constexpr std::uint64_t hint_words(std::uint64_t slots, unsigned level) {
    const std::uint64_t span = level == 0 ? 64 : level == 1 ? 64 * 64 : 64 * 64 * 64;
    return (slots + span - 1) / span;
}
[[nodiscard]] constexpr std::uint64_t hint_bytes(std::uint64_t slots) {
    return 64 + 8 * (hint_words(slots, 0) + hint_words(slots, 1) + hint_words(slots, 2));
}

struct layout {
    static constexpr unsigned max_members = 4096;
    static constexpr std::uint64_t smallest = std::uint64_t{1} << 30;
    static constexpr std::uint64_t largest = std::uint64_t{1} << 42;

    std::uint64_t total = 0;
    std::uint64_t members = 0;
    stretch records;           ///< owners unused: a record's own state is its owner word
    stretch pins;              ///< the same
    std::uint64_t holders = 0; ///< max_members / 64 columns of one word per record
    std::uint64_t ledgers = 0; ///< max_members rows of one bit per record
    std::array<stretch, block_sizes.size()> classes{};

    [[nodiscard]] constexpr std::uint64_t max_objects() const { return records.count; }
    [[nodiscard]] constexpr std::uint64_t holder_word(std::uint64_t id, unsigned column) const {
        return holders + (column * max_objects() + id) * 8;
    }
    [[nodiscard]] constexpr std::uint64_t ledger_word(unsigned slot, std::uint64_t word) const {
        return ledgers + (slot * (max_objects() / 64) + word) * 8;
    }

    /// The smallest size class that holds `bytes`; classes.size() when none does.
    [[nodiscard]] constexpr std::size_t class_for(std::uint64_t bytes) const {
        return static_cast<std::size_t>(std::lower_bound(block_sizes.begin(), block_sizes.end(), bytes) -
                                        block_sizes.begin());
    }

    /// `total` is a power of two from smallest to largest.
    [[nodiscard]] static constexpr layout of(std::uint64_t total);
};

namespace detail {

struct stacker {
    std::uint64_t next = 0;
    constexpr std::uint64_t take(std::uint64_t bytes) {
        constexpr std::uint64_t align = 64 * 1024; // no two stretches share a page, whatever the page size
        const std::uint64_t at = next;
        next += (bytes + align - 1) / align * align;
        return at;
    }
};

} // namespace detail

constexpr layout layout::of(std::uint64_t total) {
    constexpr std::uint64_t member_bytes = 64;
    constexpr std::uint64_t record_bytes = 32;
    constexpr std::uint64_t pin_bytes = 16;
    layout map;
    map.total = total;
    detail::stacker stack;
    stack.take(1); // the header
    map.members = stack.take(max_members * member_bytes);
    map.records.slot_size = record_bytes;
    map.records.count = total >> 16;
    map.records.slots = stack.take(map.records.count * record_bytes);
    map.records.hints = stack.take(hint_bytes(map.records.count));
    map.pins.slot_size = pin_bytes;
    map.pins.count = total >> 18;
    map.pins.slots = stack.take(map.pins.count * pin_bytes);
    map.pins.hints = stack.take(hint_bytes(map.pins.count));
    map.holders = stack.take(max_members / 64 * map.records.count * 8);
    map.ledgers = stack.take(max_members * (map.records.count / 8));
    for (std::size_t i = 0; i < block_sizes.size(); ++i) {
        stretch& s = map.classes[i];
        s.slot_size = block_sizes[i];
        // Small blocks get a 256th each, larger ones a 64th, the largest two blocks if the rest allows.
        const std::uint64_t wanted = s.slot_size <= 4096 ? total / 256 : std::max(total / 64, 2 * s.slot_size);
        const std::uint64_t count = wanted / s.slot_size;
        const std::uint64_t needed = count * s.slot_size + count * 4 + hint_bytes(count) + 3 * 64 * 1024;
        if (stack.next + needed > total) break;
        s.count = count;
        s.slots = stack.take(count * s.slot_size);
        s.owners = stack.take(count * 4);
        s.hints = stack.take(hint_bytes(count));
    }
    return map;
}

static_assert(layout::of(layout::largest).classes[39].count >= 1, "half a tebibyte fits into the largest commons");
static_assert(layout::of(layout::smallest).classes[20].count >= 1, "a mebibyte fits into the smallest commons");

} // namespace multiprocessing::memory
