#include <multiprocessing/serial/object.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <deque>
#include <filesystem>
#include <fstream>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include <multiprocessing/serial/archive.hpp>

#include <support/catch.hpp>
#include <support/run_program.hpp>

#include "samples.hpp"

namespace mp = multiprocessing;
namespace serial = multiprocessing::serial;
using mp::Object;
using testing::contains;
using testing::dice;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t smallest = std::numeric_limits<std::int64_t>::min();

std::string repr(const Object& x) { return x.repr(); }

enum class colour : std::uint8_t { red = 1, green = 2 };

struct page {
    Object title;
    int number = 0;
    Object rest;
    std::string name;
};

struct alien {};

Object take_an_object(Object x) { return x; }

/// A list in a list in a list ...
Object nested(unsigned depth) {
    Object x = mp::list();
    for (unsigned i = 1; i < depth; ++i) {
        mp::list outer;
        outer.append(std::move(x));
        x = std::move(outer);
    }
    return x;
}

} // namespace

static_assert(sizeof(Object) == 16);
static_assert(std::is_nothrow_move_constructible_v<Object> && std::is_nothrow_move_assignable_v<Object>);
static_assert(mp::Serializable<Object> && mp::Serializable<mp::list> && mp::Serializable<mp::dict> && mp::Serializable<page>);
static_assert(mp::Serializable<std::vector<Object>> && mp::Serializable<std::map<std::string, Object>>);

static_assert(mp::ConvertibleToObject<std::map<int, std::vector<std::optional<std::string>>>>);
static_assert(!mp::ConvertibleToObject<int*> && !mp::ConvertibleToObject<alien> && !mp::ConvertibleToObject<std::vector<alien>>);
static_assert(!mp::ConvertibleToObject<wchar_t> && !mp::ConvertibleToObject<std::wstring>);
static_assert(!std::is_convertible_v<alien, Object>);
static_assert(mp::ConvertibleFromObject<std::tuple<int, std::string>> && !mp::ConvertibleFromObject<const char*>);
static_assert(!mp::ConvertibleFromObject<std::vector<alien>> && !mp::ConvertibleFromObject<std::variant<int>>);
static_assert(!std::is_convertible_v<Object, int> && std::is_constructible_v<int, Object>);

// ---- Making ----

TEST_CASE("braces make a list, and it prints as Python's", "[serial][object]") {
    CHECK(fmt::format("{}", take_an_object({42, nullptr, "hello"})) == "[42, None, 'hello']");
    Object x = {1, {2, {3, "x"}}, {{"a", 1}, {"b", 2}}, mp::list{}, {{}}};
    CHECK(repr(x) == "[1, [2, [3, 'x']], [['a', 1], ['b', 2]], [], [None]]");
    CHECK(repr({{"a", "b"}, {"c", "d"}}) == "[['a', 'b'], ['c', 'd']]");
    CHECK(repr(Object({"a", "b"})) == "['a', 'b']");
    CHECK(repr({}) == "None");
    CHECK(repr(mp::list{}) == "[]");
    CHECK(repr(mp::dict{}) == "{}");
    CHECK(repr(mp::dict{{"a", 1}}) == "{'a': 1}");
    CHECK(repr(mp::dict{{"a", "b"}}) == "{'a': 'b'}");
    CHECK(repr(mp::dict{{"a", {1, 2}}, {2, mp::dict{{nullptr, true}}}}) == "{'a': [1, 2], 2: {None: True}}");
    CHECK(repr(mp::list::of(mp::list{1, 2})) == "[[1, 2]]");
    CHECK(repr(mp::list::of(Object(1))) == "[1]");
    CHECK(repr(mp::list::of(1, "x", nullptr)) == "[1, 'x', None]");
    CHECK(repr(Object(x)) == repr(x)); // parentheses don't nest
}

TEST_CASE("an Object is made of C++ values", "[serial][object]") {
    CHECK(repr(nullptr) == "None");
    CHECK(repr(std::nullopt) == "None");
    CHECK(repr(std::monostate()) == "None");
    CHECK(repr(true) == "True");
    CHECK(repr('x') == "'x'");
    CHECK(repr(static_cast<signed char>(-3)) == "-3");
    CHECK(repr(std::uint8_t{200}) == "200");
    CHECK(repr(std::numeric_limits<std::uint32_t>::max()) == "4294967295");
    CHECK(repr(smallest) == "-9223372036854775808");
    CHECK(repr(std::uint64_t{9223372036854775807U}) == "9223372036854775807");
    CHECK_THROWS_MATCHES(Object(std::uint64_t{9223372036854775808U}), mp::ValueError,
                         Catch::Message("9223372036854775808 doesn't fit into an int of 64 bits: the largest is "
                                        "9223372036854775807"));
    CHECK(repr(1.5F) == "1.5");
    CHECK(repr(2.0L) == "2.0");
    CHECK(repr(colour::green) == "2");
    CHECK(repr(std::string("text")) == "'text'");
    CHECK(repr(std::string_view("text")) == "'text'");
    const char* const pointer = "text";
    CHECK(repr(pointer) == "'text'");
    char buffer[8] = "text";
    CHECK(repr(buffer) == "'text'");
    CHECK_THROWS_AS(Object(static_cast<const char*>(nullptr)), mp::ValueError);
    CHECK(repr(std::string("a\0b", 3)) == "'a\\x00b'");
    CHECK(repr(std::filesystem::path("/tmp/x")) == "'/tmp/x'");
    CHECK(repr(mp::to_bytes("GIF\x01")) == "b'GIF\\x01'");
    const std::array<std::byte, 2> two{std::byte{1}, std::byte{0x41}};
    CHECK(repr(two) == "b'\\x01A'");
    CHECK(repr(std::span(two)) == "b'\\x01A'");
    CHECK(repr(std::byte{7}) == "7");
    CHECK(repr(std::vector<int>{1, 2}) == "[1, 2]");
    CHECK(repr(std::vector<bool>{true, false}) == "[True, False]");
    CHECK(repr(std::vector<Object>{1, "x"}) == "[1, 'x']");
    CHECK(repr(std::vector<std::uint8_t>{1, 2}) == "[1, 2]");
    const int raw[] = {1, 2, 3};
    CHECK(repr(raw) == "[1, 2, 3]");
    CHECK(repr(std::span(raw)) == "[1, 2, 3]");
    CHECK(repr(std::set<std::string>{"b", "a"}) == "['a', 'b']");
    CHECK(repr(std::list<char>{'a'}) == "['a']");
    CHECK(repr(std::array<double, 2>{1, 2}) == "[1.0, 2.0]");
    CHECK(repr(std::pair(1, "x")) == "[1, 'x']");
    CHECK(repr(std::tuple(1, "x", std::vector<int>{2})) == "[1, 'x', [2]]");
    CHECK(repr(std::tuple<>()) == "[]");
    CHECK(repr(std::optional<int>(3)) == "3");
    CHECK(repr(std::optional<int>()) == "None");
    CHECK(repr(std::variant<int, std::string>("x")) == "'x'");
    CHECK(repr(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}}) == "{'a': [1], 'b': []}");
    const std::multimap<int, int> twice{{1, 2}, {1, 3}};
    CHECK(repr(twice) == "[[1, 2], [1, 3]]"); // a dict has a key once
    CHECK(Object(twice).as<std::multimap<int, int>>() == twice);
    CHECK(repr(std::unordered_map<int, Object>{{1, nullptr}}) == "{1: None}");
    CHECK_THROWS_AS(Object(std::map<std::vector<int>, int>{{{1}, 1}}), mp::TypeError); // an unhashable key
}

