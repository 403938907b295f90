#include <multiprocessing/pool/result.hpp>

#include <atomic>
#include <coroutine>
#include <csignal>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <multiprocessing/pool/pool.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"
#include "support/count_up.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

namespace {

int square(int x) { return x * x; }
std::string shout(const std::string& s) { return s + "!"; }
int fails(int x) {
    if (x % 10 == 3) throw std::out_of_range("three");
    return x;
}

#if defined(__OPTIMIZE__)
constexpr bool slow = MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER();
#else
constexpr bool slow = true;
#endif

std::uint64_t objects() { return memory::family::here().objects(); }
std::size_t threads() { return testing::census::now().threads.size(); }

// Something that tasks wait for, in common memory, by its place.
struct gate {
    memory::handle<std::atomic<int>[]> words = memory::handle<std::atomic<int>[]>::create(4);
    std::uint64_t place = memory::commons::here().offset_of(words.get());
    std::atomic<int>& operator[](std::size_t i) const { return words[i]; }
};
std::atomic<int>* at_gate(std::uint64_t place) { return memory::commons::here().at<std::atomic<int>>(place); }
int wait_at(std::uint64_t place) {
    at_gate(place)[0] += 1;
    while (at_gate(place)[1] == 0) ::usleep(100);
    return 7;
}

} // namespace

