#include <multiprocessing/memory/family.hpp>

#include <csignal>
#include <random>

#include <multiprocessing/memory/handle.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;

TEST_CASE("a process has one seat, and a child another", "[memory][family]") {
    auto& family = memory::family::here();
    const auto me = family.self();
    REQUIRE(me.valid());
    REQUIRE(family.self() == me);
    auto theirs = memory::handle<memory::seat>::create();
    testing::run_and_kill_at(0, [&] { *theirs = memory::family::here().self(); });
    REQUIRE(theirs->valid());
    REQUIRE(*theirs != me);
}

TEST_CASE("a birth that came to nothing gives the seat back", "[memory][family]") {
    auto& family = memory::family::here();
    static_cast<void>(family.self());
    const auto before = family.members_alive();
    { memory::birth never; }
    REQUIRE(family.members_alive() == before);
}

TEST_CASE("10000 processes killed at random moments leave no seat, no object and no memory", "[memory][family][slow]") {
    auto& family = memory::family::here();
    auto& all = memory::commons::here();
    static_cast<void>(family.self());
    const auto alive = family.members_alive();
    const auto objects = family.objects();
    std::uint64_t settled = 0;
    std::mt19937 random(4711);
    const int rounds = MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER() ? 500 : 10'000;
    for (int i = 0; i < rounds; ++i) {
        const unsigned step = 1 + static_cast<unsigned>(random() % 300);
        testing::run_and_kill_at(step, [&] {
            std::mt19937 dice(step);
            std::vector<memory::handle<char[]>> mine;
            for (int n = 0; n < 40; ++n) {
                mine.push_back(memory::handle<char[]>::create(1 + dice() % 3000));
                if (dice() % 2) mine.erase(mine.begin() + static_cast<std::ptrdiff_t>(dice() % mine.size()));
            }
        });
        if (i == rounds / 10) settled = all.resident_bytes();
    }
    REQUIRE(family.members_alive() == alive);
    REQUIRE(family.objects() == objects);
    REQUIRE(all.resident_bytes() <= settled + (1 << 20));
}

TEST_CASE("children of the dead are buried with them", "[memory][family]") {
    auto& family = memory::family::here();
    static_cast<void>(family.self());
    const auto alive = family.members_alive();
    const auto objects = family.objects();
    testing::run_and_kill_at(0, [] {
        // Its child ends first and isn't buried by it.
        testing::run_and_kill_at(
            0,
            [] {
                static auto& leaked = *new memory::handle<int>;
                leaked = memory::handle<int>::create(1);
            },
            false);
    });
    REQUIRE(family.members_alive() == alive);
    REQUIRE(family.objects() == objects);
}
