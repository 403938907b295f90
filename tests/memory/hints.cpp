#include <multiprocessing/memory/hints.hpp>

#include <set>
#include <thread>
#include <vector>

#include "support/catch.hpp"

namespace memory = multiprocessing::memory;

namespace {

struct field {
    explicit field(std::uint64_t count) : owners(count), bytes(memory::hint_bytes(count) / 8), where{1, count, 0, 0, 0} {}
    auto take(std::uint64_t deaths = 0) {
        return memory::hints(base(), where)
            .take(
                deaths,
                [&](std::uint64_t i) {
                    int free = 0;
                    return owners[i].compare_exchange_strong(free, 1);
                },
                [&](std::uint64_t i) { return owners[i].load() == 0; });
    }
    void give(std::uint64_t i) {
        owners[i] = 0;
        memory::hints(base(), where).set(i);
    }
    std::byte* base() { return reinterpret_cast<std::byte*>(bytes.data()); }
    std::uint64_t fresh() { return memory::hints(base(), where).fresh(); }

    std::vector<std::atomic<int>> owners;
    std::vector<std::uint64_t> bytes;
    memory::stretch where;
};

} // namespace

TEST_CASE("every slot is given once, then none", "[memory][hints]") {
    field f(1000);
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) REQUIRE(seen.insert(f.take().value()).second);
    REQUIRE_FALSE(f.take());
}

TEST_CASE("a slot given back is taken before a fresh one, the lowest first", "[memory][hints]") {
    field f(1 << 20);
    for (int i = 0; i < 300000; ++i) REQUIRE(f.take() == static_cast<std::uint64_t>(i));
    for (const std::uint64_t i : {299999u, 70000u, 5u}) f.give(i);
    REQUIRE(f.take() == 5u);
    REQUIRE(f.take() == 70000u);
    REQUIRE(f.take() == 299999u);
    REQUIRE(f.take() == 300000u);
}

TEST_CASE("a free slot without a hint is found after a death, and not looked for without one", "[memory][hints]") {
    field f(100000);
    for (int i = 0; i < 5000; ++i) static_cast<void>(f.take());
    f.owners[4321] = 0; // its owner died between freeing and hinting
    REQUIRE(f.take(0) == 5000u);
    REQUIRE(f.take(1) == 4321u);
    REQUIRE(f.take(1) == 5001u);
}

TEST_CASE("a hint at a slot in use is forgotten", "[memory][hints]") {
    field f(1000);
    for (int i = 0; i < 100; ++i) static_cast<void>(f.take());
    memory::hints(f.base(), f.where).set(50);
    REQUIRE(f.take() == 100u);
    f.give(50);
    REQUIRE(f.take() == 50u);
}

TEST_CASE("scribbled hints and counters cost slots, never the bounds", "[memory][hints]") {
    field f(100);
    for (auto& word : f.bytes) word = ~std::uint64_t{0};
    while (const auto slot = f.take()) REQUIRE(*slot < 100);
}

TEST_CASE("threads that take and give at once never share a slot, and lose none", "[memory][hints]") {
    field f(4096);
    std::vector<std::thread> threads;
    std::atomic<bool> twice{false};
    std::vector<std::atomic<int>> users(4096);
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 20000; ++i) {
                const auto slot = f.take();
                if (!slot) continue;
                if (users[*slot].fetch_add(1) != 0) twice = true;
                users[*slot].fetch_sub(1);
                f.give(*slot);
            }
        });
    for (auto& t : threads) t.join();
    REQUIRE_FALSE(twice);
    const auto used = f.fresh();
    for (std::uint64_t i = 0; i < used; ++i) REQUIRE(f.take().value() < used);
    REQUIRE(f.take() == used);
}
