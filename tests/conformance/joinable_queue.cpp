// What CPython asks of a JoinableQueue (T043, T049, T050, T247), under each start method.

#include <thread>
#include <vector>

#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

TEST_CASE("join returns when all items have been reported; workers end at their sentinels", "[conformance][joinable_queue]") { // T043
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::JoinableQueue<int> q;
    mp::Queue<int> squares;
    std::vector<mp::Process> workers;
    for (int i = 0; i < 4; ++i)
        workers.push_back(ctx.Process([](mp::JoinableQueue<int> from, mp::Queue<int> to) {
            for (int n = from.get(); n >= 0; n = from.get()) {
                to.put(n * n);
                from.task_done();
            }
            from.task_done();
        }, q, squares));
    for (auto& w : workers) w.start();
    for (int i = 0; i < 10; ++i) q.put(i);
    q.join();
    REQUIRE(squares.qsize() == 10);
    REQUIRE(q.empty());
    for (std::size_t i = 0; i < workers.size(); ++i) q.put(-1);
    for (auto& w : workers) w.join();
    for (auto& w : workers) REQUIRE(w.exitcode() == 0);
    q.join();
}

TEST_CASE("join of an unused queue returns at once; with a timeout it says whether", "[conformance][joinable_queue]") {
    mp::JoinableQueue<std::string> q;
    q.join();
    REQUIRE(q.join(1ms));
    q.put("a");
    REQUIRE_FALSE(q.join(10ms));
    REQUIRE(q.get() == "a");
    REQUIRE_FALSE(q.join(10ms));
    q.task_done();
    REQUIRE(q.join(1h));
}

TEST_CASE("task_done too often is a ValueError", "[conformance][joinable_queue]") {
    mp::JoinableQueue<int> q;
    REQUIRE_THROWS_WITH(q.task_done(), testing::contains("too many times"));
    q.put(1);
    static_cast<void>(q.get());
    q.task_done();
    REQUIRE_THROWS_AS(q.task_done(), mp::ValueError);
}

TEST_CASE("one process takes, another reports", "[conformance][joinable_queue]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    mp::JoinableQueue<int> q;
    q.put(1);
    q.put(2);
    static_cast<void>(q.get());
    static_cast<void>(q.get());
    auto p = ctx.Process([](mp::JoinableQueue<int> theirs) {
        theirs.task_done();
        theirs.task_done();
    }, q);
    p.start();
    q.join();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("threads that join wake up when the last item is reported", "[conformance][joinable_queue]") {
    mp::JoinableQueue<int> q;
    for (int i = 0; i < 100; ++i) q.put(i);
    std::atomic<int> joined{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t)
        threads.emplace_back([&] {
            q.join();
            ++joined;
        });
    for (int i = 0; i < 100; ++i) {
        REQUIRE(joined == 0);
        static_cast<void>(q.get());
        q.task_done();
    }
    for (auto& t : threads) t.join();
    REQUIRE(joined == 2);
}

TEST_CASE("a closed JoinableQueue", "[conformance][joinable_queue]") { // T049, T050
    mp::JoinableQueue<int> q;
    q.close();
    REQUIRE_THROWS_AS(q.put(1), mp::ValueError);
    REQUIRE_THROWS_AS(q.get(), mp::ValueError);
    REQUIRE_THROWS_AS(q.task_done(), mp::ValueError);
}
