#include <multiprocessing/serial/types.hpp>

#include <multiprocessing/serial/archive.hpp>

#include <support/catch.hpp>

#include "samples.hpp"

namespace mp = multiprocessing;
namespace serial = multiprocessing::serial;
using testing::dice;

static_assert(serial::bulk<testing::point>);
static_assert(serial::bulk<std::array<testing::point, 4>>);
static_assert(serial::bulk<std::chrono::nanoseconds>);
static_assert(!serial::bulk<testing::gappy>, "the gap would travel too");
static_assert(!serial::bulk<bool>, "a bool of 2 must not arrive");
static_assert(!serial::bulk<testing::answer>);
static_assert(serial::least<testing::nothing> == 1, "counts are checked against the bytes that are there");

TEST_CASE("a value comes back as it was", "[serial][types]") {
    INFO("SERIAL_SEED=" << dice::seed());
    testing::for_each_type(testing::sample_types(), []<typename T>() {
        INFO("type " << std::string(serial::type_name<T>()));
        dice d(dice::seed());
        for (int i = 0; i < 60; ++i) {
            const T before = testing::sample<T>(d);
            const auto bytes = serial::pack(before);
            if (!testing::same(serial::unpack<T>(bytes), before)) FAIL("another value came back, in round " << i);
            if (bytes.size() < serial::least<T>) FAIL("fewer bytes than the least");
            // read into a value that is there already
            if constexpr (std::default_initializable<T> && !std::is_same_v<T, std::pair<const int, std::string>>) {
                T again = testing::sample<T>(d);
                serial::unpack_into(bytes, again);
                if (!testing::same(again, before)) FAIL("another value was read in place, in round " << i);
            }
        }
    });
}

TEST_CASE("the smallest value takes at least what its type promises", "[serial][types]") {
    testing::for_each_type(testing::sample_types(), []<typename T>() {
        if constexpr (std::default_initializable<T>) {
            INFO("type " << std::string(serial::type_name<T>()));
            CHECK(serial::pack(T()).size() >= serial::least<T>);
        }
    });
}

TEST_CASE("what pointers share in a message, they share when it has arrived", "[serial][types]") {
    struct owner {
        std::shared_ptr<std::string> a;
        std::vector<std::shared_ptr<std::string>> others;
        std::shared_ptr<const std::string> constant;
    };
    const auto text = std::make_shared<std::string>("shared");
    const auto there = serial::unpack<owner>(serial::pack(owner{text, {text, nullptr, std::make_shared<std::string>("own")}, text}));
    CHECK(*there.a == "shared");
    CHECK(there.a == there.others[0]);
    CHECK(there.others[1] == nullptr);
    CHECK(*there.others[2] == "own");
    CHECK(there.constant == there.a);
    CHECK(there.a.use_count() == 3);
}

TEST_CASE("many shared objects are found again", "[serial][types]") {
    std::vector<std::shared_ptr<int>> pointers;
    for (int i = 0; i < 3000; ++i) pointers.push_back(std::make_shared<int>(i));
    for (int i = 0; i < 3000; ++i) pointers.push_back(pointers[static_cast<std::size_t>(7 * i % 3000)]);
    const auto there = serial::unpack<decltype(pointers)>(serial::pack(pointers));
    for (std::size_t i = 0; i < pointers.size(); ++i) {
        REQUIRE(*there[i] == *pointers[i]);
        REQUIRE(there[i].use_count() == pointers[i].use_count());
    }
}

namespace {

struct part_of_itself {
    std::shared_ptr<part_of_itself> self;
};

struct shape {
    virtual ~shape() = default;
    int corners = 3;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(corners);
    }
};
struct square : shape {
    int side = 1;
};

} // namespace

TEST_CASE("a cycle of shared pointers is refused on both sides", "[serial][types]") {
    auto it = std::make_shared<part_of_itself>();
    it->self = it;
    CHECK_THROWS_AS(serial::pack(it), mp::ValueError);
    it->self = nullptr;

    // As if somebody had written one: object 1, whose member is object 1.
    serial::writer forged;
    forged.count(1);
    forged.count(1);
    const auto bytes = std::move(forged).take();
    CHECK_THROWS_WITH(serial::unpack<std::shared_ptr<part_of_itself>>(bytes), testing::contains("part of itself"));
}

TEST_CASE("an object behind a pointer to its base isn't cut down to the base", "[serial][types]") {
    CHECK(serial::unpack<std::unique_ptr<shape>>(serial::pack(std::make_unique<shape>()))->corners == 3);
    const std::unique_ptr<shape> derived = std::make_unique<square>();
    CHECK_THROWS_AS(serial::pack(derived), mp::TypeError);
    const std::shared_ptr<shape> shared = std::make_shared<square>();
    CHECK_THROWS_AS(serial::pack(shared), mp::TypeError);
}

TEST_CASE("a variant without a value travels without one", "[serial][types]") {
    using variant = std::variant<std::string, std::list<int>>;
    struct trap {
        operator std::list<int>() const { throw 1; }
    };
    variant x;
    CHECK_THROWS(x.emplace<1>(trap()));
    REQUIRE(x.valueless_by_exception());
    CHECK(serial::unpack<variant>(serial::pack(x)).valueless_by_exception());
}

TEST_CASE("a variant that always has a value takes no message without one", "[serial][types]") {
    using variant = std::variant<int, double>;
    CHECK_THROWS_AS(serial::unpack<variant>(std::vector<std::byte>{std::byte{0}}), mp::ProcessError);
}