TEST_CASE("copies are other values, and a moved one is None", "[serial][object]") {
    const std::string long_text(100, 'x');
    for (const Object& original : {Object(5), Object("short"), Object(long_text), Object({1, {2, 3}, long_text}),
                                   Object(mp::dict{{"a", {1, 2}}})}) {
        Object copy = original;
        CHECK(copy == original);
        Object moved = std::move(copy);
        CHECK(moved == original);
        CHECK(copy.is_none()); // NOLINT: that is what is looked at
        copy = moved;
        CHECK(copy == original);
        moved = Object();
        CHECK(copy == original);
        Object& itself = copy;
        copy = itself;
        CHECK(copy == original);
        copy = std::move(itself);
        CHECK(copy == original);
    }
    Object a = {1, {2, 3}};
    Object b = a;
    b[1][0] = "changed";
    CHECK(repr(a) == "[1, [2, 3]]");
    CHECK(repr(b) == "[1, ['changed', 3]]");
    a = a[1]; // out of itself
    CHECK(repr(a) == "[2, 3]");
    a.append(a);
    CHECK(repr(a) == "[2, 3, [2, 3]]");
    b = std::move(b[1]);
    CHECK(repr(b) == "['changed', 3]");
    std::swap(a, b);
    CHECK(repr(a) == "['changed', 3]");
}

// ---- Asking and getting ----

TEST_CASE("an Object says what it is", "[serial][object]") {
    const std::pair<Object, const char*> samples[] = {
        {nullptr, "NoneType"},       {true, "bool"}, {1, "int"},       {1.5, "float"}, {"", "str"},
        {mp::to_bytes("x"), "bytes"}, {{1, 2}, "list"}, {mp::dict(), "dict"}};
    for (const auto& [x, name] : samples) {
        CHECK(x.type_name() == name);
        CHECK(x.is_none() == (x.type_name() == "NoneType"));
        CHECK(x.is_bool() == (x.type_name() == "bool"));
        CHECK(x.is_int() == (x.type_name() == "int"));
        CHECK(x.is_float() == (x.type_name() == "float"));
        CHECK(x.is_str() == (x.type_name() == "str"));
        CHECK(x.is_bytes() == (x.type_name() == "bytes"));
        CHECK(x.is_list() == (x.type_name() == "list"));
        CHECK(x.is_dict() == (x.type_name() == "dict"));
        CHECK(x.is<std::nullptr_t>() == x.is_none());
        CHECK(x.is<bool>() == x.is_bool());
        CHECK(x.is<int>() == x.is_int());
        CHECK(x.is<double>() == x.is_float());
        CHECK(x.is<std::string>() == x.is_str());
        CHECK(x.is<mp::bytes>() == x.is_bytes());
        CHECK(x.is<mp::list>() == x.is_list());
        CHECK(x.is<std::vector<int>>() == x.is_list());
        CHECK(x.is<mp::dict>() == x.is_dict());
        CHECK(x.is<std::map<int, int>>() == x.is_dict());
        CHECK(x.is<std::optional<int>>() == (x.is_int() || x.is_none()));
    }
}

