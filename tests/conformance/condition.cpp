// CPython's _TestCondition, under fork. T065: handlers of signals throw nothing in C++, and a signal is invisible.
#include <multiprocessing/synchronize.hpp>

#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

/// Waits, and says when it sleeps and when it has woken.
struct sleeper {
    mp::Condition condition;
    mp::Semaphore sleeping{0}, woken{0};

    void run(mp::os::deadline until = mp::os::deadline::never()) const {
        condition.acquire();
        sleeping.release();
        if (until.is_never())
            condition.wait();
        else
            condition.wait(until.left());
        woken.release();
        condition.release();
    }
    void notify(unsigned n) const {
        const std::scoped_lock guard(condition);
        condition.notify(n);
    }
    void until_asleep(int n) const {
        for (int i = 0; i < n; ++i) sleeping.acquire();
        const std::scoped_lock guard(condition); // so all of them are in wait()
    }
    void expect_woken(int n) const {
        for (int i = 0; i < n; ++i) REQUIRE(woken.acquire(30s));
        REQUIRE_FALSE(woken.acquire(20ms));
    }
};

} // namespace

TEST_CASE("T058: notify wakes one of a process and a thread, the next one the other", "[conformance][condition]") {
    const sleeper s;
    mp::Process p([s] { s.run(); });
    p.start();
    std::thread t([s] { s.run(); });
    s.until_asleep(2);
    s.expect_woken(0);
    s.notify(1);
    s.expect_woken(1);
    s.notify(1);
    s.expect_woken(1);
    t.join();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("T059, T060: so many are woken as were to be, after others whose time was over", "[conformance][condition]") {
    const sleeper s;
    std::vector<mp::Process> processes;
    std::vector<std::thread> threads;
    const auto start = [&](auto wait) {
        for (int i = 0; i < 3; ++i) { // processes first: a fork among threads is warned of
            processes.emplace_back(wait);
            processes.back().start();
        }
        for (int i = 0; i < 3; ++i) threads.emplace_back(wait);
    };
    const auto join_threads = [&] {
        for (auto& t : threads) t.join();
        threads.clear();
    };
    start([s] { s.run(mp::os::deadline(30ms)); });
    s.until_asleep(6);
    s.expect_woken(6);
    join_threads();
    start([s] { s.run(); });
    s.until_asleep(6);
    s.expect_woken(0);
    s.notify(2);
    s.expect_woken(2);
    s.notify(4);
    s.expect_woken(4);
    s.notify(3);
    s.expect_woken(0);
    join_threads();
    start([s] { s.run(); });
    s.until_asleep(6);
    {
        const std::scoped_lock guard(s.condition);
        s.condition.notify_all();
    }
    s.expect_woken(6);
    join_threads();
    for (auto& p : processes) {
        p.join();
        REQUIRE(p.exitcode() == 0);
    }
}

TEST_CASE("T061, T064: what wait says", "[conformance][condition]") {
    const mp::Condition c;
    const std::scoped_lock guard(c);
    REQUIRE_FALSE(c.wait(0s));
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_FALSE(c.wait(100ms));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 100ms);
    mp::Process p([c] {
        const std::scoped_lock lock(c);
        c.notify();
    });
    p.start();
    REQUIRE(c.wait(60s));
    p.join();
}

TEST_CASE("T062: wait_for, each side for the other", "[conformance][condition]") {
    const mp::Condition c;
    const mp::Value<int> state(-1);
    mp::Process p([=] {
        const std::scoped_lock guard(c);
        state = 0;
        c.notify();
        if (!c.wait_for([&] { return state == 4; })) mp::exit(1);
    });
    {
        const std::scoped_lock guard(c);
        p.start();
        REQUIRE(c.wait_for([&] { return state == 0; }));
    }
    for (int i = 0; i < 4; ++i) {
        const std::scoped_lock guard(c);
        state += 1;
        c.notify();
    }
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("T063: wait_for with a time, notified too often to no purpose", "[conformance][condition]") {
    const mp::Condition c;
    const mp::Value<int> state(0);
    const mp::Semaphore ready(0);
    mp::Process p([=] {
        const std::scoped_lock guard(c);
        ready.release();
        const auto begin = std::chrono::steady_clock::now();
        const bool result = c.wait_for([&] { return state == 4; }, 100ms);
        mp::exit(!result && std::chrono::steady_clock::now() - begin >= 100ms ? 0 : 1);
    });
    p.start();
    ready.acquire();
    for (int i = 0; i < 3; ++i) {
        const std::scoped_lock guard(c);
        state += 1;
        c.notify();
    }
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("T065, otherwise: a signal in the middle of a wait changes nothing", "[conformance][condition]") {
    struct sigaction action {
    }, before{};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, &before);
    const mp::Condition c;
    const pid_t me = ::getpid();
    mp::Process p([=] {
        for (int i = 0; i < 10; ++i) {
            ::kill(me, SIGUSR1);
            std::this_thread::sleep_for(2ms);
        }
        const std::scoped_lock guard(c);
        c.notify();
    });
    {
        const std::scoped_lock guard(c);
        p.start();
        REQUIRE(c.wait());
        REQUIRE(c.held_here());
    }
    p.join();
    ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("T245: a condition is acquired and released in the child", "[conformance][condition]") {
    const mp::Condition c;
    mp::Process p([=] {
        c.acquire();
        c.release();
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}
