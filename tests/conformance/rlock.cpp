// CPython's _TestLock, as far as it is of RLock, under fork. X005 is optional.
#include <multiprocessing/synchronize.hpp>

#include <mutex>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;

TEST_CASE("T052: three times acquired, three times released", "[conformance][rlock]") {
    const mp::RLock lock;
    REQUIRE_FALSE(lock.locked());
    for (int i = 0; i < 3; ++i) {
        REQUIRE(lock.acquire());
        REQUIRE(lock.locked());
    }
    for (int i = 0; i < 3; ++i) {
        REQUIRE(lock.locked());
        lock.release();
    }
    REQUIRE_FALSE(lock.locked());
    REQUIRE_THROWS_AS(lock.release(), mp::ValueError);
}

TEST_CASE("T053: an RLock taken in another process is locked here", "[conformance][rlock]") {
    const mp::RLock lock;
    const mp::Event taken, seen;
    mp::Process p([=] {
        lock.acquire();
        lock.acquire();
        taken.set();
        seen.wait();
        lock.release();
        lock.release();
    });
    p.start();
    taken.wait();
    REQUIRE(lock.locked());
    REQUIRE_FALSE(lock.acquire(false));
    REQUIRE_THROWS_AS(lock.release(), mp::ValueError);
    seen.set();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(lock.locked());
}

TEST_CASE("A083: a child doesn't have what the thread that started it has", "[conformance][rlock]") {
    const mp::RLock lock;
    const std::scoped_lock guard(lock);
    mp::Process p([=] { mp::exit(lock.acquire(false) ? 1 : 0); });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("T243: an RLock is acquired and released in the child", "[conformance][rlock]") {
    const mp::RLock lock;
    mp::Process p([=] {
        lock.acquire();
        lock.release();
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}