TEST_CASE("an Object becomes a C++ value", "[serial][object]") {
    CHECK(Object(5).as<int>() == 5);
    CHECK(Object(true).as<int>() == 1);
    CHECK(Object(5).as<double>() == 5.0);
    CHECK(Object(5).as<std::uint8_t>() == 5);
    CHECK(Object(1.5).as<float>() == 1.5F);
    CHECK(std::isinf(Object(infinity).as<float>()));
    CHECK(Object(true).as<bool>());
    CHECK(Object("x").as<char>() == 'x');
    CHECK(Object("text").as<std::string>() == "text");
    const Object text = "text";
    CHECK(text.as<std::string_view>() == "text");
    CHECK(Object("/tmp").as<std::filesystem::path>() == "/tmp");
    CHECK(Object(2).as<colour>() == colour::green);
    CHECK(Object(mp::to_bytes("ab")).as<mp::bytes>() == mp::to_bytes("ab"));
    const Object data = mp::to_bytes("ab");
    CHECK(data.as<std::span<const std::byte>>().size() == 2);
    CHECK(Object({1, 2}).as<std::vector<int>>() == std::vector<int>{1, 2});
    CHECK(Object({1, true, 2.5}).as<std::vector<double>>() == std::vector<double>{1, 1, 2.5});
    CHECK(Object({true, false}).as<std::vector<bool>>() == std::vector<bool>{true, false});
    CHECK(Object({1, 2}).as<std::array<int, 2>>() == std::array<int, 2>{1, 2});
    CHECK(Object({1, 2}).as<std::set<int>>() == std::set<int>{1, 2});
    CHECK(Object({1, 2}).as<std::deque<long>>() == std::deque<long>{1, 2});
    CHECK(Object({"a", "b"}).as<std::unordered_set<std::string>>() == std::unordered_set<std::string>{"a", "b"});
    CHECK(Object({1, "x", {2.5}}).as<std::tuple<int, std::string, std::vector<double>>>() ==
          std::tuple(1, std::string("x"), std::vector<double>{2.5}));
    CHECK(Object({1, "x"}).as<std::pair<int, std::string>>() == std::pair(1, std::string("x")));
    CHECK(Object().as<std::optional<int>>() == std::nullopt);
    CHECK(Object(3).as<std::optional<int>>() == 3);
    CHECK(Object({1, nullptr}).as<std::vector<std::optional<int>>>() == std::vector<std::optional<int>>{1, std::nullopt});
    const std::map<std::string, double> prices{{"a", 1}, {"b", 2.5}};
    CHECK(Object(prices).as<std::map<std::string, double>>() == prices);
    CHECK(Object(mp::dict{{"a", 1}}).as<std::unordered_map<std::string, Object>>().at("a") == 1);
    CHECK(Object({1, 2}).as<mp::list>() == mp::list{1, 2});
    CHECK(Object({1, 2}).as<Object>() == Object({1, 2}));
    CHECK(Object().as<std::nullptr_t>() == nullptr);

    const Object x = {1, 2};
    const auto cast = static_cast<std::vector<int>>(x);
    CHECK(cast == std::vector<int>{1, 2});
    const std::string made(Object("text"));
    CHECK(made == "text");
    const int number(Object(7));
    CHECK(number == 7);
}

TEST_CASE("what isn't the type wanted says what is there", "[serial][object]") {
    const auto says = [](auto&& f) -> std::string {
        try {
            f();
        } catch (const mp::TypeError& e) {
            return std::string("TypeError: ") + e.what();
        } catch (const mp::ValueError& e) {
            return std::string("ValueError: ") + e.what();
        }
        return "nothing";
    };
    const auto as = [&]<typename T>(const Object& x, T*) { return says([&] { static_cast<void>(x.as<T>()); }); };
    CHECK(as("hello", static_cast<int*>(nullptr)) == "TypeError: an int is wanted where there is a str: 'hello'");
    CHECK(as(2.0, static_cast<int*>(nullptr)) == "TypeError: an int is wanted where there is a float: 2.0");
    CHECK(as(1, static_cast<bool*>(nullptr)) == "TypeError: a bool is wanted where there is an int: 1");
    CHECK(as(1, static_cast<std::string*>(nullptr)) == "TypeError: a str is wanted where there is an int: 1");
    CHECK(as("1", static_cast<double*>(nullptr)) == "TypeError: a float is wanted where there is a str: '1'");
    CHECK(as(300, static_cast<signed char*>(nullptr)) == "ValueError: 300 doesn't fit into signed char");
    CHECK(as(-1, static_cast<unsigned*>(nullptr)) == "ValueError: -1 doesn't fit into unsigned int");
    CHECK(as(1e300, static_cast<float*>(nullptr)) == "ValueError: 1e+300 doesn't fit into float");
    CHECK(as("xy", static_cast<char*>(nullptr)) == "ValueError: 'xy' doesn't fit into a char");
    CHECK(as(5, static_cast<std::vector<int>*>(nullptr)) == "TypeError: std::vector<int> is wanted where there is an int: 5");
    CHECK(as({1, "x"}, static_cast<std::vector<int>*>(nullptr)) == "TypeError: an int is wanted where there is a str: 'x'");
    CHECK(as({1, 2}, static_cast<std::array<int, 3>*>(nullptr)) ==
          "ValueError: std::array<int, 3> takes 3 items, and the list has 2: [1, 2]");
    CHECK(as({1, 2}, static_cast<std::tuple<int>*>(nullptr)) ==
          "ValueError: std::tuple<int> takes 1 items, and the list has 2: [1, 2]");
    CHECK(as({1, 2}, static_cast<std::map<int, int>*>(nullptr)) ==
          "TypeError: std::map<int, int> is wanted where there is a list: [1, 2]");
    CHECK(as(nullptr, static_cast<mp::list*>(nullptr)) == "TypeError: a list is wanted where there is a NoneType: None");
    CHECK(as(0, static_cast<std::nullptr_t*>(nullptr)) == "TypeError: None is wanted where there is an int: 0");
    CHECK(as(std::string(1000, 'x'), static_cast<int*>(nullptr)) ==
          "TypeError: an int is wanted where there is a str: '" + std::string(56, 'x') + "...");
    CHECK(says([] { Object(5).append(1); }) == "TypeError: 'int' object has no append(): 5");
    CHECK(says([] { static_cast<void>(Object(5)[0]); }) == "TypeError: 'int' object has no items: 5");
    CHECK(says([] { static_cast<void>(Object()["a"]); }) == "TypeError: 'NoneType' object has no items: None");
    CHECK(says([] { static_cast<void>(Object({1, 2})["a"]); }) == "TypeError: an int is wanted where there is a str: 'a'");
    CHECK(says([] { static_cast<void>(Object(5).len()); }) == "TypeError: 'int' object has no len(): 5");
    CHECK(says([] { static_cast<void>(Object(5).begin()); }) == "TypeError: 'int' object has no items to go through: 5");
    CHECK(says([] { static_cast<void>(Object({1, 2}).as_dict()); }) == "TypeError: a dict is wanted where there is a list: [1, 2]");
}

