#include <multiprocessing/sync/barrier.hpp>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

static_assert(memory::MadeOfHandles<mp::Barrier>);

namespace {

/// Comes to the barrier; whether it was broken.
bool breaks(const mp::Barrier& barrier) {
    try {
        barrier.wait();
        return false;
    } catch (const mp::BrokenBarrierError&) {
        return true;
    }
}
void until_waiting(const mp::Barrier& barrier, int n) {
    while (barrier.n_waiting() != n) std::this_thread::yield();
}

} // namespace

TEST_CASE("a barrier of one never blocks, and one of none can't be", "[sync][barrier]") {
    const mp::Barrier alone(1);
    REQUIRE(alone.parties() == 1);
    for (int i = 0; i < 3; ++i) REQUIRE(alone.wait() == 0);
    REQUIRE(alone.wait(0s) == 0);
    REQUIRE(alone.n_waiting() == 0);
    REQUIRE_FALSE(alone.broken());
    REQUIRE_THROWS_AS(mp::Barrier(0), mp::ValueError);
    REQUIRE_THROWS_AS(mp::Barrier(-1), mp::ValueError);
}

TEST_CASE("nobody goes on before all are there, round after round", "[sync][barrier]") {
    constexpr int parties = 5, rounds = 200;
    const mp::Barrier barrier(parties);
    auto came = memory::handle<std::atomic<int>[]>::create(rounds);
    auto numbers = memory::handle<std::atomic<int>[]>::create(rounds);
    const auto pass = [&] {
        for (std::size_t r = 0; r < rounds; ++r) {
            ++came[r];
            const int number = barrier.wait();
            if (came[r] != parties) return false;
            numbers[r] += 1 << (4 * number);
        }
        return true;
    };
    testing::children crowd;
    for (int i = 0; i < 3; ++i)
        crowd.start([&] {
            if (!pass()) ::_exit(1);
        });
    bool thread_good = false;
    std::thread thread([&] { thread_good = pass(); });
    REQUIRE(pass());
    thread.join();
    REQUIRE(thread_good);
    REQUIRE(crowd.join());
    for (std::size_t r = 0; r < rounds; ++r) REQUIRE(numbers[r] == 0x11111);
    REQUIRE(barrier.n_waiting() == 0);
    REQUIRE_FALSE(barrier.broken());
}

TEST_CASE("the action is called once a round, before anybody goes on", "[sync][barrier]") {
    auto calls = memory::handle<std::atomic<int>>::create(0);
    const mp::Barrier barrier(3, [=] { ++*calls; });
    testing::children crowd;
    for (int i = 0; i < 2; ++i)
        crowd.start([&] {
            for (int r = 1; r <= 50; r += 2) { // each wait is a call
                barrier.wait();
                if (*calls != r) ::_exit(1);
                barrier.wait();
            }
        });
    for (int r = 1; r <= 50; r += 2) { // each wait is a call
        barrier.wait();
        REQUIRE(*calls == r);
        barrier.wait();
    }
    REQUIRE(crowd.join());
    REQUIRE(*calls == 50);
}

TEST_CASE("an action that throws breaks the barrier: its caller gets that, the others the error", "[sync][barrier]") {
    const mp::Barrier barrier(2, [] { throw std::string("no"); });
    bool other_broken = false, caught = false;
    std::thread other([&] {
        try {
            barrier.wait();
        } catch (const mp::BrokenBarrierError&) {
            other_broken = true;
        } catch (const std::string&) {}
    });
    until_waiting(barrier, 1);
    try {
        barrier.wait();
    } catch (const std::string& text) {
        caught = text == "no";
    }
    other.join();
    REQUIRE(caught);
    REQUIRE(other_broken);
    REQUIRE(barrier.broken());
    REQUIRE_THROWS_AS(barrier.wait(), mp::BrokenBarrierError);
}

TEST_CASE("abort breaks it for who waits and who comes later, reset mends it", "[sync][barrier]") {
    const mp::Barrier barrier(4);
    testing::children crowd;
    for (int i = 0; i < 3; ++i)
        crowd.start([&] {
            if (!breaks(barrier)) ::_exit(1);
        });
    until_waiting(barrier, 3);
    barrier.abort();
    REQUIRE(crowd.join());
    REQUIRE(barrier.broken());
    REQUIRE(barrier.n_waiting() == 0);
    REQUIRE_THROWS_WITH(barrier.wait(), "the barrier is broken: it was aborted");
    barrier.reset();
    REQUIRE_FALSE(barrier.broken());
    for (int i = 0; i < 3; ++i)
        crowd.start([&] {
            if (breaks(barrier)) ::_exit(1);
        });
    barrier.wait();
    REQUIRE(crowd.join());
}

TEST_CASE("reset tells who waits, and is as new", "[sync][barrier]") {
    const mp::Barrier barrier(3);
    testing::children crowd;
    for (int i = 0; i < 2; ++i)
        crowd.start([&] {
            if (!breaks(barrier)) ::_exit(1);
            if (breaks(barrier)) ::_exit(2);
        });
    until_waiting(barrier, 2);
    barrier.reset();
    REQUIRE_FALSE(barrier.broken());
    barrier.wait();
    REQUIRE(crowd.join());
    barrier.reset(); // nobody waits
    REQUIRE_FALSE(barrier.broken());
}

