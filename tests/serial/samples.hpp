// What travels, by type: random values of each, and lists of them that several tests go through.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <stack>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <valarray>
#include <variant>
#include <vector>

namespace testing {

/// Numbers that look random, from a seed that can be given again: SERIAL_SEED=<n>.
class dice {
public:
    explicit dice(std::uint64_t seed) : engine_(seed) {}
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
    std::uint64_t word() { return engine_(); }
    bool coin() { return below(2) == 0; }

    static std::uint64_t seed() {
        static const std::uint64_t value = [] {
            const char* given = std::getenv("SERIAL_SEED");
            return given != nullptr ? std::strtoull(given, nullptr, 10) : std::uint64_t{std::random_device()()};
        }();
        return value;
    }

private:
    std::mt19937_64 engine_;
};

// ---- User types ----

struct nothing {
    bool operator==(const nothing&) const = default;
};

struct point {
    double x = 0;
    std::int64_t id = 0;
    bool operator==(const point&) const = default;
};
inline point sample(dice& d, const point*) { return {static_cast<double>(d.below(1000)) / 8, static_cast<std::int64_t>(d.word())}; }

/// With a gap between its members.
struct gappy {
    char letter = 0;
    std::int32_t number = 0;
    bool operator==(const gappy&) const = default;
};
inline gappy sample(dice& d, const gappy*) { return {static_cast<char>(d.below(128)), static_cast<int>(d.word())}; }

struct page {
    int number = 0;
    std::vector<std::string> lines;
    std::optional<point> mark;
    std::string cells[3];
    bool operator==(const page&) const = default;
};

/// A tree: a type that is part of itself.
struct tree {
    int value = 0;
    std::vector<tree> branches;
    bool operator==(const tree&) const = default;
};

/// A chain: the other way to be so.
struct chain {
    int value = 0;
    std::unique_ptr<chain> next;
    bool operator==(const chain& other) const {
        return value == other.value && (next != nullptr) == (other.next != nullptr) && (next == nullptr || *next == *other.next);
    }
};

/// With cereal's function.
class account {
public:
    account() = default;
    account(std::string owner, long balance) : owner_(std::move(owner)), balance_(balance) {}
    bool operator==(const account&) const = default;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(owner_, balance_);
    }

private:
    std::string owner_;
    long balance_ = 0;
};
inline account sample(dice& d, const account*) { return {std::string(d.below(9), 'o'), static_cast<long>(d.word())}; }

/// Nothing to write in it.
class silent {
public:
    bool operator==(const silent&) const = default;
    template <typename Archive>
    void serialize(Archive&) {}

private:
    [[maybe_unused]] int cache_ = 0;
};
inline silent sample(dice&, const silent*) { return {}; }

enum class color : std::uint8_t { red, green, blue };
enum class answer : bool { no, yes };

// ---- Random values ----

template <typename T>
T sample(dice& d);

template <typename T>
    requires std::integral<T>
T sample(dice& d, const T*) {
    if constexpr (std::is_same_v<T, bool>) return d.coin();
    else if (d.below(4) == 0) return d.coin() ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min();
    else return static_cast<T>(d.word());
}
template <typename T>
    requires std::floating_point<T>
T sample(dice& d, const T*) {
    if (d.below(8) == 0) return std::numeric_limits<T>::infinity();
    return static_cast<T>(static_cast<std::int64_t>(d.word())) / static_cast<T>(1 + d.below(1000));
}
template <typename T>
    requires std::is_enum_v<T>
T sample(dice& d, const T*) {
    return static_cast<T>(sample<std::underlying_type_t<T>>(d));
}
inline nothing sample(dice&, const nothing*) { return {}; }
inline std::monostate sample(dice&, const std::monostate*) { return {}; }
inline std::error_code sample(dice& d, const std::error_code*) {
    return {static_cast<int>(d.below(40)), d.coin() ? std::generic_category() : std::system_category()};
}
inline std::filesystem::path sample(dice& d, const std::filesystem::path*) { return std::string(d.below(6), '/'); }

/// Short, and now and then longer than any piece that is copied at once.
template <typename Container>
std::size_t sample_size(dice& d, const Container*) {
    return d.below(30) == 0 ? d.below(3000) : d.below(7);
}

