// CPython's _TestArray and the arrays of _TestSharedCTypes, under each start method.
#include <multiprocessing/sharedctypes.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;

namespace {

template <typename T>
concept HasLock = requires(const T& shared) {
    shared.get_lock();
};

} // namespace

TEMPLATE_TEST_CASE("T082: length, elements, slices, and prefix sums by a child", "[conformance][array]", mp::Array<int>,
                   mp::RawArray<int>) {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    std::vector<int> seq{680, 626, 934, 821, 150, 233, 548, 982, 714, 831};
    const TestType arr(seq);
    REQUIRE(arr.size() == seq.size());
    REQUIRE(arr[3] == seq[3]);
    const auto slice = arr.span().subspan(2, 5);
    REQUIRE(std::equal(slice.begin(), slice.end(), seq.begin() + 2));
    const std::vector<int> four{1, 2, 3, 4};
    std::copy(four.begin(), four.end(), arr.begin() + 4);
    std::copy(four.begin(), four.end(), seq.begin() + 4);
    REQUIRE(arr.to_vector() == seq);

    auto p = ctx.Process(
        [](TestType all) {
            for (std::size_t i = 1; i < all.size(); ++i) all[i] += all[i - 1];
        },
        arr);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    for (std::size_t i = 1; i < seq.size(); ++i) seq[i] += seq[i - 1];
    REQUIRE(arr.to_vector() == seq);
}

TEST_CASE("T083: an array of a size is zeros, also in memory used before", "[conformance][array]") {
    for (int round = 0; round < 3; ++round) {
        const mp::Array<int> arr(10);
        REQUIRE(arr.size() == 10);
        REQUIRE(arr.to_vector() == std::vector<int>(10));
        for (std::size_t i = 0; i < 10; ++i) arr[i] = static_cast<int>(i);
        REQUIRE(arr[9] == 9);
    }
}

TEST_CASE("T084: a lock of its own, another's, or none", "[conformance][array]") {
    const mp::RLock lock;
    const mp::Array<int> own(10), with(10, lock);
    REQUIRE(with.get_lock() == lock);
    REQUIRE_FALSE(own.get_lock() == lock);
    static_assert(!HasLock<mp::RawArray<int>>);
}

TEST_CASE("T164: a child doubles an array, and a text", "[conformance][array]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Array<double> arr(10);
    for (std::size_t i = 0; i < 10; ++i) arr[i] = static_cast<double>(i);
    const mp::Array<char> text(20);
    std::string("hello").copy(text.data(), 20);
    auto p = ctx.Process(
        [](mp::Array<double> numbers, mp::Array<char> letters) {
            numbers.with_lock([](auto all) {
                for (double& x : all) x *= 2;
            });
            std::string("hellohello").copy(letters.data(), 20);
        },
        arr, text);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    for (std::size_t i = 0; i < 10; ++i) REQUIRE(arr[i] == 2.0 * static_cast<double>(i));
    REQUIRE(std::string(text.data()) == "hellohello");
}

TEST_CASE("A103: an index out of range", "[conformance][array]") {
    const mp::Array<int> arr(10);
    REQUIRE_THROWS_AS(arr.at(10), std::out_of_range);
    REQUIRE_THROWS_AS(arr.get(10), std::out_of_range);
    REQUIRE_THROWS_AS(arr.set(10, 1), std::out_of_range);
}
