#include <multiprocessing/sync/owned_lock.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>

#include <multiprocessing/sync/lock.hpp>
#include <multiprocessing/sync/recursive_lock.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

namespace {

template <typename L>
concept TimedLockable = requires(L& lock, std::chrono::milliseconds time, std::chrono::steady_clock::time_point when) {
    lock.lock();
    { lock.try_lock() } -> std::same_as<bool>;
    { lock.try_lock_for(time) } -> std::same_as<bool>;
    { lock.try_lock_until(when) } -> std::same_as<bool>;
    lock.unlock();
};
static_assert(TimedLockable<mp::Lock> && TimedLockable<mp::RLock>);
static_assert(TimedLockable<const mp::Lock> && TimedLockable<const mp::RLock>); // in a lambda that isn't mutable
static_assert(memory::MadeOfHandles<mp::Lock> && memory::MadeOfHandles<mp::RLock>);
static_assert(std::is_nothrow_copy_constructible_v<mp::Lock> && std::is_nothrow_move_constructible_v<mp::Lock>);
static_assert(sizeof(mp::sync::owned_lock_state) <= 64);

std::uint64_t objects() { return memory::family::here().objects(); }

/// What another thread gets when it tries.
template <typename L>
bool free_for_others(const L& lock) {
    bool got = false;
    std::thread([&] {
        got = lock.acquire(false);
        if (got) lock.release();
    }).join();
    return got;
}

} // namespace

TEMPLATE_TEST_CASE("the guards of the standard library hold it", "[sync][lock]", mp::Lock, mp::RLock) {
    const TestType lock;
    {
        std::scoped_lock guard(lock);
        REQUIRE(lock.locked());
        REQUIRE(lock.held_here());
        REQUIRE_FALSE(free_for_others(lock));
    }
    REQUIRE_FALSE(lock.locked());
    {
        std::unique_lock guard(lock, std::defer_lock);
        REQUIRE(guard.try_lock_for(1ms));
        guard.unlock();
        REQUIRE(guard.try_lock_until(std::chrono::system_clock::now() + 1s));
        REQUIRE_FALSE(free_for_others(lock));
    }
    {
        const TestType other;
        std::scoped_lock both(lock, other);
        REQUIRE(other.locked());
    }
    REQUIRE(free_for_others(lock));
}

TEMPLATE_TEST_CASE("std::condition_variable_any waits with it", "[sync][lock]", mp::Lock, mp::RLock) {
    TestType lock;
    std::condition_variable_any changed;
    bool ready = false;
    std::thread other([&] {
        std::scoped_lock guard(lock);
        ready = true;
        changed.notify_one();
    });
    {
        std::unique_lock guard(lock);
        changed.wait(guard, [&] { return ready; });
        REQUIRE(lock.held_here());
    }
    other.join();
}

TEMPLATE_TEST_CASE("copies are the same lock, and may be assigned and moved", "[sync][lock]", mp::Lock, mp::RLock) {
    const auto before = objects();
    {
        TestType a;
        TestType b = a;
        REQUIRE(a == b);
        TestType c;
        REQUIRE_FALSE(a == c);
        a.acquire();
        REQUIRE(b.locked());
        b.release();
        c = a;
        REQUIRE(objects() == before + 1);
        const TestType d = std::move(c);
        REQUIRE(d == a);
    }
    REQUIRE(objects() == before);
}

TEMPLATE_TEST_CASE("acquire with every kind of argument", "[sync][lock]", mp::Lock, mp::RLock) {
    const TestType lock;
    const auto check = [&](bool got) {
        REQUIRE(got);
        lock.release();
    };
    check(lock.acquire());
    check(lock.acquire(true));
    check(lock.acquire(false));
    check(lock.acquire(10ms));
    check(lock.acquire(-1s));
    check(lock.acquire(0.5s));
    check(lock.acquire(true, 1h));
    check(lock.acquire(false, 1h));
    check(lock.acquire(mp::ignore));
    check(lock.acquire(true, mp::ignore));
    check(lock.acquire(false, mp::ignore));
    check(lock.acquire(std::chrono::hours::max(), mp::ignore));
}

TEMPLATE_TEST_CASE("what somebody else holds can't be had, at once or in time", "[sync][lock]", mp::Lock, mp::RLock) {
    const TestType lock;
    lock.acquire();
    bool any = false;
    const auto begin = std::chrono::steady_clock::now();
    std::thread([&] {
        any = lock.acquire(false) || lock.acquire(0s) || lock.acquire(-1s) || lock.acquire(20ms) ||
              lock.acquire(true, 10ms) || lock.acquire(false, 1h) || lock.try_lock() || lock.try_lock_for(5ms) ||
              lock.try_lock_until(std::chrono::steady_clock::now() + 5ms) || lock.acquire(5ms, mp::ignore) ||
              lock.acquire(false, mp::ignore);
    }).join();
    REQUIRE_FALSE(any);
    REQUIRE(std::chrono::steady_clock::now() - begin >= 45ms);
    lock.release();
}

