// User types that speak cereal's convention in each of its ways, and the cases for them. Included after the library, and after
// cereal's headers or before them or without them; TESTING_WITH_CEREAL says whether there are any.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include <support/catch.hpp>

namespace mp = multiprocessing;
namespace serial = multiprocessing::serial;

namespace users {

struct member {
    int a = 0;
    std::vector<std::string> v;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(a, v);
    }
    bool operator==(const member&) const = default;
};

struct boost_style {
    int a = 0;
    std::string b;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar& a& b;
    }
    bool operator==(const boost_style&) const = default;
};

struct versioned {
    int a = 0;
    std::uint32_t seen = 0;
    template <typename Archive>
    void serialize(Archive& ar, const std::uint32_t version) {
        ar(a);
        if (Archive::is_loading::value) seen = version;
    }
    bool operator==(const versioned& other) const { return a == other.a; }
};

struct split {
    int a = 0;
    std::map<int, std::string> m;
    template <typename Archive>
    void save(Archive& ar) const {
        static_assert(Archive::is_saving::value);
        ar(a, m);
    }
    template <typename Archive>
    void load(Archive& ar) {
        static_assert(Archive::is_loading::value);
        ar(a, m);
    }
    bool operator==(const split&) const = default;
};

struct minimal {
    int a = 0;
    template <typename Archive>
    std::string save_minimal(const Archive&) const {
        return std::to_string(a);
    }
    template <typename Archive>
    void load_minimal(const Archive&, const std::string& text) {
        a = std::stoi(text);
    }
    bool operator==(const minimal&) const = default;
};

struct outside {
    int a = 0;
    bool operator==(const outside&) const = default;
};
template <typename Archive>
void serialize(Archive& ar, outside& x) {
    ar(x.a);
}

class outside_split {
public:
    outside_split() = default;
    explicit outside_split(int x) : a(x) {}
    int a = 0;
    bool operator==(const outside_split&) const = default;
};
template <typename Archive>
void save(Archive& ar, const outside_split& x) {
    ar(x.a);
}
template <typename Archive>
void load(Archive& ar, outside_split& x) {
    ar(x.a);
}

class outside_minimal {
public:
    outside_minimal() = default;
    explicit outside_minimal(int x) : a(x) {}
    int a = 0;
    bool operator==(const outside_minimal&) const = default;
};
template <typename Archive>
int save_minimal(const Archive&, const outside_minimal& x) {
    return x.a;
}
template <typename Archive>
void load_minimal(const Archive&, outside_minimal& x, const int& value) {
    x.a = value;
}

/// Not a template: for this library's archives alone.
class ours_alone {
public:
    ours_alone() = default;
    explicit ours_alone(int x) : a(x) {}
    void save(serial::writer& out) const { out(a); }
    void load(serial::reader& in) { in(a); }
    bool operator==(const ours_alone&) const = default;

private:
    int a = 0;
};

template <typename T>
class generic {
public:
    generic() = default;
    explicit generic(T x) : value_(std::move(x)) {}
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(value_);
    }
    bool operator==(const generic&) const = default;

private:
    T value_{};
};

/// Its functions stand in namespace cereal, as those for foreign types may.
class foreign {
public:
    foreign() = default;
    explicit foreign(int x) : a(x) {}
    int a = 0;
    bool operator==(const foreign&) const = default;
};

struct base {
    int a = 0;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(a);
    }
};
struct adds_nothing : base {};
struct adds_something : base {
    int b = 0;
};
class saves_alone {
public:
    saves_alone() = default;
    template <typename Archive>
    void save(Archive&) const {}
};
class both_ways {
public:
    both_ways() = default;
    template <typename Archive>
    void serialize(Archive&) {}
    template <typename Archive>
    void save(Archive&) const {}
    template <typename Archive>
    void load(Archive&) {}
};

/// Without a default constructor: read where it stands, it needs none.
class part {
public:
    explicit part(int x) : a(x) {}
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(a);
    }
    int a;
};
class whole {
public:
    explicit whole(int x = 0) : p(x) {}
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(p);
    }
    part p;
    bool operator==(const whole& other) const { return p.a == other.p.a; }
};

/// An error of its own.
struct choosy {
    int a = 0;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(a);
        if (Archive::is_loading::value && a == 13) throw std::domain_error("not thirteen");
    }
};

} // namespace users

namespace cereal {
template <typename Archive>
void serialize(Archive& ar, users::foreign& x) {
    ar(x.a);
}
} // namespace cereal

