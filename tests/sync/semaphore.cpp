#include <multiprocessing/sync/semaphore.hpp>

#include <mutex>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

static_assert(memory::MadeOfHandles<mp::Semaphore> && memory::MadeOfHandles<mp::BoundedSemaphore>);

TEST_CASE("tokens are taken until there is none", "[sync][semaphore]") {
    const mp::Semaphore s(2);
    REQUIRE(s.get_value() == 2);
    REQUIRE(s.acquire());
    REQUIRE(s.acquire(false));
    REQUIRE(s.locked());
    REQUIRE_FALSE(s.acquire(false));
    REQUIRE_FALSE(s.acquire(0s));
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_FALSE(s.acquire(60ms));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 60ms);
    s.release();
    REQUIRE(s.acquire(1h));
    s.release(4);
    REQUIRE(s.get_value() == 4);
    REQUIRE(mp::Semaphore().get_value() == 1);
    REQUIRE(mp::Semaphore(0).locked());
    REQUIRE_THROWS_AS(mp::Semaphore(-1), mp::ValueError);
    REQUIRE_THROWS_AS(s.release(0), mp::ValueError);
    REQUIRE_THROWS_AS(s.release(-1), mp::ValueError);
    REQUIRE_THROWS_AS(s.release(2147483647), mp::ValueError);
    REQUIRE(s.get_value() == 4);
}

TEST_CASE("a bounded one never has more than it began with", "[sync][semaphore]") {
    const mp::BoundedSemaphore s(2);
    REQUIRE_THROWS_AS(s.release(), mp::ValueError);
    s.acquire();
    s.acquire();
    REQUIRE_THROWS_AS(s.release(3), mp::ValueError);
    s.release(2);
    REQUIRE_THROWS_AS(s.release(), mp::ValueError);
    REQUIRE(s.get_value() == 2);
    REQUIRE_THROWS_AS(mp::BoundedSemaphore(-1), mp::ValueError);
}

TEST_CASE("the standard library's guards take a token", "[sync][semaphore]") {
    const mp::Semaphore s(2);
    {
        std::unique_lock one(s);
        std::unique_lock two(s, std::try_to_lock);
        REQUIRE(two.owns_lock());
        REQUIRE_FALSE(std::unique_lock(s, 5ms).owns_lock());
    }
    REQUIRE(s.get_value() == 2);
}

TEST_CASE("never more inside than there are tokens, of threads and processes together", "[sync][semaphore]") {
    const mp::Semaphore s(2);
    struct counters {
        std::atomic<int> inside{0}, most{0}, passed{0};
    };
    auto c = memory::handle<counters>::create();
    const auto work = [&] {
        for (int i = 0; i < 500; ++i) {
            std::unique_lock one(s);
            const int inside = ++c->inside;
            int most = c->most;
            while (inside > most && !c->most.compare_exchange_weak(most, inside)) {}
            ++c->passed;
            --c->inside;
        }
    };
    testing::children crowd;
    for (int i = 0; i < 2; ++i)
        crowd.start([&] {
            std::thread other(work);
            work();
            other.join();
        });
    work();
    REQUIRE(crowd.join());
    REQUIRE(c->passed == 5 * 500);
    REQUIRE(c->most <= 2);
    REQUIRE(s.get_value() == 2);
}

TEST_CASE("what one releases another takes: nothing is lost on the way", "[sync][semaphore]") {
    const mp::Semaphore full(0), empty(10);
    auto sum = memory::handle<std::atomic<int>>::create(0);
    testing::children crowd;
    for (int i = 0; i < 2; ++i)
        crowd.start([&] {
            for (int n = 0; n < 1000; ++n) {
                full.acquire();
                ++*sum;
                empty.release();
            }
        });
    for (int n = 0; n < 1000; ++n) {
        empty.acquire();
        empty.acquire();
        full.release(2);
    }
    REQUIRE(crowd.join());
    REQUIRE(*sum == 2000);
    REQUIRE(full.get_value() == 0);
    REQUIRE(empty.get_value() == 10);
}

