// Floor 10, manager/element: one item of a container, to be read and assigned through its proxy.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional> // std::plus
#include <ostream> // operator<<
#include <string>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include <multiprocessing/serial/object.hpp>

namespace multiprocessing::manager {

/// What `d[k]` and `l[i]` are: it reads where a T is wanted, and writes where something is assigned to it.
///
///     d["a"] = 1;
///     int a = d["a"];                     // std::out_of_range if it isn't there
///     d["a"] += 1;                        // reads, then writes: not atomic, as in Python (see update())
///     outer["inner"]["x"] = 3;            // of nested proxies: the inner one itself is changed
///
/// Changing a value that was read doesn't change the container's: `mp::Object x = d["list"]; x.append(1); d["list"] = x;`
///
/// - It holds the container as another handle, and the key; copying it copies no item.
template <typename Proxy, typename Key, typename T>
class element {
public:
    using value_type = T;
    element(Proxy in, Key key) : in_(std::move(in)), key_(std::move(key)) {}
    element(const element&) = default;

    [[nodiscard]] T get() const { return in_.at(key_); }
    operator T() const { return get(); } // NOLINT: it stands for the value
    template <ConvertibleFromObject U>
        requires(std::is_same_v<T, Object> && !std::is_same_v<U, Object> && !std::is_same_v<U, bool>)
    explicit operator U() const {
        return get().template as<U>();
    }
    template <ConvertibleFromObject U>
        requires std::is_same_v<T, Object>
    [[nodiscard]] U as() const {
        return get().template as<U>();
    }

    const element& operator=(const T& x) const {
        in_.set(key_, x);
        return *this;
    }
    const element& operator=(const element& other) const { return *this = other.get(); }
    element& operator=(const element& other) {
        in_.set(key_, other.get());
        return *this;
    }

    template <typename U>
    const element& operator+=(const U& x) const {
        return change(x, std::plus<>());
    }
    template <typename U>
    const element& operator-=(const U& x) const {
        return change(x, std::minus<>());
    }
    template <typename U>
    const element& operator*=(const U& x) const {
        return change(x, std::multiplies<>());
    }
    template <typename U>
    const element& operator/=(const U& x) const {
        return change(x, std::divides<>());
    }
    const element& operator++() const { return *this += 1; }
    const element& operator--() const { return *this -= 1; }

    /// Of nested proxies, and of what lies in an Object (which is a copy).
    template <typename Index>
    [[nodiscard]] decltype(auto) operator[](Index&& index) const {
        if constexpr (std::is_same_v<T, Object>) return Object(get().at(Object(std::forward<Index>(index))));
        else return get()[std::forward<Index>(index)];
    }
    /// Its methods: `outer["inner"]->append(1)`.
    class arrow {
    public:
        explicit arrow(T x) : x_(std::move(x)) {}
        [[nodiscard]] T* operator->() noexcept { return &x_; }

    private:
        T x_;
    };
    [[nodiscard]] arrow operator->() const { return arrow(get()); }

    template <typename U>
        requires(!std::is_same_v<U, element> && std::convertible_to<const U&, T>)
    friend bool operator==(const element& a, const U& b) {
        return a.get() == static_cast<const T&>(b);
    }
    friend bool operator==(const element& a, const element& b) { return a.get() == b.get(); }

    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const element& x) {
        return out << x.get();
    }

private:
    template <typename U, typename Op>
    const element& change(const U& x, Op op) const {
        if constexpr (std::is_same_v<T, Object>) return *this = combine(get(), Object(x), op);
        else return *this = static_cast<T>(op(get(), x));
    }
    // As in Python: int with int is an int, but for a division; texts and lists can be added.
    template <typename Op>
    static Object combine(const Object& a, const Object& b, Op op) {
        constexpr bool adds = std::is_same_v<Op, std::plus<>>, divides = std::is_same_v<Op, std::divides<>>;
        const auto is_whole = [](const Object& x) { return x.is_int() || x.is_bool(); };
        if (!divides && is_whole(a) && is_whole(b)) return op(a.as<std::int64_t>(), b.as<std::int64_t>());
        if constexpr (adds) {
            if (a.is_str() && b.is_str()) return a.as<std::string>() + b.as<std::string>();
            if (a.is_list() && b.is_list()) {
                Object both = a;
                both.extend(b);
                return both;
            }
        }
        return op(a.as<double>(), b.as<double>());
    }

    Proxy in_;
    Key key_;
};

} // namespace multiprocessing::manager

template <typename Proxy, typename Key, typename T>
struct fmt::formatter<multiprocessing::manager::element<Proxy, Key, T>> : fmt::formatter<T> {
    template <typename Context>
    auto format(const multiprocessing::manager::element<Proxy, Key, T>& x, Context& context) const {
        return fmt::formatter<T>::format(x.get(), context);
    }
};
