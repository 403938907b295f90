// CPython's _TestPool and its relatives, on processes by each start method and on threads. T100 and T125 are mistakes that don't compile
// here (compile_fail/pool_*.cpp); T116 has no counterpart.
#include <multiprocessing/pool.hpp>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/process.hpp>

#include "support/catch.hpp"
#include "support/count_up.hpp"
#include "support/each_context.hpp"
#include "support/run_program.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;
using mp::pool::ThreadPool;

namespace {

int square(int x) { return x * x; }
int fails(int x) {
    if (x == 7) throw std::out_of_range("seven");
    return x;
}
int multiply(int a, int b) { return a * b; }

/// How a pool of so many is made: of processes by each start method in turn; of threads as ever.
template <typename P>
mp::PoolOptions each(int n) {
    if constexpr (std::is_same_v<P, ThreadPool>)
        return {.processes = n};
    else
        return {.processes = n, .start_method = testing::each_context().method()};
}

// Programs that end with a pool that nobody closes: a static object, or one that is never destroyed.
template <mp::StartMethod Method, bool Leaks>
int never_close() {
    static mp::Pool& pool = []() -> mp::Pool& {
        if (Leaks) return *new mp::Pool({.processes = 3, .start_method = Method});
        static mp::Pool here({.processes = 3, .start_method = Method});
        return here;
    }();
    const auto squares = pool.map(square, {1, 2, 3});
    std::printf("%d", std::accumulate(squares.begin(), squares.end(), 0));
    pool.map_async(square, testing::count_up(0, 1000)); // nobody waits for it
    return 0;
}
const testing::program careless[] = {
    {"static by fork", never_close<mp::StartMethod::fork, false>},
    {"static by spawn", never_close<mp::StartMethod::spawn, false>},
    {"static by forkserver", never_close<mp::StartMethod::forkserver, false>},
    {"leaked by fork", never_close<mp::StartMethod::fork, true>},
    {"leaked by spawn", never_close<mp::StartMethod::spawn, true>},
    {"leaked by forkserver", never_close<mp::StartMethod::forkserver, true>},
};

} // namespace

TEMPLATE_TEST_CASE("T096: apply, with any number of arguments", "[conformance][pool]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    REQUIRE(pool.apply(square, 5) == 25);
    REQUIRE(pool.apply(multiply, 5, 3) == 15);
    REQUIRE(pool.apply([] { return std::string("none"); }) == "none");
}

TEMPLATE_TEST_CASE("T097, T098: map and its relatives give what the loop gives", "[conformance][pool]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(4));
    const auto in = testing::count_up(0, 100);
    std::vector<int> expected;
    for (const int x : in) expected.push_back(x * x);
    REQUIRE(pool.map(square, in) == expected);
    REQUIRE(pool.map(square, in, 20) == expected);
    REQUIRE(pool.map_async(square, in).get() == expected);
    REQUIRE(pool.map_async(square, in, 20).get() == expected);
    std::vector<std::tuple<int, int>> pairs;
    for (const int x : in) pairs.emplace_back(x, x);
    REQUIRE(pool.starmap(multiply, pairs) == expected);
    REQUIRE(pool.starmap(multiply, pairs, {.chunksize = 20}) == expected);
    REQUIRE(pool.starmap_async(multiply, pairs).get() == expected);
    std::vector<int> out(100);
    pool.map_into(square, in, out);
    REQUIRE(out == expected);
    REQUIRE(pool.map_reduce(square, std::plus<>(), in, 0) == std::accumulate(expected.begin(), expected.end(), 0));
    pool.for_each(square, in);
    REQUIRE(pool.map_async(square, {1, 2}, 1).get() == std::vector{1, 4});
}

TEMPLATE_TEST_CASE("T101, T114: nothing to do", "[conformance][pool]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    const std::vector<int> none;
    REQUIRE(pool.map(square, none).empty());
    REQUIRE(pool.map_async(square, none, 5).get().empty());
    REQUIRE_THROWS_AS(pool.imap(square, none).next(), mp::StopIteration);
    REQUIRE_THROWS_AS(pool.imap_unordered(square, none).next(), mp::StopIteration);
}

TEMPLATE_TEST_CASE("T103, T117, T119: a map that fails throws what its task threw, and the pool goes on", "[conformance][pool]", mp::Pool,
                   ThreadPool) {
    TestType pool(each<TestType>(2));
    for (int i = 0; i < 3; ++i) {
        REQUIRE_THROWS_AS(pool.map(fails, testing::count_up(0, 20)), std::out_of_range);
        REQUIRE_THROWS_WITH(pool.map(fails, testing::count_up(0, 20)), testing::contains("seven"));
        REQUIRE(pool.map(square, {1, 2}) == std::vector{1, 4});
    }
    REQUIRE_THROWS_AS(pool.map([](int) { throw std::runtime_error(std::string(1 << 20, 'x')); }, {1, 2}), std::runtime_error);
    pool.close();
    pool.join();
}

