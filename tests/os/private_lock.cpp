#include <multiprocessing/os/private_lock.hpp>

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

TEST_CASE("one thread at a time holds a private lock", "[os][private_lock]") {
    os::private_lock lock;
    long count = 0; // not atomic: the lock is what makes it right
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) {
                const std::lock_guard held(lock);
                ++count;
            }
        });
    for (auto& t : threads) t.join();
    REQUIRE(count == 80'000);
}

TEST_CASE("a private lock is tried without waiting", "[os][private_lock]") {
    os::private_lock lock;
    REQUIRE(lock.try_lock());
    REQUIRE_FALSE(lock.try_lock());
    lock.unlock();
    REQUIRE(lock.try_lock());
    lock.unlock();
}

TEST_CASE("held across fork, a private lock is unlocked by parent and child, each its own", "[os][private_lock]") {
    os::private_lock lock;
    lock.lock();
    const pid_t child = ::fork();
    if (child == 0) {
        lock.unlock();
        ::_exit(lock.try_lock() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WEXITSTATUS(status) == 0);
    REQUIRE_FALSE(lock.try_lock()); // the child's doings are its own
    lock.unlock();
    REQUIRE(lock.try_lock());
    lock.unlock();
}

TEST_CASE("a private lock is waited for until a deadline", "[os][private_lock]") {
    os::private_lock lock;
    REQUIRE(lock.try_lock_until(os::deadline::never()));
    REQUIRE_FALSE(lock.try_lock_until(os::deadline::after(std::chrono::milliseconds(5))));
    std::thread other([&] {
        if (lock.try_lock_until(os::deadline::never())) lock.unlock();
    });
    lock.unlock();
    other.join();
    REQUIRE(lock.try_lock_until(os::deadline::after(std::chrono::nanoseconds(0)))); // as one who gave up has left it
    lock.unlock();
    REQUIRE(lock.try_lock());
}
