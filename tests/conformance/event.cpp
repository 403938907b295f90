// CPython's _TestEvent, under each start method.
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <string>
#include <thread>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Event event;
    event.set();
    event.clear();
    REQUIRE_FALSE(event.is_set());
    auto p = ctx.Process(
        [](mp::Event cleared) {
            std::this_thread::sleep_for(20ms);
            cleared.set();
        },
        event);
    p.start();
    REQUIRE(event.wait());
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("T241: a child sees it set, and clears it", "[conformance][event]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Event event;
    event.set();
    auto p = ctx.Process(
        [](mp::Event was_set) {
            const bool seen = was_set.is_set();
            was_set.clear();
            mp::exit(seen ? 0 : 1);
        },
        event);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(event.is_set());
}

TEST_CASE("X006: an event is printed as set or unset, the same in every process", "[conformance][event]") {
    const mp::Event e;
    const std::string before = to_string(e);
    REQUIRE(before.substr(0, 12) == "<Event at 0x");
    REQUIRE(before.substr(before.size() - 7) == " unset>");
    e.set();
    const std::string after = before.substr(0, before.size() - 6) + "set>";
    mp::Process p([=] {
        if (fmt::format("{}", e) != after) throw mp::ProcessError(to_string(e));
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(to_string(e) == after);
}
