// What CPython's TestSimpleQueue asks (T238, T239), under each start method.

#include <string>

#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;

TEST_CASE("empty is true, then false, then true, across processes; values in order", "[conformance][simple_queue]") { // T238
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::SimpleQueue<std::string> q;
    mp::SimpleQueue<bool> answers;
    auto p = ctx.Process([](mp::SimpleQueue<std::string> to, mp::SimpleQueue<bool> answer) {
        answer.put(to.empty());
        to.put("a");
        to.put("b");
        answer.put(to.empty());
    }, q, answers);
    p.start();
    REQUIRE(answers.get());
    REQUIRE_FALSE(answers.get());
    REQUIRE_FALSE(q.empty());
    REQUIRE(q.get() == "a");
    REQUIRE(q.get() == "b");
    REQUIRE(q.empty());
    p.join();
}

TEST_CASE("close twice is fine; afterwards everything is an error", "[conformance][simple_queue]") { // T239
    mp::SimpleQueue<int> q;
    q.close();
    q.close();
    REQUIRE_THROWS_WITH(q.empty(), testing::contains("is closed"));
    REQUIRE_THROWS_AS(q.put(1), mp::ValueError);
    REQUIRE_THROWS_AS(q.get(), mp::ValueError);
}

TEST_CASE("a process that has put much can be joined first", "[conformance][simple_queue]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::SimpleQueue<std::string> q;
    auto p = ctx.Process([](mp::SimpleQueue<std::string> to) {
        for (int i = 0; i < 100; ++i) to.put(std::string(100'000, 'x'));
    }, q);
    p.start();
    p.join();
    for (int i = 0; i < 100; ++i) REQUIRE(q.get().size() == 100'000);
}
