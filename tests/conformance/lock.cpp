// CPython's _TestLock, as far as it is of Lock, under fork. X004 is optional: a Lock has no printed form.
#include <multiprocessing/synchronize.hpp>

#include <mutex>
#include <thread>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

TEST_CASE("T051: a lock is acquired once, and released once", "[conformance][lock]") {
    const mp::Lock lock;
    REQUIRE_FALSE(lock.locked());
    REQUIRE(lock.acquire());
    REQUIRE(lock.locked());
    REQUIRE_FALSE(lock.acquire(false));
    lock.release();
    REQUIRE_FALSE(lock.locked());
    REQUIRE_THROWS_AS(lock.release(), mp::ValueError);
}

TEST_CASE("T053: a lock taken in another process is locked here", "[conformance][lock]") {
    const mp::Lock lock;
    const mp::Event taken, seen;
    mp::Process p([=] {
        lock.acquire();
        taken.set();
        seen.wait();
        lock.release();
    });
    p.start();
    taken.wait();
    REQUIRE(lock.locked());
    REQUIRE_FALSE(lock.acquire(false));
    seen.set();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(lock.locked());
}

TEST_CASE("T054: a guard has it for its scope", "[conformance][lock]") {
    const mp::Lock lock;
    {
        const std::unique_lock guard(lock);
        REQUIRE(guard.owns_lock());
        REQUIRE(lock.locked());
    }
    REQUIRE_FALSE(lock.locked());
}

TEST_CASE("Python's arguments: a call that doesn't block ignores its timeout, a negative one is over",
          "[conformance][lock]") {
    const mp::Lock lock;
    lock.acquire();
    const auto begin = std::chrono::steady_clock::now();
    mp::Process p([=] {
        const bool got = lock.acquire(false) || lock.acquire(false, 1h) || lock.acquire(-1s) ||
                         lock.acquire(true, 0s) || lock.acquire(true, 20ms) || lock.acquire(20ms);
        mp::exit(got ? 1 : 0);
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(std::chrono::steady_clock::now() - begin >= 40ms);
    lock.release();
}

TEST_CASE("T242, otherwise: who didn't acquire it can't release it, unlike Python's", "[conformance][lock]") {
    const mp::Lock lock;
    const mp::Event taken, done;
    mp::Process p([=] {
        lock.acquire();
        taken.set();
        done.wait();
        lock.release();
    });
    p.start();
    taken.wait();
    REQUIRE_THROWS_AS(lock.release(), mp::ValueError);
    REQUIRE(lock.locked());
    done.set();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("C07: a killed holder doesn't leave the lock locked for ever", "[conformance][lock]") {
    const mp::Lock lock;
    const mp::Event taken;
    mp::Process p([=] {
        lock.acquire();
        taken.set();
        for (;;) std::this_thread::sleep_for(1h);
    });
    p.start();
    taken.wait();
    p.kill();
    REQUIRE_THROWS_AS(lock.acquire(), mp::OwnerDiedError);
    lock.release();
    REQUIRE(lock.acquire());
    lock.release();
    p.join();
}
