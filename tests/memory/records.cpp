#include <multiprocessing/memory/records.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;

namespace {

struct fixture {
    memory::commons& all = memory::commons::here();
    memory::members members{all};
    memory::records records{all};
    memory::seat a = members.reserve({});
    memory::seat b = members.reserve({});
    ~fixture() {
        for (const auto place : {a, b}) memory::bury(place);
    }
};

} // namespace

TEST_CASE("an object dies with its last holder, whichever it is", "[memory][records]") {
    fixture f;
    const auto before = f.records.count();
    const auto id = f.records.make(f.a, 100);
    REQUIRE_FALSE(f.records.is_live(id));
    f.records.publish(id);
    REQUIRE(f.records.is_live(id));
    REQUIRE(f.records.size_of(id) == 100);
    f.records.hold(id, f.b);
    f.records.let_go(id, f.a);
    REQUIRE(f.records.is_live(id));
    REQUIRE_FALSE(f.records.holds(id, f.a));
    f.records.let_go(id, f.b);
    REQUIRE(f.records.count() == before);
}

TEST_CASE("holding twice and letting go twice are as good as once", "[memory][records]") {
    fixture f;
    const auto before = f.records.count();
    const auto id = f.records.make(f.a, 1);
    f.records.publish(id);
    f.records.hold(id, f.b);
    f.records.hold(id, f.b);
    f.records.let_go(id, f.b);
    f.records.let_go(id, f.b);
    REQUIRE(f.records.is_live(id));
    f.records.let_go(id, f.a);
    REQUIRE(f.records.count() == before);
}

TEST_CASE("an heir holds what was held, and what was made but not published dies with its maker", "[memory][records]") {
    fixture f;
    const auto before = f.records.count();
    const auto shared = f.records.make(f.a, 10);
    f.records.publish(shared);
    const auto unfinished = f.records.make(f.a, 10);
    f.records.inherit(f.a, f.b);
    REQUIRE(f.records.holds(shared, f.b));
    REQUIRE_FALSE(f.records.holds(unfinished, f.b));
    f.records.let_go_of_all(f.a);
    REQUIRE(f.records.is_live(shared));
    REQUIRE(f.records.count() == before + 1);
    f.records.let_go_of_all(f.a);
    f.records.let_go_of_all(f.b);
    REQUIRE(f.records.count() == before);
}

TEST_CASE("members beyond the sixty-fourth hold objects as well", "[memory][records]") {
    fixture f;
    std::vector<memory::seat> crowd;
    for (int i = 0; i < 200; ++i) crowd.push_back(f.members.reserve({}));
    const auto before = f.records.count();
    const auto id = f.records.make(crowd[150], 10);
    f.records.publish(id);
    for (const auto place : crowd) f.records.hold(id, place);
    for (const auto place : crowd) {
        REQUIRE(f.records.is_live(id));
        f.records.let_go(id, place);
    }
    REQUIRE(f.records.count() == before);
    for (const auto place : crowd) memory::bury(place);
}

TEST_CASE("an object that goes to and fro between members of all seats is never taken for nobody's", "[memory][records]") {
    fixture f;
    std::vector<memory::seat> crowd;
    for (int i = 0; i < 200; ++i) crowd.push_back(f.members.reserve({}));
    const auto before = f.records.count();
    const auto id = f.records.make(f.a, 10);
    f.records.publish(id);
    std::atomic<bool> over{false};
    std::thread looks([&] {
        while (!over) f.records.let_go(id, f.b); // it holds nothing, and asks each time whether anybody does
    });
    memory::seat at = f.a;
    bool lives = true;
    for (int i = 0; i < 300'000 && lives; ++i) {
        const memory::seat next = i % 2 == 0 ? crowd[static_cast<std::size_t>(i) % crowd.size()] : f.a;
        if (next.slot == at.slot) continue;
        f.records.hold(id, next);
        f.records.let_go(id, at);
        at = next;
        lives = f.records.is_live(id);
    }
    over = true;
    looks.join();
    REQUIRE(lives);
    f.records.let_go(id, at);
    REQUIRE(f.records.count() == before);
    for (const auto place : crowd) memory::bury(place);
}

TEST_CASE("killed at any step of making, sharing and letting go, a process leaves no object", "[memory][records]") {
    fixture f;
    const auto before = f.records.count();
    const auto steps = testing::kill_at_every_step(
        [&] {
            memory::records records{f.all};
            for (int i = 0; i < 2; ++i) {
                const auto id = records.make(f.a, 100);
                records.publish(id);
                records.hold(id, f.b);
                records.let_go(id, f.a);
                records.let_go(id, f.b);
            }
        },
        [&](unsigned) {
            f.records.let_go_of_all(f.a);
            f.records.let_go_of_all(f.b);
            REQUIRE(f.records.count() == before);
        });
    REQUIRE(steps >= 40);
    REQUIRE(f.records.count() == before);
}

TEST_CASE("killed at any step of clearing up after the dead, a process is followed by another", "[memory][records]") {
    fixture f;
    const auto before = f.records.count();
    const auto steps = testing::kill_at_every_step(
        [&] {
            memory::records records{f.all};
            for (int i = 0; i < 3; ++i) records.publish(records.make(f.a, 100));
            static_cast<void>(records.make(f.a, 100));
            records.let_go_of_all(f.a);
        },
        [&](unsigned) {
            f.records.let_go_of_all(f.a);
            REQUIRE(f.records.count() == before);
        });
    REQUIRE(steps >= 40);
}
