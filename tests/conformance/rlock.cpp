// CPython's _TestLock, as far as it is of RLock, under each start method.
#include <multiprocessing/synchronize.hpp>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;

namespace {

constexpr int turns = 5000;

/// Two threads that take the lock, and take it again, in turn with whoever else does.
void count(mp::RLock lock, mp::RawArray<long> numbers, mp::Barrier all_here) {
    all_here.wait();
    const auto add = [&] {
        for (int i = 0; i < turns; ++i) {
            const std::scoped_lock guard(lock);
            const long before = numbers[0];
            if (i % 50 == 0) std::this_thread::yield(); // who isn't kept out comes in now
            {
                const std::scoped_lock again(lock);
                numbers[1] += 1;
            }
            numbers[0] = before + 1;
        }
    };
    std::thread other(add);
    add();
    other.join();
}

} // namespace

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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::RLock lock;
    const mp::Event taken, seen;
    auto p = ctx.Process(
        [](mp::RLock held, mp::Event has_it, mp::Event let_go) {
            held.acquire();
            held.acquire();
            has_it.set();
            let_go.wait();
            held.release();
            held.release();
        },
        lock, taken, seen);
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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::RLock lock;
    const std::scoped_lock guard(lock);
    auto p = ctx.Process([](mp::RLock held) { mp::exit(held.acquire(false) ? 1 : 0); }, lock);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("T243: an RLock is acquired and released in the child", "[conformance][rlock]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::RLock lock;
    auto p = ctx.Process(
        [](mp::RLock taken) {
            taken.acquire();
            taken.release();
        },
        lock);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(lock.locked());
}

TEST_CASE("threads of several processes exclude one another, however deep they hold it", "[conformance][rlock]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::RLock lock;
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

TEST_CASE("X005: an RLock is printed with its owner, and how often that holds it", "[conformance][rlock]") {
    const mp::RLock lock;
    REQUIRE(to_string(lock) == "<RLock(None, 0)>");
    const std::scoped_lock outer(lock);
    REQUIRE(to_string(lock) == "<RLock(MainProcess, 1)>");
    const std::scoped_lock inner(lock);
    REQUIRE(fmt::format("{}", lock) == "<RLock(MainProcess, 2)>");
    std::string seen;
    std::thread([&] { seen = to_string(lock); }).join();
    REQUIRE(seen == "<RLock(SomeOtherThread, nonzero)>");
    mp::Process p([=] {
        if (to_string(lock) != "<RLock(SomeOtherProcess, nonzero)>") throw mp::ProcessError(to_string(lock));
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}
