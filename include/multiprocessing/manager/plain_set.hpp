// Floor 10, manager/plain_set: a set of this process alone, and what sets can do with each other.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ostream> // operator<<
#include <ranges>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h> // takes whatever has begin() and end(): it is told that this isn't for it

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/item.hpp> // as_a
#include <multiprocessing/manager/packed_key.hpp>
#include <multiprocessing/manager/shown.hpp>

namespace multiprocessing::manager {

template <typename T>
class plain_set;

/// Elements for a set of Ts.
template <typename R, typename T>
concept elements_of = std::ranges::input_range<const R> && std::constructible_from<T, std::ranges::range_reference_t<const R>>;

/// What Python's sets are asked, for plain_set and SetProxy: of what each has at one moment. The other one may be any range.
template <typename Self, typename T>
class set_methods {
public:
    using set_of = T;

    // In C++ `union` is a word of the language.
    template <elements_of<T> R = std::initializer_list<T>>
    [[nodiscard]] plain_set<T> union_(const R& other) const {
        plain_set<T> all = self().copy();
        for (const auto& each : other) all.add(as_a<T>(each));
        return all;
    }
    template <elements_of<T> R = std::initializer_list<T>>
    [[nodiscard]] plain_set<T> intersection(const R& other) const {
        return those([with = plain_set<T>(other)](const T& x) { return with.contains(x); });
    }
    template <elements_of<T> R = std::initializer_list<T>>
    [[nodiscard]] plain_set<T> difference(const R& other) const {
        return those([without = plain_set<T>(other)](const T& x) { return !without.contains(x); });
    }
    template <elements_of<T> R = std::initializer_list<T>>
    [[nodiscard]] plain_set<T> symmetric_difference(const R& other) const {
        const plain_set<T> mine = self().copy(), theirs(other);
        return mine.difference(theirs).union_(theirs.difference(mine));
    }
    template <elements_of<T> R = std::initializer_list<T>>
    [[nodiscard]] bool isdisjoint(const R& other) const {
        return intersection(other).empty();
    }
    template <elements_of<T> R = std::initializer_list<T>>
    [[nodiscard]] bool issubset(const R& other) const {
        return difference(other).empty();
    }
    template <elements_of<T> R = std::initializer_list<T>>
    [[nodiscard]] bool issuperset(const R& other) const {
        return plain_set<T>(other).difference(self().copy()).empty();
    }

    /// What Python's str(s) is: `{1, 2}`, or `set()`.
    [[nodiscard]] std::string repr() const {
        std::string text;
        for (const auto& each : self().copy()) text.append(text.empty() ? "{" : ", ").append(shown(as_a<T>(each)));
        return text.empty() ? "set()" : text + "}";
    }
    [[nodiscard]] std::string str() const { return repr(); }
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Self& x) {
        return out << x.repr();
    }

private:
    friend Self;
    set_methods() = default;

    [[nodiscard]] const Self& self() const noexcept { return static_cast<const Self&>(*this); }
    template <typename Predicate>
    [[nodiscard]] plain_set<T> those(Predicate wanted) const {
        plain_set<T> found;
        for (const auto& each : self().copy())
            if (wanted(as_a<T>(each))) found.add(as_a<T>(each));
        return found;
    }
};

/// A plain_set or a SetProxy.
template <typename X>
concept any_set = std::derived_from<X, set_methods<X, typename X::set_of>>;
template <typename A, typename B>
concept sets_of_one_type = any_set<A> && any_set<B> && std::same_as<typename A::set_of, typename B::set_of>;

template <typename A, typename B>
    requires sets_of_one_type<A, B>
[[nodiscard]] auto operator|(const A& a, const B& b) {
    return a.union_(b);
}
template <typename A, typename B>
    requires sets_of_one_type<A, B>
[[nodiscard]] auto operator&(const A& a, const B& b) {
    return a.intersection(b);
}
template <typename A, typename B>
    requires sets_of_one_type<A, B>
[[nodiscard]] auto operator-(const A& a, const B& b) {
    return a.difference(b);
}
template <typename A, typename B>
    requires sets_of_one_type<A, B>
[[nodiscard]] auto operator^(const A& a, const B& b) {
    return a.symmetric_difference(b);
}
/// Whether all of a is in b.
template <typename A, typename B>
    requires sets_of_one_type<A, B>
[[nodiscard]] bool operator<=(const A& a, const B& b) {
    return a.issubset(b);
}
template <typename A, typename B>
    requires sets_of_one_type<A, B>
[[nodiscard]] bool operator<(const A& a, const B& b) {
    const auto left = a.copy(), right = b.copy();
    return left.size() < right.size() && left.issubset(right);
}
template <typename A, typename B>
    requires sets_of_one_type<A, B>
[[nodiscard]] bool operator>=(const A& a, const B& b) {
    return b <= a;
}
template <typename A, typename B>
    requires sets_of_one_type<A, B>
[[nodiscard]] bool operator>(const A& a, const B& b) {
    return b < a;
}

/// Python's set, in the order in which the elements came. Those that are one key of a dict are one element.
template <typename T>
class plain_set : public set_methods<plain_set<T>, T> {
public:
    using value_type = T;
    using const_iterator = typename std::vector<T>::const_iterator;
    using iterator = const_iterator;

    plain_set() = default;
    plain_set(std::initializer_list<T> all) {
        for (const T& each : all) add(each);
    }
    template <elements_of<T> R>
        requires(!std::same_as<R, plain_set>)
    explicit plain_set(const R& all) {
        for (const auto& each : all) add(as_a<T>(each));
    }

    /// Says whether it is new.
    bool add(const T& x) {
        if (!known_.insert(identity(x)).second) return false;
        all_.push_back(x);
        return true;
    }
    [[nodiscard]] bool contains(const T& x) const { return known_.contains(identity(x)); }
    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
    [[nodiscard]] std::size_t len() const noexcept { return size(); }
    [[nodiscard]] bool empty() const noexcept { return all_.empty(); }
    [[nodiscard]] const_iterator begin() const noexcept { return all_.begin(); }
    [[nodiscard]] const_iterator end() const noexcept { return all_.end(); }
    [[nodiscard]] const plain_set& copy() const noexcept { return *this; }

    /// The same elements, in whatever order.
    friend bool operator==(const plain_set& a, const plain_set& b) { return a.known_ == b.known_; }

private:
    static std::string identity(const T& x) {
        const packed_key<T> key(x);
        const auto bytes = table_key(key).identity();
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    std::vector<T> all_;
    std::unordered_set<std::string> known_; // their bytes
};

} // namespace multiprocessing::manager

template <typename T>
struct fmt::is_range<multiprocessing::manager::plain_set<T>, char> : std::false_type {};
template <typename T>
struct fmt::formatter<multiprocessing::manager::plain_set<T>>
    : multiprocessing::manager::repr_formatter<multiprocessing::manager::plain_set<T>> {};