TEST_CASE("an asynchronous call gives what the call gives", "[pool][result]") {
    mp::Pool pool(2);
    auto result = pool.apply_async(square, 7);
    REQUIRE(result.get() == 49);
    REQUIRE(result.get() == 49); // as often as one likes
    REQUIRE(result.ready());
    REQUIRE(result.successful());
    REQUIRE(pool.apply_async(shout, "a literal").get() == "a literal!");
    REQUIRE(pool.apply_async(shout, std::string(100'000, 'x')).get().size() == 100'001);
    REQUIRE(*pool.apply_async([](std::unique_ptr<int> p) { return std::make_unique<int>(*p + 1); }, std::make_unique<int>(3)).get() == 4);
    pool.apply_async([] {}).get();
    REQUIRE_THROWS_AS(pool.apply_async(fails, 3).get(), std::out_of_range);
    REQUIRE_THROWS_AS(pool.apply_async(fails, 3).get(), mp::RemoteError);
    auto bad = pool.apply_async(fails, 3);
    bad.wait();
    REQUIRE_FALSE(bad.successful());
    REQUIRE_THROWS_AS(mp::AsyncResult<int>().get(), mp::ValueError);
}

TEST_CASE("thousands of tasks are outstanding at once", "[pool][result]") {
    const int many = slow ? 2'000 : 20'000; // each tenth throws, and the calls that led to it are looked up
    const auto before = objects();
    {
        mp::Pool pool(2);
        std::vector<mp::AsyncResult<int>> all;
        std::vector<mp::AsyncResult<std::string>> texts;
        for (int i = 0; i < many; ++i) all.push_back(pool.apply_async(fails, i));
        for (int i = 0; i < 2'000; ++i) texts.push_back(pool.apply_async(shout, std::string(static_cast<std::size_t>(i), 'x')));
        bool right = true;
        for (int i = 0; i < many; ++i) {
            try {
                right = right && all[static_cast<std::size_t>(i)].get() == i && i % 10 != 3;
            } catch (const std::out_of_range&) {
                right = right && i % 10 == 3;
            }
        }
        for (std::size_t i = 0; i < 2'000; ++i) right = right && texts[i].get().size() == i + 1;
        REQUIRE(right);
        for (int i = 0; i < 5'000; ++i) static_cast<void>(pool.apply_async(shout, std::string(300, 'x'))); // nobody asks
        REQUIRE(pool.apply(square, 2) == 4);
    }
    REQUIRE(objects() == before);
}

TEST_CASE("a map that nobody waits for", "[pool][result]") {
    mp::Pool pool(2);
    const auto in = testing::count_up(0, 10'000);
    auto squares = pool.map_async(square, in);
    auto texts = pool.map_async([](int x) { return std::to_string(x); }, in);
    auto none = pool.map_async(square, std::vector<int>{}, 5);
    auto nothing = pool.map_async([](int) {}, in);
    REQUIRE(none.ready());
    REQUIRE(none.get().empty());
    REQUIRE(texts.get().at(9'999) == "9999");
    REQUIRE(squares.get().at(100) == 10'000);
    nothing.get();
    REQUIRE_THROWS_AS(pool.map_async(fails, in).get(), std::out_of_range);
    REQUIRE(pool.starmap_async([](int a, int b) { return a - b; }, {std::pair(5, 3), std::pair(1, 1)}).get() == std::vector{2, 0});
    int k = 10; // captured: the items and it are as they are now
    std::vector<int> items{1, 2, 3};
    auto later = pool.map_async([&k](int x) { return x * k; }, items);
    k = 0;
    items = {};
    REQUIRE(later.get() == std::vector{10, 20, 30});
    std::vector<mp::AsyncResult<std::vector<int>>> many; // more than there are slots, and nobody asks
    for (int i = 0; i < 200; ++i) many.push_back(pool.map_async(square, testing::count_up(i, i + 100)));
    for (int i = 0; i < 200; ++i) REQUIRE(many[static_cast<std::size_t>(i)].get().at(1) == (i + 1) * (i + 1));
}

TEST_CASE("a task with captures runs on an heir, and is as it was when it was called", "[pool][result]") {
    mp::Pool pool(2);
    std::vector<int> table{1, 2, 3};
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < 40; ++i) {
        table.push_back(i);
        all.push_back(pool.apply_async([&table](int x) { return std::accumulate(table.begin(), table.end(), x); }, 1000));
    }
    table.clear();
    for (int i = 0; i < 40; ++i) REQUIRE(all[static_cast<std::size_t>(i)].get() == 1006 + i * (i + 1) / 2);
    auto unique = pool.apply_async([p = std::make_unique<int>(5)](int x) { return x + *p; }, 1);
    REQUIRE(unique.get() == 6);
    int k = 1;
    REQUIRE_THROWS_AS(pool.apply_async([k] { if (k == 1) throw std::domain_error("captured"); }).get(), std::domain_error);
    REQUIRE_THROWS_AS(pool.apply_async([k] { if (k == 1) ::raise(SIGKILL); }).get(), mp::WorkerLostError);
}

TEST_CASE("waiting ends when the time is up, and the result comes later", "[pool][result][T104][T105]") {
    gate open;
    mp::Pool pool(1);
    auto result = pool.apply_async(wait_at, open.place);
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_FALSE(result.wait(30ms));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 30ms);
    REQUIRE_THROWS_AS(result.get(1ms), mp::TimeoutError);
    REQUIRE_THROWS_AS(result.successful(), mp::ValueError);
    REQUIRE_FALSE(result.ready());
    open[1] = 1;
    REQUIRE(result.get(60s) == 7);
}

TEST_CASE("what hasn't begun can be cancelled", "[pool][result]") {
    gate open;
    mp::Pool pool(1);
    auto first = pool.apply_async(wait_at, open.place);
    auto second = pool.apply_async(square, 3);
    auto map = pool.map_async(square, testing::count_up(0, 100));
    while (open[0] == 0) {}
    REQUIRE(second.cancel());
    REQUIRE_FALSE(first.cancel()); // somebody is on it
    REQUIRE(map.cancel());
    REQUIRE_FALSE(map.cancel()); // it has been
    REQUIRE(second.ready());
    REQUIRE_THROWS_AS(second.get(), mp::CancelledError);
    REQUIRE_THROWS_AS(map.get(), mp::CancelledError);
    open[1] = 1;
    REQUIRE(first.get() == 7);
    REQUIRE_FALSE(first.cancel());
    REQUIRE(pool.map(square, {3}) == std::vector{9});
}

TEST_CASE("callbacks run once each, one after the other, in this process", "[pool][result][T099][T124]") {
    mp::Pool pool(2);
    const auto before = threads();
    static_cast<void>(pool.apply_async(square, 3).get());
    pool.map_async(square, {1, 2}).wait();
    REQUIRE(threads() == before); // none is needed for these
    std::vector<int> got;
    std::atomic<int> inside{0};
    bool alone = true;
    const auto note = [&](int x) {
        alone = alone && ++inside == 1;
        got.push_back(x);
        --inside;
    };
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < 2'000; ++i) {
        all.push_back(pool.apply_async(fails, i));
        all.back().callback(note).error_callback([&](const std::exception& error) {
            alone = alone && std::string(error.what()).find("three") != std::string::npos;
            note(-1);
        });
    }
    REQUIRE(threads() == before + 1);
    for (auto& each : all) each.wait(); // the callbacks as well
    REQUIRE(got.size() == 2'000);
    REQUIRE(alone);
    REQUIRE(std::count(got.begin(), got.end(), -1) == 200);
    // When it is there already, and when they throw.
    int late = 0;
    all[0].callback([&] { ++late; throw std::runtime_error("of no consequence"); });
    all[0].wait();
    REQUIRE(late == 1);
    std::vector<int> whole;
    auto map = pool.map_async(square, {1, 2, 3});
    map.callback([&](const std::vector<int>& v) { whole = v; }).callback([&] { REQUIRE(map.get().size() == 3); });
    map.wait();
    REQUIRE(whole == std::vector{1, 4, 9});
}

TEST_CASE("the last callbacks run when the pool ends", "[pool][result]") {
    gate open;
    int good = 0;
    int cancelled = 0;
    {
        mp::Pool pool(1);
        pool.apply_async(square, 3).callback([&](int x) { good += x; });
        for (int i = 0; i < 10; ++i)
            pool.apply_async(wait_at, open.place).error_callback([&](std::exception_ptr error) {
                try {
                    std::rethrow_exception(error);
                } catch (const mp::CancelledError&) {
                    ++cancelled;
                }
            });
        while (open[0] == 0) {}
    }
    REQUIRE(good == 9);
    REQUIRE(cancelled == 10);
}

TEST_CASE("results outlive their pool, and what wasn't done is cancelled", "[pool][result]") {
    const auto before = objects();
    {
        mp::AsyncResult<std::string> text;
        mp::AsyncResult<std::vector<int>> list;
        mp::AsyncResult<std::vector<std::string>> logged;
        mp::AsyncResult<int> never;
        mp::AsyncResult<std::vector<int>> never_either;
        gate open;
        {
            mp::Pool pool(2);
            text = pool.apply_async(shout, std::string(10'000, 'x'));
            list = pool.map_async(square, testing::count_up(0, 5'000));
            logged = pool.map_async(shout, std::vector<std::string>(100, "y"));
            text.wait();
            logged.wait();
            list.wait();
            never = pool.apply_async(wait_at, open.place);
            never_either = pool.map_async([](std::uint64_t place) { return wait_at(place); }, std::vector(3, open.place));
            while (open[0] == 0) {}
        }
        REQUIRE(text.get().size() == 10'001);
        REQUIRE(list.get().at(4'999) == 4'999 * 4'999);
        REQUIRE(logged.get().at(99) == "y!");
        REQUIRE_THROWS_AS(never.get(), mp::CancelledError);
        REQUIRE_THROWS_AS(never_either.get(), mp::CancelledError);
    }
    REQUIRE(objects() == before);
}

TEST_CASE("terminate with ten thousand tasks queued is prompt", "[pool][result][T113]") {
    gate open;
    std::vector<mp::AsyncResult<int>> all;
    mp::Pool pool(2);
    for (int i = 0; i < 10'000; ++i) all.push_back(pool.apply_async(wait_at, open.place));
    pool.terminate();
    pool.join();
    for (auto& each : all) REQUIRE_THROWS_AS(each.get(), mp::CancelledError);
    REQUIRE_THROWS_WITH(pool.apply_async(square, 1), testing::contains("Pool not running"));
    REQUIRE_THROWS_WITH(pool.map_async(square, {1}), testing::contains("Pool not running"));
}

TEST_CASE("close lets all that was called be done", "[pool][result]") {
    mp::Pool pool(2);
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < 3'000; ++i) all.push_back(pool.apply_async(square, i));
    auto map = pool.map_async(square, testing::count_up(0, 100));
    int k = 1;
    auto heir = pool.apply_async([k](int x) { ::usleep(20'000); return x + k; }, 1);
    pool.close();
    pool.join();
    for (int i = 0; i < 3'000; ++i) REQUIRE(all[static_cast<std::size_t>(i)].get() == i * i);
    REQUIRE(map.get().size() == 100);
    REQUIRE(heir.get() == 2);
}

TEST_CASE("a task whose worker dies is lost, and no other", "[pool][result]") {
    mp::Pool pool(2);
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < 300; ++i)
        all.push_back(pool.apply_async([](int x) { if (x % 20 == 5) ::raise(SIGKILL); return x; }, i));
    for (int i = 0; i < 300; ++i) {
        auto& each = all[static_cast<std::size_t>(i)];
        if (i % 20 == 5) {
            try {
                each.get();
                FAIL("it should have thrown");
            } catch (const mp::WorkerLostError& lost) {
                REQUIRE(lost.signal_name() == "SIGKILL");
                REQUIRE_THAT(lost.what(), testing::contains(std::to_string(lost.pid())) && testing::contains("SIGKILL"));
            }
        } else {
            REQUIRE(each.get() == i);
        }
    }
    REQUIRE(pool.pids().size() == 2);
}

TEST_CASE("many threads call, wait, cancel and hang on callbacks at once", "[pool][result]") {
    mp::Pool pool(2);
    std::atomic<int> right{0};
    std::atomic<int> called{0};
    std::vector<std::thread> all;
    for (int t = 0; t < 6; ++t)
        all.emplace_back([&, t] {
            for (int i = 0; i < 200; ++i) {
                auto a = pool.apply_async(square, i);
                auto b = pool.apply_async(square, t);
                auto c = pool.map_async(square, {i, t});
                if (i % 3 == 0) a.callback([&](int) { ++called; });
                b.cancel();
                right += a.get() == i * i;
                right += c.get().back() == t * t;
                try {
                    right += b.get() == t * t;
                } catch (const mp::CancelledError&) {
                    ++right;
                }
            }
        });
    for (auto& each : all) each.join();
    REQUIRE(right == 6 * 200 * 3);
    REQUIRE(called == 6 * 67);
}

// --- coroutines

namespace {

struct detached_coroutine {
    struct promise_type {
        detached_coroutine get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

detached_coroutine add_up(mp::Pool& pool, std::atomic<int>& sum) {
    const int a = co_await pool.apply_async(square, 3);
    const std::vector<int> in(2, 2); // not a list in braces, which g++ 12 can't have in a coroutine
    const auto b = co_await pool.map_async(square, in);
    co_await pool.apply_async([] {});
    int c = 0;
    try {
        c = co_await pool.apply_async(fails, 3);
    } catch (const std::out_of_range&) {
        c = 1000;
    }
    sum = a + b[0] + b[1] + c;
    sum.notify_all();
}

} // namespace

TEST_CASE("a coroutine awaits results", "[pool][result]") {
    mp::Pool pool(2);
    std::atomic<int> sum{0};
    add_up(pool, sum);
    sum.wait(0);
    REQUIRE(sum == 9 + 8 + 1000);
}

// --- shared objects

TEST_CASE("shared objects travel in items and results", "[pool][result]") {
    using counters = memory::handle<std::atomic<int>[]>;
    const auto before = objects();
    {
        mp::Pool pool(2);
        counters seen = counters::create(std::size_t{8});
        std::vector<mp::AsyncResult<int>> all;
        for (int i = 0; i < 100; ++i)
            all.push_back(pool.apply_async([](const counters& c, int k) { return ++c[static_cast<std::size_t>(k)]; }, seen, i % 8));
        for (auto& each : all) REQUIRE(each.get() >= 1);
        REQUIRE(seen[0] + seen[7] == 13 + 12);
        // Of a map; some of the items are empty.
        std::vector<std::pair<int, counters>> items;
        for (int i = 0; i < 50; ++i) items.emplace_back(i, i % 2 != 0 ? counters() : counters::create(std::size_t{1}));
        pool.map([](const std::pair<int, counters>& item) { if (item.second) item.second[0] = item.first; }, items);
        for (int i = 0; i < 50; i += 2) REQUIRE(items[static_cast<std::size_t>(i)].second[0] == i);
        // Made there.
        const auto made = pool.map([](int n) {
            auto c = counters::create(std::size_t{1});
            c[0] = n;
            return c;
        }, testing::count_up(0, 50));
        for (int i = 0; i < 50; ++i) REQUIRE(made[static_cast<std::size_t>(i)][0] == i);
        auto one = pool.apply_async([](int n) { auto c = counters::create(std::size_t{1}); c[0] = n; return std::pair(c, c); }, 5);
        REQUIRE(one.get().first[0] == 5);
        ++one.get().second[0];
        REQUIRE(one.get().first[0] == 6);
        REQUIRE(pool.apply([](const counters& c) { return c; }, seen) == seen);
        static_cast<void>(pool.apply_async([] { return counters::create(std::size_t{1}); })); // nobody wants it
        pool.close();
        pool.join();
    }
    REQUIRE(objects() == before);
}
