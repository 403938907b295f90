#include <multiprocessing/sync/places.hpp>

#include <vector>

#include <multiprocessing/memory/handle.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;
using multiprocessing::sync::place;
using multiprocessing::sync::places;

TEST_CASE("places are taken, left and taken again", "[sync][places]") {
    auto all = memory::handle<places>::create();
    REQUIRE(all->used() == 0);
    place& a = all->take();
    REQUIRE(a.mine.held_here());
    REQUIRE(a.state == 0);
    a.state = 1;
    place& b = all->take();
    b.state = 1;
    REQUIRE(&a != &b);
    REQUIRE(all->used() == 2);
    REQUIRE_FALSE(a.is_abandoned());
    places::leave(a);
    place& c = all->take();
    REQUIRE(&c == &a);
    REQUIRE(all->used() == 2);
    places::leave(c);
    places::leave(b);
}

TEST_CASE("there are 2000, and no more", "[sync][places]") {
    auto all = memory::handle<places>::create();
    std::vector<place*> taken;
    static_assert(places::most == 2000);
    for (std::uint32_t i = 0; i < places::most; ++i) {
        taken.push_back(&all->take());
        taken.back()->state = 1;
    }
    REQUIRE_THROWS_AS(all->take(), multiprocessing::ProcessError);
    for (auto* one : taken) places::leave(*one);
}

TEST_CASE("memory is used as places are", "[sync][places]") {
    auto& commons = memory::commons::here();
    { auto warm = memory::handle<places>::create(); }
    const auto before = commons.resident_bytes();
    std::vector<memory::handle<places>> many;
    for (int i = 0; i < 50; ++i) {
        many.push_back(memory::handle<places>::create());
        places::leave(many.back()->take());
    }
    REQUIRE(commons.resident_bytes() - before <= 50 * 4096 + (1 << 16));
}

TEST_CASE("killed at any step of taking and leaving, a process leaves a place that is free or shows its death",
          "[sync][places]") {
    auto all = memory::handle<places>::create();
    const auto steps = testing::kill_at_every_step(
        [&] {
            for (int i = 0; i < 2; ++i) {
                place& a = all->take();
                a.state = 1;
                place& b = all->take();
                b.state = 1;
                places::leave(a);
                places::leave(b);
            }
        },
        [&](unsigned) {
            for (std::uint32_t i = 0; i < all->used(); ++i) {
                place& one = (*all)[i];
                REQUIRE(one.is_abandoned());
                if (one.state == 0) continue;
                REQUIRE(one.mine.try_lock() != multiprocessing::os::taken::no);
                places::leave(one);
            }
            place& a = all->take();
            place& b = all->take();
            places::leave(a);
            places::leave(b);
            REQUIRE(all->used() <= 3);
        });
    REQUIRE(steps >= 8);
}
