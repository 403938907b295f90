#include <multiprocessing/sync/condition.hpp>

#include <mutex>
#include <thread>
#include <vector>

#include <multiprocessing/sync/lock.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

static_assert(memory::MadeOfHandles<mp::Condition>);

namespace {

struct counters {
    std::atomic<int> waiting{0}, woken{0};
};

/// Waits under the lock and counts.
void wait_and_count(const mp::Condition& c, counters& n) {
    std::scoped_lock guard(c);
    ++n.waiting;
    if (c.wait()) ++n.woken;
    --n.waiting;
}

/// Until so many wait: who is counted gives the lock up only in wait().
void until_waiting(const mp::Condition& c, const counters& n, int count) {
    for (;; std::this_thread::yield()) {
        std::scoped_lock guard(c);
        if (n.waiting == count) return;
    }
}
void until_woken(const counters& n, int count) {
    while (n.woken < count) std::this_thread::yield();
}

} // namespace

TEST_CASE("a condition is a lock", "[sync][condition]") {
    const mp::Lock plain;
    const mp::Condition own, under_plain(plain), beside(plain);
    REQUIRE(own.acquire());
    REQUIRE(own.acquire(false)); // an RLock
    own.release();
    own.release();
    REQUIRE_THROWS_AS(own.release(), mp::ValueError);
    {
        std::scoped_lock guard(under_plain);
        REQUIRE(plain.locked());
        REQUIRE_FALSE(beside.acquire(false));
    }
    REQUIRE_FALSE(plain.locked());
}

TEST_CASE("without the lock nobody waits or notifies", "[sync][condition]") {
    const mp::Condition c;
    REQUIRE_THROWS_AS(c.wait(), mp::ValueError);
    REQUIRE_THROWS_AS(c.wait(1s), mp::ValueError);
    REQUIRE_THROWS_AS(c.notify(), mp::ValueError);
    REQUIRE_THROWS_AS(c.notify_all(), mp::ValueError);
    bool refused = false;
    c.acquire();
    std::thread([&] {
        try {
            c.notify();
        } catch (const mp::ValueError&) {
            refused = true;
        }
    }).join();
    REQUIRE(refused);
    c.notify(); // nobody waits
    c.notify(3);
    c.notify_all();
    c.release();
}

TEST_CASE("waiting ends at its time, with the lock as often as before", "[sync][condition]") {
    const mp::Condition c;
    c.acquire();
    c.acquire();
    REQUIRE_FALSE(c.wait(0s));
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_FALSE(c.wait(60ms));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 60ms);
    int calls = 0;
    REQUIRE_FALSE(c.wait_for([&] { return ++calls, false; }, 20ms));
    REQUIRE(calls >= 2);
    REQUIRE(c.wait_for([] { return true; }));
    REQUIRE_FALSE(c.wait_for([] { return false; }, 0s));
    c.release();
    REQUIRE(c.held_here());
    c.release();
    REQUIRE_FALSE(c.held_here());
}

TEST_CASE("notify wakes so many of threads and processes, and no more", "[sync][condition]") {
    const mp::Condition c;
    auto n = memory::handle<counters>::create();
    testing::children crowd;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        crowd.start([&] { wait_and_count(c, *n); });
        threads.emplace_back([&] { wait_and_count(c, *n); });
    }
    until_waiting(c, *n, 6);
    const auto notify = [&](unsigned count) {
        std::scoped_lock guard(c);
        c.notify(count);
    };
    notify(1);
    until_woken(*n, 1);
    notify(2);
    until_woken(*n, 3);
    until_waiting(c, *n, 3); // nobody else has come back
    REQUIRE(n->woken == 3);
    {
        std::scoped_lock guard(c);
        c.notify_all();
    }
    for (auto& t : threads) t.join();
    REQUIRE(crowd.join());
    REQUIRE(n->woken == 6);
    notify(3); // is not remembered
    std::scoped_lock guard(c);
    REQUIRE_FALSE(c.wait(1ms));
}

TEST_CASE("who waits longest is notified first", "[sync][condition]") {
    const mp::Condition c;
    std::vector<int> order;
    std::atomic<int> waiting{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 5; ++i) {
        threads.emplace_back([&, i] {
            std::scoped_lock guard(c);
            ++waiting;
            c.wait();
            order.push_back(i);
        });
        for (;; std::this_thread::yield()) {
            std::scoped_lock guard(c);
            if (waiting == i + 1) break;
        }
    }
    for (int i = 0; i < 5; ++i) {
        std::unique_lock guard(c);
        c.notify();
        guard.unlock();
        for (;; std::this_thread::yield()) {
            std::scoped_lock look(c);
            if (static_cast<int>(order.size()) == i + 1) break;
        }
    }
    for (auto& t : threads) t.join();
    REQUIRE(order == std::vector{0, 1, 2, 3, 4});
}

