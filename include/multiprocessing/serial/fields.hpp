// Floor 5, serial/fields: the members of an aggregate, with no code written for it.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#if __has_include(<boost/pfr/core.hpp>)
#    include <boost/pfr/core.hpp> // aggregates of more than 16 members
#endif

#include <multiprocessing/serial/codec.hpp> // types<...>

// Boost.PFR counts members by trying as many initialisers as the type has bits: 2.6 s and 0.6 GB of compiler for a struct with
// one std::array<double, 10000> in it (g++ 12, Boost 1.81), and a C array counts once per element. So the count is our own, of
// empty braces, each of which initialises one whole member whatever it is; up to 16 members are taken apart here, which is all
// that most programs have, and PFR, where it is installed, takes over above that.

namespace multiprocessing::serial::detail {

// Never called, only asked whether they would do. They have bodies because clang misses those of types without linkage.
struct anything {
    template <typename T>
    operator T() const {
        __builtin_unreachable();
    }
};

template <typename Whole>
struct only_a_base {
    template <typename T>
        requires(std::is_base_of_v<T, Whole> && !std::is_same_v<T, Whole>)
    operator T() const {
        __builtin_unreachable();
    }
};

struct nothing_useful {};

/// T has a base class: it takes one as its first initialiser, and doesn't take just anything there.
template <typename T>
concept has_base = requires { T{only_a_base<T>{}}; } && !requires { T{nothing_useful{}}; };

/// Whether T takes N empty braces.
template <typename T, std::size_t N>
constexpr bool takes_braces() {
    if constexpr (N == 1) return requires { T{{}}; };
    else if constexpr (N == 2) return requires { T{{}, {}}; };
    else if constexpr (N == 3) return requires { T{{}, {}, {}}; };
    else if constexpr (N == 4) return requires { T{{}, {}, {}, {}}; };
    else if constexpr (N == 5) return requires { T{{}, {}, {}, {}, {}}; };
    else if constexpr (N == 6) return requires { T{{}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 7) return requires { T{{}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 8) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 9) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 10) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 11) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 12) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 13) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 14) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 15) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 16) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
    else if constexpr (N == 17) return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
}

/// The largest number of empty braces that T takes, between `Least`, which it does, and 17. If it takes some, it takes fewer.
template <typename T, std::size_t Least = 0, std::size_t Most = 17>
constexpr std::size_t count_braces() {
    if constexpr (Least == Most) return Least;
    else if constexpr (takes_braces<T, (Least + Most + 1) / 2>()) return count_braces<T, (Least + Most + 1) / 2, Most>();
    else return count_braces<T, Least, (Least + Most + 1) / 2 - 1>();
}

template <typename T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
    return requires { T{(static_cast<void>(I), anything{})...}; };
}

template <typename T, std::size_t... I>
constexpr bool takes_braces_after(std::index_sequence<I...>) {
    return requires { T{(static_cast<void>(I), anything{})..., {}}; };
}

/// The largest number of initialisers up to 17 that T takes: its members, and the elements of its C arrays each on its own.
template <typename T, std::size_t N = 17>
constexpr std::size_t count_initialisers() {
    if constexpr (N == 0 || takes<T>(std::make_index_sequence<N>())) return N;
    else return count_initialisers<T, N - 1>(); // one by one: if a member has no default, fewer may not do
}

/// How many members T has; 17 stands for more than 16.
template <typename T>
constexpr std::size_t count_fields() {
    constexpr std::size_t braces = count_braces<T>();
    if constexpr (std::is_empty_v<T>) return 0;
    else if constexpr (braces == 0) return count_initialisers<T>();
    else if constexpr (braces == 17 || !takes<T>(std::make_index_sequence<braces + 1>())) return braces;
    // It takes more of other initialisers: there is a C array, or else the next member can't be made from empty braces.
    else if constexpr (takes_braces_after<T>(std::make_index_sequence<braces>())) return braces;
    else return count_initialisers<T>();
}

template <typename T>
inline constexpr std::size_t field_count = count_fields<std::remove_cv_t<T>>();

#if __has_include(<boost/pfr/core.hpp>)

