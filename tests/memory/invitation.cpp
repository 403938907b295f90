#include <multiprocessing/memory/invitation.hpp>

#include <atomic>
#include <utility>
#include <vector>

#include <multiprocessing/os/child.hpp>

#include <support/catch.hpp>
#include <support/kill_at_every_step.hpp>

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
namespace os = multiprocessing::os;

namespace {

/// A stranger, as a started program is one: a plain fork, whose copies of handles count for nothing.
template <typename Body>
os::child start_stranger(Body body) {
    os::child child = os::fork_child();
    if (child.pid() == 0) {
        try {
            os::leave(body());
        } catch (...) {
            os::leave(99);
        }
    }
    return child;
}

int exitcode_of(os::child child) {
    child.wait(os::deadline::never());
    return child.exitcode().value_or(-1);
}

} // namespace

TEST_CASE("who accepts an invitation holds what it was given", "[memory][invitation]") {
    auto given = memory::handle<std::atomic<int>>::create(1);
    memory::invitation place;
    const auto names = place.give({given, given});
    os::child guest = start_stranger([&] {
        auto shares = memory::accept(place.slot(), names);
        if (shares.size() != 2 || !(shares[0] == shares[1])) return 1;
        memory::handle<std::atomic<int>> mine(shares[0]);
        mine->store(7);
        return 0;
    });
    place.sent();
    REQUIRE(exitcode_of(std::move(guest)) == 0);
    REQUIRE(given->load() == 7);
    memory::bury(place.slot());
}

TEST_CASE("what was given lives until its holder is buried", "[memory][invitation]") {
    const auto before = memory::family::here().objects();
    memory::invitation place;
    {
        auto given = memory::handle<int>::create(1);
        static_cast<void>(place.give({given}));
    }
    REQUIRE(memory::family::here().objects() == before + 1);
    place.sent();
    memory::bury(place.slot());
    REQUIRE(memory::family::here().objects() == before);
}

TEST_CASE("an invitation that isn't sent takes everything back", "[memory][invitation]") {
    const auto members = memory::family::here().members_alive();
    const auto before = memory::family::here().objects();
    {
        auto given = memory::handle<int>::create(1);
        memory::invitation place;
        static_cast<void>(place.give({given}));
        REQUIRE(memory::family::here().members_alive() == members + 1);
    }
    REQUIRE(memory::family::here().members_alive() == members);
    REQUIRE(memory::family::here().objects() == before);
}

TEST_CASE("what wasn't given can't be had", "[memory][invitation]") {
    memory::invitation place;
    auto given = memory::handle<int>::create(1);
    std::vector<memory::object_name> names = place.give({given});
    names.push_back(names[0] + 1); // the next object, which there isn't, or which isn't its own
    REQUIRE(exitcode_of(start_stranger([&] {
                static_cast<void>(memory::accept(place.slot(), names));
                return 0;
            })) == 99);
    place.sent();
    memory::bury(place.slot());
}

TEST_CASE("an invitation is accepted once, and not after its seat was buried", "[memory][invitation]") {
    memory::invitation place;
    const auto accept = [&] {
        static_cast<void>(memory::accept(place.slot(), {}));
        return 0;
    };
    REQUIRE(exitcode_of(start_stranger(accept)) == 0);
    REQUIRE(exitcode_of(start_stranger(accept)) == 99);
    place.sent();
    memory::bury(place.slot());
    REQUIRE(exitcode_of(start_stranger(accept)) == 99);
}

TEST_CASE("whoever is killed while it invites leaves nothing behind", "[memory][invitation]") {
    static_cast<void>(memory::family::here().self()); // the seat of this process is there before and after
    const auto members = memory::family::here().members_alive();
    const auto before = memory::family::here().objects();
    const unsigned steps = testing::kill_at_every_step(
        [] {
            auto given = memory::handle<int>::create(1);
            const memory::invitation place;
            static_cast<void>(place.give({given, given}));
        },
        [&](unsigned) {
            memory::family::here().bury_the_dead(); // killed before it could say whose seat it was: found by the sweep alone
            REQUIRE(memory::family::here().members_alive() == members);
            REQUIRE(memory::family::here().objects() == before);
        });
    REQUIRE(steps > 10);
}
