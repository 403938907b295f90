#include <multiprocessing/pool/short_forms.hpp>

#include <functional>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include <multiprocessing/futures.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;

namespace {

int square(int x) { return x * x; }
int plus(int a, int b) { return a + b; }

template <typename Iterator>
std::vector<int> all(Iterator results) {
    std::vector<int> list;
    for (const int each : results) list.push_back(each);
    return list;
}

const std::vector<int> squares{1, 4, 9};
const std::vector<int> in{1, 2, 3};
const std::vector<std::tuple<int, int>> pairs{{1, 2}, {3, 4}};
const std::vector<int> sums{3, 7};

} // namespace

TEMPLATE_TEST_CASE("every call on a pool takes a list in braces, with options or without", "[pool]", mp::Pool, mp::pool::ThreadPool) {
    TestType pool(2);
    const mp::MapOptions options{.chunksize = 2};
    CHECK(pool.map(square, {1, 2, 3}) == squares);
    CHECK(pool.map(square, {1, 2, 3}, options) == squares);
    CHECK(pool.map_async(square, {1, 2, 3}).get() == squares);
    CHECK(pool.map_async(square, {1, 2, 3}, 2).get() == squares);
    CHECK(pool.starmap(plus, {std::tuple(1, 2), std::tuple(3, 4)}) == sums);
    CHECK(pool.starmap_async(plus, {std::tuple(1, 2), std::tuple(3, 4)}).get() == sums);
    CHECK(all(pool.imap(square, {1, 2, 3})) == squares);
    auto unordered = all(pool.imap_unordered(square, {1, 2, 3}));
    CHECK(std::accumulate(unordered.begin(), unordered.end(), 0) == 14);
    mp::Value<int> sum(0);
    pool.for_each([&](int x) { sum += x; }, {1, 2, 3});
    CHECK(sum.load() == 6);
    std::vector<int> out(3);
    pool.map_into(square, {1, 2, 3}, out);
    CHECK(out == squares);
    CHECK(pool.map_reduce(square, std::plus(), {1, 2, 3}, 100) == 114);
}

TEMPLATE_TEST_CASE("every call on a pool takes the chunk size alone, as in Python", "[pool]", mp::Pool, mp::pool::ThreadPool) {
    TestType pool(2);
    CHECK(pool.map(square, in, 2) == squares);
    CHECK(pool.map(square, in, 2U) == squares);
    CHECK(pool.map_async(square, in, 2).get() == squares);
    CHECK(pool.starmap(plus, pairs, 2) == sums);
    CHECK(pool.starmap_async(plus, pairs, 2).get() == sums);
    CHECK(all(pool.imap(square, in, 2)) == squares);
    CHECK(all(pool.imap_unordered(square, in, 2)).size() == 3);
    mp::Value<int> sum(0);
    pool.for_each([&](int x) { sum += x; }, in, 2);
    CHECK(sum.load() == 6);
    std::vector<int> out(3);
    pool.map_into(square, in, out, 2);
    CHECK(out == squares);
    CHECK(pool.map_reduce(square, std::plus(), in, 100, 2) == 114);
    CHECK_THROWS_AS(pool.map(square, in, -1), mp::ValueError);
}

TEST_CASE("an executor maps a list in braces", "[pool]") {
    mp::futures::ProcessPoolExecutor executor(2);
    CHECK(all(executor.map(square, {1, 2, 3})) == squares);
}
