// CPython's TestStartMethod rows about contexts; and shared objects under each start method (T222, T223: made by whom they like).
#include <multiprocessing/multiprocessing.hpp>

#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;

namespace {

mp::Context each_context() {
    return mp::Context(testing::each_context().method());
}

void add(mp::Lock lock, mp::RawValue<int> total, mp::Value<int> atomically, int n) {
    for (int i = 0; i < n; ++i) {
        ++atomically;
        const std::lock_guard held(lock);
        total.value() = total.value() + 1;
    }
}

void answer(mp::Queue<> questions, mp::Queue<std::string> answers, mp::Event done) {
    answers.put("about " + fmt::format("{}", questions.get()));
    done.set();
}

void negate(mp::Array<int> all, mp::RawArray<double> halves) {
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = -all[i];
    for (double& x : halves) x /= 2;
}

void meet(mp::Barrier barrier, mp::Semaphore tickets, mp::Value<int> met) {
    tickets.acquire();
    barrier.wait();
    met += 1;
}

/// What is shared inside of what is shared.
void hand_on(mp::Queue<mp::Lock> locks) {
    auto lock = locks.get();
    mp::exit(lock.locked() ? 0 : 3);
}

} // namespace

TEST_CASE("T217: a context starts by its method, whatever was chosen", "[conformance][context]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    auto said = ctx.Queue<std::string>();
    auto p = ctx.Process({.name = "Robin"}, [](mp::Queue<std::string> into) { into.put(mp::current_process().name()); }, said);
    static_assert(std::is_same_v<decltype(p), mp::Process>);
    p.start();
    CHECK(said.get() == "Robin");
    p.join();
    CHECK(p.exitcode() == 0);
    CHECK(mp::get_context(ctx.get_start_method()).get_start_method() == ctx.get_start_method());
    CHECK_THROWS_AS(mp::get_context("spoon"), mp::ValueError);
}

TEST_CASE("locks and values travel by every start method", "[conformance][context]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    auto lock = ctx.Lock();
    auto total = ctx.RawValue<int>(0);
    auto atomically = ctx.Value<int>(0);
    std::vector<mp::Process> all;
    for (int i = 0; i < 3; ++i) all.push_back(ctx.Process(add, lock, total, atomically, 500));
    for (auto& each : all) each.start();
    for (auto& each : all) each.join();
    for (auto& each : all) CHECK(each.exitcode() == 0);
    CHECK(total.value() == 1500);
    CHECK(atomically == 1500);
}

TEST_CASE("queues and events travel by every start method", "[conformance][context]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    auto questions = ctx.Queue();
    auto answers = ctx.Queue<std::string>();
    auto done = ctx.Event();
    auto p = ctx.Process(answer, questions, answers, done);
    p.start();
    questions.put({1, "two", nullptr});
    done.wait();
    CHECK(answers.get() == "about [1, 'two', None]");
    p.join();
    CHECK(p.exitcode() == 0);
}

TEST_CASE("connections travel by every start method", "[conformance][context]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    auto [mine, theirs] = ctx.Pipe();
    auto p = ctx.Process(
        [](mp::Connection conn) {
            conn.send(conn.recv<int>() + 1);
            conn.send(mp::Object{42, nullptr, "hello"});
        },
        theirs);
    p.start();
    theirs.close();
    mine.send(41);
    CHECK(mine.recv<int>() == 42);
    CHECK(fmt::format("{}", mine.recv()) == "[42, None, 'hello']");
    CHECK_THROWS_AS(mine.recv(), mp::EOFError);
    p.join();
    CHECK(p.exitcode() == 0);
}

TEST_CASE("arrays, barriers and semaphores travel by every start method", "[conformance][context]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    auto all = ctx.Array({1, 2, 3});
    auto halves = ctx.RawArray<double>(2);
    halves[0] = 1;
    auto p = ctx.Process(negate, all, halves);
    p.start();
    p.join();
    CHECK(all.to_vector() == std::vector{-1, -2, -3});
    CHECK(halves[0] == 0.5);

    auto barrier = ctx.Barrier(3);
    auto tickets = ctx.Semaphore(3);
    auto met = ctx.Value<int>(0);
    auto one = ctx.Process(meet, barrier, tickets, met);
    auto other = ctx.Process(meet, barrier, tickets, met);
    one.start();
    other.start();
    meet(barrier, tickets, met);
    one.join();
    other.join();
    CHECK(met == 3);
    CHECK(tickets.get_value() == 0);
}

TEST_CASE("shared objects travel inside of each other by every start method", "[conformance][context]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    auto locks = ctx.Queue<mp::Lock>();
    {
        auto lock = ctx.Lock();
        lock.acquire();
        locks.put(lock);
        auto p = ctx.Process(hand_on, locks);
        p.start();
        p.join();
        CHECK(p.exitcode() == 0);
        lock.release();
    }
}