template <typename Container>
Container sample_sequence(dice& d, const Container*) {
    Container x;
    for (std::size_t n = sample_size<Container>(d, nullptr); n > 0; --n)
        x.insert(x.end(), sample<typename Container::value_type>(d));
    return x;
}
template <typename C>
std::basic_string<C> sample(dice& d, const std::basic_string<C>* t) {
    return sample_sequence(d, t);
}
template <typename T>
std::vector<T> sample(dice& d, const std::vector<T>* t) {
    return sample_sequence(d, t);
}
template <typename T>
std::deque<T> sample(dice& d, const std::deque<T>* t) {
    return sample_sequence(d, t);
}
template <typename T>
std::list<T> sample(dice& d, const std::list<T>* t) {
    return sample_sequence(d, t);
}
template <typename T>
std::set<T> sample(dice& d, const std::set<T>* t) {
    return sample_sequence(d, t);
}
template <typename T>
std::multiset<T> sample(dice& d, const std::multiset<T>* t) {
    return sample_sequence(d, t);
}
template <typename T>
std::unordered_set<T> sample(dice& d, const std::unordered_set<T>* t) {
    return sample_sequence(d, t);
}
template <typename T>
std::unordered_multiset<T> sample(dice& d, const std::unordered_multiset<T>* t) {
    return sample_sequence(d, t);
}
template <typename T>
std::forward_list<T> sample(dice& d, const std::forward_list<T>*) {
    std::forward_list<T> x;
    for (std::size_t n = d.below(7); n > 0; --n) x.push_front(sample<T>(d));
    return x;
}
template <typename T>
std::valarray<T> sample(dice& d, const std::valarray<T>*) {
    std::valarray<T> x(d.below(7));
    for (auto& each : x) each = sample<T>(d);
    return x;
}
template <typename Map>
Map sample_map(dice& d) {
    Map x;
    for (std::size_t n = sample_size<Map>(d, nullptr); n > 0; --n)
        x.emplace(sample<typename Map::key_type>(d), sample<typename Map::mapped_type>(d));
    return x;
}
template <typename K, typename V>
std::map<K, V> sample(dice& d, const std::map<K, V>*) {
    return sample_map<std::map<K, V>>(d);
}
template <typename K, typename V>
std::multimap<K, V> sample(dice& d, const std::multimap<K, V>*) {
    return sample_map<std::multimap<K, V>>(d);
}
template <typename K, typename V>
std::unordered_map<K, V> sample(dice& d, const std::unordered_map<K, V>*) {
    return sample_map<std::unordered_map<K, V>>(d);
}
template <typename K, typename V>
std::unordered_multimap<K, V> sample(dice& d, const std::unordered_multimap<K, V>*) {
    return sample_map<std::unordered_multimap<K, V>>(d);
}
template <typename T>
std::queue<T> sample(dice& d, const std::queue<T>*) {
    return std::queue<T>(sample<std::deque<T>>(d));
}
template <typename T>
std::stack<T> sample(dice& d, const std::stack<T>*) {
    return std::stack<T>(sample<std::deque<T>>(d));
}
template <typename T>
std::priority_queue<T> sample(dice& d, const std::priority_queue<T>*) {
    return std::priority_queue<T>({}, sample<std::vector<T>>(d));
}
template <typename T, std::size_t N>
std::array<T, N> sample(dice& d, const std::array<T, N>*) {
    std::array<T, N> x{};
    for (auto& each : x) each = sample<T>(d);
    return x;
}
template <std::size_t N>
std::bitset<N> sample(dice& d, const std::bitset<N>*) {
    std::bitset<N> x;
    for (std::size_t i = 0; i < N; ++i) x[i] = d.coin();
    return x;
}
template <typename T>
std::complex<T> sample(dice& d, const std::complex<T>*) {
    const T real = sample<T>(d);
    return {real, sample<T>(d)};
}
template <typename T>
std::optional<T> sample(dice& d, const std::optional<T>*) {
    if (d.coin()) return {};
    return sample<T>(d);
}
template <typename... T>
std::variant<T...> sample(dice& d, const std::variant<T...>*) {
    std::variant<T...> x;
    std::size_t chosen = d.below(sizeof...(T));
    const auto each = [&]<std::size_t... I>(std::index_sequence<I...>) {
        (static_cast<void>(chosen == I ? (x.template emplace<I>(sample<T>(d)), 0) : 0), ...);
    };
    each(std::index_sequence_for<T...>());
    return x;
}
template <typename A, typename B>
std::pair<A, B> sample(dice& d, const std::pair<A, B>*) {
    return {sample<std::remove_const_t<A>>(d), sample<std::remove_const_t<B>>(d)};
}
template <typename... T>
std::tuple<T...> sample([[maybe_unused]] dice& d, const std::tuple<T...>*) {
    return std::tuple<T...>{sample<T>(d)...};
}
template <typename T>
std::unique_ptr<T> sample(dice& d, const std::unique_ptr<T>*) {
    return d.coin() ? nullptr : std::make_unique<T>(sample<T>(d));
}
template <typename T>
std::shared_ptr<T> sample(dice& d, const std::shared_ptr<T>*) {
    return d.coin() ? nullptr : std::make_shared<T>(sample<T>(d));
}
template <typename R, typename P>
std::chrono::duration<R, P> sample(dice& d, const std::chrono::duration<R, P>*) {
    return std::chrono::duration<R, P>(sample<R>(d));
}
template <typename C, typename D>
std::chrono::time_point<C, D> sample(dice& d, const std::chrono::time_point<C, D>*) {
    return std::chrono::time_point<C, D>(sample<D>(d));
}
inline std::chrono::year_month_day sample(dice& d, const std::chrono::year_month_day*) {
    return std::chrono::year(static_cast<int>(d.below(3000))) / static_cast<int>(d.below(15)) / static_cast<int>(d.below(40));
}
inline page sample(dice& d, const page*) {
    return {sample<int>(d),
            sample<std::vector<std::string>>(d),
            sample<std::optional<point>>(d),
            {sample<std::string>(d), sample<std::string>(d), sample<std::string>(d)}};
}
inline tree sample_tree(dice& d, int levels) {
    tree x{sample<int>(d), {}};
    if (levels > 0)
        for (std::size_t n = d.below(4); n > 0; --n) x.branches.push_back(sample_tree(d, levels - 1));
    return x;
}
inline tree sample(dice& d, const tree*) { return sample_tree(d, 4); }
inline chain sample(dice& d, const chain*) {
    chain x;
    for (std::size_t n = d.below(6); n > 0; --n) x = {sample<int>(d), std::make_unique<chain>(std::move(x))};
    return x;
}

