#include <multiprocessing/pool/spawned.hpp>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <unistd.h>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/serial/bind.hpp>

#include <support/catch.hpp>
#include <support/census.hpp>

#include "process/story.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using mp::StartMethod;

namespace {

std::size_t length(const char* text) { return std::char_traits<char>::length(text); }
int square(int x) {
    return x * x;
}

struct adder {
    int n = 0;
    int operator()(int x) const { return x + n; }
};

using counter = memory::handle<std::atomic<int>>;

struct late : std::runtime_error {
    using runtime_error::runtime_error;
};
int throw_late() {
    throw late("too late");
}

/// For each method that doesn't fork, with what it makes once and keeps made before anything is counted.
StartMethod each_method() {
    const auto method = GENERATE(StartMethod::spawn, StartMethod::forkserver);
    if (method == StartMethod::forkserver) {
        mp::Pool first({.processes = 1, .start_method = method});
        first.close();
        first.join();
        testing::settle();
    }
    return method;
}

} // namespace

namespace testing {
[[gnu::noinline]] int crasher(int x) {
    if (x == 3) ::raise(SIGSEGV);
    return x;
}
[[gnu::noinline]] int thrower(int x) {
    if (x == 3) throw std::out_of_range("three");
    return x;
}
} // namespace testing

TEST_CASE("spawned workers run functions, captureless lambdas and functors that travel", "[pool][spawned]") {
    const auto method = each_method();
    INFO(to_string(method));
    mp::Pool pool({.processes = 2, .start_method = method});
    std::vector<int> many(1000);
    for (int i = 0; i < 1000; ++i) many[static_cast<std::size_t>(i)] = i;
    const auto squares = pool.map(square, many);
    REQUIRE(squares.size() == 1000);
    CHECK(squares[999] == 998001);
    CHECK(pool.map([](int x) { return std::to_string(x); }, {1, 2}) == std::vector<std::string>{"1", "2"});
    CHECK(pool.map(adder{5}, {1, 2, 3}) == std::vector{6, 7, 8});
    CHECK(pool.map(mp::bind([](int a, int b) { return a * b; }, 3), {1, 2, 3}) == std::vector{3, 6, 9});
    CHECK(pool.map([](const std::string& s) { return s.size(); }, std::vector<std::string>{"one", "three"}) ==
          std::vector<std::size_t>{3, 5});
    CHECK(pool.starmap([](int a, const std::string& b) { return b + std::to_string(a); },
                       std::vector<std::tuple<int, std::string>>{{1, "a"}, {2, "b"}}) == std::vector<std::string>{"a1", "b2"});
    CHECK(pool.apply(square, 12) == 144);
    CHECK(pool.apply(adder{1}, 12) == 13);
    std::vector<int> out(3);
    pool.map_into(square, std::vector{1, 2, 3}, out);
    CHECK(out == std::vector{1, 4, 9});
}

TEST_CASE("shared objects reach spawned workers, in functors and in items", "[pool][spawned]") {
    const auto method = each_method();
    INFO(to_string(method));
    const auto objects = memory::family::here().objects();
    {
        mp::Pool pool({.processes = 2, .start_method = method});
        auto total = counter::create(0);
        pool.for_each(mp::bind([](const counter& into, int x) { into->fetch_add(x); }, total), {1, 2, 3});
        CHECK(total->load() == 6);
        pool.for_each([](const counter& into) { into->fetch_add(10); }, std::vector<counter>{total, total});
        CHECK(total->load() == 26);
    }
    CHECK(memory::family::here().objects() == objects);
}

TEST_CASE("spawned workers begin with the initializer, and end with what it throws", "[pool][spawned]") {
    const auto method = each_method();
    INFO(to_string(method));
    mp::Pool pool({.processes = 2, .start_method = method}, [](int n) { ::setenv("MULTIPROCESSING_TEST_N", std::to_string(n).c_str(), 1); }, 7);
    CHECK(pool.map([](int x) { return x + std::atoi(std::getenv("MULTIPROCESSING_TEST_N")); }, {1, 2}) == std::vector{8, 9});

    mp::Pool unfit({.processes = 1, .start_method = method}, [] { throw std::out_of_range("no licence"); });
    CHECK_THROWS_AS(unfit.map(square, {1}), std::out_of_range);
    int local = 0;
    CHECK_THROWS_AS(mp::Pool({.processes = 1, .start_method = method}, [&local] { ++local; }), mp::NotPortableError);
}

TEST_CASE("what can't travel to spawned workers is refused, and the pool goes on", "[pool][spawned]") {
    const auto method = each_method();
    INFO(to_string(method));
    mp::Pool pool({.processes = 1, .start_method = method});
    int k = 1;
    CHECK_THROWS_WITH(pool.map([&k](int x) { return x + k; }, {1}), testing::contains("mp::bind"));
    CHECK_THROWS_AS(pool.apply([&k] { return k; }), mp::NotPortableError);
    CHECK_THROWS_AS(pool.map([](const int* p) { return *p; }, std::vector<const int*>{&k}), mp::NotPortableError);
    CHECK_THROWS_WITH(pool.apply(length, "a pointer"), testing::contains("items of type"));
    CHECK(pool.map(square, {2}) == std::vector{4});
}

