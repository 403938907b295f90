// CPython's _TestEvent, under fork.
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <thread>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

TEST_CASE("T066: a fresh event isn't set, and waiting takes its time", "[conformance][event]") {
    const mp::Event event;
    REQUIRE_FALSE(event.is_set());
    REQUIRE_FALSE(event.wait(0s));
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_FALSE(event.wait(60ms));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 60ms);
}

TEST_CASE("T067: when it is set, waiting is true at once", "[conformance][event]") {
    const mp::Event event;
    event.set();
    REQUIRE(event.is_set());
    REQUIRE(event.wait());
    REQUIRE(event.wait(1h));
    event.set();
    REQUIRE(event.wait(0s));
}

TEST_CASE("T068: after it was cleared, another process releases who waits", "[conformance][event]") {
    const mp::Event event;
    event.set();
    event.clear();
    REQUIRE_FALSE(event.is_set());
    mp::Process p([=] {
        std::this_thread::sleep_for(20ms);
        event.set();
    });
    p.start();
    REQUIRE(event.wait());
    p.join();
}

TEST_CASE("T241: a child sees it set, and clears it", "[conformance][event]") {
    const mp::Event event;
    event.set();
    mp::Process p([=] {
        const bool seen = event.is_set();
        event.clear();
        mp::exit(seen ? 0 : 1);
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(event.is_set());
}