TEST_CASE("a full house: producers and consumers of a shared number", "[sync][condition]") {
    const mp::Lock lock;
    const mp::Condition more(lock), less(lock);
    auto stock = memory::handle<int[]>::create(2);
    constexpr int rounds = 1000;
    testing::children crowd;
    for (int i = 0; i < 2; ++i)
        crowd.start([&] {
            for (int k = 0; k < rounds; ++k) {
                std::scoped_lock guard(lock);
                more.wait_for([&] { return stock[0] > 0; });
                --stock[0];
                ++stock[1];
                less.notify();
            }
        });
    const auto produce = [&] {
        for (int k = 0; k < rounds; ++k) {
            std::scoped_lock guard(lock);
            less.wait_for([&] { return stock[0] < 3; });
            ++stock[0];
            more.notify();
        }
    };
    std::thread other(produce);
    produce();
    other.join();
    REQUIRE(crowd.join());
    REQUIRE(stock[0] == 0);
    REQUIRE(stock[1] == 2 * rounds);
}

TEST_CASE("a notification between the end of the time and the lock counts", "[sync][condition]") {
    const mp::Condition c;
    bool result = false;
    std::atomic<int> stage{0};
    std::thread waiter([&] {
        std::scoped_lock guard(c);
        stage = 1;
        result = c.wait(5ms);
    });
    while (stage != 1) std::this_thread::yield();
    {
        std::scoped_lock guard(c); // it waits, and can't come back before this is over
        std::this_thread::sleep_for(20ms);
        c.notify();
    }
    waiter.join();
    // It may have come back before we had the lock; then it wasn't notified.
    if (!result) {
        std::scoped_lock guard(c);
        REQUIRE_FALSE(c.wait(0s));
    }
}

TEST_CASE("killed waiters swallow no notification and block nobody", "[sync][condition]") {
    const mp::Condition c;
    auto n = memory::handle<counters>::create();
    testing::children crowd;
    for (int round = 0; round < 10; ++round) {
        n->waiting = 0;
        n->woken = 0;
        std::vector<pid_t> doomed;
        for (int i = 0; i < 3; ++i) doomed.push_back(crowd.start([&] { wait_and_count(c, *n); }));
        until_waiting(c, *n, 3);
        for (int i = 0; i < 2; ++i) crowd.start([&] { wait_and_count(c, *n); });
        until_waiting(c, *n, 5);
        for (const pid_t pid : doomed) crowd.kill(pid);
        {
            std::scoped_lock guard(c);
            c.notify(); // the first that lives
        }
        until_woken(*n, 1);
        {
            std::scoped_lock guard(c);
            c.notify_all();
        }
        REQUIRE(crowd.join());
        REQUIRE(n->woken == 2);
    }
}

TEST_CASE("whoever dies after it was notified, and before it has the lock, passes that on", "[sync][condition]") {
    const mp::Condition c;
    auto n = memory::handle<counters>::create();
    testing::children crowd;
    for (int round = 0; round < 10; ++round) {
        const bool notify_again = round % 2 == 1; // then the notifier finds that out, else the second one himself
        n->waiting = 0;
        n->woken = 0;
        const pid_t first = crowd.start([&] { wait_and_count(c, *n); });
        until_waiting(c, *n, 1);
        crowd.start([&] { wait_and_count(c, *n); });
        until_waiting(c, *n, 2);
        if (notify_again) {
            crowd.start([&] { wait_and_count(c, *n); });
            until_waiting(c, *n, 3);
        }
        {
            std::scoped_lock guard(c);
            c.notify(); // the first one is notified, and can't come back
            crowd.kill(first);
            if (notify_again) c.notify();
        }
        REQUIRE(crowd.join());
        REQUIRE(n->woken == (notify_again ? 2 : 1));
        // Nothing is left of it for who comes later.
        std::scoped_lock guard(c);
        c.notify_all();
        REQUIRE_FALSE(c.wait(1ms));
    }
}

TEST_CASE("the holder of the lock dies while others wait: who comes back is told", "[sync][condition]") {
    const mp::Condition c;
    auto n = memory::handle<counters>::create();
    testing::children crowd;
    const pid_t waiter = crowd.start([&] {
        c.acquire();
        c.acquire();
        ++n->waiting;
        try {
            c.wait();
            ::_exit(1);
        } catch (const mp::OwnerDiedError&) {
            c.release();
            if (!c.held_here()) ::_exit(2);
            c.release();
        }
    });
    until_waiting(c, *n, 1);
    testing::run_and_kill_at(0, [&] {
        c.acquire();
        c.notify();
        ::raise(SIGKILL);
    });
    REQUIRE(crowd.join(waiter) == 0);
    REQUIRE(c.acquire(false));
    c.release();
}

