// What CPython's _TestQueue asks of a Queue (T034 to T050, T203, T224, T247), under each start method, and what is promised beyond.

#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>

#include "support/catch.hpp"
#include "support/count_up.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

TEST_CASE("a bounded queue is empty, then full after every form of put", "[conformance][queue]") { // T034
    mp::Queue<int> q(6);
    REQUIRE(q.empty());
    REQUIRE_FALSE(q.full());
    q.put(1);
    q.put(2, true);
    q.put(3, 1s);
    q.put(4, true, 1s);
    q.put(5, false);
    q.put_nowait(6);
    REQUIRE_FALSE(q.empty());
    REQUIRE(q.full());
    REQUIRE(q.qsize() == 6);
}

TEST_CASE("put on a full queue: Full, at once or after the timeout", "[conformance][queue]") { // T035, T036
    mp::Queue<int> q(1);
    q.put(1);
    REQUIRE_THROWS_AS(q.put(2, false), mp::Full);
    REQUIRE_THROWS_AS(q.put(2, false, 1h), mp::Full);
    REQUIRE_THROWS_AS(q.put_nowait(2), mp::Full);
    REQUIRE_FALSE(q.try_put(2));
    const auto before = clock_type::now();
    REQUIRE_THROWS_AS(q.put(2, 50ms), mp::Full);
    REQUIRE_THROWS_AS(q.put(2, true, 50ms), mp::Full);
    REQUIRE(clock_type::now() - before >= 100ms);
    REQUIRE_THROWS_AS(q.put(2, -1s), mp::Full);
    REQUIRE(q.get() == 1);
}

TEST_CASE("get on an empty queue: Empty, at once or after the timeout", "[conformance][queue]") { // T039, T040, T044
    mp::Queue<int> q;
    REQUIRE_THROWS_AS(q.get(false), mp::Empty);
    REQUIRE_THROWS_AS(q.get(false, 1h), mp::Empty);
    REQUIRE_THROWS_AS(q.get_nowait(), mp::Empty);
    REQUIRE_FALSE(q.try_get());
    const auto before = clock_type::now();
    REQUIRE_THROWS_AS(q.get(50ms), mp::Empty);
    REQUIRE_THROWS_AS(q.get(true, 50ms), mp::Empty);
    REQUIRE_FALSE(q.try_get_for(50ms));
    REQUIRE(clock_type::now() - before >= 150ms);
    REQUIRE_THROWS_AS(q.get(-1s), mp::Empty);
}

