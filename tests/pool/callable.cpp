#include <multiprocessing/pool/callable.hpp>

#include <memory>
#include <string>

#include "support/catch.hpp"

namespace pool = multiprocessing::pool;

namespace {

int twice(int x) { return 2 * x; }
struct empty_functor {
    int operator()(int x) const { return x + 1; }
};
struct thing {
    int n = 5;
    int get() const { return n; }
};

template <typename F>
int through_a_job(F f, int x) {
    alignas(64) static pool::job where{};
    pool::put_callable(where.callable, f);
    auto&& again = pool::get_callable<F>(where.callable);
    return again(x);
}

} // namespace

TEST_CASE("functions, captureless lambdas and empty functors are known to all; captures aren't", "[pool][callable]") {
    int k = 3;
    const auto captureless = [](int x) { return x; };
    const auto capturing = [k](int x) { return x + k; };
    const auto by_reference = [&k](int x) { return x + k; };
    STATIC_REQUIRE(pool::KnownToAll<int (*)(int)>);
    STATIC_REQUIRE(pool::KnownToAll<std::decay_t<decltype(captureless)>>);
    STATIC_REQUIRE(pool::KnownToAll<empty_functor>);
    STATIC_REQUIRE(pool::KnownToAll<int (thing::*)() const>);
    STATIC_REQUIRE(pool::KnownToAll<pool::starred<empty_functor>>);
    STATIC_REQUIRE(pool::KnownToAll<pool::starred<int (*)(int)>>);
    STATIC_REQUIRE_FALSE(pool::KnownToAll<std::decay_t<decltype(capturing)>>);
    STATIC_REQUIRE_FALSE(pool::KnownToAll<std::decay_t<decltype(by_reference)>>);
    STATIC_REQUIRE_FALSE(pool::KnownToAll<std::function<int(int)>>);
    REQUIRE(captureless(1) + capturing(1) + by_reference(1) == 9);
}

TEST_CASE("a callable comes out of a job as it went in", "[pool][callable]") {
    REQUIRE(through_a_job(&twice, 4) == 8);
    REQUIRE(through_a_job(empty_functor{}, 4) == 5);
    REQUIRE(through_a_job([](int x) { return -x; }, 4) == -4);
}

TEST_CASE("an item is handed over in whichever way the function takes it", "[pool][callable]") {
    auto by_value = [](std::unique_ptr<int> p) { return *p; };
    auto to_look_at = [](const std::string& s) { return s.size(); };
    auto to_change = [](std::string& s) { return (s += "!").size(); };
    auto anything = [](auto&& x) { return sizeof x; };
    STATIC_REQUIRE(pool::handing_of<decltype(by_value), std::unique_ptr<int>> == pool::handing::away);
    STATIC_REQUIRE(pool::handing_of<decltype(to_change), std::string> == pool::handing::to_change);
    STATIC_REQUIRE_FALSE(pool::CallableWith<decltype(to_change), int>);
    auto p = std::make_unique<int>(7);
    REQUIRE(pool::call_with(by_value, p) == 7);
    std::string s = "ab";
    REQUIRE(pool::call_with(to_look_at, s) == 2);
    REQUIRE(pool::call_with(to_change, s) == 3);
    REQUIRE(pool::call_with(anything, s) == sizeof s);
    STATIC_REQUIRE(std::is_same_v<pool::result_of<decltype(to_look_at), std::string>, std::size_t>);
}

TEST_CASE("a starred callable takes the elements of tuples, pairs and arrays", "[pool][callable]") {
    auto add = [](int a, int b) { return a + b; };
    pool::starred<decltype(add)> f{add};
    std::pair<int, int> two{1, 2};
    std::tuple<int, int> also{3, 4};
    std::array<int, 2> array{5, 6};
    REQUIRE(pool::call_with(f, two) == 3);
    REQUIRE(pool::call_with(f, also) == 7);
    REQUIRE(pool::call_with(f, array) == 11);
    STATIC_REQUIRE_FALSE(pool::CallableWith<pool::starred<decltype(add)>, std::tuple<int>>);
}
