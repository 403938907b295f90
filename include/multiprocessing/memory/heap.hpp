// Floor 2, memory/heap: blocks of the commons, each owned by one object.
#pragma once

#include <algorithm> // std::upper_bound
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new> // std::bad_alloc
#include <optional>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/memory/hints.hpp>
#include <multiprocessing/os/pages.hpp>

namespace multiprocessing::memory {

/// Blocks of 32 bytes to half a tebibyte. There are no locks, lists or headers: every size has its own stretch of
/// equal blocks, and a word beside the stretch says which object owns each (0: nobody, else its id + 1).
///
/// An object has one block, named by its `block` word (handle.hpp). Protocol, with who sees what after a death:
///
///     allocate:  object.block = candidate          a name without ownership: nobody minds
///                CAS owner[candidate]: 0 -> object  from here on the block is found through object.block
///     release:   pages of a large block go          still owned: nobody else can have begun to use it
///                CAS owner[block]: object -> 0      done; doing it again finds another owner and stops
///                hint                               a lost hint is found by the sweep (hints.hpp)
///
/// So whoever finishes what a dead process began only needs the object, may repeat any step, and can't free a block
/// that has a new owner.
///
/// Growth: constant time; after a death, one look at every block ever used of a size, when none is known to be free.
class heap {
public:
    explicit heap(commons& all) noexcept : all_(all) {}

    /// Blocks of at least so many bytes give their pages back when released, and are all zeros when allocated.
    static constexpr std::uint64_t large = 256 * 1024;

    struct block {
        std::uint64_t offset;
        std::uint64_t size; ///< what the block has room for
        bool zero;          ///< known to hold nothing but zeros: true of the large ones
    };

    /// Throws std::bad_alloc when no block of that size is left.
    [[nodiscard]] block allocate(std::uint64_t bytes, std::uint32_t owner, std::atomic<std::uint64_t>& intent);

    /// Frees the block that stands at `offset` if `owner` owns it. May be repeated.
    void release(std::uint64_t offset, std::uint32_t owner) noexcept;

    /// Room in the block at `offset`; 0 if none begins there. Safe for any number.
    [[nodiscard]] std::uint64_t size_at(std::uint64_t offset) const noexcept;

private:
    struct found {
        std::size_t which;
        std::uint64_t index;
    };
    [[nodiscard]] std::optional<found> find(std::uint64_t offset) const noexcept;
    [[nodiscard]] std::atomic<std::uint32_t>& owner_word(const stretch& s, std::uint64_t index) const noexcept {
        return all_.at<std::atomic<std::uint32_t>>(s.owners)[index];
    }

    commons& all_;
};

inline heap::block heap::allocate(std::uint64_t bytes, std::uint32_t owner, std::atomic<std::uint64_t>& intent) {
    const layout& map = all_.map();
    const std::uint64_t deaths = all_.header().deaths.load(std::memory_order_acquire);
    // A size that has run out is served from the next one.
    for (std::size_t which = map.class_for(bytes); which < map.classes.size(); ++which) {
        const stretch& s = map.classes[which];
        if (s.count == 0) break;
        hints free_ones(all_.data(), s);
        const auto claim = [&](std::uint64_t index) {
            intent.store(s.offset_of(index));
            MULTIPROCESSING_STEP(heap_intent);
            std::uint32_t nobody = 0;
            const bool mine = owner_word(s, index).compare_exchange_strong(nobody, owner);
            MULTIPROCESSING_STEP(heap_claimed);
            return mine;
        };
        const auto is_free = [&](std::uint64_t index) {
            return owner_word(s, index).load(std::memory_order_acquire) == 0;
        };
        if (const auto index = free_ones.take(deaths, claim, is_free))
            return {s.offset_of(*index), s.slot_size, s.slot_size >= large};
    }
    intent.store(0);
    throw std::bad_alloc();
}

inline std::optional<heap::found> heap::find(std::uint64_t offset) const noexcept {
    const auto& classes = all_.map().classes;
    const auto after = std::upper_bound(classes.begin(), classes.end(), offset, [](std::uint64_t o, const stretch& s) {
        return s.count == 0 || o < s.slots;
    });
    if (after == classes.begin()) return std::nullopt;
    const auto which = static_cast<std::size_t>(after - classes.begin()) - 1;
    const stretch& s = classes[which];
    if (!s.contains(offset) || (offset - s.slots) % s.slot_size != 0) return std::nullopt;
    return found{which, (offset - s.slots) / s.slot_size};
}

inline void heap::release(std::uint64_t offset, std::uint32_t owner) noexcept {
    const auto place = find(offset);
    if (!place) return;
    const stretch& s = all_.map().classes[place->which];
    auto& word = owner_word(s, place->index);
    if (word.load(std::memory_order_acquire) == owner) {
        if (s.slot_size >= large && !os::give_back(all_.at<std::byte>(offset), s.slot_size))
            std::fill_n(all_.at<std::byte>(offset), s.slot_size, std::byte{}); // no such call here: keep the promise of zeros
        MULTIPROCESSING_STEP(heap_pages_gone);
        std::uint32_t mine = owner;
        word.compare_exchange_strong(mine, 0);
        MULTIPROCESSING_STEP(heap_released);
    }
    // Also when it was free already: whoever freed it may have died before this hint.
    if (word.load(std::memory_order_acquire) == 0) hints(all_.data(), s).set(place->index);
}

inline std::uint64_t heap::size_at(std::uint64_t offset) const noexcept {
    const auto place = find(offset);
    return place ? all_.map().classes[place->which].slot_size : 0;
}

} // namespace multiprocessing::memory
