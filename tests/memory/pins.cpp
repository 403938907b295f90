#include <multiprocessing/memory/pins.hpp>

#include <multiprocessing/memory/handle.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;

namespace {

std::uint64_t objects() { return memory::family::here().objects(); }
std::uint64_t pins() { return memory::pins(memory::commons::here()).count(); }

} // namespace

TEST_CASE("a pin holds what nobody else does, until its message is gone", "[memory][pins]") {
    const auto before = objects(), none = pins();
    auto& family = memory::family::here();
    const memory::object_id message = family.make_unheld(8);
    memory::pins::index which = 0;
    {
        auto target = memory::handle<int>::create(7);
        which = family.pin(target.id(), message);
    }
    REQUIRE(objects() == before + 2);
    REQUIRE(pins() == none + 1);
    {
        const memory::handle<int> again(memory::holding::receive(which, message));
        REQUIRE(*again == 7);
        REQUIRE_FALSE(memory::holding::receive(which + 1000, message));
        REQUIRE_FALSE(memory::holding::receive(which, message + 1));
        family.discard(message);
        REQUIRE(*again == 7);
        REQUIRE(objects() == before + 1);
    }
    REQUIRE(objects() == before);
    REQUIRE(pins() == none);
}

TEST_CASE("killed at any step of pinning and freeing, a process leaves neither pin nor object", "[memory][pins]") {
    auto kept = memory::handle<int>::create(1);
    const auto before = objects(), none = pins();
    const auto steps = testing::kill_at_every_step(
        [&] {
            auto& family = memory::family::here();
            const memory::object_id message = family.make_unheld(8);
            memory::pins::index first = 0;
            {
                auto own = memory::handle<int>::create(7);
                first = family.pin(own.id(), message);
                static_cast<void>(family.pin(kept.id(), message));
            }
            const auto again = memory::holding::receive(first, message);
            family.discard(message);
        },
        [&](unsigned) {
            REQUIRE(objects() == before);
            REQUIRE(pins() == none);
            REQUIRE(*kept == 1);
        });
    REQUIRE(steps >= 40);
    kept = {};
    REQUIRE(objects() == before - 1);
}
