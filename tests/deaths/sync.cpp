// Who dies with a lock, in a wait, or in the middle of a change, and what the others have of it.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
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

/// One of everything that one holds, waits for or changes. Each function uses one of them once, whoever died there before.
struct everything {
    mp::Lock lock;
    mp::RLock rlock;
    mp::Condition condition{rlock};
    mp::Semaphore semaphore{3};
    mp::BoundedSemaphore bounded{2};
    mp::Event event;
    mp::Barrier barrier{2};
    mp::Value<long> small{0};
    mp::Value<large> big{filled(0)};
    mp::Array<large> many{4};
    memory::handle<std::atomic<pid_t>> inside = memory::handle<std::atomic<pid_t>>::create(0);
    memory::handle<std::atomic<int>> torn = memory::handle<std::atomic<int>>::create(0); ///< what nobody may see

    void use_lock(long) const {
        lock.acquire(mp::ignore);
        *inside = ::getpid();
        if (*inside != ::getpid()) ++*torn;
        lock.release();
    }
    void use_condition(long i) const { // and the recursive lock, held twice
        rlock.acquire(mp::ignore);
        rlock.acquire();
        try {
            if (i % 8 == 0) condition.wait(1ms);
        } catch (const mp::OwnerDiedError&) {}
        condition.notify(1);
        rlock.release();
        rlock.release();
    }
    void use_semaphore(long) const {
        while (!semaphore.acquire(2ms)) semaphore.recover();
        semaphore.release();
    }
    void use_bounded(long) const {
        while (!bounded.acquire(2ms)) bounded.recover();
        bounded.release();
    }
    void use_event(long i) const {
        event.set();
        if (!event.wait(0s) && i % 16 == 0) event.wait(1ms);
        event.clear();
    }
    void use_barrier(long) const {
        try {
            barrier.wait(10s);
        } catch (const mp::BrokenBarrierError&) {
            barrier.reset();
        }
    }
    void use_values(long i) const {
        const auto at = static_cast<std::size_t>(i % 4);
        small += 1;
        big.update([](const large& l) { return filled(l.same[0] + 1); });
        many.set(at, filled(i));
        if (!whole(big.load()) || !whole(many.get(at))) ++*torn;
    }

    /// After all that: everything works on, and nobody has anything.
    void check() const {
        REQUIRE(*torn == 0);
        lock.acquire(mp::ignore);
        lock.release();
        rlock.acquire(mp::ignore);
        condition.notify_all();
        REQUIRE_FALSE(condition.wait(1ms));
        rlock.release();
        semaphore.recover();
        REQUIRE(semaphore.get_value() == 3);
        bounded.recover();
        REQUIRE(bounded.get_value() == 2);
        REQUIRE_THROWS_AS(bounded.release(), mp::ValueError);
        event.set();
        REQUIRE(event.wait());
        barrier.reset();
        REQUIRE(barrier.n_waiting() == 0);
        REQUIRE_FALSE(barrier.broken());
        REQUIRE(whole(big.load()));
        REQUIRE_FALSE(lock.locked());
        REQUIRE_FALSE(rlock.locked());
        REQUIRE_FALSE(big.get_lock().locked());
    }
};

/// So many members that are killed at random and replaced, each running `work` for ever; until so many are dead, or the
/// time is over. How many died.
template <typename Work>
int kill_at_random(int deaths, unsigned workers, std::chrono::seconds most, Work work) {
    std::mt19937 random(2026);
    testing::children crowd;
    std::vector<pid_t> pids;
    for (unsigned i = 0; i < workers; ++i) pids.push_back(crowd.start(work));
    const auto begin = std::chrono::steady_clock::now();
    int dead = 0;
    while (dead < deaths && std::chrono::steady_clock::now() - begin < most) {
        pid_t& pid = pids[random() % workers];
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
        const int status = crowd.kill(pid);
        REQUIRE(WIFSIGNALED(status)); // it hasn't ended by itself, with an error
        ++dead;
        pid = crowd.start(work);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%d killed at random in %.1f s\n", dead, took.count());
    return dead;
}

void kill_under_load(int deaths, std::chrono::seconds most) {
    const auto before = memory::family::here().objects();
    {
        const everything all;
        const int dead = kill_at_random(deaths, 3, most, [&] {
            for (long i = 0;; ++i) {
                all.use_lock(i);
                all.use_condition(i);
                all.use_semaphore(i);
                all.use_bounded(i);
                all.use_event(i);
                all.use_barrier(i);
                all.use_values(i);
            }
        });
        REQUIRE(dead > 0);
        REQUIRE(all.big.load().same[0] > 0);
        all.check();
    }
    memory::family::here().bury_the_dead();
    REQUIRE(memory::family::here().objects() == before);
}

} // namespace