TEST_CASE("killed at any step of waiting, a process leaves a condition that works", "[sync][condition]") {
    const mp::Condition c;
    auto n = memory::handle<counters>::create();
    const auto steps = testing::kill_at_every_step(
        [&] {
            c.acquire();
            c.wait(2ms); // sleeps
            c.release();
        },
        [&](unsigned) {
            n->waiting = 0;
            n->woken = 0;
            testing::children crowd;
            crowd.start([&] {
                c.acquire(mp::ignore);
                c.release();
                wait_and_count(c, *n);
            });
            c.acquire(mp::ignore);
            c.release();
            until_waiting(c, *n, 1);
            c.acquire();
            c.notify();
            c.release();
            REQUIRE(crowd.join());
            REQUIRE(n->woken == 1);
        });
    REQUIRE(steps >= 12);
}

TEST_CASE("killed at any step of notifying, a process leaves waiters that can be notified", "[sync][condition]") {
    const mp::Condition c;
    auto n = memory::handle<counters>::create();
    unsigned k = 1;
    for (bool killed = true; killed; ++k) {
        n->waiting = 0;
        n->woken = 0;
        testing::children crowd;
        for (int i = 0; i < 3; ++i)
            crowd.start([&] {
                std::scoped_lock guard(c);
                ++n->waiting;
                try {
                    c.wait();
                } catch (const mp::OwnerDiedError&) {}
                ++n->woken;
            });
        until_waiting(c, *n, 3);
        killed = testing::run_and_kill_at(k, [&] {
            std::scoped_lock guard(c);
            c.notify(2);
        });
        INFO("killed at step " << k);
        c.acquire(mp::ignore);
        c.notify_all();
        c.release();
        REQUIRE(crowd.join());
        REQUIRE(n->woken == 3);
        c.acquire();
        c.release();
    }
    REQUIRE(k >= 10);
}

TEST_CASE("killed at any step of coming back from wait, a notified process passes that on", "[sync][condition]") {
    const mp::Condition c;
    auto n = memory::handle<counters>::create();
    unsigned k = 1;
    for (bool killed = true; killed; ++k) {
        n->waiting = 0;
        n->woken = 0;
        testing::children crowd;
        const pid_t doomed = crowd.start([&] {
            testing::arm(k);
            std::scoped_lock guard(c);
            ++n->waiting;
            c.wait();
            testing::disarm();
        });
        // Killed before it waited?
        const auto gone = [&] {
            siginfo_t ended{};
            ::waitid(P_PID, static_cast<id_t>(doomed), &ended, WEXITED | WNOHANG | WNOWAIT);
            return ended.si_pid == doomed;
        };
        while (!gone()) {
            c.acquire(mp::ignore);
            const bool there = n->waiting == 1;
            c.release();
            if (there) break;
            std::this_thread::yield();
        }
        c.acquire(mp::ignore);
        c.release();
        const int before = n->waiting;
        const pid_t other = crowd.start([&] {
            c.acquire(mp::ignore);
            ++n->waiting;
            try {
                c.wait();
            } catch (const mp::OwnerDiedError&) {
                c.notify(); // it can't be told whether there was one as well
            }
            ++n->woken;
            c.release();
        });
        for (;;) {
            c.acquire(mp::ignore);
            const bool there = n->waiting == before + 1;
            c.release();
            if (there) break;
            std::this_thread::yield();
        }
        c.acquire(mp::ignore);
        c.notify();
        c.release();
        const int status = crowd.join(doomed);
        killed = status != 0;
        if (!killed) {
            c.acquire(mp::ignore);
            c.notify();
            c.release();
        } else if (n->woken == 0) {
            // It had come back with the lock when it died, so the notification was its own: the lock says so.
            try {
                if (!c.acquire(500ms)) FAIL("the lock is gone");
            } catch (const mp::OwnerDiedError&) {
                c.notify();
            }
            c.release();
        }
        INFO("killed at step " << k);
        if (killed && n->woken == 0) {
            // Or just after it had released it.
            const timespec moment{0, 200'000'000};
            ::nanosleep(&moment, nullptr);
            if (n->woken == 0) {
                c.acquire(mp::ignore);
                c.notify();
                c.release();
            }
        }
        REQUIRE(crowd.join(other) == 0);
    }
    REQUIRE(k >= 14);
}
