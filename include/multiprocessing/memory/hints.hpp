// Floor 2, memory/hints: which slots of a stretch may be free.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/layout.hpp>

namespace multiprocessing::memory {

/// Finds a free slot quickly, and is never believed: whether a slot is free is decided by the compare-and-swap on the
/// slot's own owner word (`claim` below). So a wrong hint costs time, not correctness, and a process may die between
/// any two stores here:
///
/// | it dies                                   | left behind                              | mended by            |
/// | ----------------------------------------- | ---------------------------------------- | -------------------- |
/// | after a claim, before clearing the hint   | a hint at a slot in use                  | the next who tries it |
/// | after freeing a slot, before hinting it   | a free slot that nobody finds            | the sweep below      |
/// | between two levels of a hint              | a hint that the level above hides        | the sweep below      |
/// | after `fresh` grew, before the claim      | a free slot that nobody finds            | the sweep below      |
///
/// The sweep looks at every slot once, but only when somebody died since the last one and no hint is left.
///
/// Words: `fresh` slots have ever been tried, the rest is untouched memory. A leaf bit says "slot may be free", a bit
/// of the middle level "that leaf word isn't zero", the top likewise. Low slots are preferred, so that what is in use
/// stays together and the pages behind it stay warm.
class hints {
public:
    hints(std::byte* base, const stretch& where) noexcept
        : head_(reinterpret_cast<counters*>(base + where.hints)),
          leaves_(reinterpret_cast<word*>(base + where.hints + 64)), middle_(leaves_ + hint_words(where.count, 0)),
          top_(middle_ + hint_words(where.count, 1)), count_(where.count) {}

    /// How many slots were ever tried; never more than there are, whatever stands in shared memory.
    [[nodiscard]] std::uint64_t fresh() const noexcept {
        const auto value = head_->fresh.load(std::memory_order_acquire);
        return value < count_ ? value : count_;
    }

    void set(std::uint64_t slot) noexcept {
        leaves_[slot / 64].fetch_or(bit(slot));
        MULTIPROCESSING_STEP(hint_leaf_set);
        raise(slot / 64);
    }

    /// Takes a slot for which claim(slot) says true, if there is one. `is_free` is asked by the sweep alone.
    template <typename Claim, typename IsFree>
    [[nodiscard]] std::optional<std::uint64_t> take(std::uint64_t deaths, Claim claim, IsFree is_free);

private:
    using word = std::atomic<std::uint64_t>;
    struct counters {
        word fresh;
        word swept; ///< the number of deaths up to which lost slots were looked for
    };

    static constexpr std::uint64_t bit(std::uint64_t index) noexcept { return std::uint64_t{1} << (index % 64); }

    // The levels above may say "nothing here" only after the level below was seen empty *since*.
    void raise(std::uint64_t leaf) noexcept {
        middle_[leaf / 64].fetch_or(bit(leaf));
        MULTIPROCESSING_STEP(hint_middle_set);
        top_[leaf / 4096].fetch_or(bit(leaf / 64));
        MULTIPROCESSING_STEP(hint_top_set);
    }
    void lower(std::uint64_t leaf) noexcept {
        middle_[leaf / 64].fetch_and(~bit(leaf));
        MULTIPROCESSING_STEP(hint_middle_cleared);
        if (leaves_[leaf].load() != 0) return raise(leaf);
        if (middle_[leaf / 64].load() != 0) return;
        top_[leaf / 4096].fetch_and(~bit(leaf / 64));
        MULTIPROCESSING_STEP(hint_top_cleared);
        if (middle_[leaf / 64].load() != 0) top_[leaf / 4096].fetch_or(bit(leaf / 64));
    }

    template <typename Claim, typename IsFree>
    std::optional<std::uint64_t> take_hinted(Claim& claim, IsFree& is_free);

    counters* head_;
    word* leaves_;
    word* middle_;
    word* top_;
    std::uint64_t count_;
};

template <typename Claim, typename IsFree>
std::optional<std::uint64_t> hints::take_hinted(Claim& claim, IsFree& is_free) {
    const std::uint64_t known = fresh();
    const std::uint64_t tops = hint_words(known, 2);
    for (std::uint64_t t = 0; t < tops; ++t) {
        while (const std::uint64_t tops_bits = top_[t].load(std::memory_order_acquire)) {
            const std::uint64_t m = t * 64 + static_cast<std::uint64_t>(std::countr_zero(tops_bits));
            const std::uint64_t middle_bits = m < hint_words(count_, 1) ? middle_[m].load(std::memory_order_acquire) : 0;
            if (middle_bits == 0) { // lost by a death between two levels, or just taken
                top_[t].fetch_and(~bit(m));
                if (m < hint_words(count_, 1) && middle_[m].load() != 0) top_[t].fetch_or(bit(m));
                continue;
            }
            const std::uint64_t leaf = m * 64 + static_cast<std::uint64_t>(std::countr_zero(middle_bits));
            const std::uint64_t leaf_bits = leaf < hint_words(count_, 0) ? leaves_[leaf].load(std::memory_order_acquire) : 0;
            if (leaf_bits == 0) {
                if (leaf >= hint_words(count_, 0)) return std::nullopt; // not ours: somebody scribbled on the hints
                lower(leaf);
                continue;
            }
            const std::uint64_t slot = leaf * 64 + static_cast<std::uint64_t>(std::countr_zero(leaf_bits));
            const bool mine = slot < count_ && claim(slot);
            MULTIPROCESSING_STEP(hint_claimed);
            const bool last = (leaves_[leaf].fetch_and(~bit(slot)) & ~bit(slot)) == 0;
            MULTIPROCESSING_STEP(hint_leaf_cleared);
            if (last) lower(leaf);
            if (mine) return slot;
            // Its owner may have freed it, and set the bit that was just cleared, after the claim failed.
            if (slot < count_ && is_free(slot)) set(slot);
        }
    }
    return std::nullopt;
}

template <typename Claim, typename IsFree>
std::optional<std::uint64_t> hints::take(std::uint64_t deaths, Claim claim, IsFree is_free) {
    if (auto slot = take_hinted(claim, is_free)) return slot;
    if (head_->swept.load(std::memory_order_acquire) != deaths) {
        for (std::uint64_t slot = 0, known = fresh(); slot < known; ++slot)
            if (is_free(slot)) set(slot);
        head_->swept.store(deaths, std::memory_order_release); // killed before this: swept once more
        MULTIPROCESSING_STEP(hint_swept);
        if (auto slot = take_hinted(claim, is_free)) return slot;
    }
    std::uint64_t slot = head_->fresh.load(std::memory_order_acquire);
    while (slot < count_) {
        if (!head_->fresh.compare_exchange_weak(slot, slot + 1)) continue;
        MULTIPROCESSING_STEP(hint_fresh_grown);
        if (claim(slot)) return slot;
        slot = head_->fresh.load(std::memory_order_acquire);
    }
    return std::nullopt;
}

} // namespace multiprocessing::memory