template <typename T>
void check_round_trip(const T& x) {
    INFO("type " << std::string(serial::type_name<T>()));
    const auto bytes = serial::pack(x);
    CHECK(serial::packed_size(x) == bytes.size());
    CHECK(serial::unpack<T>(bytes) == x);
    CHECK(serial::unpack<std::vector<T>>(serial::pack(std::vector<T>{x, x, x})) == std::vector<T>{x, x, x});
    for (std::size_t n = 0; n < bytes.size(); ++n) CHECK_THROWS(serial::unpack<T>(std::span(bytes).first(n)));
}

TEST_CASE("a user's type travels by whichever functions it has", "[serial][cereal]") {
    check_round_trip(users::member{1, {"a", "b"}});
    check_round_trip(users::boost_style{1, "b"});
    check_round_trip(users::versioned{3, 0});
    check_round_trip(users::split{1, {{1, "a"}}});
    check_round_trip(users::minimal{44});
    check_round_trip(users::outside{3});
    check_round_trip(users::outside_split(3));
    check_round_trip(users::outside_minimal(4));
    check_round_trip(users::ours_alone(5));
    check_round_trip(users::generic<std::vector<int>>({3, 4}));
    check_round_trip(users::foreign(6));
    check_round_trip(users::whole(7));
}

TEST_CASE("functions that are ambiguous, half there, or a base's don't serve", "[serial][cereal]") {
    CHECK(mp::Serializable<users::adds_nothing>);
    CHECK_FALSE(mp::Serializable<users::adds_something>);
    CHECK_FALSE(mp::Serializable<users::saves_alone>);
    CHECK_FALSE(mp::Serializable<users::both_ways>);
    CHECK_FALSE(mp::Serializable<users::part>);
    CHECK_FALSE(mp::Serializable<std::vector<users::part>>);
}

TEST_CASE("what a user's load() throws passes through", "[serial][cereal]") {
    CHECK_THROWS_AS(serial::unpack<users::choosy>(serial::pack(users::choosy{13})), std::domain_error);
}

#if TESTING_WITH_CEREAL

CEREAL_CLASS_VERSION(users::versioned, 7)

namespace users {

class secretive {
public:
    secretive() = default;
    explicit secretive(int x) : a(x) {}
    bool operator==(const secretive&) const = default;

private:
    friend class cereal::access;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(cereal::make_nvp("a", a));
    }
    int a = 0;
};

struct wrapped {
    std::vector<int> v;
    std::string raw;
    template <typename Archive>
    void save(Archive& ar) const {
        ar(CEREAL_NVP(v), cereal::make_size_tag(raw.size()), cereal::binary_data(raw.data(), raw.size()));
    }
    template <typename Archive>
    void load(Archive& ar) {
        std::size_t n = 0;
        ar(CEREAL_NVP(v), cereal::make_size_tag(n));
        raw.resize(n);
        ar(cereal::binary_data(raw.data(), n));
    }
    bool operator==(const wrapped&) const = default;
};

struct derived : member {
    double d = 0;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(cereal::base_class<member>(this), CEREAL_NVP(d));
    }
    bool operator==(const derived&) const = default;
};

class interface {
public:
    virtual ~interface() = default;
    [[nodiscard]] virtual int f() const = 0;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(q);
    }
    int q = 0;
};
class concrete : public interface {
public:
    [[nodiscard]] int f() const override { return r; }
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(cereal::base_class<interface>(this), r);
    }
    bool operator==(const concrete& other) const { return q == other.q && r == other.r; }
    int r = 0;
};

struct left : virtual base {
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(cereal::virtual_base_class<base>(this));
    }
};
struct right : virtual base {
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(cereal::virtual_base_class<base>(this));
    }
};
struct bottom : left, right {
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(cereal::base_class<left>(this), cereal::base_class<right>(this));
    }
    bool operator==(const bottom& other) const { return a == other.a; }
};

/// Its base's serialize() makes two ways; cereal::specialize chooses.
struct chosen : base {
    int b = 0;
    template <typename Archive>
    void save(Archive& ar) const {
        ar(b, a);
    }
    template <typename Archive>
    void load(Archive& ar) {
        ar(b, a);
    }
    bool operator==(const chosen& other) const { return a == other.a && b == other.b; }
};

