#include <multiprocessing/pool/pool.hpp>

#include <array>
#include <csignal>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <ranges>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include <unistd.h>

#include <multiprocessing/os/cpu.hpp>
#include <multiprocessing/process/exit.hpp>
#include <multiprocessing/process/process.hpp>

#include "support/catch.hpp"
#include "support/steps.hpp"

// clang++ before 16 can't compile the views of libstdc++.
#if defined(__clang__) && __clang_major__ < 16 && defined(__GLIBCXX__)
#    define VIEWS_COMPILE 0
#else
#    define VIEWS_COMPILE 1
#endif

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;

namespace {

int square(int x) { return x * x; }
double half(double x) { return x / 2; }
std::string shout(const std::string& s) { return s + "!"; }
int where(int) { return ::getpid(); }
int deadly(int x) {
    if (x == 17) ::raise(SIGKILL);
    return x;
}

struct point {
    int x;
    double y;
    bool operator==(const point&) const = default;
};
struct named {
    std::string name;
    std::vector<int> numbers;
    bool operator==(const named&) const = default;
};

std::vector<int> up_to(int n) {
    std::vector<int> v(static_cast<std::size_t>(n));
    std::iota(v.begin(), v.end(), 0);
    return v;
}

std::uint64_t objects() { return memory::family::here().objects(); }

} // namespace

// --- T097, T098, T112, T114: map equals the serial map