template <typename T>
T sample(dice& d) {
    return sample(d, static_cast<const T*>(nullptr));
}

// ---- Equality, where == isn't it ----

template <typename T>
bool same(const T& a, const T& b);

template <typename T>
bool same_elements(const T& a, const T& b) {
    auto i = std::begin(a), j = std::begin(b);
    for (; i != std::end(a) && j != std::end(b); ++i, ++j)
        if (!same(*i, *j)) return false;
    return i == std::end(a) && j == std::end(b);
}
template <typename T>
bool same_value(const std::unique_ptr<T>& a, const std::unique_ptr<T>& b) {
    return (a != nullptr) == (b != nullptr) && (a == nullptr || same(*a, *b));
}
template <typename T>
bool same_value(const std::shared_ptr<T>& a, const std::shared_ptr<T>& b) {
    return (a != nullptr) == (b != nullptr) && (a == nullptr || same(*a, *b));
}
template <typename T>
bool same_value(const std::vector<T>& a, const std::vector<T>& b) {
    return same_elements(a, b);
}
template <typename T>
bool same_value(const std::valarray<T>& a, const std::valarray<T>& b) {
    return same_elements(a, b);
}
template <typename T>
bool same_value(std::priority_queue<T> a, std::priority_queue<T> b) {
    for (; !a.empty() && !b.empty(); a.pop(), b.pop())
        if (!same(a.top(), b.top())) return false;
    return a.empty() && b.empty();
}
template <typename T>
bool same_value(const T& a, const T& b) {
    return a == b;
}
template <typename T>
bool same(const T& a, const T& b) {
    return same_value(a, b);
}

// ---- The types ----

template <typename... T>
struct type_list {};

using sample_types = type_list<
    bool, char, signed char, unsigned char, wchar_t, char8_t, char16_t, char32_t, short, unsigned short, int, unsigned, long,
    unsigned long, long long, unsigned long long, float, double, long double, std::byte, color, answer, std::errc, std::string,
    std::wstring, std::u8string, std::u16string, std::u32string, std::vector<int>, std::vector<bool>, std::vector<double>,
    std::vector<std::string>, std::vector<std::vector<std::vector<short>>>, std::vector<nothing>, std::vector<std::monostate>,
    std::vector<point>, std::vector<gappy>, std::vector<page>, std::vector<account>, std::vector<silent>,
    std::vector<std::byte>, std::vector<std::optional<int>>, std::vector<std::unique_ptr<std::string>>, std::array<int, 5>,
    std::array<std::string, 3>, std::array<int, 0>, std::list<std::string>, std::deque<int>, std::deque<std::string>,
    std::forward_list<std::string>, std::valarray<double>, std::map<std::string, int>, std::map<int, std::map<int, std::string>>,
    std::multimap<char, std::string>, std::set<std::string>, std::multiset<unsigned char>, std::unordered_map<std::string, double>,
    std::unordered_multimap<short, short>, std::unordered_set<int>, std::unordered_multiset<signed char>, std::queue<int>,
    std::stack<std::string>, std::priority_queue<int>, std::optional<int>, std::optional<std::string>,
    std::variant<int, std::string, std::vector<int>>, std::variant<std::monostate, tree>, std::monostate, std::tuple<>,
    std::tuple<int, std::string, bool>, std::pair<const int, std::string>, std::pair<std::string, std::optional<bool>>,
    std::unique_ptr<int>, std::unique_ptr<std::string>, std::shared_ptr<std::string>, std::vector<std::shared_ptr<int>>,
    std::chrono::nanoseconds, std::chrono::duration<double>, std::chrono::system_clock::time_point,
    std::chrono::steady_clock::time_point, std::chrono::year_month_day, std::complex<float>, std::complex<double>, std::bitset<3>,
    std::bitset<64>, std::bitset<100>, std::error_code, std::filesystem::path, nothing, point, gappy, page, tree, chain, account,
    silent>;

/// f.template operator()<T>() for each of them.
template <typename F, typename... T>
void for_each_type(type_list<T...>, F&& f) {
    (f.template operator()<T>(), ...);
}

} // namespace testing
