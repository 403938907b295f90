// CPython's _TestBarrier, under each start method, with five parties.
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <string>
#include <vector>

#include <unistd.h>

#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/serialization.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

constexpr int N = 5;

/// f in N - 1 processes and in this one, which comes last.
template <typename F, typename... Shared>
void run_everywhere(const testing::context& ctx, F f, const Shared&... shared) {
    std::vector<mp::Process> others;
    for (int i = 0; i < N - 1; ++i) {
        others.push_back(ctx.Process(f, shared...));
        others.back().start();
    }
    f(shared...);
    for (auto& p : others) {
        p.join();
        REQUIRE(p.exitcode() == 0);
    }
}

/// How many have come, passed, and been told that the barrier is broken.
struct counts {
    mp::Value<int> came{0}, first{0}, told{0}, second{0};
};

int acted = 0; // in this process
void act() { ++acted; }

} // namespace

TEST_CASE("T069: in lockstep", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const int passes = GENERATE(1, 10);
    const mp::Barrier barrier(N);
    const mp::Value<int> first(0), second(0), wrong(0);
    run_everywhere(
        ctx,
        [](mp::Barrier line, mp::Value<int> in, mp::Value<int> out, mp::Value<int> errors, int rounds) {
            for (int i = 0; i < rounds; ++i) {
                ++in;
                if (out != i * N) ++errors;
                line.wait();
                ++out;
                if (in != (i + 1) * N) ++errors;
                line.wait();
            }
        },
        barrier, first, second, wrong, passes);
    REQUIRE(wrong == 0);
    REQUIRE(second == passes * N);
    REQUIRE(barrier.n_waiting() == 0);
    REQUIRE_FALSE(barrier.broken());
}

TEST_CASE("T070: one of them gets 0, and each a number of its own", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Barrier barrier(N);
    const mp::Value<int> zeros(0), sum(0);
    run_everywhere(
        ctx,
        [](mp::Barrier all_here, mp::Value<int> zero, mp::Value<int> numbers) {
            const int number = all_here.wait();
            if (number == 0) ++zero;
            numbers += 1 << number;
        },
        barrier, zeros, sum);
    REQUIRE(zeros == 1);
    REQUIRE(sum == (1 << N) - 1);
}

TEST_CASE("T071: the action runs once, before anybody goes on, whoever comes last", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Value<int> actions(0), wrong(0);
    const mp::Barrier barrier(N, mp::bind([](const mp::Value<int>& n) { ++n; }, actions)), line(N);
    run_everywhere(
        ctx,
        [](mp::Barrier all_here, mp::Barrier next, mp::Value<int> done, mp::Value<int> errors) {
            for (int round = 1; round <= 20; ++round) {
                all_here.wait();
                if (done != round) ++errors;
                next.wait();
            }
        },
        barrier, line, actions, wrong);
    REQUIRE(actions == 20);
    REQUIRE(wrong == 0);
}

TEST_CASE("a function, a captureless lambda, a functor, mp::bind: such an action goes along, and on from there",
          "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    struct bare {
        int operator()() const { return ++acted; }
    };
    struct with_members {
        int n;
        mp::Value<int> sum;
        void operator()() { sum += n; }
    };
    const mp::Value<int> sum(0);
    const std::vector<mp::Barrier> barriers{
        mp::Barrier(1, act),
        mp::Barrier(1, &act, 10s),
        mp::Barrier(1, [] { ++acted; }),
        mp::Barrier(1, [] { return ++acted; }),
        mp::Barrier(1, bare{}),
        mp::Barrier(1, mp::bind(&act)),
        mp::Barrier(1, mp::bind([](mp::Value<int> n, int by) { n += by, ++acted; }, sum, 5)),
        mp::Barrier(1, mp::bind(with_members{7, sum})),
        mp::Barrier(1),
        mp::Barrier(1, nullptr),
    };
    mp::Queue<mp::Barrier> one_more;
    one_more.put(barriers[2]);
    auto p = ctx.Process(
        [](std::vector<mp::Barrier> all, mp::Queue<mp::Barrier> queue, mp::StartMethod method) {
            // From a child of the child: each has travelled twice.
            mp::Process child(
                {.start_method = method},
                [](const std::vector<mp::Barrier>& here, mp::Queue<mp::Barrier> last) {
                    acted = 0;
                    for (const mp::Barrier& b : here) b.wait();
                    last.get().wait();
                    mp::exit(acted);
                },
                all, queue);
            child.start();
            child.join();
            mp::exit(child.exitcode().value_or(99));
        },
        barriers, one_more, ctx.method());
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 8);
    REQUIRE(sum == 12);
}

