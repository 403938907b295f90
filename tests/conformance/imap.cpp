// CPython's tests of imap and imap_unordered, on processes by each start method and on threads.
#include <multiprocessing/pool.hpp>

#include <algorithm>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include <unistd.h>

#include "support/catch.hpp"
#include "support/count_up.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::pool::ThreadPool;

namespace {

int square(int x) { return x * x; }
int fails(int x) {
    if (x == 3) throw std::out_of_range("three");
    return x;
}

// Endless; counts what was read of it, and throws at some point if it is told to.
struct source {
    int* read;
    int throws_at = -1;
    struct iterator {
        using value_type = int;
        using difference_type = std::ptrdiff_t;
        source* from = nullptr;
        int at = 0;
        int operator*() const {
            if (at == from->throws_at) throw std::domain_error("the input");
            *from->read = at + 1;
            return at;
        }
        iterator& operator++() { return ++at, *this; }
        void operator++(int) { ++at; }
        friend bool operator==(const iterator&, std::unreachable_sentinel_t) { return false; }
    };
    iterator begin() { return {this, 0}; }
    std::unreachable_sentinel_t end() const { return {}; }
};

/// How a pool of so many is made: of processes by each start method in turn; of threads as ever.
template <typename P>
mp::PoolOptions each(int n) {
    if constexpr (std::is_same_v<P, ThreadPool>)
        return {.processes = n};
    else
        return {.processes = n, .start_method = testing::each_context().method()};
}

} // namespace

TEMPLATE_TEST_CASE("T106, T107: imap gives the results in order, then StopIteration", "[conformance][imap]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    for (const int chunk : {1, 100}) {
        auto all = pool.imap(square, testing::count_up(0, 1000), chunk);
        for (int i = 0; i < 1000; ++i) REQUIRE(all.next() == i * i);
        REQUIRE_THROWS_AS(all.next(), mp::StopIteration);
    }
}

TEMPLATE_TEST_CASE("T108, T109, T111, T118: an exception of the input comes in its place", "[conformance][imap]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    for (const int chunk : {1, 2, 4}) {
        int read = 0;
        auto all = pool.imap(square, source{&read, 7}, chunk);
        for (int i = 0; i < 7; ++i) REQUIRE(all.next() == i * i);
        REQUIRE_THROWS_AS(all.next(), std::domain_error);
        REQUIRE_THROWS_AS(all.next(), mp::StopIteration);
    }
}

TEMPLATE_TEST_CASE("T110: imap_unordered gives the same results", "[conformance][imap]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    for (const int chunk : {1, 100}) {
        std::vector<int> got;
        for (const int x : pool.imap_unordered(square, testing::count_up(0, 1000), chunk)) got.push_back(x);
        std::sort(got.begin(), got.end());
        REQUIRE(got.size() == 1000);
        for (int i = 0; i < 1000; ++i) REQUIRE(got[static_cast<std::size_t>(i)] == i * i);
    }
}

TEMPLATE_TEST_CASE("a failure comes in its place, and the rest after it", "[conformance][imap]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    auto all = pool.imap(fails, testing::count_up(0, 8), 4);
    for (int i = 0; i < 8; ++i) {
        if (i == 3)
            REQUIRE_THROWS_AS(all.next(), std::out_of_range);
        else
            REQUIRE(all.next() == i);
    }
}

TEMPLATE_TEST_CASE("T120 to T123: the input is read as far ahead as the buffer goes", "[conformance][imap]", mp::Pool, ThreadPool) {
    TestType pool(each<TestType>(2));
    int read = 0;
    auto all = pool.imap(square, source{&read}, {.buffersize = 3});
    REQUIRE(read == 3);
    for (int i = 0; i < 50; ++i) {
        REQUIRE(all.next() == i * i);
        REQUIRE(read == i + 4);
    }
    auto any = pool.imap_unordered(square, source{&read}, {.buffersize = 3});
    for (int i = 0; i < 50; ++i) static_cast<void>(any.next());
    pool.close();
    pool.join();
}