TEMPLATE_TEST_CASE("only the holder releases it", "[sync][lock]", mp::Lock, mp::RLock) {
    const TestType lock;
    REQUIRE_THROWS_AS(lock.release(), mp::ValueError);
    lock.acquire();
    bool refused = false;
    std::thread([&] {
        try {
            lock.release();
        } catch (const mp::ValueError&) {
            refused = true;
        }
    }).join();
    REQUIRE(refused);
    REQUIRE_FALSE(testing::run_and_kill_at(0, [&] {
        try {
            lock.release();
        } catch (const mp::ValueError&) {
            return;
        }
        ::_exit(1);
    }));
    REQUIRE(lock.held_here());
    lock.release();
    REQUIRE_THROWS_AS(lock.release(), mp::ValueError);
}

TEMPLATE_TEST_CASE("when its holder dies, the next one is told once, and holds it", "[sync][lock]", mp::Lock,
                   mp::RLock) {
    const TestType lock;
    const auto let_one_die = [&] {
        testing::run_and_kill_at(0, [&] {
            lock.acquire();
            if constexpr (std::is_same_v<TestType, mp::RLock>) lock.acquire();
            ::raise(SIGKILL);
        });
    };
    let_one_die();
    REQUIRE_THROWS_AS(lock.acquire(), mp::OwnerDiedError);
    REQUIRE(lock.held_here());
    lock.release();
    REQUIRE(free_for_others(lock));

    let_one_die();
    REQUIRE_THROWS_AS(lock.acquire(1s), mp::OwnerDiedError);
    lock.release();
    REQUIRE_THROWS_AS(lock.release(), mp::ValueError);

    let_one_die();
    REQUIRE(lock.acquire(mp::ignore));
    lock.release();

    let_one_die();
    try {
        std::scoped_lock guard(lock);
        FAIL("there was nothing to tell");
    } catch (const mp::OwnerDiedError&) {
        std::scoped_lock guard(std::adopt_lock, lock);
        REQUIRE(lock.held_here());
    }
    REQUIRE(free_for_others(lock));
}

TEMPLATE_TEST_CASE("killed at any step of acquire and release, a process leaves a lock that works", "[sync][lock]",
                   mp::Lock, mp::RLock) {
    const auto before = objects();
    {
        const TestType lock;
        const auto steps = testing::kill_at_every_step(
            [&] {
                lock.acquire();
                lock.release();
                { const TestType copy = (lock.acquire(true), lock); }
                lock.release();
                const TestType own;
                own.acquire();
            },
            [&](unsigned) {
                lock.acquire(mp::ignore);
                lock.release();
                lock.acquire();
                lock.release();
            });
        REQUIRE(steps >= 10);
    }
    REQUIRE(objects() == before);
}

TEMPLATE_TEST_CASE("the last handle of a lock goes while it is held: the memory stays until it is released",
                   "[sync][lock]", mp::Lock, mp::RLock) {
    const auto before = objects();
    {
        const TestType lock;
        lock.acquire();
        for (int i = 0; i < 10; ++i) const TestType copy = lock;
        lock.release();
    }
    REQUIRE(objects() == before);
    // Nobody can release it any more: it stays, and the list that leads through it with it, until its process ends.
    testing::run_and_kill_at(0, [] {
        {
            const TestType lost;
            lost.acquire();
        }
        const auto count = objects();
        for (int i = 0; i < 100; ++i) {
            TestType other;
            std::scoped_lock guard(other);
        }
        if (objects() != count) ::_exit(1);
    });
    REQUIRE(objects() == before);
}

TEMPLATE_TEST_CASE("a child of a thread that forks while another holds the lock waits for it", "[sync][lock]", mp::Lock,
                   mp::RLock) {
    const TestType lock;
    const auto attempts = memory::handle<std::atomic<int>>::create(0);
    std::atomic<int> stage{0};
    std::thread holder([&] {
        lock.acquire();
        stage = 1;
        while (stage != 2) std::this_thread::yield();
        lock.release();
    });
    while (stage != 1) std::this_thread::yield();
    std::atomic<int>& tried = *attempts;
    testing::children children;
    children.start([&] {
        const bool first = lock.acquire(false);
        const bool second = lock.acquire(30ms); // its holder in the parent lives
        if (first || second || lock.held_here()) ::_exit(1);
        tried = 1;
        lock.acquire();
        lock.release();
    });
    while (tried == 0) std::this_thread::yield();
    stage = 2;
    holder.join();
    REQUIRE(children.join());
}

TEMPLATE_TEST_CASE("processes and threads together exclude one another", "[sync][lock]", mp::Lock, mp::RLock) {
    const TestType lock;
    auto numbers = memory::handle<long[]>::create(2);
    constexpr int rounds = 2000;
    const auto add = [&] {
        for (int i = 0; i < rounds; ++i) {
            std::scoped_lock guard(lock);
            ++numbers[0];
            ++numbers[1];
        }
    };
    testing::children children;
    for (int i = 0; i < 2; ++i)
        children.start([&] {
            std::thread other(add);
            add();
            other.join();
        });
    std::thread other(add);
    add();
    other.join();
    REQUIRE(children.join());
    REQUIRE(numbers[0] == 6L * rounds);
    REQUIRE(numbers[1] == 6L * rounds);
}
