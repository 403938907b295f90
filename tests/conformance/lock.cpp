// CPython's _TestLock, as far as it is of Lock, under each start method.
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

/// Has it from before `taken` until after `seen`.
void hold(mp::Lock lock, mp::Event taken, mp::Event seen) {
    lock.acquire();
    taken.set();
    seen.wait();
    lock.release();
}

constexpr int turns = 5000;

/// Two threads that take the lock in turn with whoever else does.
void count(mp::Lock lock, mp::RawArray<long> numbers, mp::Barrier all_here) {
    all_here.wait();
    const auto add = [&] {
        for (int i = 0; i < turns; ++i) {
            const std::scoped_lock guard(lock);
            const long before = numbers[0];
            if (i % 50 == 0) std::this_thread::yield(); // who isn't kept out comes in now
            numbers[1] += 1;
            numbers[0] = before + 1;
        }
    };
    std::thread other(add);
    add();
    other.join();
}

} // namespace

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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Lock lock;
    const mp::Event taken, seen;
    auto p = ctx.Process(hold, lock, taken, seen);
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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Lock lock;
    lock.acquire();
    const auto begin = std::chrono::steady_clock::now();
    auto p = ctx.Process(
        [](mp::Lock held) {
            const bool got = held.acquire(false) || held.acquire(false, 1h) || held.acquire(-1s) ||
                             held.acquire(true, 0s) || held.acquire(true, 20ms) || held.acquire(20ms);
            mp::exit(got ? 1 : 0);
        },
        lock);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(std::chrono::steady_clock::now() - begin >= 40ms);
    lock.release();
}

TEST_CASE("T242, otherwise: who didn't acquire it can't release it, unlike Python's", "[conformance][lock]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Lock lock;
    const mp::Event taken, done;
    auto p = ctx.Process(hold, lock, taken, done);
    p.start();
    taken.wait();
    REQUIRE_THROWS_AS(lock.release(), mp::ValueError);
    REQUIRE(lock.locked());
    done.set();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("threads of several processes exclude one another", "[conformance][lock]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Lock lock;
    const mp::RawArray<long> numbers(2);
    const mp::Barrier all_here(3);
    std::vector<mp::Process> others;
    for (int i = 0; i < 2; ++i) {
        others.push_back(ctx.Process(count, lock, numbers, all_here));
        others.back().start();
    }
    count(lock, numbers, all_here);
    for (auto& p : others) {
        p.join();
        REQUIRE(p.exitcode() == 0);
    }
    REQUIRE(numbers[0] == 6L * turns);
    REQUIRE(numbers[1] == 6L * turns);
    REQUIRE_FALSE(lock.locked());
}

TEST_CASE("C07: a killed holder doesn't leave the lock locked for ever", "[conformance][lock]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Lock lock;
    const mp::Event taken;
    auto p = ctx.Process(
        [](mp::Lock held, mp::Event has_it) {
            held.acquire();
            has_it.set();
            for (;;) std::this_thread::sleep_for(1h);
        },
        lock, taken);
    p.start();
    taken.wait();
    p.kill();
    REQUIRE_THROWS_AS(lock.acquire(), mp::OwnerDiedError);
    lock.release();
    REQUIRE(lock.acquire());
    lock.release();
    p.join();
}

TEST_CASE("X004: a Lock is printed with its owner", "[conformance][lock]") {
    const mp::Lock lock;
    REQUIRE(to_string(lock) == "<Lock(owner=None)>");
    {
        const std::scoped_lock guard(lock);
        REQUIRE(to_string(lock) == "<Lock(owner=MainProcess)>");
        std::string seen;
        std::thread([&] { seen = fmt::format("{:>30}", lock); }).join();
        REQUIRE(seen == " <Lock(owner=SomeOtherThread)>");
        mp::Process p([=] {
            if (to_string(lock) != "<Lock(owner=SomeOtherProcess)>") throw mp::ProcessError(to_string(lock));
        });
        p.start();
        p.join();
        REQUIRE(p.exitcode() == 0);
    }
    std::ostringstream out;
    out << lock;
    REQUIRE(out.str() == "<Lock(owner=None)>");
}