template <typename T, std::size_t... Before, std::size_t... After>
constexpr bool takes_braces_between(std::index_sequence<Before...>, std::index_sequence<After...>) {
    return requires { T{(static_cast<void>(Before), anything{})..., {}, (static_cast<void>(After), anything{})...}; };
}

/// PFR counts T's members right: no initialiser that it counts stands for an element of a C array, which braces would take whole.
template <typename T>
constexpr bool pfr_can_take_apart() {
    constexpr std::size_t n = boost::pfr::tuple_size_v<T>;
    if constexpr (n > 100) return false; // its own limit
    else
        return []<std::size_t... I>(std::index_sequence<I...>) {
            return (takes_braces_between<T>(std::make_index_sequence<I>(), std::make_index_sequence<n - 1 - I>()) && ...);
        }(std::make_index_sequence<n>());
}

#else

template <typename T>
constexpr bool pfr_can_take_apart() {
    return false;
}

#endif

/// T's members can be had.
template <typename T>
constexpr bool can_take_apart() {
    if constexpr (field_count<T> <= 16) return true;
    else return pfr_can_take_apart<T>();
}

/// Calls f(member, ...) with all members of x. An error in here says "bit-field" or "anonymous union": no such member can be
/// bound to, so the type needs a serialize() function.
template <typename T, typename F>
constexpr decltype(auto) apply_to_fields(T& x, F&& f) {
    constexpr std::size_t n = field_count<T>;
    if constexpr (n == 0) {
        return f();
    } else if constexpr (n == 1) {
        auto& [a] = x;
        return f(a);
    } else if constexpr (n == 2) {
        auto& [a, b] = x;
        return f(a, b);
    } else if constexpr (n == 3) {
        auto& [a, b, c] = x;
        return f(a, b, c);
    } else if constexpr (n == 4) {
        auto& [a, b, c, d] = x;
        return f(a, b, c, d);
    } else if constexpr (n == 5) {
        auto& [a, b, c, d, e] = x;
        return f(a, b, c, d, e);
    } else if constexpr (n == 6) {
        auto& [a, b, c, d, e, g] = x;
        return f(a, b, c, d, e, g);
    } else if constexpr (n == 7) {
        auto& [a, b, c, d, e, g, h] = x;
        return f(a, b, c, d, e, g, h);
    } else if constexpr (n == 8) {
        auto& [a, b, c, d, e, g, h, i] = x;
        return f(a, b, c, d, e, g, h, i);
    } else if constexpr (n == 9) {
        auto& [a, b, c, d, e, g, h, i, j] = x;
        return f(a, b, c, d, e, g, h, i, j);
    } else if constexpr (n == 10) {
        auto& [a, b, c, d, e, g, h, i, j, k] = x;
        return f(a, b, c, d, e, g, h, i, j, k);
    } else if constexpr (n == 11) {
        auto& [a, b, c, d, e, g, h, i, j, k, l] = x;
        return f(a, b, c, d, e, g, h, i, j, k, l);
    } else if constexpr (n == 12) {
        auto& [a, b, c, d, e, g, h, i, j, k, l, m] = x;
        return f(a, b, c, d, e, g, h, i, j, k, l, m);
    } else if constexpr (n == 13) {
        auto& [a, b, c, d, e, g, h, i, j, k, l, m, o] = x;
        return f(a, b, c, d, e, g, h, i, j, k, l, m, o);
    } else if constexpr (n == 14) {
        auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p] = x;
        return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p);
    } else if constexpr (n == 15) {
        auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q] = x;
        return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q);
    } else if constexpr (n == 16) {
        auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r] = x;
        return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r);
    } else {
#if __has_include(<boost/pfr/core.hpp>)
        return [&]<std::size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
            return f(boost::pfr::get<I>(x)...);
        }(std::make_index_sequence<boost::pfr::tuple_size_v<std::remove_cv_t<T>>>());
#endif
    }
}

struct list_of_types {
    template <typename... T>
    types<T...> operator()(T&...) const {
        return {};
    }
};

/// The types of T's members, a reference's without it.
template <typename T>
using field_types = decltype(apply_to_fields(std::declval<T&>(), list_of_types{}));

} // namespace multiprocessing::serial::detail
