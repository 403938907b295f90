#include <multiprocessing/memory/heap.hpp>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;

namespace {

memory::heap the_heap() { return memory::heap(memory::commons::here()); }
constexpr std::uint32_t somebody = 0xfff'fff0;

} // namespace

TEST_CASE("blocks have room, are apart, and come back when released", "[memory][heap]") {
    auto heap = the_heap();
    std::atomic<std::uint64_t> intent{0};
    std::mt19937 random(1);
    struct piece {
        memory::heap::block block;
        std::uint64_t bytes;
    };
    std::vector<piece> pieces;
    for (int i = 0; i < 5000; ++i) { // the test behaviour of CPython's heap: random sizes, random frees, no overlap
        if (pieces.empty() || random() % 3 != 0) {
            const std::uint64_t bytes = 1 + random() % (random() % 10 == 0 ? 100000 : 500);
            const auto block = heap.allocate(bytes, somebody, intent);
            REQUIRE(block.size >= bytes);
            REQUIRE(intent == block.offset);
            REQUIRE(heap.size_at(block.offset) == block.size);
            pieces.push_back({block, bytes});
        } else {
            std::swap(pieces[random() % pieces.size()], pieces.back());
            heap.release(pieces.back().block.offset, somebody);
            pieces.pop_back();
        }
    }
    std::sort(pieces.begin(), pieces.end(), [](const piece& a, const piece& b) { return a.block.offset < b.block.offset; });
    for (std::size_t i = 1; i < pieces.size(); ++i)
        REQUIRE(pieces[i - 1].block.offset + pieces[i - 1].block.size <= pieces[i].block.offset);
    for (const auto& p : pieces) heap.release(p.block.offset, somebody);
}

TEST_CASE("only its owner can release a block, and only once", "[memory][heap]") {
    auto heap = the_heap();
    std::atomic<std::uint64_t> intent{0};
    const auto a = heap.allocate(100, somebody, intent);
    heap.release(a.offset, somebody + 1);
    const auto b = heap.allocate(100, somebody, intent);
    REQUIRE(b.offset != a.offset);
    heap.release(a.offset, somebody);
    const auto c = heap.allocate(100, somebody + 1, intent);
    heap.release(c.offset, somebody); // c may stand where a stood: the old owner can't take it away
    const auto d = heap.allocate(100, somebody + 2, intent);
    REQUIRE(d.offset != c.offset);
    heap.release(b.offset, somebody);
    heap.release(c.offset, somebody + 1);
    heap.release(d.offset, somebody + 2);
}

TEST_CASE("offsets that are no block are never believed", "[memory][heap]") {
    auto heap = the_heap();
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}, std::uint64_t{12345},
                                       memory::commons::here().map().classes[3].slots + 1,
                                       memory::commons::here().map().records.slots}) {
        REQUIRE(heap.size_at(offset) == 0);
        heap.release(offset, somebody);
    }
}

TEST_CASE("a large block gives its pages back, and is zero when it is used again", "[memory][heap]") {
    auto heap = the_heap();
    auto& all = memory::commons::here();
    std::atomic<std::uint64_t> intent{0};
    const auto before = all.resident_bytes();
    const std::uint64_t bytes = 64 << 20;
    auto block = heap.allocate(bytes, somebody, intent);
    REQUIRE(block.zero);
    std::memset(all.at<char>(block.offset), 1, bytes);
    REQUIRE(all.resident_bytes() >= before + bytes);
    heap.release(block.offset, somebody);
    REQUIRE(all.resident_bytes() < before + bytes / 8);
    block = heap.allocate(bytes, somebody, intent);
    REQUIRE(all.at<char>(block.offset)[bytes - 1] == 0);
    heap.release(block.offset, somebody);
}

TEST_CASE("a block that can't be had is std::bad_alloc", "[memory][heap]") {
    auto heap = the_heap();
    std::atomic<std::uint64_t> intent{0};
    REQUIRE_THROWS_AS(heap.allocate(memory::block_sizes.back() + 1, somebody, intent), std::bad_alloc);
    REQUIRE_THROWS_AS(heap.allocate(~std::uint64_t{0}, somebody, intent), std::bad_alloc);
}

TEST_CASE("killed at any step of allocating and releasing, a process costs no block", "[memory][heap]") {
    // The word that names the block survives the killed process, as an object's does; its successor releases through it.
    auto& all = memory::commons::here();
    auto word = the_heap();
    std::atomic<std::uint64_t> for_word{0};
    auto& intent = *all.at<std::atomic<std::uint64_t>>(word.allocate(8, somebody, for_word).offset);
    for (const std::uint64_t bytes : {std::uint64_t{100}, std::uint64_t{1} << 20}) {
        const auto& stretch = all.map().classes[all.map().class_for(bytes)];
        const auto used = [&] {
            std::uint64_t n = 0;
            for (std::uint64_t i = 0; i < memory::hints(all.data(), stretch).fresh(); ++i)
                n += all.at<std::atomic<std::uint32_t>>(stretch.owners)[i] != 0;
            return n;
        };
        const auto before = used();
        const auto steps = testing::kill_at_every_step(
            [&] {
                auto heap = the_heap();
                for (int i = 0; i < 2; ++i) {
                    const auto block = heap.allocate(bytes, somebody, intent);
                    heap.release(block.offset, somebody);
                }
            },
            [&](unsigned) {
                the_heap().release(intent, somebody);
                REQUIRE(used() == before);
            });
        REQUIRE(steps >= 10);
        // Nothing was lost: everything that was ever used can be used again without a fresh block.
        const auto fresh = memory::hints(all.data(), stretch).fresh();
        std::vector<std::uint64_t> blocks;
        std::atomic<std::uint64_t> mine{0};
        for (auto i = before; i < fresh; ++i) blocks.push_back(the_heap().allocate(bytes, somebody, mine).offset);
        REQUIRE(memory::hints(all.data(), stretch).fresh() == fresh);
        for (const auto offset : blocks) the_heap().release(offset, somebody);
    }
    the_heap().release(for_word, somebody);
}
