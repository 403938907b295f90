#include <multiprocessing/sync/recursive_lock.hpp>

#include <chrono>
#include <thread>

#include "support/catch.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

/// What another thread gets when it tries.
bool free_for_others(const mp::RLock& lock) {
    bool got = false;
    std::thread([&] {
        got = lock.acquire(false);
        if (got) lock.release();
    }).join();
    return got;
}

} // namespace

TEST_CASE("an RLock is released as often as it was taken", "[sync][recursive_lock]") {
    const mp::RLock lock;
    for (int i = 0; i < 3; ++i) REQUIRE(lock.acquire());
    REQUIRE(lock.acquire(false));
    REQUIRE(lock.acquire(1s));
    for (int i = 0; i < 4; ++i) {
        lock.release();
        REQUIRE_FALSE(free_for_others(lock));
    }
    lock.release();
    REQUIRE(free_for_others(lock));
    REQUIRE_THROWS_AS(lock.release(), mp::ValueError);
}

TEST_CASE("a condition gives up all levels of an RLock, and has them again", "[sync][recursive_lock]") {
    const mp::RLock lock;
    for (int i = 0; i < 3; ++i) lock.acquire();
    const auto depth = lock.release_all();
    REQUIRE(depth == 3);
    REQUIRE(free_for_others(lock));
    REQUIRE_FALSE(lock.take_again(depth));
    for (int i = 0; i < 3; ++i) lock.release();
    REQUIRE_FALSE(lock.locked());
}