/// For archives alone that take binary data, as functions for matrices usually are.
template <typename T>
class matrix {
public:
    matrix() = default;
    explicit matrix(std::vector<T> x) : v(std::move(x)) {}
    std::vector<T> v;
    bool operator==(const matrix&) const = default;
};
template <typename Archive, typename T>
std::enable_if_t<cereal::traits::is_output_serializable<cereal::BinaryData<T>, Archive>::value> save(Archive& ar, const matrix<T>& m) {
    ar(cereal::make_size_tag(m.v.size()));
    ar(cereal::binary_data(m.v.data(), m.v.size() * sizeof(T)));
}
template <typename Archive, typename T>
std::enable_if_t<cereal::traits::is_input_serializable<cereal::BinaryData<T>, Archive>::value> load(Archive& ar, matrix<T>& m) {
    std::size_t n = 0;
    ar(cereal::make_size_tag(n));
    m.v.resize(n);
    ar(cereal::binary_data(m.v.data(), m.v.size() * sizeof(T)));
}

struct dictionary {
    std::map<std::string, int> m;
    template <typename Archive>
    void save(Archive& ar) const {
        ar(cereal::make_size_tag(m.size()));
        for (const auto& [k, v] : m) ar(cereal::make_map_item(k, v));
    }
    template <typename Archive>
    void load(Archive& ar) {
        std::size_t n = 0;
        for (ar(cereal::make_size_tag(n)); n > 0; --n) {
            std::string k;
            int v = 0;
            ar(cereal::make_map_item(k, v));
            m.emplace(k, v);
        }
    }
    bool operator==(const dictionary&) const = default;
};

/// Counts bits by a tag that counts things.
struct overstated {
    template <typename Archive>
    void save(Archive& ar) const {
        ar(cereal::make_size_tag(std::size_t{800}), std::string(100, 'x'));
    }
    template <typename Archive>
    void load(Archive&) {}
};

struct narrow {
    std::size_t sent = 0;
    template <typename Archive>
    void save(Archive& ar) const {
        ar(cereal::make_size_tag(sent), std::string(sent, 'x'));
    }
    template <typename Archive>
    void load(Archive& ar) {
        signed char n = 0;
        std::string text;
        ar(cereal::make_size_tag(n), text);
        sent = text.size();
    }
};

} // namespace users

CEREAL_SPECIALIZE_FOR_ALL_ARCHIVES(users::chosen, cereal::specialization::member_load_save)

TEST_CASE("cereal's wrappers, private functions, versions and choices are understood", "[serial][cereal]") {
    check_round_trip(users::secretive(4));
    check_round_trip(users::wrapped{{1, 2}, "hello"});
    users::derived d;
    d.a = 1;
    d.v = {"x"};
    d.d = 2;
    check_round_trip(d);
    users::concrete c;
    c.q = 1;
    c.r = 2;
    check_round_trip(c);
    users::bottom b;
    b.a = 3;
    check_round_trip(b);
    users::chosen ch;
    ch.a = 1;
    ch.b = 2;
    check_round_trip(ch);
    check_round_trip(users::matrix<double>({1, 2, 3}));
    check_round_trip(users::dictionary{{{"a", 1}, {"b", 2}}});
    CHECK(serial::unpack<users::versioned>(serial::pack(users::versioned{1, 0})).seen == 7);
}

TEST_CASE("a size tag that counts more than follows is refused where it is written", "[serial][cereal]") {
    CHECK_THROWS_WITH(serial::pack(users::overstated()), testing::contains("make_size_tag"));
    CHECK_THROWS_AS(serial::packed_size(users::overstated()), mp::ValueError);
}

TEST_CASE("a size tag is read as far as bytes are left and its variable reaches", "[serial][cereal]") {
    CHECK(serial::unpack<users::narrow>(serial::pack(users::narrow{100})).sent == 100);
    CHECK_THROWS_AS(serial::unpack<users::narrow>(serial::pack(users::narrow{200})), mp::ProcessError);
    auto bytes = serial::pack(users::wrapped{{}, "hello"});
    bytes[8] = std::byte{6};
    CHECK_THROWS_WITH(serial::unpack<users::wrapped>(bytes), testing::contains("a count of 6 where 5 bytes are left"));
}

TEST_CASE("the standard's types are ours, whatever cereal offers for them", "[serial][cereal]") {
    // cereal would resize by the count first
    serial::writer forged;
    forged.count(std::size_t{1} << 40);
    const auto bytes = std::move(forged).take();
    CHECK_THROWS_AS(serial::unpack<std::vector<int>>(bytes), mp::ProcessError);
    CHECK_THROWS_AS((serial::unpack<std::map<int, int>>(bytes)), mp::ProcessError);
}

#else

TEST_CASE("without cereal's headers there are no versions", "[serial][cereal]") {
    CHECK(serial::unpack<users::versioned>(serial::pack(users::versioned{1, 9})).seen == 0);
}

#endif
