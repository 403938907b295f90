#include <multiprocessing/memory/keeping.hpp>

#include <multiprocessing/memory/handle.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;

namespace {

std::uint64_t objects() { return memory::family::here().objects(); }

struct box {
    memory::keeping keeping;
    std::atomic<memory::object_name> last{0};
};

memory::handle<box> make_box() {
    auto made = memory::handle<box>::create();
    memory::family::here().keeps_others(made.id());
    return made;
}

} // namespace

TEST_CASE("what an object keeps ends with it, and can be taken back before", "[memory][keeping]") {
    const auto before = objects();
    auto& family = memory::family::here();
    auto keeper = make_box();
    for (const bool spare : {false, true}) {
        const auto id = family.make_unheld(100);
        const auto name = family.name_of(id);
        family.keep(id, keeper.id(), spare);
        REQUIRE(family.is_kept_by(name, keeper.id()) == !spare);
        REQUIRE(family.adopt(name, keeper.id(), !spare) == memory::no_object);
        REQUIRE(family.adopt(name, keeper.id() + 1, spare) == memory::no_object);
        REQUIRE(family.adopt(name + (std::uint64_t{1} << 32), keeper.id(), spare) == memory::no_object);
        REQUIRE(family.adopt(name, keeper.id(), spare) == id);
        REQUIRE(family.adopt(name, keeper.id(), spare) == memory::no_object);
        family.keep(id, keeper.id(), spare);
    }
    REQUIRE(objects() == before + 3);
    keeper = {};
    REQUIRE(objects() == before);
}

TEST_CASE("killed at any step of keeping and taking back, a process leaves what is kept, and nothing else", "[memory][keeping]") {
    const auto before = objects();
    auto keeper = make_box();
    const auto steps = testing::kill_at_every_step(
        [&] {
            auto& family = memory::family::here();
            const auto id = family.make_unheld(100);
            const auto name = family.name_of(id);
            keeper->last = name;
            family.keep(id, keeper.id());
            if (family.adopt(name, keeper.id()) != id) throw 1;
            family.discard(id);
        },
        [&](unsigned) {
            auto& family = memory::family::here();
            const auto left = family.adopt(keeper->last, keeper.id());
            if (left != memory::no_object) family.discard(left);
            REQUIRE(objects() == before + 1);
        });
    REQUIRE(steps >= 15);
    keeper = {};
    REQUIRE(objects() == before);
}

TEST_CASE("killed at any step of freeing a keeper, a process leaves nothing", "[memory][keeping]") {
    const auto before = objects();
    const auto steps = testing::kill_at_every_step(
        [&] {
            auto& family = memory::family::here();
            auto keeper = make_box();
            for (int i = 0; i < 2; ++i) family.keep(family.make_unheld(100), keeper.id());
        },
        [&](unsigned) { REQUIRE(objects() == before); });
    REQUIRE(steps >= 40);
}
