#include <multiprocessing/sync/lock.hpp>

#include <chrono>
#include <type_traits>

#include "support/catch.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

TEST_CASE("a Lock is made unlocked, and is nobody else's", "[sync][lock]") {
    const mp::Lock a, b;
    REQUIRE_FALSE(a.locked());
    a.acquire();
    REQUIRE(a.locked());
    REQUIRE_FALSE(b.locked());
    a.release();
    static_assert(std::is_copy_constructible_v<mp::Lock> && !std::is_constructible_v<mp::Lock, bool>);
}

TEST_CASE("a Lock isn't taken twice: an error where it would be for ever, else the time passes", "[sync][lock]") {
    const mp::Lock lock;
    lock.acquire();
    REQUIRE_THROWS_AS(lock.acquire(), mp::ValueError);
    REQUIRE_FALSE(lock.acquire(false));
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_FALSE(lock.acquire(10ms));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 10ms);
    lock.release();
}
