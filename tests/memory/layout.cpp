#include <multiprocessing/memory/layout.hpp>

#include <vector>

#include "support/catch.hpp"

namespace memory = multiprocessing::memory;

TEST_CASE("no two stretches of the commons overlap, and all fit into it", "[memory][layout]") {
    for (auto total = memory::layout::smallest; total <= memory::layout::largest; total *= 2) {
        const auto map = memory::layout::of(total);
        struct range {
            std::uint64_t begin, end;
        };
        std::vector<range> ranges{{0, 4096},
                                  {map.members, map.members + 64 * memory::layout::max_members},
                                  {map.records.slots, map.records.offset_of(map.max_objects())},
                                  {map.records.hints, map.records.hints + memory::hint_bytes(map.max_objects())},
                                  {map.holders, map.holder_word(0, memory::layout::max_members / 64)},
                                  {map.ledgers, map.ledger_word(memory::layout::max_members, 0)}};
        for (const auto& s : map.classes) {
            if (s.count == 0) continue;
            ranges.push_back({s.slots, s.offset_of(s.count)});
            ranges.push_back({s.owners, s.owners + 4 * s.count});
            ranges.push_back({s.hints, s.hints + memory::hint_bytes(s.count)});
        }
        for (std::size_t i = 0; i < ranges.size(); ++i) {
            REQUIRE(ranges[i].end <= total);
            for (std::size_t j = 0; j < i; ++j)
                REQUIRE((ranges[i].begin >= ranges[j].end || ranges[j].begin >= ranges[i].end));
        }
    }
}

TEST_CASE("a block is at most twice what was asked for, a third more than a cache line's multiple", "[memory][layout]") {
    const auto map = memory::layout::of(memory::layout::largest);
    for (std::uint64_t bytes = 1; bytes <= memory::block_sizes.back(); bytes += bytes / 7 + 1) {
        const auto which = map.class_for(bytes);
        REQUIRE(which < map.classes.size());
        REQUIRE(memory::block_sizes[which] >= bytes);
        if (bytes > 32) REQUIRE(memory::block_sizes[which] < 2 * bytes);
    }
    REQUIRE(map.class_for(memory::block_sizes.back() + 1) == map.classes.size());
}

TEST_CASE("every block of 64 bytes or more begins at a cache line", "[memory][layout]") {
    const auto map = memory::layout::of(memory::layout::largest);
    for (const auto& s : map.classes)
        if (s.slot_size >= 64) REQUIRE((s.offset_of(1) % 64 == 0 && s.offset_of(7) % 64 == 0));
}