namespace {

/// No default constructor; made from its bytes.
class ticket {
public:
    explicit ticket(int number) : number_(number) {}
    [[nodiscard]] int number() const { return number_; }
    auto operator<=>(const ticket&) const = default;

private:
    int number_;
};

} // namespace

template <>
struct multiprocessing::serial::codec<ticket> {
    static constexpr std::size_t least = sizeof(int);
    static void write(writer& out, const ticket& x) { out.number(x.number()); }
    static ticket make(reader& in) { return ticket(in.number<int>()); }
};

TEST_CASE("what has no default constructor travels in everything", "[serial][types]") {
    struct wallet {
        ticket first;
        std::vector<ticket> rest;
        std::map<ticket, ticket> exchange;
        std::optional<ticket> spare;
        std::variant<ticket, int> either;
        std::tuple<ticket, int> both;
        std::pair<ticket, ticket> two;
        std::array<ticket, 2> fixed;
        std::list<ticket> list;
        std::shared_ptr<ticket> shared;
        std::unique_ptr<ticket> unique;
        bool operator==(const wallet& o) const {
            return first == o.first && rest == o.rest && exchange == o.exchange && spare == o.spare && either == o.either &&
                   both == o.both && two == o.two && fixed == o.fixed && list == o.list && *shared == *o.shared &&
                   *unique == *o.unique;
        }
    };
    const ticket t(1), u(2);
    const wallet here{t,      {t, u},    {{t, u}}, u,      u, {t, 3}, {t, u}, {t, u}, {u, t}, std::make_shared<ticket>(t),
                      std::make_unique<ticket>(u)};
    CHECK(serial::unpack<wallet>(serial::pack(here)) == here);
    CHECK(mp::Serializable<wallet>);
}

TEST_CASE("bytes that stand for no value are refused", "[serial][types]") {
    const auto bytes = [](std::initializer_list<int> values) {
        std::vector<std::byte> x;
        for (const int each : values) x.push_back(static_cast<std::byte>(each));
        return x;
    };
    CHECK_THROWS_WITH(serial::unpack<bool>(bytes({2})), testing::contains("neither true nor false: 2"));
    CHECK_THROWS_WITH(serial::unpack<testing::answer>(bytes({7})), testing::contains("neither true nor false"));
    CHECK_THROWS_WITH(serial::unpack<std::optional<int>>(bytes({2, 0, 0, 0, 0})), testing::contains("neither"));
    CHECK_THROWS_WITH((serial::unpack<std::variant<char, bool>>(bytes({3, 0}))), testing::contains("alternative 3 of 2"));
    CHECK_THROWS_WITH(serial::unpack<std::set<char>>(bytes({2, 0, 0, 0, 0, 0, 0, 0, 'a', 'a'})), testing::contains("already"));
    CHECK_THROWS_WITH((serial::unpack<std::unordered_map<char, char>>(bytes({2, 0, 0, 0, 0, 0, 0, 0, 'a', 1, 'a', 2}))),
                      testing::contains("already"));
    CHECK(serial::unpack<std::multiset<char>>(bytes({2, 0, 0, 0, 0, 0, 0, 0, 'a', 'a'})).size() == 2);
    CHECK_THROWS_WITH(serial::unpack<std::shared_ptr<char>>(bytes({2, 0, 0, 0, 0, 0, 0, 0, 'a'})),
                      testing::contains("shared object 2 where 0 are known"));
    // the number of an object of another type
    using two_types = std::tuple<std::shared_ptr<char>, std::shared_ptr<bool>>;
    CHECK_THROWS_WITH(serial::unpack<two_types>(bytes({1, 0, 0, 0, 0, 0, 0, 0, 'a', 1, 0, 0, 0, 0, 0, 0, 0})),
                      testing::contains("of another type"));
}

TEST_CASE("a priority queue's order is its own, not the sender's", "[serial][types]") {
    const auto bytes = serial::pack(std::vector<int>{1, 3, 2}); // as if that were a heap
    CHECK(serial::unpack<std::priority_queue<int>>(bytes).top() == 3);
}

TEST_CASE("an error code of an unknown category isn't sent", "[serial][types]") {
    struct category : std::error_category {
        [[nodiscard]] const char* name() const noexcept override { return "kitchen"; }
        [[nodiscard]] std::string message(int) const override { return "fire"; }
    };
    static const category kitchen;
    CHECK_THROWS_WITH(serial::pack(std::error_code(1, kitchen)), testing::contains("kitchen"));
}

TEST_CASE("a gap in a struct is no part of its message", "[serial][types]") {
    // Two equal values in memory that differed before.
    alignas(testing::gappy) std::byte a[sizeof(testing::gappy)], b[sizeof(testing::gappy)];
    std::fill(std::begin(a), std::end(a), std::byte{0xaa});
    std::fill(std::begin(b), std::end(b), std::byte{0x55});
    const auto* first = new (a) testing::gappy{'x', 1};
    const auto* second = new (b) testing::gappy{'x', 1};
    CHECK(serial::pack(*first) == serial::pack(*second));
    CHECK(serial::pack(*first).size() == 5);
    const long double pi = 3.14L;
    CHECK(serial::pack(pi).size() == (std::numeric_limits<long double>::digits == 64 ? 10 : sizeof pi));
}