TEST_CASE("tokens of the dead are gone until they are recovered", "[sync][semaphore]") {
    const mp::Semaphore s(5);
    REQUIRE(s.recover() == 0);
    s.acquire();
    testing::run_and_kill_at(0, [&] {
        s.acquire();
        s.acquire();
        s.release();
        s.acquire();
        ::raise(SIGKILL);
    });
    REQUIRE(s.get_value() == 2);
    REQUIRE(s.recover() == 2);
    REQUIRE(s.recover() == 0);
    REQUIRE(s.get_value() == 4);

    // Who has a dead one's seat inherits neither its tokens nor its debts.
    testing::run_and_kill_at(0, [&] { s.acquire(); });
    testing::run_and_kill_at(0, [&] {
        s.acquire();
        s.release();
    });
    testing::run_and_kill_at(0, [&] { s.acquire(); });
    REQUIRE(s.get_value() == 2);
    REQUIRE(s.recover() == 2);
    REQUIRE(s.get_value() == 4);
    s.release();
}

TEST_CASE("recovering wakes who waits, and leaves the tokens of the living alone", "[sync][semaphore]") {
    const mp::BoundedSemaphore s(2);
    const mp::Semaphore ready(0), done(0);
    testing::children crowd;
    const pid_t doomed = crowd.start([&] {
        s.acquire();
        ready.release();
        for (;;) ::pause();
    });
    const pid_t living = crowd.start([&] {
        s.acquire();
        ready.release();
        done.acquire();
        s.release();
    });
    ready.acquire();
    ready.acquire();
    const pid_t waiting = crowd.start([&] {
        ready.release();
        s.acquire();
        s.release();
    });
    ready.acquire();
    crowd.kill(doomed);
    REQUIRE(s.recover() == 1);
    REQUIRE(crowd.join(waiting) == 0);
    done.release();
    REQUIRE(crowd.join(living) == 0);
    REQUIRE(s.get_value() == 2);
    REQUIRE_THROWS_AS(s.release(), mp::ValueError);
}

TEST_CASE("killed at any step of acquire and release, a process's tokens can be recovered, all and no more",
          "[sync][semaphore]") {
    const mp::Semaphore s(3);
    const auto steps = testing::kill_at_every_step(
        [&] {
            s.acquire();
            s.acquire();
            s.release();
            s.acquire();
            s.acquire();
            s.acquire(1ms); // there is none
            s.release(3);
        },
        [&](unsigned) {
            const int left = s.get_value();
            REQUIRE(s.recover() == static_cast<unsigned>(3 - left));
            REQUIRE(s.get_value() == 3);
            REQUIRE(s.recover() == 0);
        });
    REQUIRE(steps >= 40);
    REQUIRE(s.get_value() == 3);
}

TEST_CASE("killed at any step of recovering, a process is followed by another", "[sync][semaphore]") {
    const mp::Semaphore s(3);
    const auto steps = testing::kill_at_every_step(
        [&] {
            testing::run_and_kill_at(0, [&] { s.acquire(); });
            testing::run_and_kill_at(0, [&] { s.acquire(); });
            s.recover();
        },
        [&](unsigned) {
            // A grandchild may live a moment longer than its parent.
            while (s.get_value() != 3) s.recover();
            REQUIRE(s.recover() == 0);
        });
    REQUIRE(steps >= 20);
}

TEST_CASE("a releaser that is killed before it wakes anybody has released all the same", "[sync][semaphore]") {
    unsigned k = 1;
    for (bool killed = true; killed; ++k) {
        const mp::Semaphore s(0), ready(0);
        testing::children crowd;
        const pid_t waiter = crowd.start([&] {
            ready.release();
            s.acquire();
        });
        ready.acquire();
        killed = testing::run_and_kill_at(k, [&] { s.release(); });
        if (killed && s.get_value() == 0) {
            const timespec moment{0, 1'000'000}; // it may have been taken
            ::nanosleep(&moment, nullptr);
            s.release();
        }
        REQUIRE(crowd.join(waiter) == 0);
    }
    REQUIRE(k > 8);
}

TEST_CASE("a semaphore costs a page or two", "[sync][semaphore]") {
    auto& all = memory::commons::here();
    { const mp::Semaphore warm; }
    std::vector<mp::Semaphore> many;
    const auto before = all.resident_bytes();
    for (int i = 0; i < 100; ++i) {
        many.emplace_back(1);
        many.back().acquire();
    }
    REQUIRE(all.resident_bytes() - before <= 100 * 8192 + (1 << 16));
}
