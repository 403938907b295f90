#include <multiprocessing/memory/handle.hpp>

#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;

namespace {

std::uint64_t objects() { return memory::family::here().objects(); }

// What a lock is made of: two words and a line of its own isn't asked for.
struct lock_sized {
    std::atomic<std::uint32_t> word{0};
    std::atomic<std::uint32_t> waiters{0};
    std::uint64_t owner = 0;
    std::uint64_t more[3] = {};
};

} // namespace

TEST_CASE("a handle is shared by copying, and the last one frees the object", "[memory][handle]") {
    const auto before = objects();
    {
        auto a = memory::handle<int>::create(5);
        auto b = a;
        auto c = std::move(a);
        REQUIRE_FALSE(a);
        REQUIRE(b == c);
        *c = 6;
        REQUIRE(*b == 6);
        b = memory::handle<int>::create(7);
        REQUIRE(objects() == before + 2);
        const auto& itself = b;
        b = itself;
        REQUIRE(*b == 7);
    }
    REQUIRE(objects() == before);
}

TEST_CASE("arrays are zero, also where others have written before", "[memory][handle]") {
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{1'000'000}})
        for (int round = 0; round < 3; ++round) {
            auto many = memory::handle<double[]>::create(n);
            REQUIRE(many.size() == (n == 0 ? 1 : n * sizeof(double)));
            for (std::size_t i = 0; i < n; i += 97) REQUIRE(many[i] == 0);
            for (std::size_t i = 0; i < n; ++i) many[i] = 1;
        }
}

TEST_CASE("a constructor that throws leaves nothing", "[memory][handle]") {
    struct refuses {
        explicit refuses(int) { throw std::string("no"); }
    };
    const auto before = objects();
    REQUIRE_THROWS_AS(memory::handle<refuses>::create(1), std::string);
    REQUIRE(objects() == before);
}

TEST_CASE("a child's handles are its own: the object outlives the parent's", "[memory][handle]") {
    const auto before = objects();
    auto from_child = memory::handle<std::atomic<std::uint32_t>>::create(0u);
    {
        auto shared = memory::handle<std::atomic<std::uint32_t>>::create(0u);
        memory::birth birth;
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            multiprocessing::os::sleep_on(*shared, 0, multiprocessing::os::deadline::never());
            while (*from_child == 0) {}              // the parent has dropped its handle now
            *from_child = *shared == 1 ? 2u : 3u;
            shared = {};
            ::_exit(0);
        }
        birth.in_parent(child);
        *shared = 1;
        multiprocessing::os::wake_all(*shared);
        const auto id = shared.id();
        shared = {};
        memory::records records(memory::commons::here());
        REQUIRE(records.is_live(id));
        *from_child = 1;
        int status = 0;
        ::waitpid(child, &status, 0);
        REQUIRE(*from_child == 2);
        REQUIRE_FALSE(records.is_live(id)); // the child let go by itself
        memory::bury(birth.slot());
    }
    from_child = {};
    REQUIRE(objects() == before);
}

TEST_CASE("what a killed process held alone is freed when it is buried", "[memory][handle]") {
    const auto before = objects();
    auto kept = memory::handle<int>::create(1);
    REQUIRE(testing::run_and_kill_at(1, [&] {
        std::vector<memory::handle<int>> mine;
        for (int i = 0; i < 100; ++i) mine.push_back(memory::handle<int>::create(i));
    }));
    REQUIRE(testing::run_and_kill_at(0, [&] {
        static auto& leaked = *new std::vector<memory::handle<char[]>>;
        for (int i = 0; i < 100; ++i) leaked.push_back(memory::handle<char[]>::create(1 << 20));
    }) == false);
    REQUIRE(*kept == 1);
    REQUIRE(objects() == before + 1);
}

TEST_CASE("killed at every step of creating, copying and dropping, a process leaves no object", "[memory][handle]") {
    const auto before = objects();
    const auto steps = testing::kill_at_every_step(
        [] {
            auto a = memory::handle<int>::create(1);
            auto b = a;
            auto large = memory::handle<char[]>::create(1 << 20);
        },
        [&](unsigned) { REQUIRE(objects() == before); });
    REQUIRE(steps >= 20);
}

TEST_CASE("killed at every step of a birth, a parent leaves neither a seat nor an object", "[memory][handle]") {
    const auto before = objects();
    auto& family = memory::family::here();
    const auto alive = family.members_alive();
    auto shared = memory::handle<int>::create(1);
    const auto steps = testing::kill_at_every_step(
        [&] {
            auto mine = memory::handle<int>::create(2);
            testing::run_and_kill_at(0, [&] { *mine = *shared; });
        },
        [&](unsigned) {
            family.bury_the_dead();
            // The grandchild may just be ending: its seat is given back with it.
            while (family.members_alive() != alive) family.bury_the_dead();
            REQUIRE(objects() == before + 1);
        });
    REQUIRE(steps >= 20);
}