TEST_CASE("map gives what the loop gives, for any size and any chunk size", "[pool][T097]") {
    mp::Pool pool(3);
    REQUIRE(pool.size() == 3);
    for (const int n : {0, 1, 2, 3, 10, 1000, 100'000}) {
        const auto in = up_to(n);
        std::vector<int> expected;
        for (const int x : in) expected.push_back(x / 2 * 3);
        const auto f = [](int x) { return x / 2 * 3; };
        REQUIRE(pool.map(f, in) == expected);
        REQUIRE(pool.map(f, in, 20) == expected);
        REQUIRE(pool.map(f, in, {.chunksize = 1 + in.size() / 2}) == expected);
    }
}

TEST_CASE("map takes any range", "[pool]") {
    mp::Pool pool(2);
    const std::vector<int> expected{1, 4, 9};
    REQUIRE(pool.map(square, {1, 2, 3}) == expected);
    REQUIRE(pool.map(square, std::list{1, 2, 3}) == expected);
    REQUIRE(pool.map(square, std::deque{1, 2, 3}) == expected);
    REQUIRE(pool.map(square, std::array{1, 2, 3}) == expected);
    REQUIRE(pool.map(square, std::set{1, 2, 3}) == expected);
#if VIEWS_COMPILE
    REQUIRE(pool.map(square, std::views::iota(1, 4)) == expected);
    REQUIRE(pool.map(square, std::views::iota(1) | std::views::take(3)) == expected);
    REQUIRE(pool.map(square, up_to(4) | std::views::drop(1)) == expected);
    REQUIRE(pool.map(square, up_to(7) | std::views::filter([](int x) { return x > 0 && x < 4; })) == expected);
    std::istringstream words("1 2 3");
    REQUIRE(pool.map(square, std::views::istream<int>(words)) == expected); // can be gone through once only
#endif
    const int plain[] = {1, 2, 3};
    REQUIRE(pool.map(square, plain) == expected);
    REQUIRE(pool.map([](bool b) { return !b; }, std::vector<bool>{true, false}) == std::vector<bool>{false, true});
    const std::map<std::string, int> ages{{"ann", 1}, {"bob", 2}};
    REQUIRE(pool.map([](const std::pair<const std::string, int>& p) { return p.second; }, ages) == std::vector{1, 2});
}

TEST_CASE("items and results of any type that can travel", "[pool]") {
    mp::Pool pool(2);
    REQUIRE(pool.map(shout, std::vector<std::string>{"a", "", "ccc"}) == std::vector<std::string>{"a!", "!", "ccc!"});
    REQUIRE(pool.map([](point p) { return point{p.x + 1, p.y * 2}; }, {point{1, 2}, point{3, 4}}) ==
            std::vector{point{2, 4}, point{4, 8}});
    REQUIRE(pool.map([](named n) { n.numbers.push_back(7); return n; }, {named{"x", {1}}}) == std::vector{named{"x", {1, 7}}});
    const auto lists = pool.map([](int n) { return up_to(n); }, {3, 0, 1});
    REQUIRE(lists == std::vector<std::vector<int>>{{0, 1, 2}, {}, {0}});
    auto owned = pool.map([](int n) { return std::make_unique<int>(n); }, {1, 2}); // results that can only be moved
    REQUIRE(*owned[1] == 2);
    REQUIRE(pool.map([](const std::unique_ptr<int>& p) { return *p; }, owned) == std::vector{1, 2}); // and items
    const std::string large(3'000'000, 'x');
    REQUIRE(pool.map(shout, std::vector(5, large)) == std::vector(5, large + "!"));
}

TEST_CASE("a function that returns nothing gives nothing", "[pool]") {
    mp::Pool pool(2);
    STATIC_REQUIRE(std::is_void_v<decltype(pool.map([](int) {}, up_to(3)))>);
    auto seen = memory::handle<std::atomic<int>[]>::create(100);
    auto* counts = seen.get();
    pool.for_each([counts](int i) { ++counts[i]; }, up_to(100));
    pool.for_each([counts](int i) { ++counts[i]; return i; }, up_to(100), 7);
    for (int i = 0; i < 100; ++i) REQUIRE(counts[i] == 2);
}

TEST_CASE("starmap spreads tuples over arguments", "[pool][T098]") {
    mp::Pool pool(2);
    const auto add = [](int a, double b) { return a + b; };
    REQUIRE(pool.starmap(add, std::vector<std::tuple<int, double>>{{1, 0.5}, {2, 0.25}}) == std::vector{1.5, 2.25});
    REQUIRE(pool.starmap(add, std::vector<std::pair<int, double>>{{1, 0.5}}, 1) == std::vector{1.5});
    double c = 10;
    REQUIRE(pool.starmap([c](int a, double b) { return a + b + c; }, {std::pair{1, 0.5}}) == std::vector{11.5});
    const auto repeat = [](const std::string& s, std::size_t n) {
        std::string all;
        while (n-- > 0) all += s;
        return all;
    };
    REQUIRE(pool.starmap(repeat, std::vector<std::tuple<std::string, std::size_t>>{{"ab", 2}, {"c", 3}}) ==
            std::vector<std::string>{"abab", "ccc"});
}

TEST_CASE("apply runs one call in a worker", "[pool][T096]") {
    mp::Pool pool(2);
    REQUIRE(pool.apply(square, 7) == 49);
    REQUIRE(pool.apply([] { return std::string("nothing given"); }) == "nothing given");
    REQUIRE(pool.apply(shout, "a literal") == "a literal!");
    REQUIRE(pool.apply([](int a, const std::vector<int>& b) { return a + b.at(1); }, 1, std::vector{5, 6}) == 7);
    REQUIRE(pool.apply([](std::unique_ptr<int> p) { return *p; }, std::make_unique<int>(3)) == 3);
    int n = 5;
    pool.apply([&n] { n = 6; }); // in the worker's copy
    REQUIRE(n == 5);
    REQUIRE(pool.apply(where, 0) != ::getpid());
    for (int i = 0; i < 1000; ++i) REQUIRE(pool.apply(square, i) == i * i);
}

TEST_CASE("map_into writes where it is told, common memory or not", "[pool]") {
    mp::Pool pool(2);
    std::vector<double> in(10'000);
    std::iota(in.begin(), in.end(), 0);
    std::vector<double> out(in.size() + 1, -1);
    pool.map_into(half, in, out);
    for (std::size_t i = 0; i < in.size(); ++i) REQUIRE(out[i] == in[i] / 2);
    REQUIRE(out.back() == -1);

    auto shared_in = memory::handle<double[]>::create(in.size());
    auto shared_out = memory::handle<double[]>::create(in.size());
    std::copy(in.begin(), in.end(), shared_in.get());
    const auto before = objects();
    pool.map_into(half, std::span(shared_in.get(), in.size()), std::span(shared_out.get(), in.size()));
    for (std::size_t i = 0; i < in.size(); ++i) REQUIRE(shared_out[i] == in[i] / 2);
    REQUIRE(objects() == before); // nothing was copied anywhere

    const double k = 3;
    std::vector<float> narrow(in.size());
    pool.map_into([k](double x) { return static_cast<float>(x * k); }, in, narrow, {.chunksize = 100});
    REQUIRE(narrow[5] == 15.0F);
    std::vector<double> small(3);
    REQUIRE_THROWS_AS(pool.map_into(half, in, small), mp::ValueError);
}

// --- callables with and without captures

TEST_CASE("a callable without captures runs on the standing workers, one with captures on heirs", "[pool]") {
    mp::Pool pool(2);
    const auto pids = pool.pids();
    const std::set<int> standing(pids.begin(), pids.end());
    for (const int pid : pool.map(where, up_to(50))) REQUIRE(standing.count(pid) == 1);
    for (const int pid : pool.map([](int) { return ::getpid(); }, up_to(50))) REQUIRE(standing.count(pid) == 1);
    int k = 0;
    for (const int pid : pool.map([k](int) { return ::getpid() + k; }, up_to(50))) REQUIRE(standing.count(pid) == 0);
    REQUIRE(pool.pids() == pids);
}

TEST_CASE("what a callable refers to is as the caller sees it at that moment", "[pool]") {
    mp::Pool pool(2);
    std::vector<std::string> table;
    const auto look_up = [&table](std::size_t i) { return table.at(i); };
    for (int round = 0; round < 3; ++round) {
        table.push_back("entry " + std::to_string(round));
        std::vector<std::size_t> places(table.size());
        std::iota(places.begin(), places.end(), std::size_t{0});
        REQUIRE(pool.map(look_up, places) == table);
    }
    // Items that can't travel are inherited as well.
    const std::string a = "a";
    const std::string b = "b";
    REQUIRE(pool.map([](const std::string* s) { return *s; }, {&a, &b}) == std::vector{a, b});
    REQUIRE(pool.map([](std::string_view s) { return s.size(); }, std::vector<std::string_view>{"x", "yz"}) ==
            std::vector<std::size_t>{1, 2});
    // As are callables that can only be moved, or have state.
    auto unique = [p = std::make_unique<int>(5)](int x) { return x + *p; };
    REQUIRE(pool.map(unique, {1, 2}) == std::vector{6, 7});
    int calls = 0;
    REQUIRE(pool.map([calls](int) mutable { return ++calls > 0; }, up_to(10)) == std::vector<bool>(10, true));
    REQUIRE(calls == 0);
}

// --- errors

namespace testing {
[[gnu::noinline]] int task_that_throws(int x) {
    if (x == 3) throw std::runtime_error("three");
    return x;
}
} // namespace testing

TEST_CASE("what a task throws tells the calls that led to it", "[pool]") {
    mp::Pool pool(2);
    try {
        pool.map(testing::task_that_throws, up_to(10));
        FAIL("nothing was thrown");
    } catch (const mp::RemoteError& error) {
        REQUIRE_THAT(error.traceback(), testing::contains("testing::task_that_throws(int)"));
    }
}

TEST_CASE("what a task throws is thrown by the map, as its own type and as a remote error", "[pool][T117]") {
    mp::Pool pool(2);
    const auto fails = [](int x) {
        if (x == 50) throw std::out_of_range("item fifty");
        return x;
    };
    REQUIRE_THROWS_AS(pool.map(fails, up_to(100)), std::out_of_range);
    REQUIRE_THROWS_AS(pool.map(fails, up_to(100)), mp::RemoteError);
    REQUIRE_THROWS_WITH(pool.map(fails, up_to(100)), Catch::Contains("item fifty"));
    try {
        pool.map(fails, up_to(100));
    } catch (const mp::RemoteError& error) {
        REQUIRE(error.type_name() == "std::out_of_range");
        REQUIRE(error.message() == "item fifty");
        const auto pids = pool.pids();
        REQUIRE(std::count(pids.begin(), pids.end(), error.pid()) == 1);
    }
    int k = 1;
    REQUIRE_THROWS_AS(pool.map([k](int x) { if (x == k) throw std::bad_alloc(); }, up_to(3)), std::bad_alloc);
    REQUIRE_THROWS_AS(pool.apply([] { throw 42; }), mp::RemoteError);
    REQUIRE(pool.map(square, {1, 2}) == std::vector{1, 4}); // T103: the pool goes on
}

TEST_CASE("the rest of a map is dropped after the first error", "[pool]") {
    mp::Pool pool(2);
    auto started = memory::handle<std::atomic<int>>::create(0);
    auto* count = &*started;
    REQUIRE_THROWS_AS(pool.map(
                          [count](int x) {
                              ++*count;
                              if (x == 3) throw std::runtime_error("no");
                              return x;
                          },
                          up_to(1'000'000)),
                      std::runtime_error);
    REQUIRE(*count < 1'000'000);
}

#if VIEWS_COMPILE
TEST_CASE("an exception of the range itself is the caller's, and the pool goes on", "[pool][T102][T118]") {
    mp::Pool pool(2);
    const auto bad = std::views::iota(0, 100) | std::views::transform([](int x) {
                         if (x == 30) throw std::domain_error("the input");
                         return x;
                     });
    for (int i = 0; i < 3; ++i) {
        try {
            pool.map(square, bad);
            FAIL("it should have thrown");
        } catch (const std::domain_error& error) {
            REQUIRE(dynamic_cast<const mp::RemoteError*>(&error) == nullptr);
        }
        REQUIRE(pool.map(square, {3}) == std::vector{9});
    }
}
#endif

TEST_CASE("a worker that kills itself on item 17 is named, and the next map is complete", "[pool]") {
    mp::Pool pool(2);
    for (int i = 0; i < 20; ++i) {
        try {
            pool.map(deadly, up_to(100));
            FAIL("it should have thrown");
        } catch (const mp::WorkerLostError& lost) {
            REQUIRE(lost.item() == 17u);
            REQUIRE(lost.signal_name() == "SIGKILL");
            REQUIRE(lost.exitcode() == -SIGKILL);
            REQUIRE_THAT(lost.what(), Catch::Contains("item 17") && Catch::Contains("SIGKILL") &&
                                          Catch::Contains(std::to_string(lost.pid())));
        }
        REQUIRE(pool.map(square, up_to(100)).size() == 100);
    }
    int k = 17;
    REQUIRE_THROWS_AS(pool.map([k](int x) { if (x == k) ::raise(SIGKILL); return x; }, up_to(100)), mp::WorkerLostError);
    REQUIRE_THROWS_AS(pool.map([](const std::string& s) { if (s == "b") ::_exit(3); return s; },
                               std::vector<std::string>{"a", "b", "c"}),
                      mp::WorkerLostError);
    try {
        pool.apply([] { mp::exit(7); });
    } catch (const mp::WorkerLostError& lost) {
        REQUIRE(lost.exitcode() == 7);
        REQUIRE(lost.signal_name().empty());
    }
}

TEST_CASE("calls that a dead worker held nothing of don't notice", "[pool]") {
    mp::Pool pool(3);
    std::atomic<bool> over{false};
    std::atomic<int> unharmed{0}; // Catch's assertions are for one thread alone
    std::thread killer([&] {
        while (!over) {
            try {
                pool.map(deadly, up_to(18), 18);
                ++unharmed;
            } catch (const mp::WorkerLostError&) {
            }
        }
    });
    int good = 0;
    int lost = 0;
    for (int i = 0; i < 300; ++i) {
        try {
            const auto all = pool.map(shout, std::vector<std::string>(20, "x"));
            REQUIRE(all == std::vector<std::string>(20, "x!"));
            ++good;
        } catch (const mp::WorkerLostError&) {
            ++lost; // a worker takes a chunk of each job in turn, one at a time: it holds one alone
        }
    }
    over = true;
    killer.join();
    REQUIRE(unharmed == 0);
    REQUIRE(good == 300);
    REQUIRE(lost == 0);
}

// --- life

TEST_CASE("calls in the wrong state are refused", "[pool][T112][T115][T116]") {
    REQUIRE_THROWS_WITH(mp::Pool(0), Catch::Contains("at least 1"));
    REQUIRE_THROWS_AS(mp::Pool(-1), mp::ValueError);
    REQUIRE_THROWS_AS(mp::Pool({.processes = 1'000'000}), mp::ValueError);
    mp::Pool pool(1);
    REQUIRE_THROWS_AS(pool.map(square, {1}, -1), mp::ValueError);
    REQUIRE_THROWS_WITH(pool.join(), Catch::Contains("Pool is still running"));
    pool.close();
    pool.close();
    REQUIRE_THROWS_WITH(pool.map(square, {1}), Catch::Contains("Pool not running"));
    REQUIRE_THROWS_AS(pool.apply(square, 1), mp::ValueError);
    pool.join();
    pool.join();
    REQUIRE(pool.pids().empty());
    mp::Pool other = std::move(pool);
    REQUIRE_THROWS_AS(pool.map(square, {1}), mp::ValueError);
    REQUIRE_THROWS_AS(other.map(square, {1}), mp::ValueError);
}

TEST_CASE("the default size is what this process may use", "[pool]") {
    mp::Pool pool;
    REQUIRE(pool.size() == mp::process_cpu_count());
}

TEST_CASE("terminate ends a map that another thread waits for", "[pool]") {
    mp::Pool pool(2);
    auto began = memory::handle<std::atomic<int>>::create(0);
    auto* at_work = &*began;
    std::atomic<bool> cancelled{false};
    std::thread waiting([&] {
        try {
            pool.apply([](std::uint64_t where) {
                memory::commons::here().at<std::atomic<int>>(where)->store(1);
                for (;;) ::pause();
            }, memory::commons::here().offset_of(at_work));
        } catch (const mp::CancelledError&) {
            cancelled = true;
        }
    });
    while (*at_work == 0) {}
    pool.terminate();
    waiting.join();
    REQUIRE(cancelled);
    pool.join();
    REQUIRE_THROWS_AS(pool.map(square, {1}), mp::ValueError);
}

TEST_CASE("a pool belongs to the process that made it", "[pool]") {
    mp::Pool pool(1);
    mp::Process child([&pool] {
        try {
            pool.map(square, {1});
        } catch (const mp::ValueError&) {
            return;
        }
        mp::exit(1);
    });
    child.start();
    child.join();
    REQUIRE(child.exitcode() == 0);
    REQUIRE(pool.map(square, {2}) == std::vector{4}); // the child's copy of it is gone, and did no harm
}

TEST_CASE("a task may make a pool of its own", "[pool][T204]") {
    mp::Pool pool(2);
    const auto nested = [](int n) {
        mp::Pool inner(2);
        const auto all = inner.map(square, up_to(n));
        return std::accumulate(all.begin(), all.end(), 0);
    };
    REQUIRE(pool.map(nested, {3, 4}) == std::vector{5, 14});
}

TEST_CASE("an initializer runs in every worker, and one that throws fails the calls", "[pool][T202]") {
    static int prepared = 0;
    mp::Pool pool({.processes = 2}, [](int a, int b) { prepared = a + b; }, 3, 4);
    REQUIRE(pool.map([](int x) { return prepared + x; }, {0, 1}) == std::vector{7, 8});
    REQUIRE(prepared == 0);
    mp::Pool broken({.processes = 2}, [] { throw std::runtime_error("no licence"); });
    for (int i = 0; i < 2; ++i) REQUIRE_THROWS_WITH(broken.map(square, {1, 2}), Catch::Contains("no licence"));
}

TEST_CASE("many threads use a pool at once", "[pool]") {
    mp::Pool pool(2);
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50; ++i) {
                const auto in = up_to(t * 10 + i);
                const auto out = pool.map(square, in);
                bool good = out.size() == in.size();
                for (std::size_t n = 0; good && n < in.size(); ++n) good = out[n] == in[n] * in[n];
                right += good;
            }
        });
    for (auto& t : threads) t.join();
    REQUIRE(right == 400);
}

TEST_CASE("two hundred workers", "[pool][T259][slow]") {
    mp::Pool pool(200);
    REQUIRE(pool.map(square, up_to(1000)).back() == 999 * 999);
    REQUIRE(pool.pids().size() == 200);
}

TEST_CASE("a pool leaves nothing behind", "[pool]") {
    const auto before = objects();
    {
        mp::Pool pool(2);
        pool.map(square, up_to(40'000));
        pool.map(shout, std::vector<std::string>(100, "x"));
        REQUIRE_THROWS(pool.map(deadly, up_to(30)));
        REQUIRE_THROWS(pool.map([](const std::string& s) { if (s.empty()) throw 1; return s; },
                                std::vector<std::string>{"a", "b", "", "d"}));
        int k = 1;
        pool.map([k](int x) { return std::to_string(x + k); }, up_to(10));
    }
    REQUIRE(objects() == before);
}
