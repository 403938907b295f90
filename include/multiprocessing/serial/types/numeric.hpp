// Floor 5, serial/types/numeric: std::complex and std::bitset.
#pragma once

#include <cstddef>
#include <cstdint>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

template <typename Complex>
    requires(family_of<Complex> == family::complex)
struct codec<Complex> {
    using value = typename Complex::value_type;
    using parts = types<value>;
    static constexpr bool bulk = serial::bulk<value>;
    static constexpr std::size_t least = 2 * serial::least<value>;

    static void write(writer& out, const Complex& x) {
        serial::write(out, x.real());
        serial::write(out, x.imag());
    }
    static void read(reader& in, Complex& x) {
        const auto real = serial::take<value>(in);
        x = Complex(real, serial::take<value>(in));
    }
};

/// Eight to a byte.
template <template <std::size_t> typename Bits, std::size_t N>
    requires(family_of<Bits<N>> == family::bitset)
struct codec<Bits<N>> {
    static constexpr std::size_t least = N == 0 ? 1 : (N + 7) / 8;

    static void write(writer& out, const Bits<N>& x) {
        for (std::size_t i = 0; i < 8 * least; i += 8) {
            std::uint8_t eight = 0;
            for (unsigned bit = 0; bit < 8 && i + bit < N; ++bit)
                eight = static_cast<std::uint8_t>(eight | (unsigned{x[i + bit]} << bit));
            out.number(eight);
        }
    }
    static void read(reader& in, Bits<N>& x) {
        for (std::size_t i = 0; i < 8 * least; i += 8) {
            const unsigned eight = in.number<std::uint8_t>();
            for (unsigned bit = 0; bit < 8 && i + bit < N; ++bit) x[i + bit] = (eight >> bit & 1U) != 0;
        }
    }
};

} // namespace multiprocessing::serial
