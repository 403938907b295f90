// Floor 5, serial/types/number: arithmetic types, enumerations, std::nullptr_t.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <multiprocessing/serial/codec.hpp>

namespace multiprocessing::serial {

namespace detail {

#if defined(__SIZEOF_INT128__)
__extension__ typedef __int128 int128; // std::is_integral knows them with -std=gnu++20 alone
__extension__ typedef unsigned __int128 uint128;
template <typename T>
concept number = std::is_arithmetic_v<T> || std::is_same_v<T, int128> || std::is_same_v<T, uint128>;
#else
template <typename T>
concept number = std::is_arithmetic_v<T>;
#endif

/// x87's long double: 10 bytes that mean something and 6 that never do.
template <typename T>
inline constexpr bool is_x87 = std::is_same_v<T, long double> && std::numeric_limits<long double>::digits == 64;

} // namespace detail

template <detail::number T>
    requires(!std::is_same_v<T, bool> && !detail::is_x87<T>)
struct codec<T> {
    static constexpr bool bulk = true;
};

/// A bool of another value than 0 and 1 breaks the program that looks at it: never from somebody else's bytes.
template <>
struct codec<bool> {
    static void write(writer& out, const bool& x) { out.number(static_cast<std::uint8_t>(x)); }
    static void read(reader& in, bool& x) { x = in.flag(); }
};

/// The gap in it stays at home: it may hold whatever was there before.
template <typename T>
    requires detail::is_x87<T>
struct codec<T> {
    static constexpr std::size_t least = 10;
    static void write(writer& out, const T& x) { out.bytes(&x, 10); }
    static void read(reader& in, T& x) {
        x = 0;
        in.bytes(&x, 10);
    }
};

/// Any value of the underlying type is taken: whether it has a name is the program's business.
template <typename T>
    requires std::is_enum_v<T>
struct codec<T> {
    using underlying = std::underlying_type_t<T>;
    static constexpr bool bulk = serial::bulk<underlying>;
    static constexpr std::size_t least = serial::least<underlying>;
    static void write(writer& out, const T& x) { serial::write(out, static_cast<underlying>(x)); }
    static T make(reader& in) { return static_cast<T>(serial::take<underlying>(in)); }
};

template <>
struct codec<std::nullptr_t> {
    static void write(writer& out, const std::nullptr_t&) { out.number(std::uint8_t{0}); }
    static void read(reader& in, std::nullptr_t&) { in.run(1); }
};

} // namespace multiprocessing::serial
