#include <multiprocessing/serial/fields.hpp>

#include <any>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <support/catch.hpp>

using multiprocessing::serial::types;
using multiprocessing::serial::detail::apply_to_fields;
using multiprocessing::serial::detail::field_count;
using multiprocessing::serial::detail::field_types;
using multiprocessing::serial::detail::has_base;

namespace {

struct none {};
struct one {
    std::vector<int> a;
};
struct itself {
    int a;
    std::vector<itself> b;
    std::unique_ptr<itself> c;
};
struct with_defaults {
    int a = 3;
    std::string b = "b";
};
struct arrays {
    int a[3];
    std::string b[2];
    char c[16];
    double d[4][4];
    int e;
};
struct one_array {
    int a[3];
};
struct huge {
    double a[100000];
    std::array<float, 100000> b;
    int c;
};
struct no_default {
    explicit no_default(int) {}
};
struct explicit_default {
    explicit explicit_default() = default;
};
struct initialised {
    int a;
    no_default b{3};
    int c;
};
struct uninitialised {
    int a;
    no_default b;
    std::string c;
};
struct guarded {
    int a;
    explicit_default b;
    int c;
};
struct takes_anything {
    std::any a;
    std::function<void()> b;
    std::optional<std::string> c;
    std::variant<int, std::string> d;
    int e;
};
struct inner {
    int a;
    std::string b;
};
struct outer {
    inner a;
    inner b[2];
    std::map<int, inner> c;
};
struct listed {
    listed() = default;
    listed(std::initializer_list<int>) {}
};
struct with_list {
    listed a;
    int b;
};
struct sixteen {
    int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o;
    std::string p;
};
struct twenty {
    int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s;
    std::string t;
};
struct based : inner {
    int c;
};
struct on_nothing : none {
    int a;
};

} // namespace

TEST_CASE("members are counted, whatever they are", "[serial][fields]") {
    STATIC_REQUIRE(field_count<none> == 0);
    STATIC_REQUIRE(field_count<one> == 1);
    STATIC_REQUIRE(field_count<itself> == 3);
    STATIC_REQUIRE(field_count<with_defaults> == 2);
    STATIC_REQUIRE(field_count<arrays> == 5);
    STATIC_REQUIRE(field_count<one_array> == 1);
    STATIC_REQUIRE(field_count<huge> == 3);
    STATIC_REQUIRE(field_count<initialised> == 3);
    STATIC_REQUIRE(field_count<uninitialised> == 3);
    STATIC_REQUIRE(field_count<guarded> == 3);
    STATIC_REQUIRE(field_count<takes_anything> == 5);
    STATIC_REQUIRE(field_count<outer> == 3);
    STATIC_REQUIRE(field_count<with_list> == 2);
    STATIC_REQUIRE(field_count<sixteen> == 16);
    STATIC_REQUIRE(field_count<twenty> == 17); // more than 16
    STATIC_REQUIRE(field_count<const inner> == 2);
}

TEST_CASE("a base class is told from a first member", "[serial][fields]") {
    STATIC_REQUIRE(has_base<based>);
    STATIC_REQUIRE(has_base<on_nothing>);
    STATIC_REQUIRE_FALSE(has_base<none>);
    STATIC_REQUIRE_FALSE(has_base<one>);
    STATIC_REQUIRE_FALSE(has_base<outer>);
    STATIC_REQUIRE_FALSE(has_base<itself>);
    STATIC_REQUIRE_FALSE(has_base<takes_anything>);
}

TEST_CASE("members are had in order, as what they are", "[serial][fields]") {
    STATIC_REQUIRE(std::is_same_v<field_types<none>, types<>>);
    STATIC_REQUIRE(std::is_same_v<field_types<arrays>, types<int[3], std::string[2], char[16], double[4][4], int>>);
    STATIC_REQUIRE(std::is_same_v<field_types<outer>, types<inner, inner[2], std::map<int, inner>>>);

    inner x{1, "one"};
    apply_to_fields(x, [](int& a, std::string& b) {
        a += 1;
        b += " more";
    });
    CHECK(x.a == 2);
    CHECK(x.b == "one more");
    const inner& constant = x;
    CHECK(apply_to_fields(constant, [](const int& a, const std::string& b) { return b + std::to_string(a); }) == "one more2");

    sixteen y{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, "p"};
    CHECK(apply_to_fields(y, [](auto&&... all) { return std::get<14>(std::tie(all...)); }) == 15);
    twenty z{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, "t"};
    CHECK(apply_to_fields(z, [](auto&&... all) { return sizeof...(all); }) == 20);
    apply_to_fields(z, [](auto&&... all) { std::get<19>(std::tie(all...)) = "changed"; });
    CHECK(z.t == "changed");
}