TEST_CASE("truth is Python's", "[serial][object]") {
    for (const Object& x : {Object(), Object(false), Object(0), Object(0.0), Object(-0.0), Object(""), Object(mp::bytes()),
                            Object(mp::list()), Object(mp::dict())})
        CHECK_FALSE(static_cast<bool>(x));
    for (const Object& x : {Object(true), Object(-1), Object(0.1), Object(not_a_number), Object(" "), Object(std::string(20, ' ')),
                            Object(mp::to_bytes("\0")), Object(mp::list::of(nullptr)), Object(mp::dict{{0, 0}})})
        CHECK((x || x.is_bytes()));
}

// ---- Lists and dicts ----

TEST_CASE("a list does what Python's does", "[serial][object]") {
    Object x = {3, 1, 2};
    x.append("end");
    x.push_back(nullptr);
    CHECK(x.len() == 5);
    CHECK(x[0] == 3);
    CHECK(x[-1].is_none());
    CHECK(x[-5] == 3);
    CHECK_THROWS_AS(x[5], std::out_of_range);
    CHECK_THROWS_WITH(x[-6], "list index -6 out of range: there are 5 items");
    x[1] = {10, 20};
    CHECK(repr(x) == "[3, [10, 20], 2, 'end', None]");
    CHECK(repr(x.pop()) == "None");
    CHECK(repr(x.pop(1)) == "[10, 20]");
    CHECK(repr(x.pop(-1)) == "'end'");
    x.insert(0, "first");
    x.insert(-1, "before last");
    x.insert(100, "last");
    x.insert(-100, "very first");
    CHECK(repr(x) == "['very first', 'first', 3, 'before last', 2, 'last']");
    CHECK(x.index(3) == 2);
    CHECK(x.contains(2.0));
    CHECK_FALSE(x.contains("2"));
    x.remove(3);
    CHECK_THROWS_WITH(x.remove(3), "3 is not in list");
    CHECK_THROWS_AS(x.index(3), mp::ValueError);
    x = {1, true, 1.0, 2};
    CHECK(x.count(1) == 3);
    x.extend({4, 5});
    x.extend(x);
    CHECK(repr(x) == "[1, True, 1.0, 2, 4, 5, 1, True, 1.0, 2, 4, 5]");
    x.clear();
    CHECK(x.empty());
    CHECK_THROWS_AS(x.pop(), std::out_of_range);

    Object numbers = {3, 1.5, true, -2};
    numbers.sort();
    CHECK(repr(numbers) == "[-2, True, 1.5, 3]");
    numbers.sort(true);
    CHECK(repr(numbers) == "[3, 1.5, True, -2]");
    numbers.reverse();
    CHECK(repr(numbers) == "[-2, True, 1.5, 3]");
    numbers.append("x");
    const std::string before = repr(numbers);
    CHECK_THROWS_AS(numbers.sort(), mp::TypeError);
    CHECK(repr(numbers) == before);
    Object stable = {{1, "b"}, {1, "a"}, {0, "c"}, 0};
    stable.pop();
    stable.as_list().sort();
    CHECK(repr(stable) == "[[0, 'c'], [1, 'a'], [1, 'b']]");
    Object with_nan = {3, not_a_number, 1};
    with_nan.sort();
    CHECK(with_nan.len() == 3);

    std::string seen;
    for (const Object& each : Object({1, "two", nullptr})) seen += each.repr() + ";";
    CHECK(seen == "1;'two';None;");
    for (Object& each : numbers.as_list()) each = 0;
    CHECK(repr(numbers) == "[0, 0, 0, 0, 0]");
    for (const Object& each : Object(mp::list())) FAIL(each);
}

TEST_CASE("a dict does what Python's does", "[serial][object]") {
    Object d = mp::dict{{"b", 1}, {"a", 2}};
    d["c"] = {1, 2};
    d["b"] = 10; // keeps its place
    CHECK(repr(d) == "{'b': 10, 'a': 2, 'c': [1, 2]}");
    CHECK(d.len() == 3);
    CHECK(d.contains("a"));
    CHECK_FALSE(d.contains("z"));
    CHECK(d.at("a") == 2);
    CHECK_THROWS_WITH(d.at("z"), "there is no key 'z'");
    CHECK_THROWS_AS(std::as_const(d)["z"], std::out_of_range);
    CHECK(d.len() == 3);
    CHECK(d["z"].is_none()); // as std::map does
    CHECK(d.len() == 4);
    CHECK(d.pop("z").is_none());
    CHECK(d.get("a") == 2);
    CHECK(d.get("z").is_none());
    CHECK(d.get("z", 5) == 5);
    CHECK(d.setdefault("a", 7) == 2);
    CHECK(d.setdefault("e", 7) == 7);
    CHECK(d.pop("e", 0) == 7);
    CHECK(d.pop("e", 0) == 0);
    CHECK_THROWS_AS(d.pop("e"), std::out_of_range);
    d.update(mp::dict{{"a", "new"}, {"f", nullptr}});
    CHECK(repr(d) == "{'b': 10, 'a': 'new', 'c': [1, 2], 'f': None}");
    d.update(d);
    CHECK(repr(d.keys()) == "['b', 'a', 'c', 'f']");
    CHECK(repr(d.values()) == "[10, 'new', [1, 2], None]");
    std::string seen;
    for (const auto& [key, value] : d.items()) seen += key.repr() + "=" + value.repr() + ";";
    CHECK(seen == "'b'=10;'a'='new';'c'=[1, 2];'f'=None;");
    for (auto [key, value] : d.items()) value = key;
    CHECK(repr(d) == "{'b': 'b', 'a': 'a', 'c': 'c', 'f': 'f'}");
    seen.clear();
    for (const Object& key : d) seen += key.as<std::string>();
    CHECK(seen == "bacf");

    mp::dict& inside = d.as_dict();
    CHECK(inside.popitem() == std::pair<Object, Object>("f", "f"));
    CHECK(inside.erase("b"));
    CHECK_FALSE(inside.erase("b"));
    CHECK(inside.find("b") == nullptr);
    CHECK(*inside.find("a") == "a");
    CHECK(inside.insert("n", 1));
    CHECK_FALSE(inside.insert("n", 2));
    CHECK(repr(d) == "{'a': 'a', 'c': 'c', 'n': 1}");
    d.clear();
    CHECK(d.empty());
    CHECK_THROWS_AS(inside.popitem(), std::out_of_range);

    CHECK_THROWS_WITH((d[{1, 2}] = 3), "unhashable type: 'list'");
    CHECK_THROWS_WITH(d.contains(mp::dict()), "unhashable type: 'dict'");
    CHECK(d.empty());

    // One key, however it is said; the first that came stays.
    d[1] = "int";
    d[1.0] = "float";
    d[true] = "bool";
    CHECK(repr(d) == "{1: 'bool'}");
    d[mp::to_bytes("a")] = 1;
    d["a"] = 2;
    d[nullptr] = 3;
    CHECK(repr(d) == "{1: 'bool', b'a': 1, 'a': 2, None: 3}");
}

