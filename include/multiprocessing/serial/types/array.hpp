// Floor 5, serial/types/array: std::array, and C arrays in aggregates.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

template <typename T, std::size_t N>
struct codec<T[N]> {
    using parts = types<T>;
    static constexpr bool bulk = serial::bulk<T>;
    static constexpr std::size_t least = N * serial::least<T>;

    static void write(writer& out, const T (&x)[N]) { serial::write_run(out, x, N); }
    static void read(reader& in, T (&x)[N]) { serial::read_run(in, x, N); }
};

template <template <typename, std::size_t> typename Array, typename T, std::size_t N>
    requires(family_of<Array<T, N>> == family::array)
struct codec<Array<T, N>> {
    using array = Array<T, N>;
    using parts = types<T>;
    static constexpr bool bulk = N != 0 && serial::bulk<T>;
    static constexpr std::size_t least = N == 0 ? 1 : N * serial::least<T>;

    static void write(writer& out, const array& x) {
        if constexpr (N == 0) out.number(std::uint8_t{0});
        else serial::write_run(out, x.data(), N);
    }
    static void read(reader& in, array& x)
        requires std::default_initializable<T>
    {
        if constexpr (N == 0) in.run(1);
        else serial::read_run(in, x.data(), N);
    }
    static array make(reader& in)
        requires(!std::default_initializable<T> && detail::is_made<T>)
    {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return array{{(static_cast<void>(I), serial::take<T>(in))...}}; // braces: from left to right
        }(std::make_index_sequence<N>());
    }
};

} // namespace multiprocessing::serial
