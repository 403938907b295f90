// Floor 6, channel/hands: how many items each process has in hand.
#pragma once

#include <atomic>
#include <cstdint>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/memory/handle.hpp>

namespace multiprocessing::channel {

/// One word a member: its generation and a count. What a dead member had in hand counts no more, by its death alone: nothing has
/// to be written for that, and what its word says then doesn't matter.
///
/// | word | who writes it                                                                 | a writer killed in between leaves |
/// | ---- | ----------------------------------------------------------------------------- | --------------------------------- |
/// | one  | its member, + n before it takes; - 1, by compare-and-swap, who reports an item | nothing: it counts no more        |
///
/// A member counts an item before it takes it, so at no time is it in nobody's hand.
class hands {
public:
    /// One object for all: sparse, so a page for each 512 members that ever took something.
    [[nodiscard]] static hands make() {
        hands fresh;
        fresh.words_ = memory::handle<std::atomic<std::uint64_t>[]>(memory::holding::make(bytes));
        fresh.words_.publish();
        return fresh;
    }
    [[nodiscard]] auto& share() noexcept { return words_; }

    /// This process is about to take so many, or didn't take them after all.
    void add(std::int32_t n) const {
        const memory::seat me = memory::family::here().self();
        auto& word = words_[me.slot];
        std::uint64_t seen = word.load();
        std::uint64_t next = 0;
        do {
            const std::uint32_t before = seat_of(seen, me.slot) == me ? count_of(seen) : 0;
            next = (me.generation + std::uint64_t{1}) << 32 | (before + static_cast<std::uint32_t>(n));
        } while (!word.compare_exchange_weak(seen, next));
        MULTIPROCESSING_STEP(hand_counted);
    }

    /// An item is done with: one that this process took, or else any. False when nobody living has any in hand.
    [[nodiscard]] bool report() const {
        const memory::seat me = memory::family::here().self();
        if (take_from(me.slot)) return true;
        for (std::uint32_t slot = 0, end = memory::family::here().seats_used(); slot < end; ++slot)
            if (take_from(slot)) return true;
        return false;
    }

    /// In the hands of the living. `look_closer`: also finds out who died unnoticed.
    [[nodiscard]] std::uint64_t sum(bool look_closer) const {
        std::uint64_t total = 0;
        for (std::uint32_t slot = 0, end = memory::family::here().seats_used(); slot < end; ++slot) {
            const std::uint64_t word = words_[slot].load();
            if (count_of(word) != 0 && lives(seat_of(word, slot), look_closer)) total += count_of(word);
        }
        return total;
    }

private:
    static constexpr std::uint64_t bytes = memory::heap::large; // known to be zero, and of its pages only a few are touched
    static_assert(bytes >= memory::layout::max_members * sizeof(std::uint64_t));

    static std::uint32_t count_of(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word); }
    static memory::seat seat_of(std::uint64_t word, std::uint32_t slot) noexcept {
        return {slot, static_cast<std::uint32_t>((word >> 32) - 1)};
    }
    static bool lives(memory::seat who, bool look_closer) {
        auto& family = memory::family::here();
        return look_closer ? !family.is_over(who, memory::members::generation_mask) : family.is_seated(who);
    }
    bool take_from(std::uint32_t slot) const {
        std::uint64_t seen = words_[slot].load();
        while (count_of(seen) != 0 && lives(seat_of(seen, slot), true))
            if (words_[slot].compare_exchange_weak(seen, seen - 1)) {
                MULTIPROCESSING_STEP(hand_emptied);
                return true;
            }
        return false;
    }

    memory::handle<std::atomic<std::uint64_t>[]> words_;
};

} // namespace multiprocessing::channel