TEST_CASE("a dict of many keys is as a list of them says", "[serial][object]") {
    dice d(dice::seed());
    INFO("SERIAL_SEED=" << dice::seed());
    for (int round = 0; round < 20; ++round) {
        mp::dict table;
        std::vector<std::pair<int, int>> model; // in order
        const std::size_t range = d.coin() ? 10 : 400;
        for (int step = 0; step < 3000; ++step) {
            const int key = static_cast<int>(d.below(range));
            const auto there = std::find_if(model.begin(), model.end(), [&](const auto& each) { return each.first == key; });
            const std::size_t what = d.below(10);
            if (what < 5) {
                table[key] = step;
                if (there != model.end()) there->second = step;
                else model.emplace_back(key, step);
            } else if (what < 8) {
                if (table.erase(key) != (there != model.end())) FAIL("erase");
                if (there != model.end()) model.erase(there);
            } else if (what == 8 && !model.empty()) {
                if (table.popitem() != std::pair<Object, Object>(model.back().first, model.back().second)) FAIL("popitem");
                model.pop_back();
            } else {
                const Object* const found = table.find(key);
                if ((found != nullptr) != (there != model.end())) FAIL("find");
                if (found != nullptr && *found != there->second) FAIL("found");
            }
            if (table.size() != model.size()) FAIL("size");
        }
        std::size_t i = 0;
        for (const auto& [key, value] : table.items()) {
            if (i >= model.size() || key != model[i].first || value != model[i].second) FAIL("the order");
            ++i;
        }
        CHECK(i == model.size());
        const mp::dict copy = table;
        CHECK(copy == table);
    }
}

// ---- Comparing ----

TEST_CASE("equality is Python's", "[serial][object]") {
    CHECK(Object(1) == 1.0);
    CHECK(Object(1) == true);
    CHECK(Object(0.0) == -0.0);
    CHECK(Object(false) == 0);
    CHECK(Object(1) != "1");
    CHECK(Object("a") != mp::to_bytes("a"));
    CHECK(Object() == nullptr);
    CHECK(Object() != 0);
    CHECK(Object(not_a_number) != not_a_number);
    CHECK(Object(largest) != static_cast<double>(largest)); // 2^63 is one more
    CHECK(Object((std::int64_t{1} << 53) + 1) != 9007199254740992.0);
    CHECK(Object(smallest) == -0x1p63);
    CHECK(Object({1, {2, "x"}}) == Object({1.0, {2, "x"}}));
    CHECK(Object({1, 2}) != Object({1, 2, 3}));
    CHECK(Object(mp::dict{{"a", 1}, {"b", 2}}) == Object(mp::dict{{"b", 2.0}, {"a", true}}));
    CHECK(Object(mp::dict{{"a", 1}}) != Object(mp::dict{{"a", 2}}));
    CHECK(Object(mp::dict{{"a", 1}}) != Object(mp::dict{{"b", 1}}));
    CHECK(Object(mp::list()) != Object(mp::dict()));
    CHECK(5 == Object(5));
    CHECK("text" == Object("text"));
    CHECK(Object({1, 2}) == std::vector<int>{1, 2});
}

TEST_CASE("order is Python's, and there is none between strangers", "[serial][object]") {
    CHECK(Object(1) < 1.5);
    CHECK(Object(largest) < 0x1p63);
    CHECK(Object(smallest) >= -0x1p63);
    CHECK(Object(smallest) > -0x1.0000000000001p63);
    CHECK(Object(-1) > -1.5);
    CHECK(Object(-2) < -1.5);
    CHECK(Object(false) < true);
    CHECK(Object(largest) < infinity);
    CHECK_FALSE(Object(1) < not_a_number);
    CHECK_FALSE(Object(1) >= not_a_number);
    CHECK(Object("a") < "b");
    CHECK(Object("Z") < "a");
    CHECK(Object("a") < "aa");
    CHECK(Object("\xef\xbf\xbd") < "\xf0\x9f\x98\x80"); // U+FFFD before U+1F600
    CHECK(Object(mp::to_bytes("a")) < mp::to_bytes("\xff"));
    CHECK(Object({1, 2}) < Object({1, 3}));
    CHECK(Object({1, 2}) < Object({1, 2, 0}));
    CHECK(Object({2}) > Object({1, 5}));
    CHECK(Object({1, "x"}) < Object({2, 5})); // decided before the strangers meet
    CHECK(Object({1, 2}) <= Object({1, 2}));
    CHECK_THROWS_WITH(Object(1) < "x", "'<' not supported between instances of 'int' and 'str'");
    CHECK_THROWS_WITH(Object() >= Object(), "'>=' not supported between instances of 'NoneType' and 'NoneType'");
    CHECK_THROWS_WITH(Object(mp::dict()) > Object(mp::dict()), "'>' not supported between instances of 'dict' and 'dict'");
    CHECK_THROWS_WITH(Object({1, 2}) <= Object({1, "x"}), "'<=' not supported between instances of 'int' and 'str'");
}