TEST_CASE("killed at every step of burying another, a process is followed by another", "[memory][handle]") {
    const auto before = objects();
    auto& family = memory::family::here();
    const auto alive = family.members_alive();
    const auto steps = testing::kill_at_every_step(
        [&] {
            testing::run_and_kill_at(0, [] {
                static auto& leaked = *new std::vector<memory::handle<int>>;
                for (int i = 0; i < 5; ++i) leaked.push_back(memory::handle<int>::create(i));
            });
        },
        [&](unsigned) {
            while (family.members_alive() != alive) family.bury_the_dead();
            REQUIRE(objects() == before);
        });
    REQUIRE(steps >= 30);
}

TEST_CASE("what is given is received, and a gift not taken is freed with the receiver", "[memory][handle]") {
    const auto before = objects();
    auto mailbox = memory::handle<std::atomic<memory::object_name>>::create(memory::object_name{0});
    const auto me = memory::family::here().self();
    testing::run_and_kill_at(0, [&] {
        auto gift = memory::handle<int>::create(17);
        gift.give(me);
        *mailbox = gift.name();
    });
    REQUIRE(objects() == before + 2);
    {
        memory::handle<int> taken(memory::holding::receive(*mailbox));
        REQUIRE(*taken == 17);
    }
    REQUIRE(objects() == before + 1);
    REQUIRE_THROWS_AS(memory::holding::receive(*mailbox), multiprocessing::ProcessError);
    const auto another = memory::handle<int>::create(18); // in the place of the one that is gone
    REQUIRE_THROWS_AS(memory::holding::receive(*mailbox), multiprocessing::ProcessError);
    REQUIRE_THROWS_AS(memory::holding::receive(0), multiprocessing::ProcessError);
    REQUIRE_THROWS_AS(memory::holding::receive(~memory::object_name{0}), multiprocessing::ProcessError);
}

TEST_CASE("a process forked by plain fork() leaves its parent's objects alone", "[memory][handle]") {
    const auto before = objects();
    auto mine = memory::handle<int>::create(3);
    const pid_t child = ::fork();
    if (child == 0) {
        const bool seen = *mine == 3;
        { auto copy = mine; }
        mine = {};                                   // must not end the parent's share
        auto own = memory::handle<int>::create(4);   // joins as a member of its own
        ::_exit(seen && *own == 4 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WEXITSTATUS(status) == 0);
    REQUIRE(*mine == 3);
    memory::family::here().bury_the_dead(); // nobody knew of this child
    mine = {};
    REQUIRE(objects() == before);
}

TEST_CASE("a plain fork() in one thread, during births in another, leaves a child that can make objects", "[memory][handle]") {
    const auto before = objects();
    std::atomic<bool> over{false};
    std::thread births([&] {
        while (!over) {
            memory::birth never; // holds the lock that a child must not inherit
        }
    });
    int good = 0;
    for (int i = 0; i < 100; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            const auto own = memory::handle<int>::create(4);
            ::_exit(*own == 4 ? 0 : 1);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        memory::family::here().bury_the_dead();
    }
    over = true;
    births.join();
    REQUIRE(good == 100);
    REQUIRE(objects() == before);
}

TEST_CASE("a lock-sized object costs at most 128 bytes of the commons", "[memory][handle]") {
    auto& all = memory::commons::here();
    constexpr std::size_t n = 100'000;
    std::vector<memory::handle<lock_sized>> many;
    many.reserve(n);
    const auto before = all.resident_bytes();
    for (std::size_t i = 0; i < n; ++i) many.push_back(memory::handle<lock_sized>::create());
    const auto per_object = static_cast<double>(all.resident_bytes() - before) / n;
    CAPTURE(per_object);
    REQUIRE(per_object <= 128);
}

TEST_CASE("a million objects made and dropped leave the commons as large as it was", "[memory][handle]") {
    auto& all = memory::commons::here();
    for (int i = 0; i < 100; ++i) static_cast<void>(memory::handle<lock_sized>::create());
    const auto before = all.resident_bytes();
    const auto objects_before = objects();
    for (int i = 0; i < 1'000'000; ++i) static_cast<void>(memory::handle<lock_sized>::create());
    REQUIRE(all.resident_bytes() == before);
    REQUIRE(objects() == objects_before);
}

TEST_CASE("threads make, copy and drop handles at once", "[memory][handle]") {
    const auto before = objects();
    auto shared = memory::handle<std::atomic<int>>::create(0);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) {
                auto copy = shared;
                auto own = memory::handle<int>::create(i);
                ++*copy;
            }
        });
    for (auto& t : threads) t.join();
    REQUIRE(*shared == 8000);
    shared = {};
    REQUIRE(objects() == before);
}