TEST_CASE("random kills under load, for some seconds: every primitive, and values", "[deaths][sync][slow]") {
    kill_under_load(sanitized() ? 300 : 10'000, 12s);
}

// By hand: MULTIPROCESSING_TEST_TIMEOUT=3600 build/dev/tests/deaths.sync "10000*"
TEST_CASE("10000 random kills under load: every primitive, and values", "[.][deaths][sync][slow]") {
    kill_under_load(10'000, std::chrono::hours(1));
}

TEST_CASE("whoever is killed, at whatever step: those who use the same thing go on", "[deaths][sync]") {
    using one_use = void (everything::*)(long) const;
    const auto [name, use] = GENERATE(table<const char*, one_use>({
        {"a lock", &everything::use_lock},
        {"a condition and its recursive lock", &everything::use_condition},
        {"a semaphore", &everything::use_semaphore},
        {"a bounded semaphore", &everything::use_bounded},
        {"an event", &everything::use_event},
        {"a barrier", &everything::use_barrier},
        {"values", &everything::use_values},
    }));
    INFO(name);
    /// One of those who live: how often it has been through, and its longest way to there, in nanoseconds.
    struct survivor {
        std::atomic<long> turns;
        std::atomic<std::int64_t> longest;
    };
    const everything all;
    const auto survivors = memory::handle<survivor[]>::create(2);
    testing::children crowd;
    for (std::size_t n = 0; n < 2; ++n)
        crowd.start([&, with = use] {
            auto last = std::chrono::steady_clock::now();
            for (long i = 0;; ++i) {
                (all.*with)(i);
                const auto now = std::chrono::steady_clock::now();
                const std::int64_t took = std::chrono::nanoseconds(now - last).count();
                if (took > survivors[n].longest) survivors[n].longest = took;
                last = now;
                ++survivors[n].turns;
            }
        });
    // What a victim does depends on the others; so it lives to its end a few times before the steps are over.
    unsigned step = 0, dead = 0;
    for (int lived = 0; lived < 5; ++step) {
        const bool killed = testing::run_and_kill_at(
            step + 1,
            [&, with = use] {
                for (long i = 0; i < 3; ++i) (all.*with)(i);
            },
            step % 2 == 0); // buried at once, or by whoever notices first
        dead += killed;
        lived += !killed;
        for (std::size_t n = 0; n < 2; ++n) {
            const long before = survivors[n].turns;
            const auto watchdog = std::chrono::steady_clock::now() + 30s;
            while (survivors[n].turns < before + 2) {
                INFO("step " << step + 1 << ", " << testing::last_step());
                if (std::chrono::steady_clock::now() > watchdog) FAIL("it stands still");
                std::this_thread::sleep_for(50us);
            }
        }
    }
    REQUIRE(crowd.kill());
    const std::int64_t longest = std::max(survivors[0].longest.load(), survivors[1].longest.load());
    std::printf("%s: %u killed; the longest that a survivor's turn took is %.2f ms\n", name, dead, double(longest) * 1e-6);
    REQUIRE(dead >= 3);
    all.check();
    memory::family::here().bury_the_dead();
}

TEST_CASE("parties killed at random at a barrier: nobody waits for the dead", "[deaths][sync]") {
    const mp::Barrier barrier(3);
    auto passes = memory::handle<std::atomic<int>>::create(0);
    auto broken = memory::handle<std::atomic<int>>::create(0);
    kill_at_random(sanitized() ? 50 : 300, 3, 20s, [&] {
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
