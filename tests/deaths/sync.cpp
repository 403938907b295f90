// Who dies with a lock, in a wait, or in the middle of a change, and what the others have of it.

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

namespace {

bool sanitized() { return MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER(); }

struct large {
    std::array<long, 25> same;
};
large filled(long with) {
    large l{};
    l.same.fill(with);
    return l;
}
bool whole(const large& l) {
    for (const long i : l.same)
        if (i != l.same[0]) return false;
    return true;
}

/// So many members that are killed at random and replaced, each running `work` for ever. On a busy machine fewer die.
template <typename Work>
void kill_at_random(int deaths, unsigned workers, Work work) {
    std::mt19937 random(2026);
    testing::children crowd;
    std::vector<pid_t> pids;
    for (unsigned i = 0; i < workers; ++i) pids.push_back(crowd.start(work));
    const auto end = std::chrono::steady_clock::now() + 20s;
    for (int i = 0; i < deaths && std::chrono::steady_clock::now() < end; ++i) {
        pid_t& pid = pids[random() % workers];
        for (auto turn = random() % 20; turn > 0; --turn) std::this_thread::yield();
        crowd.kill(pid);
        pid = crowd.start(work);
    }
}

} // namespace

TEST_CASE("10000 random kills under load: locks, conditions, semaphores, values", "[deaths][sync][slow]") {
    const int deaths = sanitized() ? 300 : 10'000;
    const auto before = memory::family::here().objects();
    {
        const mp::Lock lock;
        const mp::RLock rlock;
        const mp::Condition condition(rlock);
        const mp::Semaphore semaphore(3);
        const mp::Event event;
        const mp::Value<long> small(0);
        const mp::Value<large> big(filled(0));
        const mp::Array<large> many(4);
        auto torn = memory::handle<std::atomic<int>>::create(0);
        auto inside = memory::handle<std::atomic<pid_t>>::create(0);
        kill_at_random(deaths, 3, [&] {
            for (long i = 0;; ++i) {
                lock.acquire(mp::ignore);
                *inside = ::getpid();
                if (*inside != ::getpid()) ++*torn;
                lock.release();

                rlock.acquire(mp::ignore);
                rlock.acquire();
                try {
                    if (i % 8 == 0) condition.wait(1ms);
                } catch (const mp::OwnerDiedError&) {}
                condition.notify(1);
                rlock.release();
                rlock.release();

                if (semaphore.acquire(1ms)) semaphore.release();
                if (i % 4 == 0) semaphore.recover();

                event.set();
                if (!event.wait(0s) && i % 16 == 0) event.wait(1ms);
                event.clear();

                small += 1;
                big.update([](const large& l) { return filled(l.same[0] + 1); });
                many.set(static_cast<std::size_t>(i % 4), filled(i));
                if (!whole(big.load()) || !whole(many.get(static_cast<std::size_t>(i % 4)))) ++*torn;
            }
        });
        REQUIRE(*torn == 0);
        // Everything works on.
        lock.acquire(mp::ignore);
        lock.release();
        rlock.acquire(mp::ignore);
        condition.notify_all();
        REQUIRE_FALSE(condition.wait(1ms));
        rlock.release();
        semaphore.recover();
        REQUIRE(semaphore.get_value() == 3);
        REQUIRE(whole(big.load()));
        REQUIRE(big.load().same[0] > 0);
        event.set();
        REQUIRE(event.wait());
        REQUIRE_FALSE(lock.locked());
        REQUIRE_FALSE(rlock.locked());
        REQUIRE_FALSE(big.get_lock().locked());
    }
    memory::family::here().bury_the_dead();
    REQUIRE(memory::family::here().objects() == before);
}

TEST_CASE("parties killed at random at a barrier: nobody waits for the dead", "[deaths][sync]") {
    const mp::Barrier barrier(3);
    auto passes = memory::handle<std::atomic<int>>::create(0);
    auto broken = memory::handle<std::atomic<int>>::create(0);
    kill_at_random(sanitized() ? 50 : 300, 3, [&] {
        for (;;) {
            try {
                barrier.wait(10s); // one that dies before it comes is replaced
                ++*passes;
            } catch (const mp::BrokenBarrierError&) {
                ++*broken;
                barrier.reset();
            }
        }
    });
    REQUIRE(*passes > 0);
    barrier.reset();
    REQUIRE(barrier.n_waiting() == 0);
    REQUIRE_FALSE(barrier.broken());
}

