// CPython's _TestBarrier, under fork, with five parties.
#include <multiprocessing/synchronize.hpp>

#include <vector>

#include <unistd.h>

#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

constexpr int N = 5;

/// f in N - 1 processes and in this one.
template <typename F>
void run_everywhere(F f) {
    std::vector<mp::Process> others;
    for (int i = 0; i < N - 1; ++i) {
        others.emplace_back(f);
        others.back().start();
    }
    f();
    for (auto& p : others) {
        p.join();
        REQUIRE(p.exitcode() == 0);
    }
}

} // namespace

TEST_CASE("T069: in lockstep", "[conformance][barrier]") {
    const int passes = GENERATE(1, 10);
    const mp::Barrier barrier(N);
    const mp::Value<int> first(0), second(0), wrong(0);
    run_everywhere([=] {
        for (int i = 0; i < passes; ++i) {
            ++first;
            if (second != i * N) ++wrong;
            barrier.wait();
            ++second;
            if (first != (i + 1) * N) ++wrong;
            barrier.wait();
        }
    });
    REQUIRE(wrong == 0);
    REQUIRE(barrier.n_waiting() == 0);
    REQUIRE_FALSE(barrier.broken());
}

TEST_CASE("T070: one of them gets 0, and each a number of its own", "[conformance][barrier]") {
    const mp::Barrier barrier(N);
    const mp::Value<int> zeros(0), sum(0);
    run_everywhere([=] {
        const int number = barrier.wait();
        if (number == 0) ++zeros;
        sum += 1 << number;
    });
    REQUIRE(zeros == 1);
    REQUIRE(sum == (1 << N) - 1);
}

TEST_CASE("T071: the action runs once, before anybody goes on", "[conformance][barrier]") {
    const mp::Value<int> actions(0), wrong(0);
    const mp::Barrier barrier(N, [=] { ++actions; });
    run_everywhere([=] {
        barrier.wait();
        if (actions != 1) ++wrong;
    });
    REQUIRE(actions == 1);
    REQUIRE(wrong == 0);
}

TEST_CASE("T072: abort", "[conformance][barrier]") {
    const mp::Barrier barrier(N);
    const mp::Value<int> came(0), passed(0);
    run_everywhere([=] {
        try {
            if (++came == N / 2) {
                barrier.abort();
                return;
            }
            barrier.wait();
            ++passed;
        } catch (const mp::BrokenBarrierError&) {
            --passed;
        }
    });
    REQUIRE(passed == -(N - 1));
    REQUIRE(barrier.broken());
}

TEST_CASE("T073: reset while the others wait", "[conformance][barrier]") {
    const mp::Barrier barrier(N);
    const mp::Value<int> came(0), first(0), told(0), second(0);
    run_everywhere([=] {
        if (++came == N / 2) {
            while (barrier.n_waiting() < N - 1) ::usleep(100);
            barrier.reset();
        } else {
            try {
                barrier.wait();
                ++first;
            } catch (const mp::BrokenBarrierError&) {
                ++told;
            }
        }
        barrier.wait();
        ++second;
    });
    REQUIRE(first == 0);
    REQUIRE(told == N - 1);
    REQUIRE(second == N);
}

TEST_CASE("T074: abort, then reset, by means of a second barrier", "[conformance][barrier]") {
    const mp::Barrier barrier(N), other(N);
    const mp::Value<int> came(0), first(0), told(0), second(0);
    run_everywhere([=] {
        try {
            if (++came == N / 2) {
                barrier.abort();
            } else {
                barrier.wait();
                ++first;
            }
        } catch (const mp::BrokenBarrierError&) {
            ++told;
        }
        if (other.wait() == N / 2) barrier.reset();
        other.wait();
        barrier.wait();
        ++second;
    });
    REQUIRE(first == 0);
    REQUIRE(told == N - 1);
    REQUIRE(second == N);
}

TEST_CASE("T075, T076: one comes too late, by wait's time or the constructor's", "[conformance][barrier]") {
    const bool by_default = GENERATE(false, true);
    const mp::Barrier barrier = by_default ? mp::Barrier(N, {}, 50ms) : mp::Barrier(N);
    const mp::Value<int> came(0), told(0);
    run_everywhere([=] {
        if (++came == N / 2)
            while (!barrier.broken()) ::usleep(100);
        try {
            if (by_default)
                barrier.wait();
            else
                barrier.wait(50ms);
        } catch (const mp::BrokenBarrierError&) {
            ++told;
        }
    });
    REQUIRE(told == N);
}

TEST_CASE("T077: alone", "[conformance][barrier]") {
    const mp::Barrier barrier(1);
    barrier.wait();
    barrier.wait();
}

TEST_CASE("T078: a thousand passes stay in order", "[conformance][barrier]") {
    const mp::Barrier barrier(N);
    const mp::Value<int> arrivals(0), wrong(0);
    run_everywhere([=] {
        for (int i = 0; i < 1000; ++i) {
            barrier.wait();
            const int n = ++arrivals;
            if ((n - 1) / N != i) ++wrong;
        }
    });
    REQUIRE(arrivals == 1000 * N);
    REQUIRE(wrong == 0);
}

TEST_CASE("T245: a barrier's parties are asked for and it is reset in a child", "[conformance][barrier]") {
    const mp::Barrier barrier(N);
    mp::Process p([=] {
        barrier.reset();
        mp::exit(barrier.parties() == N ? 0 : 1);
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}
