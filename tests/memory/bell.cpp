#include <multiprocessing/memory/bell.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include <multiprocessing/memory/handle.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;
namespace os = multiprocessing::os;
using namespace std::chrono_literals;

namespace {

struct counter {
    memory::bell bell;
    std::atomic<int> left{0};

    bool take() {
        int seen = left;
        while (seen > 0)
            if (left.compare_exchange_weak(seen, seen - 1)) return true;
        return false;
    }
};

} // namespace

TEST_CASE("whoever waits wakes up when it is so, or when the time is over", "[memory][bell]") {
    counter c;
    REQUIRE_FALSE(c.bell.await([&] { return c.take(); }, os::deadline::after(30ms)));
    REQUIRE_FALSE(c.bell.anybody_sleeps());
    c.left = 1;
    REQUIRE(c.bell.await([&] { return c.take(); }, os::deadline::after(0ms)));
    REQUIRE(c.left == 0); // asked once too often, it would be taken twice
    std::thread sleeper([&] { c.bell.await([&] { return c.take(); }, os::deadline::never()); });
    while (!c.bell.anybody_sleeps()) std::this_thread::yield();
    c.left = 1;
    c.bell.ring_one();
    sleeper.join();
}

TEST_CASE("many sleepers, one thing at a time: nobody is left asleep and nothing left lying", "[memory][bell]") {
    counter c;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) c.bell.await([&] { return c.take(); }, os::deadline::never());
        });
    for (int i = 0; i < 2000; ++i) {
        ++c.left;
        c.bell.ring_one();
        if (i % 50 == 0) std::this_thread::yield();
    }
    for (auto& t : threads) t.join();
    REQUIRE(c.left == 0);
}

TEST_CASE("the death of a sleeper is forgotten when it is buried, and the others look again", "[memory][bell]") {
    auto c = memory::handle<counter>::create();
    memory::family::here().has_bells(c.id(), offsetof(counter, bell), 1);
    memory::birth birth;
    const pid_t child = ::fork();
    if (child == 0) {
        birth.in_child();
        c->bell.await([] { return false; }, os::deadline::never());
        ::_exit(0);
    }
    birth.in_parent(child);
    while (!c->bell.anybody_sleeps()) std::this_thread::yield();
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    REQUIRE(c->bell.anybody_sleeps());
    std::atomic<int> looks{0};
    std::thread sleeper([&] {
        c->bell.await([&] {
            ++looks;
            return c->take();
        }, os::deadline::never());
    });
    memory::bury(birth.slot());
    c->left = 1;
    c->bell.ring_one();
    sleeper.join();
    REQUIRE_FALSE(c->bell.anybody_sleeps());
}