TEST_CASE("a holder is killed while many wait: all go through, one of them is told", "[deaths][sync]") {
    for (int round = 0; round < 20; ++round) {
        const mp::Lock lock;
        const mp::Event taken;
        const mp::Value<int> waiting(0), told(0), through(0);
        testing::children crowd;
        const pid_t holder = crowd.start([&] {
            lock.acquire();
            taken.set();
            for (;;) ::pause();
        });
        taken.wait();
        std::vector<pid_t> others;
        for (int i = 0; i < 4; ++i)
            others.push_back(crowd.start([&] {
                ++waiting;
                try {
                    lock.acquire();
                } catch (const mp::OwnerDiedError&) {
                    ++told;
                }
                ++through;
                lock.release();
            }));
        while (waiting != 4) std::this_thread::yield();
        crowd.kill(holder);
        REQUIRE(crowd.join());
        REQUIRE(through == 4);
        REQUIRE(told == 1);
    }
}

TEST_CASE("a chain of deaths: each heir of the lock dies with it too", "[deaths][sync]") {
    const mp::RLock lock;
    const mp::Value<int> told(0);
    testing::children crowd;
    std::vector<pid_t> all;
    for (int i = 0; i < 20; ++i)
        all.push_back(crowd.start([&] {
            try {
                lock.acquire();
            } catch (const mp::OwnerDiedError&) {
                ++told;
            }
            ::raise(SIGKILL);
        }));
    for (const pid_t pid : all) crowd.join(pid);
    REQUIRE(told == 19);
    REQUIRE_THROWS_AS(lock.acquire(), mp::OwnerDiedError);
    lock.release();
}

TEST_CASE("killed at any step while others wait for the same lock, a process stops none of them", "[deaths][sync]") {
    const mp::Lock lock;
    const mp::Value<long> turns(0);
    const auto steps = testing::kill_at_every_step(
        [&] {
            for (int n = 0; n < 3; ++n) {
                lock.acquire(mp::ignore);
                lock.release();
            }
        },
        [&](unsigned) {
            testing::children crowd;
            for (int i = 0; i < 3; ++i)
                crowd.start([&] {
                    for (int n = 0; n < 20; ++n) {
                        lock.acquire(mp::ignore);
                        ++turns;
                        lock.release();
                    }
                });
            REQUIRE(crowd.join());
        });
    REQUIRE(steps >= 10);
    REQUIRE(turns >= 60L * steps);
}

TEST_CASE("killed at every step of fetch_add, of a small value and of a large one", "[deaths][sync]") {
    const mp::Value<long> small(0);
    const mp::Value<large> big(filled(0));
    long last = 0;
    testing::kill_at_every_step(
        [&] {
            small.fetch_add(1);
            big.update([](const large& l) { return filled(l.same[0] + 1); });
        },
        [&](unsigned) {
            const large now = big.load();
            REQUIRE(whole(now));
            REQUIRE((now.same[0] == last || now.same[0] == last + 1));
            last = now.same[0];
            REQUIRE(small.load() >= last);
        });
    REQUIRE(big.load().same[0] >= 1);
}

TEST_CASE("a process killed at random among notifiers and waiters loses nobody's wake-up", "[deaths][sync]") {
    // The survivor takes what the doomed put in, each item once, and ends only when all have come.
    const int rounds = sanitized() ? 20 : 150;
    const mp::Condition condition;
    const mp::Value<long> put(0), taken(0);
    const mp::Event over;
    testing::children survivors;
    const auto take_all = [&] {
        for (;;) {
            condition.acquire(mp::ignore);
            for (;;) {
                try {
                    condition.wait_for([&] { return taken < put || over.is_set(); });
                    break;
                } catch (const mp::OwnerDiedError&) {}
            }
            if (taken >= put) {
                condition.release();
                return;
            }
            taken += 1;
            condition.release();
        }
    };
    for (int i = 0; i < 2; ++i) survivors.start(take_all);
    {
        testing::children doomed;
        for (int i = 0; i < rounds; ++i) {
            const pid_t waiter = doomed.start(take_all);
            const pid_t notifier = doomed.start([&] {
                for (;;) {
                    condition.acquire(mp::ignore);
                    put += 1;
                    condition.notify();
                    condition.release();
                }
            });
            const long before = put;
            while (put < before + 5) std::this_thread::yield();
            doomed.kill(i % 2 == 0 ? waiter : notifier);
            doomed.kill(i % 2 == 0 ? notifier : waiter);
        }
    }
    condition.acquire(mp::ignore);
    over.set();
    condition.notify_all();
    condition.release();
    REQUIRE(survivors.join());
    REQUIRE(taken >= put.load() - rounds); // a waiter that was killed with an item in its hand took it along
}
