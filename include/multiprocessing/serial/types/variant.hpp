// Floor 5, serial/types/variant: std::variant and std::monostate.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility> // std::in_place_index

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

namespace detail {

/// Looks like a T until one is made from it.
template <typename T>
struct thrower {
    template <std::same_as<T> U>
    operator U() const {
        throw *this;
    }
};

/// Leaves x without a value, if it can be: by an alternative whose construction fails.
template <std::size_t I, typename Variant, typename Alternative>
void try_to_empty(Variant& x) {
    // An Object would say that it can't be made of this, as it does of whatever it is offered.
    if constexpr (!std::same_as<Alternative, Object> && std::is_constructible_v<Alternative, thrower<Alternative>>) {
        if (x.valueless_by_exception()) return;
        try {
            x.template emplace<I>(thrower<Alternative>());
        } catch (const thrower<Alternative>&) {
            // that was the point
        }
    }
}

} // namespace detail

/// The number of the alternative, then its value. A variant without a value has the number 0, the first alternative 1.
template <template <typename...> typename Variant, typename... T>
    requires(family_of<Variant<T...>> == family::variant)
struct codec<Variant<T...>> {
    using variant = Variant<T...>;
    using parts = types<T...>;
    static_assert(sizeof...(T) < 255, "multiprocessing: a std::variant of so many alternatives doesn't travel");

    static void write(writer& out, const variant& x) {
        out.number(static_cast<std::uint8_t>(x.index() + 1)); // npos + 1 is 0
        write_alternative(out, x, std::index_sequence_for<T...>());
    }
    static variant make(reader& in) {
        const std::size_t number = in.number<std::uint8_t>();
        if (number > sizeof...(T)) in.fail("alternative " + std::to_string(number) + " of " + std::to_string(sizeof...(T)));
        if (number == 0) return empty(in, std::index_sequence_for<T...>());
        return make_alternative<0, T...>(in, number - 1);
    }

private:
    template <std::size_t... I>
    static void write_alternative(writer& out, const variant& x, std::index_sequence<I...>) {
        (
            [&] {
                if (x.index() == I) serial::write(out, get<I>(x));
            }(),
            ...);
    }
    template <std::size_t I, typename First, typename... Rest>
    static variant make_alternative(reader& in, std::size_t index) {
        if constexpr (sizeof...(Rest) != 0)
            if (index != I) return make_alternative<I + 1, Rest...>(in, index);
        return variant(std::in_place_index<I>, serial::take<First>(in));
    }
    template <std::size_t... I>
    static variant empty(reader& in, std::index_sequence<I...>) {
        if constexpr (std::default_initializable<variant>) {
            variant x;
            (detail::try_to_empty<I, variant, T>(x), ...);
            if (x.valueless_by_exception()) return x;
        }
        in.fail("no alternative, where there always is one");
    }
};

template <typename T>
    requires(family_of<T> == family::monostate)
struct codec<T> {
    static void write(writer& out, const T&) { out.number(std::uint8_t{0}); }
    static void read(reader& in, T&) { in.run(1); }
};

} // namespace multiprocessing::serial