TEST_CASE("equal Objects have equal hashes", "[serial][object]") {
    const std::hash<Object> hash;
    CHECK(hash(1) == hash(1.0));
    CHECK(hash(1) == hash(true));
    CHECK(hash(0) == hash(-0.0));
    CHECK(hash(smallest) == hash(-0x1p63));
    CHECK(hash(std::int64_t{1} << 62) == hash(0x1p62));
    CHECK(hash("text") == hash(std::string("text")));
    const std::string long_text(1000, 'x');
    CHECK(hash(long_text) == hash(std::string_view(long_text)));
    CHECK(hash("a") != hash(mp::to_bytes("a")));
    CHECK(hash(nullptr) != hash(0));
    CHECK_THROWS_WITH(hash({1, 2}), "unhashable type: 'list'");
    CHECK_THROWS_WITH(hash(mp::dict()), "unhashable type: 'dict'");
    std::unordered_set<Object> set{1, 1.0, "a", "a", nullptr};
    CHECK(set.size() == 3);
    // What an attacker would send: keys that differ in few bits, and ones that are never equal.
    mp::dict many;
    for (int i = 0; i < 20000; ++i) many[std::int64_t{i} << 40] = i;
    for (int i = 0; i < 20000; ++i) many.insert(not_a_number, i);
    for (int i = 0; i < 20000; ++i) many[i * 0x1p-40] = i;
    CHECK(many.size() == 59999); // 0 and 0.0
}

// ---- Printing ----

TEST_CASE("repr is Python's", "[serial][object]") {
    CHECK(repr(1.0) == "1.0");
    CHECK(repr(-0.0) == "-0.0");
    CHECK(repr(0.1) == "0.1");
    CHECK(repr(1e15) == "1000000000000000.0");
    CHECK(repr(1e16) == "1e+16");
    CHECK(repr(123456789012345680.0) == "1.2345678901234568e+17");
    CHECK(repr(0.0001) == "0.0001");
    CHECK(repr(0.00001) == "1e-05");
    CHECK(repr(5e-324) == "5e-324");
    CHECK(repr(1.7976931348623157e308) == "1.7976931348623157e+308");
    CHECK(repr(infinity) == "inf");
    CHECK(repr(-infinity) == "-inf");
    CHECK(repr(not_a_number) == "nan");
    CHECK(repr(-not_a_number) == "nan");
    CHECK(repr("it's") == "\"it's\"");
    CHECK(repr("say \"x\"") == "'say \"x\"'");
    CHECK(repr("it's \"x\"") == "'it\\'s \"x\"'");
    CHECK(repr("a\nb\tc\rd\\e\x01\x7f") == "'a\\nb\\tc\\rd\\\\e\\x01\\x7f'");
    CHECK(repr("\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80") == "'\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80'"); // printable
    CHECK(repr("\xc2\xa0\xc2\xad") == "'\\xa0\\xad'");                                                  // not
    CHECK(repr("\xe2\x80\xa8\xef\xbb\xbf") == "'\\u2028\\ufeff'");
    CHECK(repr("\xf0\x9d\x85\xb3\xf4\x8f\xbf\xbf") == "'\\U0001d173\\U0010ffff'");
    CHECK(repr("\xff\xc3") == "'\\udcff\\udcc3'");             // no UTF-8
    CHECK(repr("\xed\xa0\x80") == "'\\udced\\udca0\\udc80'");   // half of a pair
    CHECK(repr("\xc0\xaf") == "'\\udcc0\\udcaf'");              // longer than needed
    CHECK(repr("\xf4\x90\x80\x80") == "'\\udcf4\\udc90\\udc80\\udc80'");
    CHECK(repr(mp::to_bytes("it's\n\xff \"")) == "b'it\\'s\\n\\xff \"'");
    CHECK(repr(mp::to_bytes("it's")) == "b\"it's\"");
    CHECK(repr(mp::bytes()) == "b''");
    CHECK(Object("\xc3\xa9\xff").len() == 2);
    CHECK(Object(mp::to_bytes("\xc3\xa9")).len() == 2);
}

TEST_CASE("an Object prints by fmt and iostream", "[serial][object]") {
    const Object text = "it's";
    CHECK(fmt::format("{}", text) == "\"it's\"");
    CHECK(fmt::format("{:r}", text) == "\"it's\"");
    CHECK(fmt::format("{:s}", text) == "it's");
    CHECK(fmt::format("{:>8}|", text) == "  \"it's\"|");
    CHECK(fmt::format("{:*^8s}|{:>3}", text, Object(1)) == "**it's**|  1");
    CHECK(fmt::format("{:<8r}|", text) == "\"it's\"  |");
    CHECK(fmt::format("{:s}", Object({text, 1})) == "[\"it's\", 1]");
    CHECK(text.str() == "it's");
    CHECK(Object(1.0).str() == "1.0");
    std::ostringstream out;
    out << text << ' ' << Object({1, nullptr}) << ' ' << mp::list{1, 2} << ' ' << mp::dict{{"a", true}};
    CHECK(out.str() == "\"it's\" [1, None] [1, 2] {'a': True}");
    CHECK(fmt::format("{} {}", mp::list{1, "x"}, mp::dict{{1, "x"}}) == "[1, 'x'] {1: 'x'}");
}

// ---- Depth ----

TEST_CASE("lists too deep in each other are refused and can still be freed", "[serial][object]") {
    const Object fits = nested(serial::deepest_nesting - 1);
    const Object copy = fits;
    CHECK(copy == fits);
    CHECK(repr(copy).size() == 2 * (serial::deepest_nesting - 1));
    CHECK(serial::unpack<Object>(serial::pack(fits)) == fits);
    {
        const Object deep = nested(200'000);
        CHECK_THROWS_AS(Object(deep), mp::ValueError);
        CHECK_THROWS_AS(deep.repr(), mp::ValueError);
        CHECK_THROWS_AS(serial::pack(deep), mp::ValueError);
        const Object other = nested(200'000);
        CHECK_THROWS_AS(deep == other, mp::ValueError);
        CHECK_THROWS_AS(deep < other, mp::ValueError);
        mp::dict d;
        for (int i = 0; i < 100'000; ++i) {
            mp::dict outer;
            outer["a"] = std::move(d);
            d = std::move(outer);
        }
        CHECK_THROWS_AS(d.repr(), mp::ValueError);
    }
    CHECK(repr({1, 2}) == "[1, 2]"); // and what was tried has left nothing behind
}

// ---- Threads ----

TEST_CASE("copies that share a text are used by several threads", "[serial][object]") {
    const Object shared = {std::string(1000, 'x'), mp::dict{{std::string(50, 'k'), std::string(50, 'v')}}};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, mine = shared]() mutable {
            for (int i = 0; i < 2000; ++i) {
                Object copy = i % 2 == 0 ? mine : shared;
                copy[0] = copy[1];
                if (copy[0] != shared[1]) ++wrong;
                mine = shared;
            }
        });
    for (auto& each : threads) each.join();
    CHECK(wrong == 0);
}