TEST_CASE("another process drains it: empty and not full", "[conformance][queue]") { // T037
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::Queue<int> q(6), ready;
    for (int i = 0; i < 6; ++i) q.put(i);
    auto p = ctx.Process([](mp::Queue<int> from, mp::Queue<int> done) {
        for (int i = 0; i < 6; ++i) static_cast<void>(from.get());
        done.put(1);
    }, q, ready);
    p.start();
    REQUIRE(ready.get() == 1);
    REQUIRE(q.empty());
    REQUIRE_FALSE(q.full());
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("every form of get returns what another process put, in order", "[conformance][queue]") { // T038
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::Queue<int> q;
    auto p = ctx.Process([](mp::Queue<int> to) {
        for (int i = 1; i <= 6; ++i) to.put(i);
    }, q);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(q.empty());
    REQUIRE(q.get(true) == 1);
    REQUIRE(q.get(1s) == 2);
    REQUIRE(q.get(true, 1s) == 3);
    REQUIRE(q.get(false) == 4);
    REQUIRE(q.get_nowait() == 5);
    REQUIRE(q.try_get() == 6);
    REQUIRE(q.empty());
}

TEST_CASE("a queue used before the start works in the child, in order", "[conformance][queue]") { // T041
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::Queue<int> q;
    for (int i = 0; i < 10; ++i) q.put(i);
    auto p = ctx.Process([](mp::Queue<int> to) {
        for (int i = 10; i < 20; ++i) to.put(i);
    }, q);
    p.start();
    for (int i = 0; i < 20; ++i) REQUIRE(q.get() == i);
    REQUIRE_THROWS_AS(q.get(false), mp::Empty);
    p.join();
}

TEST_CASE("qsize follows put and get exactly", "[conformance][queue]") { // T042
    mp::Queue<int> q;
    REQUIRE(q.qsize() == 0);
    q.put(1);
    REQUIRE(q.qsize() == 1);
    q.put(5);
    REQUIRE(q.qsize() == 2);
    static_cast<void>(q.get());
    REQUIRE(q.qsize() == 1);
    static_cast<void>(q.get());
    REQUIRE(q.qsize() == 0);
}

TEST_CASE("close: put and get are errors, the questions are not", "[conformance][queue]") { // T048, T049, T050
    mp::Queue<int> q;
    REQUIRE_THROWS_AS(q.join_thread(), mp::ValueError);
    q.put(1);
    auto other = q;
    q.close();
    q.close();
    q.join_thread();
    q.cancel_join_thread();
    REQUIRE_THROWS_WITH(q.put(1), testing::contains("closed"));
    REQUIRE_THROWS_AS(q.put(1), mp::ValueError);
    REQUIRE_THROWS_AS(q.get(), mp::ValueError);
    REQUIRE_THROWS_AS(q.put_many(std::vector<int>{1}), mp::ValueError);
    REQUIRE_THROWS_AS(q.put_many({1, 2}), mp::ValueError);
    REQUIRE_THROWS_AS(q.get_many(1), mp::ValueError);
    REQUIRE_FALSE(q.empty());
    REQUIRE(other.get() == 1);
}

TEST_CASE("a process that has put much can be joined before any of it is read", "[conformance][queue]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::Queue<std::string> q;
    auto p = ctx.Process([](mp::Queue<std::string> to) {
        for (int i = 0; i < 1000; ++i) to.put(std::string(10'000, 'x'));
    }, q);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    for (int i = 0; i < 1000; ++i) REQUIRE(q.get().size() == 10'000);
    REQUIRE(q.empty());
}

TEST_CASE("a queue is handed on to a grandchild, which answers", "[conformance][queue]") { // T203, T224
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::Queue<int> q;
    auto p = ctx.Process([](mp::Queue<int> to) {
        mp::Process inner([](mp::Queue<int> further) { further.put(42); }, to);
        inner.start();
        inner.join();
    }, q);
    p.start();
    REQUIRE(q.get() == 42);
    p.join();
}

TEST_CASE("a child sees the size, the order and the end of a bounded queue", "[conformance][queue]") { // T247
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::Queue<int> q(2);
    q.put(4);
    q.put(5);
    auto p = ctx.Process([](mp::Queue<int> child) {
        if (child.qsize() != 2 || !child.full()) mp::exit(1);
        if (child.get() != 4 || child.get() != 5) mp::exit(2);
        if (!child.empty()) mp::exit(3);
    }, q);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(q.empty());
    REQUIRE_FALSE(q.full());
}

TEST_CASE("many producers and consumers in processes: nothing is lost or doubled", "[conformance][queue]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::Queue<int> work(100), results;
    std::vector<mp::Process> all;
    for (int i = 0; i < 3; ++i) {
        all.push_back(ctx.Process([](mp::Queue<int> to, int from) {
            for (int n = from; n < 3000; n += 3) to.put(n);
        }, work, i));
        all.push_back(ctx.Process([](mp::Queue<int> from, mp::Queue<int> to) {
            for (int n = 0; n < 1000; ++n) to.put(from.get());
        }, work, results));
    }
    for (auto& p : all) p.start();
    std::vector<bool> seen(3000);
    for (int i = 0; i < 3000; ++i) {
        const auto n = static_cast<std::size_t>(results.get());
        REQUIRE_FALSE(seen.at(n));
        seen[n] = true;
    }
    for (auto& p : all) p.join();
    REQUIRE(work.empty());
    REQUIRE(results.empty());
}

TEST_CASE("a queue that was moved from is the same queue still", "[conformance][queue]") {
    mp::Queue<int> q;
    const mp::Queue<int> moved(std::move(q));
    moved.put(1);
    REQUIRE(q.get() == 1); // NOLINT: that is what is asked
    mp::Queue<int> other;
    other = std::move(q);
    other.put(2);
    REQUIRE(mp::Queue<int>(q).get() == 2);
    REQUIRE(q == moved);
}

TEST_CASE("a queue is printed with its number, the same in every process, and with how many items there are", "[conformance][queue]") {
    mp::Queue<int> q(10);
    q.put(1);
    q.put(2);
    const std::string text = to_string(q);
    const auto colon = text.find(':');
    REQUIRE(text.substr(0, 12) == "<Queue at 0x");
    REQUIRE(text.substr(colon) == ": qsize=2, maxsize=10>");
    mp::Process p([=] {
        if (fmt::format("{}", q) != text) throw mp::ProcessError(to_string(q));
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    q.close();
    REQUIRE(to_string(q) == text.substr(0, colon) + ": closed>");
    const std::string unbounded = to_string(mp::JoinableQueue<std::string>());
    REQUIRE(unbounded.substr(0, 20) == "<JoinableQueue at 0x");
    REQUIRE(unbounded.substr(unbounded.find(':')) == ": qsize=0>");
    std::ostringstream out;
    out << mp::SimpleQueue<double>();
    REQUIRE(out.str().substr(0, 18) == "<SimpleQueue at 0x");
}
