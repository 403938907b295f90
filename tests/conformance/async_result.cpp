// CPython's tests of AsyncResult, on processes by each start method and on threads.
#include <multiprocessing/pool.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>

#include "support/catch.hpp"
#include "support/count_up.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;
using mp::pool::ThreadPool;

namespace {

int square(int x) { return x * x; }
int fails(int x) {
    if (x == 3) throw std::out_of_range("three");
    return x;
}
int slowly(int x) {
    ::usleep(20'000);
    return x;
}
int wait_for(std::uint64_t place) {
    while (memory::commons::here().at<std::atomic<int>>(place)->load() == 0) ::usleep(100);
    return 1;
}

/// How a pool of so many is made: of processes by each start method in turn; of threads as ever.
template <typename P>
mp::PoolOptions each(int n) {
    if constexpr (std::is_same_v<P, ThreadPool>)
        return {.processes = n};
    else
        return {.processes = n, .start_method = testing::each_context().method()};
}

} // namespace

TEMPLATE_TEST_CASE("T104: get waits for as long as the task takes", "[conformance][async_result]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    const auto begin = std::chrono::steady_clock::now();
    auto result = pool.apply_async(slowly, 5);
    REQUIRE(result.get() == 5);
    REQUIRE(std::chrono::steady_clock::now() - begin >= 20ms);
    REQUIRE(result.get() == 5);
}

TEMPLATE_TEST_CASE("T105: get gives up when the time is over", "[conformance][async_result]", mp::Pool, ThreadPool) {
    auto open = memory::handle<std::atomic<int>>::create(0);
    TestType pool(each<TestType>(1));
    auto result = pool.apply_async(wait_for, memory::commons::here().offset_of(&*open));
    REQUIRE_THROWS_AS(result.get(10ms), mp::TimeoutError);
    REQUIRE_FALSE(result.wait(1ms));
    REQUIRE_FALSE(result.ready());
    REQUIRE_THROWS_AS(result.successful(), mp::ValueError);
    *open = 1;
    result.wait();
    REQUIRE(result.ready());
    REQUIRE(result.successful());
}

TEMPLATE_TEST_CASE("T099, T124: callbacks, once each, before wait returns", "[conformance][async_result]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    int calls = 0;
    std::vector<int> got;
    auto map = pool.map_async(square, testing::count_up(0, 10));
    map.callback([&](const std::vector<int>& all) {
        ++calls;
        got = all;
    });
    map.wait();
    REQUIRE(calls == 1);
    REQUIRE(got.at(9) == 81);
    std::string text;
    auto bad = pool.map_async(fails, testing::count_up(0, 10));
    bad.callback([&] { ++calls; }).error_callback([&](const std::exception& error) { text = error.what(); });
    bad.wait();
    REQUIRE(calls == 1);
    REQUIRE_THAT(text, testing::contains("three"));
    REQUIRE_FALSE(bad.successful());
    REQUIRE_THROWS_AS(bad.get(), std::out_of_range);
    auto task = pool.apply_async(square, 3);
    task.callback([&](int x) { calls += x; });
    REQUIRE(task.get() == 9);
    REQUIRE(calls == 10);
}

TEMPLATE_TEST_CASE("T113: terminate with many tasks queued returns, and they are cancelled", "[conformance][async_result]", mp::Pool, ThreadPool) {
    std::vector<mp::AsyncResult<int>> all;
    {
        TestType pool(each<TestType>(2));
        for (int i = 0; i < 10'000; ++i) all.push_back(pool.apply_async(slowly, i));
        pool.terminate();
        pool.join();
    }
    int done = 0;
    for (auto& each : all) {
        try {
            each.get();
            ++done;
        } catch (const mp::CancelledError&) {
        }
    }
    REQUIRE(done < 10'000);
}

TEMPLATE_TEST_CASE("close lets all be done", "[conformance][async_result]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < 500; ++i) all.push_back(pool.apply_async(square, i));
    auto map = pool.map_async(square, testing::count_up(0, 100));
    pool.close();
    pool.join();
    for (int i = 0; i < 500; ++i) REQUIRE(all[static_cast<std::size_t>(i)].get() == i * i);
    REQUIRE(map.get().at(99) == 99 * 99);
}

TEMPLATE_TEST_CASE("cancel, and results of nothing", "[conformance][async_result]", mp::Pool, ThreadPool) {
    auto open = memory::handle<std::atomic<int>>::create(0);
    TestType pool(each<TestType>(1));
    auto first = pool.apply_async(wait_for, memory::commons::here().offset_of(&*open));
    auto second = pool.apply_async(square, 2);
    REQUIRE(second.cancel());
    REQUIRE_THROWS_AS(second.get(), mp::CancelledError);
    *open = 1;
    REQUIRE(first.get() == 1);
    pool.apply_async([] {}).get();
    pool.map_async([](int) {}, {1, 2}).get();
}
