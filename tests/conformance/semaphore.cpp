// CPython's _TestSemaphore, under each start method.
#include <multiprocessing/synchronize.hpp>

#include <chrono>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

void down_and_up(const mp::Semaphore& s) {
    REQUIRE(s.get_value() == 2);
    REQUIRE(s.acquire());
    REQUIRE(s.get_value() == 1);
    REQUIRE(s.acquire());
    REQUIRE(s.get_value() == 0);
    REQUIRE(s.locked());
    REQUIRE_FALSE(s.acquire(false));
    REQUIRE(s.get_value() == 0);
    s.release();
    REQUIRE(s.get_value() == 1);
    s.release();
    REQUIRE(s.get_value() == 2);
    REQUIRE_FALSE(s.locked());
}

} // namespace

TEST_CASE("T055: a semaphore goes down, and up beyond what it began with", "[conformance][semaphore]") {
    const mp::Semaphore s(2);
    down_and_up(s);
    s.release();
    REQUIRE(s.get_value() == 3);
    s.release();
    REQUIRE(s.get_value() == 4);
}

TEST_CASE("T056: a bounded one doesn't go beyond", "[conformance][semaphore]") {
    const mp::BoundedSemaphore s(2);
    down_and_up(s);
    REQUIRE_THROWS_AS(s.release(), mp::ValueError);
    REQUIRE(s.get_value() == 2);
}

TEST_CASE("T057: timeouts of acquire", "[conformance][semaphore]") {
    const mp::Semaphore s(0);
    REQUIRE_FALSE(s.acquire(false));
    REQUIRE_FALSE(s.acquire(false, 1h));
    REQUIRE_FALSE(s.acquire(-1s));
    for (int i = 0; i < 2; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        const bool got = i == 0 ? s.acquire(true, 30ms) : s.acquire(30ms);
        REQUIRE_FALSE(got);
        REQUIRE(std::chrono::steady_clock::now() - begin >= 30ms);
    }
}

TEST_CASE("T244: acquired in the child, released in the parent", "[conformance][semaphore]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Semaphore s(1);
    const mp::BoundedSemaphore b(1);
    auto p = ctx.Process(
        [](mp::Semaphore one, mp::BoundedSemaphore other) {
            one.acquire();
            other.acquire();
        },
        s, b);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(s.get_value() == 0);
    REQUIRE(b.get_value() == 0);
    s.release();
    b.release();
    REQUIRE(s.get_value() == 1);
    REQUIRE_THROWS_AS(b.release(), mp::ValueError);
}

TEST_CASE("a semaphore is printed with its value, a bounded one with its bound", "[conformance][semaphore]") {
    const mp::Semaphore s(2);
    const mp::BoundedSemaphore b(3);
    s.acquire();
    b.acquire();
    REQUIRE(to_string(s) == "<Semaphore(value=1)>");
    REQUIRE(fmt::format("{}", b) == "<BoundedSemaphore(value=2, maxvalue=3)>");
}