// ---- Travelling ----

namespace {

std::string random_text(dice& d) {
    std::string text;
    const std::size_t n = d.below(d.below(8) == 0 ? 40 : 8);
    for (std::size_t i = 0; i < n; ++i) {
        switch (d.below(8)) {
        case 0: text += "'\"\\\n\t\r\0 "[d.below(8)]; break;
        case 1: text += static_cast<char>(d.below(256)); break;
        case 2: text += "\xc3\xa9"; break;
        case 3: { // any character up to U+FFFF that is no surrogate
            const auto c = static_cast<unsigned>(0x800 + d.below(0xf800 - 0x800));
            const unsigned at = c < 0xd800 ? c : c + 0x800;
            text += static_cast<char>(0xe0 | at >> 12);
            text += static_cast<char>(0x80 | (at >> 6 & 0x3f));
            text += static_cast<char>(0x80 | (at & 0x3f));
            break;
        }
        case 4: text += d.coin() ? "\xf0\x9f\x98\x80" : "\xf3\xa0\x80\x81"; break;
        default: text += static_cast<char>(32 + d.below(95)); break;
        }
    }
    return text;
}

double random_double(dice& d) {
    switch (d.below(6)) {
    case 0: return std::bit_cast<double>(d.word());
    case 1: return static_cast<double>(static_cast<std::int64_t>(d.word())) / 1024;
    case 2: return static_cast<double>(d.below(2000)) / 100 - 10;
    case 3: return std::ldexp(1.0, static_cast<int>(d.below(2000)) - 1000);
    case 4: return std::pow(10.0, static_cast<double>(d.below(40)) - 20);
    default: {
        const double special[] = {0.0, -0.0, infinity, -infinity, not_a_number, 1e16, 9999999999999998.0, 0.0001, 0.00009999};
        return special[d.below(std::size(special))];
    }
    }
}

Object random_object(dice& d, unsigned depth, bool hashable = false) {
    switch (d.below(depth == 0 || hashable ? 6 : 8)) {
    case 0: return nullptr;
    case 1: return d.coin();
    case 2: return static_cast<std::int64_t>(d.word()) >> d.below(64);
    case 3: return random_double(d);
    case 4: return random_text(d);
    case 5: return mp::to_bytes(random_text(d));
    case 6: {
        mp::list items;
        for (std::size_t n = d.below(5); n > 0; --n) items.append(random_object(d, depth - 1));
        return items;
    }
    default: {
        mp::dict entries;
        for (std::size_t n = d.below(d.below(6) == 0 ? 30 : 5); n > 0; --n)
            entries[random_object(d, 0, true)] = random_object(d, depth - 1);
        return entries;
    }
    }
}

} // namespace

TEST_CASE("what is sent is what arrives", "[serial][object]") {
    dice d(dice::seed());
    INFO("SERIAL_SEED=" << dice::seed());
    for (int i = 0; i < 3000; ++i) {
        const Object sent = random_object(d, 4);
        const auto bytes = serial::pack(sent);
        const auto arrived = serial::unpack<Object>(bytes);
        if (arrived.repr() != sent.repr()) FAIL(sent << " arrived as " << arrived); // repr, since NaN isn't itself
        if (serial::pack(arrived) != bytes) FAIL("it isn't the same again: " << sent);
        if (bytes.size() != serial::packed_size(sent)) FAIL("another size");
    }
    CHECK(serial::unpack_tagged<Object>(serial::pack_tagged(Object({1, 2}))) == Object({1, 2}));
    CHECK_THROWS_WITH(serial::unpack_tagged<int>(serial::pack_tagged(Object(1))), contains("multiprocessing::Object"));
    const page sent{"title", 3, {1, nullptr}, "name"};
    const auto arrived = serial::unpack<page>(serial::pack(sent));
    CHECK(arrived.title == "title");
    CHECK(arrived.rest == Object({1, nullptr}));
    CHECK(serial::unpack<mp::dict>(serial::pack(mp::dict{{1, 2}})) == mp::dict{{1, 2}});
    CHECK(serial::unpack<mp::list>(serial::pack(mp::list{1, 2})) == mp::list{1, 2});
    CHECK(serial::pack(Object()).size() == 1);
    CHECK(serial::pack(Object(63)).size() == 2);
    CHECK(serial::pack(Object("abc")).size() == 5);
    for (const std::int64_t each : {std::int64_t{0}, std::int64_t{-1}, smallest, largest, std::int64_t{-64}, std::int64_t{64}})
        CHECK(serial::unpack<Object>(serial::pack(Object(each))) == each);
}

TEST_CASE("an Object is an alternative of a variant", "[serial][object]") {
    using either = std::variant<mp::Object, std::vector<int>>;
    for (const either& x : {either(mp::Object("text")), either(std::vector<int>{1, 2})})
        CHECK(mp::serial::unpack<either>(mp::serial::pack(x)) == x);
}

