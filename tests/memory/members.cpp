#include <multiprocessing/memory/members.hpp>

#include <csignal>
#include <set>

#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;

namespace {

memory::members table() {
    static_cast<void>(memory::family::here().self()); // this process is a member itself, and stays one
    return memory::members(memory::commons::here());
}

} // namespace

TEST_CASE("a seat is reserved, adopted and buried, and its slot comes back under another generation", "[memory][members]") {
    auto all = table();
    const auto before = all.count();
    const memory::seat first = all.reserve({});
    REQUIRE(first.valid());
    REQUIRE(all.count() == before + 1);
    REQUIRE(all.occupant(first.slot) == first);
    REQUIRE(all.adopt(first));
    REQUIRE_FALSE(all.adopt(first));
    REQUIRE(all.pid_of(first) == ::getpid());
    REQUIRE(all.start_burial(first, true));
    REQUIRE_FALSE(all.adopt(first));
    all.end_burial(first);
    REQUIRE(all.count() == before);
    REQUIRE_FALSE(all.start_burial(first, true));
    const memory::seat second = all.reserve({});
    REQUIRE(second.slot == first.slot);
    REQUIRE(second.generation != first.generation);
    REQUIRE_FALSE(all.start_burial(first, true)); // the old seat can't harm its new occupant
    REQUIRE(all.start_burial(second, true));
    all.end_burial(second);
}

TEST_CASE("a living process isn't buried unless its end was seen", "[memory][members]") {
    auto all = table();
    const memory::seat mine = all.reserve({});
    REQUIRE_FALSE(all.start_burial(mine, false));
    REQUIRE(all.adopt(mine));
    REQUIRE_FALSE(all.start_burial(mine, false));
    REQUIRE(all.start_burial(mine, true));
    all.end_burial(mine);
}

TEST_CASE("a zombie is dead", "[memory][members]") {
    auto all = table();
    const memory::seat place = all.reserve({});
    const pid_t child = ::fork();
    if (child == 0) {
        static_cast<void>(memory::members(memory::commons::here()).adopt(place));
        ::_exit(0);
    }
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0); // ended, not reaped
    // The child adopted a place that this process had reserved.
    REQUIRE(all.pid_of(place) == child);
    REQUIRE(all.start_burial(place, false));
    all.end_burial(place);
    ::waitpid(child, nullptr, 0);
}

TEST_CASE("a family has 4096 members at most, then says so", "[memory][members]") {
    auto all = table();
    std::vector<memory::seat> seats;
    REQUIRE_THROWS_WITH([&] { for (;;) seats.push_back(all.reserve({})); }(), Catch::Contains("4096 members"));
    REQUIRE(seats.size() >= 4000);
    for (const auto& place : seats) {
        REQUIRE(all.start_burial(place, true));
        all.end_burial(place);
    }
}

TEST_CASE("killed at any step of taking its place, a process leaves a seat that can be buried", "[memory][members]") {
    auto all = table();
    const auto before = all.count();
    const auto steps = testing::kill_at_every_step(
        [] {
            auto inner = table();
            const memory::seat place = inner.reserve({});
            if (!inner.adopt(place)) throw 1;
        },
        [&](unsigned) {
            for (std::uint32_t slot = 0; slot < all.used(); ++slot)
                if (const auto place = all.occupant(slot); place && all.start_burial(*place, false)) all.end_burial(*place);
            REQUIRE(all.count() == before);
        });
    REQUIRE(steps >= 4);
    memory::family::here().bury_the_dead();
    REQUIRE(all.count() == before);
}

TEST_CASE("killed at any step of a burial, an undertaker is followed by another", "[memory][members]") {
    auto all = table();
    const auto before = all.count();
    memory::seat dead{};
    const auto steps = testing::kill_at_every_step(
        [&] {
            auto inner = table();
            dead = inner.reserve({});
            if (!inner.start_burial(dead, true)) throw 1;
            inner.end_burial(dead);
        },
        [&](unsigned) {
            memory::family::here().bury_the_dead();
            REQUIRE(all.count() == before);
        });
    REQUIRE(steps >= 5);
    REQUIRE(all.count() == before);
}
