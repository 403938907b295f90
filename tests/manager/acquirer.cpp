#include <multiprocessing/manager/acquirer.hpp>

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

TEST_CASE("a manager's lock is had by one at a time", "[manager][acquirer]") {
    const bool nests = GENERATE(false, true);
    auto lock = mp::AcquirerProxy::make(nests);
    long sum = 0;
    std::vector<std::thread> all;
    for (int i = 0; i < 3; ++i)
        all.emplace_back([&] {
            for (int n = 0; n < 2000; ++n) {
                const std::scoped_lock held(lock);
                ++sum;
            }
        });
    for (auto& each : all) each.join();
    CHECK(sum == 6000);
    CHECK_FALSE(lock.locked());
    CHECK_THROWS_AS(lock.release(), mp::ValueError);
}

TEST_CASE("only one that nests is taken twice, and belongs to its thread", "[manager][acquirer]") {
    auto plain = mp::AcquirerProxy::make(false);
    auto nesting = mp::AcquirerProxy::make(true);
    CHECK(plain.acquire());
    CHECK_FALSE(plain.acquire(false));
    CHECK_FALSE(plain.acquire(1ms));
    CHECK(nesting.acquire());
    CHECK(nesting.acquire(false));
    bool refused = false;
    std::thread([&] {
        plain.release();
        try {
            nesting.release();
        } catch (const mp::ValueError&) {
            refused = true;
        }
    }).join();
    CHECK(refused);
    CHECK_FALSE(plain.locked());
    nesting.release();
    CHECK(nesting.locked());
    nesting.release();
    CHECK_FALSE(nesting.locked());
}

TEST_CASE("whoever is killed while it takes or releases a manager's lock leaves it free", "[manager][acquirer][deaths]") {
    const bool nests = GENERATE(false, true);
    const bool is_buried = GENERATE(false, true);
    auto lock = mp::AcquirerProxy::make(nests);
    const auto work = [&] {
        lock.acquire();
        lock.release();
    };
    unsigned k = 1;
    for (; testing::run_and_kill_at(k, work, is_buried); ++k) {
        INFO("killed at step " << k << ", " << testing::last_step());
        REQUIRE(lock.acquire(20s));
        REQUIRE_FALSE(lock.acquire(false) != nests);
        lock.release();
        if (nests) lock.release();
        REQUIRE_FALSE(lock.locked());
    }
    CHECK(k > 2);
    memory::family::here().bury_the_dead();
}