TEST_CASE("bytes that are no Object are refused", "[serial][object]") {
    const auto refused = [](std::initializer_list<unsigned> values, const char* why) {
        std::vector<std::byte> bytes;
        for (const unsigned each : values) bytes.push_back(static_cast<std::byte>(each));
        CHECK_THROWS_WITH(serial::unpack<Object>(bytes), contains(why));
        CHECK_THROWS_AS(serial::unpack<Object>(bytes), mp::ProcessError);
    };
    refused({}, "1 bytes wanted");
    refused({9}, "no kind of mp::Object has the number 9");
    refused({3}, "1 bytes wanted");
    refused({3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, "a number of more than 64 bits");
    refused({3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80, 0}, "a number of more than 64 bits");
    refused({5, 3, 'a', 'b'}, "a count of 3 where 2 bytes are left");
    refused({7, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}, "a count of 4294967295 where 1 bytes are left");
    refused({8, 2, 0, 0}, "a count of 2 where 2 bytes are left");
    refused({8, 1, 7, 0, 0}, "a key that is a list or a dict");
    refused({8, 2, 3, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0}, "a key that is there already"); // 1 and 1.0
    refused({0, 0}, "1 bytes too many");
    std::vector<std::byte> deep;
    for (int i = 0; i < 5000; ++i) deep.insert(deep.end(), {std::byte{7}, std::byte{1}});
    deep.push_back(std::byte{0});
    CHECK_THROWS_WITH(serial::unpack<Object>(deep), contains("deep in each other"));

    dice d(dice::seed());
    INFO("SERIAL_SEED=" << dice::seed());
    for (int i = 0; i < 3000; ++i) {
        auto bytes = serial::pack(random_object(d, 3));
        for (std::size_t n = 1 + d.below(3); n > 0; --n) bytes[d.below(bytes.size())] = static_cast<std::byte>(d.below(256));
        if (d.coin()) bytes.resize(d.below(bytes.size() + 1));
        try {
            const auto x = serial::unpack<Object>(bytes);
            static_cast<void>(x.repr());
            if (serial::unpack<Object>(serial::pack(x)).repr() != x.repr()) FAIL("not the same again");
        } catch (const mp::ProcessError&) {
        }
    }
}

// ---- Beside Python ----

namespace {

/// Python source that makes x, without help of x.repr().
std::string python_source(const Object& x) {
    const auto hex = [](std::string_view text) {
        std::string out = "bytes.fromhex('";
        for (const char c : text) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
        return out + "')";
    };
    switch (x.kind()) {
    case Object::Kind::none: return "None";
    case Object::Kind::boolean: return x.as<bool>() ? "True" : "False";
    case Object::Kind::integer: return fmt::format("({})", x.as<std::int64_t>());
    case Object::Kind::floating: return fmt::format("F({})", std::bit_cast<std::uint64_t>(x.as<double>()));
    case Object::Kind::text: return hex(x.as<std::string_view>()) + ".decode('utf-8', 'surrogateescape')";
    case Object::Kind::data: {
        const auto bytes = x.as<std::span<const std::byte>>();
        return hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
    case Object::Kind::list: {
        std::string out = "[";
        for (const Object& each : x) out += python_source(each) + ",";
        return out + "]";
    }
    case Object::Kind::dict: {
        std::string out = "{";
        for (const auto& [key, value] : x.items()) out += python_source(key) + ":" + python_source(value) + ",";
        return out + "}";
    }
    }
    return {};
}

constexpr const char* python_script = R"(
import struct, sys
def F(bits): return struct.unpack('d', struct.pack('Q', bits))[0]
def less(a, b):
    try: return str(a < b)
    except TypeError as e: return str(e)
out = []
for line in open(sys.argv[1]):
    a, b = eval(line)
    out += [repr(a), str(a == b), less(a, b), str(bool(a))]
sys.stdout.buffer.write('\n'.join(out).encode('utf-8'))
)";

bool has_nan(const Object& x) {
    if (x.is_float()) return std::isnan(x.as<double>());
    if (!x.is_list() && !x.is_dict()) return false;
    for (const Object& each : x)
        if (has_nan(each) || (x.is_dict() && has_nan(x.get(each)))) return true;
    return false;
}

/// Of Unicode: it says which characters are printable.
std::string python_version() { return testing::run_program({"python3", "-c", "import unicodedata as u; print(u.unidata_version)"}).out; }

} // namespace

TEST_CASE("python3 prints and compares the same values in the same way", "[serial][object]") {
    const std::string version = python_version();
    if (version.empty()) {
        WARN("there is no python3 to compare with");
        return;
    }
    dice d(dice::seed());
    INFO("SERIAL_SEED=" << dice::seed());
    const auto path = std::filesystem::temp_directory_path() / fmt::format("object-{}-{}", mp::os::pid(), d.word());
    std::vector<std::string> expected;
    std::vector<std::string> sources;
    {
        std::ofstream file(path);
        for (int i = 0; i < 6000; ++i) {
            Object a = i < 2000 ? Object(random_double(d)) : i < 4000 ? Object(random_text(d)) : random_object(d, 3);
            Object b = d.coin() ? a : random_object(d, 2);
            if (i >= 2000 && (has_nan(a) || has_nan(b))) a = b = 1; // which Python takes for itself if it is the same object
            sources.push_back("(" + python_source(a) + ", " + python_source(b) + ")");
            file << sources.back() << '\n';
            std::string less;
            try {
                less = a < b ? "True" : "False";
            } catch (const mp::TypeError& e) {
                less = e.what();
            }
            if (a.repr().find("\\udc") != std::string::npos || b.repr().find("\\udc") != std::string::npos)
                less = "?"; // bytes that are no UTF-8 are ordered as bytes here
            expected.insert(expected.end(), {a.repr(), a == b ? "True" : "False", less, a ? "True" : "False"});
        }
    }
    const auto result = testing::run_program({"python3", "-c", python_script, path.string()});
    std::filesystem::remove(path);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    std::istringstream lines(result.out);
    std::string line;
    std::size_t i = 0;
    const bool same_unicode = version.starts_with("14.");
    for (; std::getline(lines, line) && i < expected.size(); ++i) {
        if (line == expected[i] || expected[i] == "?") continue;
        if (!same_unicode && i % 4 == 0 && (line.find("\\u") != std::string::npos || expected[i].find("\\u") != std::string::npos))
            continue; // a character that one of the two doesn't know yet
        FAIL("python says " << line << " and not " << expected[i] << " of " << sources[i / 4]);
    }
    CHECK(i == expected.size());
}