TEST_CASE("an action of which nobody knows what it holds goes to copies of this process alone", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Value<int> actions(0);
    const mp::Barrier barrier(1, [=] { ++actions; });
    auto p = ctx.Process([](mp::Barrier alone) { alone.wait(); }, barrier);
    if (ctx.method() == mp::StartMethod::fork) {
        p.start();
        p.join();
        REQUIRE(actions == 1);
    } else {
        REQUIRE_THROWS_AS(p.start(), mp::NotPortableError);
    }
    const mp::Queue<mp::Barrier> queue;
    REQUIRE_THROWS_AS(queue.put(barrier), mp::NotPortableError);
    barrier.wait();
    REQUIRE(actions == (ctx.method() == mp::StartMethod::fork ? 2 : 1));
}

TEST_CASE("T072: abort", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Barrier barrier(N);
    const mp::Value<int> came(0), passed(0);
    run_everywhere(
        ctx,
        [](mp::Barrier doomed, mp::Value<int> who, mp::Value<int> through) {
            try {
                if (++who == N / 2) {
                    doomed.abort();
                    return;
                }
                doomed.wait();
                ++through;
            } catch (const mp::BrokenBarrierError&) {
                --through;
            }
        },
        barrier, came, passed);
    REQUIRE(passed == -(N - 1));
    REQUIRE(barrier.broken());
}

TEST_CASE("T073: reset while the others wait", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Barrier barrier(N);
    const counts all;
    run_everywhere(
        ctx,
        [](mp::Barrier line, counts n) {
            if (++n.came == N / 2) {
                while (line.n_waiting() < N - 1) ::usleep(100);
                line.reset();
            } else {
                try {
                    line.wait();
                    ++n.first;
                } catch (const mp::BrokenBarrierError&) {
                    ++n.told;
                }
            }
            line.wait();
            ++n.second;
        },
        barrier, all);
    REQUIRE(all.first == 0);
    REQUIRE(all.told == N - 1);
    REQUIRE(all.second == N);
}

TEST_CASE("T074: abort, then reset, by means of a second barrier", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Barrier barrier(N), other(N);
    const counts all;
    run_everywhere(
        ctx,
        [](mp::Barrier line, mp::Barrier second, counts n) {
            try {
                if (++n.came == N / 2) {
                    line.abort();
                } else {
                    line.wait();
                    ++n.first;
                }
            } catch (const mp::BrokenBarrierError&) {
                ++n.told;
            }
            if (second.wait() == N / 2) line.reset();
            second.wait();
            line.wait();
            ++n.second;
        },
        barrier, other, all);
    REQUIRE(all.first == 0);
    REQUIRE(all.told == N - 1);
    REQUIRE(all.second == N);
}

TEST_CASE("T075, T076: one comes too late, by wait's time or the constructor's", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const bool by_default = GENERATE(false, true);
    const mp::Barrier barrier = by_default ? mp::Barrier(N, {}, 50ms) : mp::Barrier(N);
    const counts all;
    run_everywhere(
        ctx,
        [](mp::Barrier line, counts n, bool own_time) {
            if (++n.came == N / 2)
                while (!line.broken()) ::usleep(100);
            try {
                if (own_time)
                    line.wait();
                else
                    line.wait(50ms);
            } catch (const mp::BrokenBarrierError&) {
                ++n.told;
            }
        },
        barrier, all, by_default);
    REQUIRE(all.told == N);
}

TEST_CASE("T077: alone", "[conformance][barrier]") {
    const mp::Barrier barrier(1);
    barrier.wait();
    barrier.wait();
}

TEST_CASE("T078: a thousand passes stay in order", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Barrier barrier(N);
    const mp::Value<int> arrivals(0), wrong(0);
    run_everywhere(
        ctx,
        [](mp::Barrier line, mp::Value<int> arrived, mp::Value<int> errors) {
            for (int i = 0; i < 1000; ++i) {
                line.wait();
                const int n = ++arrived;
                if ((n - 1) / N != i) ++errors;
            }
        },
        barrier, arrivals, wrong);
    REQUIRE(arrivals == 1000 * N);
    REQUIRE(wrong == 0);
}

TEST_CASE("T245: a barrier's parties are asked for and it is reset in a child", "[conformance][barrier]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Barrier barrier(N);
    auto p = ctx.Process(
        [](mp::Barrier all_here) {
            all_here.reset();
            mp::exit(all_here.parties() == N ? 0 : 1);
        },
        barrier);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("a barrier is printed with its parties, those that wait and all, or as broken", "[conformance][barrier]") {
    const mp::Barrier b(3);
    const auto ends_with = [&](const std::string& end) {
        const std::string all = to_string(b);
        return all.substr(0, 14) == "<Barrier at 0x" && all.substr(all.size() - end.size()) == end;
    };
    REQUIRE(ends_with(": waiters=0/3>"));
    b.abort();
    REQUIRE(ends_with(": broken>"));
}
