#include <multiprocessing/sync/event.hpp>

#include <csignal>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

static_assert(memory::MadeOfHandles<mp::Event>);

TEST_CASE("an event is clear, set, and clear again", "[sync][event]") {
    const mp::Event event;
    REQUIRE_FALSE(event.is_set());
    REQUIRE_FALSE(event.wait(0s));
    REQUIRE_FALSE(event.wait(-1s));
    event.set();
    event.set();
    REQUIRE(event.is_set());
    REQUIRE(event.wait());
    REQUIRE(event.wait(0s));
    event.clear();
    event.clear();
    REQUIRE_FALSE(event.is_set());
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_FALSE(event.wait(60ms));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 60ms);
}

TEST_CASE("set wakes all who wait, in threads and processes", "[sync][event]") {
    const mp::Event event;
    auto waiting = memory::handle<std::atomic<int>>::create(0);
    testing::children crowd;
    for (int i = 0; i < 3; ++i)
        crowd.start([&] {
            ++*waiting;
            if (!event.wait()) ::_exit(1);
        });
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            ++*waiting;
            event.wait();
        });
    while (*waiting != 6) std::this_thread::yield();
    event.set();
    for (auto& t : threads) t.join();
    REQUIRE(crowd.join());
}

TEST_CASE("who waits while it is set and cleared has seen it", "[sync][event]") {
    const mp::Event event, ready;
    testing::children crowd;
    for (int round = 0; round < 50; ++round) {
        const pid_t child = crowd.start([&] {
            ready.set();
            if (!event.wait(60s)) ::_exit(1);
        });
        ready.wait();
        ready.clear();
        // Again until it has seen one: it may not wait yet.
        for (siginfo_t ended{}; ended.si_pid != child; std::this_thread::yield()) {
            event.set();
            event.clear();
            ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
        }
        REQUIRE(crowd.join(child) == 0);
    }
}

TEST_CASE("two processes hand an event back and forth", "[sync][event]") {
    const mp::Event ping, pong;
    testing::children crowd;
    crowd.start([&] {
        for (int i = 0; i < 2000; ++i) {
            ping.wait();
            ping.clear();
            pong.set();
        }
    });
    for (int i = 0; i < 2000; ++i) {
        ping.set();
        pong.wait();
        pong.clear();
    }
    REQUIRE(crowd.join());
}

TEST_CASE("it is set in a signal handler", "[sync][event]") {
    static const mp::Event* of_handler = nullptr;
    const mp::Event event;
    of_handler = &event;
    struct sigaction action {
    }, before{};
    action.sa_handler = [](int) { of_handler->set(); };
    ::sigaction(SIGUSR1, &action, &before);
    std::thread waiter([&] { event.wait(); });
    ::raise(SIGUSR1);
    waiter.join();
    REQUIRE(event.is_set());
    // In the very thread that waits, which the handler interrupts.
    event.clear();
    const auto main_thread = ::pthread_self();
    std::thread other([&] { ::pthread_kill(main_thread, SIGUSR1); });
    REQUIRE(event.wait());
    other.join();
    ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("a killed waiter keeps nobody from anything", "[sync][event]") {
    const mp::Event event, ready;
    testing::children crowd;
    for (int round = 0; round < 20; ++round) {
        const pid_t doomed = crowd.start([&] {
            ready.set();
            event.wait();
        });
        const pid_t other = crowd.start([&] {
            if (!event.wait(60s)) ::_exit(1);
        });
        ready.wait();
        crowd.kill(doomed);
        event.set();
        REQUIRE(crowd.join(other) == 0);
        event.clear();
        ready.clear();
    }
}

TEST_CASE("killed at any step of set, clear and wait, a process leaves an event that works", "[sync][event]") {
    const mp::Event event;
    testing::children crowd;
    const auto steps = testing::kill_at_every_step(
        [&] {
            event.wait(1ms); // sleeps at most so long
            event.set();
            event.clear();
            event.set();
        },
        [&](unsigned) {
            event.clear();
            const pid_t waiter = crowd.start([&] {
                if (!event.wait(60s)) ::_exit(1);
            });
            event.set();
            REQUIRE(crowd.join(waiter) == 0);
            event.clear();
        });
    REQUIRE(steps >= 5);
}

TEST_CASE("a setter that is killed before it wakes anybody has set it all the same", "[sync][event]") {
    for (unsigned k = 1; k <= 2; ++k) {
        const mp::Event event, ready;
        testing::children crowd;
        const pid_t waiter = crowd.start([&] {
            ready.set();
            if (!event.wait(60s)) ::_exit(1);
        });
        ready.wait();
        const timespec moment{0, 5'000'000}; // so that it sleeps, most likely
        ::nanosleep(&moment, nullptr);
        REQUIRE(testing::run_and_kill_at(k, [&] { event.set(); }));
        REQUIRE(crowd.join(waiter) == 0);
    }
}
