// Floor 5, serial/types/tuple: std::pair and std::tuple.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

namespace detail {

/// Elements that are there already can be read into; const ones, and those that must be made, come with a whole new tuple.
template <typename... T>
inline constexpr bool fill_in_place = ((std::default_initializable<T> && !std::is_const_v<T> && !is_made<T>) && ...);

} // namespace detail

template <typename A, typename B>
struct codec<std::pair<A, B>> {
    using pair = std::pair<A, B>;
    using parts = types<A, B>;
    static constexpr std::size_t least = serial::least<std::remove_const_t<A>> + serial::least<std::remove_const_t<B>>;

    static void write(writer& out, const pair& x) {
        serial::write(out, x.first);
        serial::write(out, x.second);
    }
    static void read(reader& in, pair& x)
        requires detail::fill_in_place<A, B>
    {
        serial::read(in, x.first);
        serial::read(in, x.second);
    }
    static pair make(reader& in)
        requires(!detail::fill_in_place<A, B>)
    {
        return pair{serial::take<std::remove_const_t<A>>(in), serial::take<std::remove_const_t<B>>(in)}; // braces: in that order
    }
};

template <template <typename...> typename Tuple, typename... T>
    requires(family_of<Tuple<T...>> == family::tuple)
struct codec<Tuple<T...>> {
    using tuple = Tuple<T...>;
    using parts = types<T...>;
    static constexpr std::size_t least = sizeof...(T) == 0 ? 1 : (serial::least<std::remove_const_t<T>> + ... + 0);

    static void write(writer& out, const tuple& x) {
        if constexpr (sizeof...(T) == 0) out.number(std::uint8_t{0});
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (serial::write(out, get<I>(x)), ...);
        }(std::index_sequence_for<T...>());
    }
    static void read(reader& in, tuple& x)
        requires detail::fill_in_place<T...>
    {
        if constexpr (sizeof...(T) == 0) in.run(1);
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (serial::read(in, get<I>(x)), ...);
        }(std::index_sequence_for<T...>());
    }
    static tuple make(reader& in)
        requires(!detail::fill_in_place<T...>)
    {
        return tuple{serial::take<std::remove_const_t<T>>(in)...}; // braces: from left to right
    }
};

} // namespace multiprocessing::serial