TEMPLATE_TEST_CASE("T112, T115: sizes, and calls on a pool that has ended", "[conformance][pool]", mp::Pool, ThreadPool) {
    const auto options = each<TestType>(3);
    for (const int none : {0, -1}) {
        auto bad = options;
        bad.processes = none;
        REQUIRE_THROWS_AS(TestType(bad), mp::ValueError);
    }
    REQUIRE_THROWS_AS(TestType(0), mp::ValueError);
    REQUIRE_THROWS_AS(TestType(-1), mp::ValueError);
    TestType pool(options);
    REQUIRE(pool.size() == 3);
    REQUIRE_THROWS_WITH(pool.join(), testing::contains("still running"));
    REQUIRE_THROWS_AS(pool.map(square, {1}, {.chunksize = -1}), mp::ValueError);
    pool.terminate();
    pool.join();
    REQUIRE_THROWS_WITH(pool.map(square, {1}), testing::contains("Pool not running"));
    REQUIRE_THROWS_WITH(pool.apply_async(square, 1), testing::contains("Pool not running"));
    REQUIRE_THROWS_WITH(pool.imap(square, std::vector{1}), testing::contains("Pool not running"));
}

TEMPLATE_TEST_CASE("T202: the initializer runs in every worker", "[conformance][pool]", mp::Pool, ThreadPool) {
    const auto options = each<TestType>(2);
    static thread_local int prepared = 0;
    TestType pool(options, [](int x) { prepared = x; }, 5);
    for (const int x : pool.map([](int) { return prepared; }, testing::count_up(0, 20))) REQUIRE(x == 5);
    TestType broken(options, [] { throw std::runtime_error("no licence"); });
    while (true) { // until a thread has said so
        try {
            broken.apply(square, 1);
        } catch (const std::runtime_error& error) {
            REQUIRE_THAT(error.what(), testing::contains("no licence"));
            break;
        }
    }
}

TEST_CASE("T117: what a thread's task throws isn't remote", "[conformance][pool]") {
    ThreadPool pool(1);
    try {
        pool.apply(fails, 7);
        FAIL("it should have thrown");
    } catch (const std::out_of_range& error) {
        REQUIRE(dynamic_cast<const mp::RemoteError*>(&error) == nullptr);
    }
    REQUIRE_THROWS_AS(pool.map(square, {1}, {.task_timeout = 1s}), mp::ValueError);
}

TEST_CASE("threads work on this program's memory", "[conformance][pool]") {
    ThreadPool pool(3);
    std::vector<std::atomic<int>> counts(100);
    pool.for_each([&](int i) { ++counts[static_cast<std::size_t>(i)]; }, testing::count_up(0, 100));
    for (auto& each : counts) REQUIRE(each == 1);
    const std::string text = "abc";
    for (const std::size_t n : pool.map([](const std::string* s) { return s->size(); }, {&text, &text})) REQUIRE(n == 3);
    auto owned = pool.map([](int n) { return std::make_unique<int>(n); }, {1, 2});
    REQUIRE(*owned[1] == 2);
}

TEST_CASE("T129: a program may end without closing its pool", "[conformance][pool]") {
    for (const testing::program& each : careless) {
        const auto said = each.run(); // until nobody has its stdout any more
        CHECK(said.exit_code == 0);
        CHECK(said.out == "14");
        CHECK(said.err.empty());
    }
}

TEST_CASE("T240: whichever worker can't be started, those before it end, and the error is told", "[conformance][pool]") {
    const auto method = GENERATE(mp::StartMethod::fork, mp::StartMethod::spawn);
    INFO(to_string(method));
    // In a process that may open fewer descriptors than five workers take, then one more, and so on.
    mp::Process poor({.start_method = mp::StartMethod::fork}, [&] {
        { const mp::Pool once({.processes = 1, .start_method = method}); } // makes what is made once
        rlimit few{};
        ::getrlimit(RLIMIT_NOFILE, &few);
        few.rlim_cur = 3;
        while (::fcntl(static_cast<int>(few.rlim_cur), F_GETFD) >= 0) ++few.rlim_cur;
        int failures = 0;
        for (;; ++failures, ++few.rlim_cur) {
            ::setrlimit(RLIMIT_NOFILE, &few);
            try {
                mp::Pool five({.processes = 5, .start_method = method});
                if (five.map([](int x) { return x; }, testing::count_up(0, 10)).size() != 10) mp::exit(1);
                break;
            } catch (const std::system_error& error) {
                if (error.code() != std::errc::too_many_files_open) mp::exit(2);
            }
            if (::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD || !mp::active_children().empty()) mp::exit(3);
        }
        mp::exit(failures >= 5 ? 0 : 4);
    });
    poor.start();
    poor.join();
    REQUIRE(poor.exitcode() == 0);
}
