#include <multiprocessing/serial/bind.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <multiprocessing/serial/callable.hpp>

#include <support/catch.hpp>

#include "samples.hpp"

namespace mp = multiprocessing;
namespace serial = multiprocessing::serial;
using testing::contains;

namespace {

int add(int a, int b, int c) { return 100 * a + 10 * b + c; }
int twice(int n) { return 2 * n; }
std::string greet(const char* greeting, std::string_view name) { return std::string(greeting) + " " + std::string(name); }
void count_up(int by, int& total) { total += by; }

struct scale {
    double factor = 1;
    double operator()(double x) const { return factor * x; }
};

struct counting {
    int calls = 0;
    int operator()() { return ++calls; }
};

struct server {
    std::string name;
    [[nodiscard]] std::string run(int port) const { return name + ":" + std::to_string(port); }
};

struct shape {
    int size = 1;
    virtual ~shape() = default;
    [[nodiscard]] virtual int area() const { return size; }
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(size);
    }
};
struct square : shape {
    [[nodiscard]] int area() const override { return size * size; }
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(size);
    }
};

std::string& called() {
    static std::string text;
    return text;
}
void note(const std::string& what, int n) { called() = what + " " + std::to_string(n); }

/// There and back.
template <typename T>
T travelled(const T& x) {
    return serial::unpack<T>(serial::pack(x));
}

} // namespace

TEST_CASE("a function is called with the arguments that were bound, and then the others", "[serial][bind]") {
    auto bound = mp::bind(&add, 1, 2);
    static_assert(mp::Serializable<decltype(bound)> && mp::Portable<decltype(bound)>);
    static_assert(std::is_invocable_r_v<int, decltype(bound), int> && !std::is_invocable_v<decltype(bound)>);
    CHECK(bound(3) == 123);
    CHECK(travelled(bound)(3) == 123);
    CHECK(travelled(mp::bind(&add))(4, 5, 6) == 456);
    CHECK(travelled(mp::bind(add, 1, 2, 3))() == 123);
    const auto fixed = mp::bind(&add, 7, 8, 9);
    CHECK(fixed() == 789);
    int total = 1;
    travelled(mp::bind(&count_up, 5))(total);
    CHECK(total == 6);
}

TEST_CASE("binds are bound, and may be arguments", "[serial][bind]") {
    const auto bound = mp::bind(mp::bind(mp::bind(&add, 1), 2), 3);
    CHECK(travelled(bound)() == 123);
    const auto apply = [](const auto& f, const auto& g, int n) { return f(g(n)); };
    CHECK(travelled(mp::bind(apply, &twice, mp::bind(&add, 1, 2)))(3) == 246);
    CHECK(travelled(mp::bind(&std::vector<int>::size, std::vector<int>{1, 2, 3}))() == 3);
    const auto chain = travelled(std::vector{mp::bind(&add, 1, 2), mp::bind(&add, 3, 4)});
    CHECK(chain[1](5) == 345);
}

TEST_CASE("lambdas, functors and members are bound", "[serial][bind]") {
    CHECK(travelled(mp::bind([](int a, int b) { return a - b; }, 5))(3) == 2);
    CHECK(travelled(mp::bind([](auto... x) { return (0 + ... + x); }, 1, 2L))(short{3}) == 6);
    CHECK(travelled(mp::bind(scale{2.5}))(2) == 5.0);
    auto counter = travelled(mp::bind(counting{3}));
    CHECK(counter() == 4);
    CHECK(counter() == 5);
    CHECK(travelled(counter)() == 6);
    CHECK(travelled(mp::bind(&server::run, server{"host"}))(80) == "host:80");
    CHECK(travelled(mp::bind(&server::name, server{"host"}))() == "host");
    square it;
    it.size = 3;
    CHECK(travelled(mp::bind(&shape::area, it))() == 9);
    CHECK(travelled(mp::bind(&shape::area))(it) == 9);
    CHECK(travelled(mp::bind(&server::run, std::make_shared<server>(server{"shared"})))(80) == "shared:80");
}

TEST_CASE("texts are copied into the bind", "[serial][bind]") {
    std::string name(50, 'x');
    const auto bound = mp::bind(&greet, "hello", std::string_view(name));
    const std::string expected = "hello " + name;
    name.assign(50, 'y');
    CHECK(bound() == expected);
    CHECK(travelled(bound)() == expected);
    CHECK(travelled(mp::bind([](const char* text) { return text == nullptr; }, static_cast<const char*>(nullptr)))());
}

TEST_CASE("what can only be moved is bound too", "[serial][bind]") {
    auto bound = mp::bind([](std::unique_ptr<int> n) { return *n; }, std::make_unique<int>(7));
    static_assert(!std::is_invocable_v<decltype(bound)&> && std::is_invocable_v<decltype(bound)>);
    static_assert(!std::is_copy_constructible_v<decltype(bound)>);
    auto again = travelled(bound);
    CHECK(std::move(bound)() == 7);
    CHECK(std::move(again)() == 7);
    const auto kept = travelled(mp::bind([](const std::unique_ptr<int>& n) { return *n; }, std::make_unique<int>(8)));
    CHECK(kept() == 8);
    CHECK(kept() == 8);
}

TEST_CASE("a bind is the callable of a call", "[serial][bind]") {
    serial::run_call(serial::pack_call(mp::bind(&note, "bound"), 5));
    CHECK(called() == "bound 5");
    serial::run_call(serial::pack_call(mp::bind(&note), std::string("given"), 6));
    CHECK(called() == "given 6");
    serial::run_call(serial::pack_call([](const auto& f) { f(7); }, mp::bind(&note, std::string("argument"))));
    CHECK(called() == "argument 7");
}

TEST_CASE("bytes that are no bind are refused", "[serial][bind]") {
    using type = decltype(mp::bind(scale{1.5}, std::vector<std::string>{"a"}));
    const auto bytes = serial::pack(mp::bind(scale{1.5}, std::vector<std::string>{"a", "b"}));
    for (std::size_t n = 0; n < bytes.size(); ++n)
        CHECK_THROWS_AS(serial::unpack<type>(std::span(bytes).first(n)), mp::ProcessError);
    using pointer = decltype(mp::bind(&twice));
    const auto code = serial::pack(mp::bind(&twice));
    for (std::size_t n = 0; n < code.size(); ++n)
        CHECK_THROWS_AS(serial::unpack<pointer>(std::span(code).first(n)), mp::ProcessError);
    auto other = code;
    other[12] ^= std::byte{1}; // in the build id
    CHECK_THROWS_AS(serial::unpack<pointer>(other), mp::NotPortableError);
}