TEST_CASE("what only this process has registered arrives from spawned workers as its type", "[pool][spawned]") {
    const auto method = each_method();
    INFO(to_string(method));
    mp::register_exception<late>(); // a worker doesn't get here
    mp::Pool pool({.processes = 1, .start_method = method});
    try {
        pool.apply(throw_late);
        FAIL("nothing was thrown");
    } catch (const late& error) {
        CHECK(error.what() == std::string("too late"));
        CHECK(dynamic_cast<const mp::RemoteError*>(&error) != nullptr);
    }
}

TEST_CASE("spawned workers run functions of shared libraries", "[pool][spawned]") {
    const auto method = each_method();
    INFO(to_string(method));
    mp::Pool pool({.processes = 2, .start_method = method});
    int (*const of_libc)(int) = &::abs;
    CHECK(pool.map(of_libc, {-1, 2, -3}) == std::vector{1, 2, 3});
    CHECK(pool.apply(of_libc, -4) == 4);
    CHECK(pool.apply_async(of_libc, -5).get() == 5);
    CHECK(pool.map_async(of_libc, std::vector{-6, 7}).get() == std::vector{6, 7});
    double (*const power)(double, double) = &::pow;
    CHECK(pool.starmap(power, std::vector<std::tuple<double, double>>{{2, 3}, {3, 2}}) == std::vector<double>{8, 9});
    std::vector<int> all;
    for (const int x : pool.imap(of_libc, std::vector{-8, -9})) all.push_back(x);
    CHECK(all == std::vector{8, 9});
}

TEST_CASE("a spawned worker that dies is named and replaced, and what a task throws arrives", "[pool][spawned]") {
    const auto method = each_method();
    INFO(to_string(method));
    mp::Pool pool({.processes = 2, .start_method = method});
    for (int round = 0; round < 5; ++round) {
        try {
            pool.map(testing::crasher, {1, 2, 3, 4});
            FAIL("it didn't crash");
        } catch (const mp::WorkerLostError& lost) {
            CHECK(lost.item() == 2);
#if !MULTIPROCESSING_ADDRESS_SANITIZER() && !MULTIPROCESSING_THREAD_SANITIZER() // they tell crashes themselves, and exit
            CHECK(lost.signal_name() == "SIGSEGV");
            CHECK_THAT(lost.backtrace(), testing::contains("testing::crasher(int)"));
#endif
        }
        CHECK(pool.map(square, {1, 2, 3}) == std::vector{1, 4, 9});
    }
    CHECK(pool.pids().size() == 2);
    try {
        pool.map(testing::thrower, {1, 2, 3});
        FAIL("it didn't throw");
    } catch (const mp::RemoteError& error) {
        CHECK(error.type_name() == "std::out_of_range");
        CHECK_THAT(error.traceback(), testing::contains("testing::thrower(int)"));
    }
}

#if !MULTIPROCESSING_ADDRESS_SANITIZER() && !MULTIPROCESSING_THREAD_SANITIZER()
TEST_CASE("where a forked worker crashed arrives too, without what called it", "[pool][spawned]") {
    testing::let_signals_kill(); // Catch's handlers would be inherited
    mp::Pool pool(2);
    try {
        pool.map(testing::crasher, {1, 2, 3});
        FAIL("it didn't crash");
    } catch (const mp::WorkerLostError& lost) {
        CHECK_THAT(lost.backtrace(), testing::contains("testing::crasher(int)"));
        CHECK(lost.backtrace().find("main") == std::string::npos);
    }
}
#endif

TEST_CASE("a pool takes the start method that was chosen", "[pool][spawned]") {
    mp::process::choose_start_method(StartMethod::spawn);
    {
        mp::Pool pool(1);
        CHECK(pool.apply([] { return mp::os::name(); }) == "SpawnPoolWorker-1");
    }
    mp::process::choose_start_method({});
    mp::Pool pool(1);
    CHECK(pool.apply([] { return mp::os::name(); }) == "ForkPoolWorker-1");
}

TEST_CASE("asynchronous calls and imap run on spawned workers", "[pool][spawned]") {
    const auto method = each_method();
    INFO(to_string(method));
    mp::Pool pool({.processes = 2, .start_method = method});
    auto one = pool.apply_async(adder{1}, 12);
    auto many = pool.map_async(square, std::vector{1, 2, 3});
    auto added = pool.map_async(adder{1}, std::vector{1, 2, 3});
    CHECK(one.get() == 13);
    CHECK(many.get() == std::vector{1, 4, 9});
    CHECK(added.get() == std::vector{2, 3, 4});
    std::vector<int> seen;
    for (int x : pool.imap(adder{1}, std::vector{1, 2, 3})) seen.push_back(x);
    for (int x : pool.imap(square, std::vector{1, 2, 3})) seen.push_back(x);
    CHECK(seen == std::vector{2, 3, 4, 1, 4, 9});
    CHECK_THROWS_AS(pool.apply_async([&seen] { return seen.size(); }), mp::NotPortableError);
}