TEST_CASE("when one's time is over, nobody gets through", "[sync][barrier]") {
    const mp::Barrier barrier(3), by_default(2, {}, 50ms);
    testing::children crowd;
    crowd.start([&] {
        if (!breaks(barrier)) ::_exit(1);
    });
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_THROWS_WITH(barrier.wait(60ms), testing::contains("time"));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 60ms);
    REQUIRE(crowd.join());
    REQUIRE_THROWS_AS(barrier.wait(), mp::BrokenBarrierError);
    REQUIRE_THROWS_AS(by_default.wait(), mp::BrokenBarrierError);
    by_default.reset();
    REQUIRE_THROWS_AS(by_default.wait(0s), mp::BrokenBarrierError);
}

TEST_CASE("while the action runs, time doesn't count, and who comes too many waits for the next round",
          "[sync][barrier]") {
    std::atomic<int> stage{0};
    const mp::Barrier barrier(2, [&] {
        if (stage != 0) return;
        stage = 1;
        while (stage != 2) std::this_thread::yield();
    });
    int wrong = 0;
    std::thread patient([&] {
        try {
            barrier.wait(30ms); // over while the action runs
        } catch (const mp::BrokenBarrierError&) {
            ++wrong;
        }
    });
    until_waiting(barrier, 1);
    std::thread last([&] { barrier.wait(); });
    while (stage != 1) std::this_thread::yield();
    std::thread early([&] { barrier.wait(); });
    std::this_thread::sleep_for(60ms);
    stage = 2;
    patient.join();
    last.join();
    until_waiting(barrier, 1);
    barrier.wait();
    early.join();
    REQUIRE(wrong == 0);
}

TEST_CASE("a party that dies while it waits breaks the barrier for the others", "[sync][barrier]") {
    const mp::Barrier barrier(4);
    testing::children crowd;
    for (int round = 0; round < 5; ++round) {
        const pid_t doomed = crowd.start([&] { barrier.wait(); });
        until_waiting(barrier, 1);
        for (int i = 0; i < 2; ++i)
            crowd.start([&] {
                if (!breaks(barrier)) ::_exit(1);
            });
        until_waiting(barrier, 3);
        crowd.kill(doomed);
        REQUIRE(crowd.join());
        REQUIRE(barrier.broken());
        REQUIRE_THROWS_WITH(barrier.wait(), "the barrier is broken: one who waited there died");
        barrier.reset();
    }
}

TEST_CASE("who dies in the action breaks the barrier as well", "[sync][barrier]") {
    const mp::Barrier barrier(3, [] { ::raise(SIGKILL); });
    testing::children crowd;
    std::vector<pid_t> pids;
    for (int i = 0; i < 3; ++i)
        pids.push_back(crowd.start([&] {
            if (!breaks(barrier)) ::_exit(1);
        }));
    int killed = 0;
    for (const pid_t pid : pids) killed += WIFSIGNALED(crowd.join(pid));
    REQUIRE(killed == 1);
    REQUIRE(barrier.broken());
}

TEST_CASE("killed at any step of coming to a barrier, a party leaves nobody waiting", "[sync][barrier]") {
    // As the first to come and as the last; each with another one that waits.
    const bool last = GENERATE(false, true);
    const bool with_action = GENERATE(false, true);
    const mp::Barrier barrier(2, with_action ? std::function<void()>([] {}) : std::function<void()>());
    const auto has_ended = [](pid_t child) {
        siginfo_t ended{};
        ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
        return ended.si_pid == child;
    };
    unsigned k = 1;
    for (bool killed = true; killed; ++k) {
        testing::children crowd;
        pid_t other = 0;
        const auto start_other = [&] {
            other = crowd.start([&] {
                try {
                    barrier.wait();
                } catch (const mp::BrokenBarrierError& error) {
                    if (std::string(error.what()).find("died") == std::string::npos) ::_exit(1);
                }
            });
        };
        if (last) {
            start_other();
            until_waiting(barrier, 1);
        }
        const pid_t doomed = crowd.start([&] {
            testing::arm(k);
            try {
                barrier.wait();
            } catch (const mp::BrokenBarrierError&) {
                ::_exit(1);
            }
            testing::disarm();
        });
        if (!last) {
            while (!has_ended(doomed) && barrier.n_waiting() == 0) std::this_thread::yield();
            start_other();
        }
        // Where it died before it had come, this one comes in its stead.
        while (!has_ended(other)) {
            if (has_ended(doomed) && barrier.n_waiting() == 1) static_cast<void>(breaks(barrier));
            std::this_thread::yield();
        }
        INFO("killed at step " << k);
        REQUIRE(crowd.join(other) == 0);
        killed = crowd.join(doomed) != 0;
        barrier.reset();
        REQUIRE(barrier.n_waiting() == 0);
        REQUIRE_FALSE(barrier.broken());
    }
    REQUIRE(k >= 6); // the portable back end has fewer steps
}
