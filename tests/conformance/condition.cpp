// CPython's _TestCondition, under each start method. T065: handlers of signals throw nothing in C++, and a signal is invisible.
#include <multiprocessing/synchronize.hpp>

#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds no_limit{-1};

/// Waits, and says when it sleeps and when it has woken.
struct sleeper {
    mp::Condition condition;
    mp::Semaphore sleeping{0}, woken{0};

    void run(std::chrono::milliseconds limit = no_limit) const {
        condition.acquire();
        sleeping.release();
        if (limit == no_limit)
            condition.wait();
        else
            condition.wait(limit);
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

void run(sleeper s, std::chrono::milliseconds limit) { s.run(limit); }

} // namespace

TEST_CASE("T058: notify wakes one of a process and a thread, the next one the other", "[conformance][condition]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const sleeper s;
    auto p = ctx.Process(run, s, no_limit);
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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const sleeper s;
    std::vector<mp::Process> processes;
    std::vector<std::thread> threads;
    const auto start = [&](std::chrono::milliseconds limit) {
        for (int i = 0; i < 3; ++i) { // processes first: a fork among threads is warned of
            processes.push_back(ctx.Process(run, s, limit));
            processes.back().start();
        }
        for (int i = 0; i < 3; ++i) threads.emplace_back(run, s, limit);
    };
    const auto join_threads = [&] {
        for (auto& t : threads) t.join();
        threads.clear();
    };
    start(30ms);
    s.until_asleep(6);
    s.expect_woken(6);
    join_threads();
    start(no_limit);
    s.until_asleep(6);
    s.expect_woken(0);
    s.notify(2);
    s.expect_woken(2);
    s.notify(4);
    s.expect_woken(4);
    s.notify(3);
    s.expect_woken(0);
    join_threads();
    start(no_limit);
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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Condition c;
    const std::scoped_lock guard(c);
    REQUIRE_FALSE(c.wait(0s));
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_FALSE(c.wait(100ms));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 100ms);
    auto p = ctx.Process(
        [](mp::Condition awaited) {
            const std::scoped_lock lock(awaited);
            awaited.notify();
        },
        c);
    p.start();
    REQUIRE(c.wait(60s));
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("T062: wait_for, each side for the other", "[conformance][condition]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Condition c;
    const mp::Value<int> state(-1);
    auto p = ctx.Process(
        [](mp::Condition changed, mp::Value<int> shared) {
            const std::scoped_lock guard(changed);
            shared = 0;
            changed.notify();
            if (!changed.wait_for([&] { return shared == 4; })) mp::exit(1);
        },
        c, state);
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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Condition c;
    const mp::Value<int> state(0);
    const mp::Semaphore ready(0);
    auto p = ctx.Process(
        [](mp::Condition changed, mp::Value<int> shared, mp::Semaphore waits) {
            const std::scoped_lock guard(changed);
            waits.release();
            const auto begin = std::chrono::steady_clock::now();
            const bool result = changed.wait_for([&] { return shared == 4; }, 100ms);
            mp::exit(!result && std::chrono::steady_clock::now() - begin >= 100ms ? 0 : 1);
        },
        c, state, ready);
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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    struct sigaction action {
    }, before{};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, &before);
    const mp::Condition c;
    auto p = ctx.Process(
        [](mp::Condition awaited, pid_t waiter) {
            for (int i = 0; i < 10; ++i) {
                ::kill(waiter, SIGUSR1);
                std::this_thread::sleep_for(2ms);
            }
            const std::scoped_lock guard(awaited);
            awaited.notify();
        },
        c, ::getpid());
    {
        const std::scoped_lock guard(c);
        p.start();
        REQUIRE(c.wait());
        REQUIRE(c.held_here());
    }
    p.join();
    REQUIRE(p.exitcode() == 0);
    ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("T245: a condition is acquired and released in the child", "[conformance][condition]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Condition c;
    auto p = ctx.Process(
        [](mp::Condition taken) {
            taken.acquire();
            taken.release();
        },
        c);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("a condition is printed with its lock, and with how many wait", "[conformance][condition]") {
    const mp::Condition c;
    REQUIRE(to_string(c) == "<Condition(<RLock(None, 0)>, 0)>");
    REQUIRE(to_string(mp::Condition(mp::Lock())) == "<Condition(<Lock(owner=None)>, 0)>");
    const mp::Event waits;
    mp::Process p([=] {
        const std::scoped_lock guard(c);
        waits.set();
        c.wait();
    });
    p.start();
    waits.wait();
    {
        const std::scoped_lock guard(c);
        REQUIRE(fmt::format("{}", c) == "<Condition(<RLock(MainProcess, 1)>, 1)>");
        c.notify();
        REQUIRE(to_string(c) == "<Condition(<RLock(MainProcess, 1)>, 0)>");
    }
    p.join();
}
