// Floor 5, serial/types/vector: std::vector and std::basic_string.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <string>
#include <vector>

#include <multiprocessing/serial/codec.hpp>

namespace multiprocessing::serial {

namespace detail {

/// How many elements to make room for before any is read. All of them, as long as that is in proportion to the bytes that are
/// there: a count is checked against the fewest bytes an element takes, and a large type may take few.
template <typename T>
std::size_t room_for(const reader& in, std::size_t n) {
    const std::size_t in_proportion = 8 * in.left() / sizeof(T) + 1;
    return n < in_proportion ? n : in_proportion;
}

/// Fills an empty container of side-by-side T with n of them that travelled as they lie in memory.
template <typename Container>
void fill(reader& in, Container& into, std::size_t n) {
    using value = typename Container::value_type;
    // resize() clears what is then overwritten. A piece at a time, it does so in the cache, and memory is met once.
    constexpr std::size_t piece = sizeof(value) < 16384 ? 16384 / sizeof(value) : 1;
    into.reserve(n);
    for (std::size_t done = 0; done < n;) {
        const std::size_t now = n - done < piece ? n - done : piece;
        into.resize(done + now);
        std::memcpy(static_cast<void*>(into.data() + done), in.run(now * sizeof(value)), now * sizeof(value));
        done += now;
    }
}

/// Adds one element at the end, from its bytes.
template <typename Container>
void append(reader& in, Container& to) {
    using value = typename Container::value_type;
    if constexpr (std::default_initializable<value> && !is_made<value>) serial::read(in, to.emplace_back());
    else to.push_back(serial::take<value>(in));
}

} // namespace detail

template <typename T, typename Traits, typename Allocator>
struct codec<std::basic_string<T, Traits, Allocator>> {
    using string = std::basic_string<T, Traits, Allocator>;
    using parts = types<T>;
    static constexpr std::size_t least = count_bytes;

    static void write(writer& out, const string& x) {
        out.count(x.size());
        serial::write_run(out, x.data(), x.size());
    }
    static void read(reader& in, string& x) {
        const std::size_t n = in.count(sizeof(T));
        if constexpr (std::is_same_v<T, char>) {
            x.assign(reinterpret_cast<const char*>(in.run(n)), n); // a char may look at any bytes
        } else {
            x.clear();
            detail::fill(in, x, n);
        }
    }
};

template <typename T, typename Allocator>
struct codec<std::vector<T, Allocator>> {
    using vector = std::vector<T, Allocator>;
    using parts = types<T>;
    static constexpr std::size_t least = count_bytes;

    static void write(writer& out, const vector& x) {
        out.count(x.size());
        serial::write_run(out, x.data(), x.size());
    }
    static void read(reader& in, vector& x) {
        const std::size_t n = in.count(serial::least<T>);
        x.clear();
        if constexpr (bulk<T> && std::default_initializable<T>) {
            detail::fill(in, x, n);
        } else {
            x.reserve(detail::room_for<T>(in, n));
            for (std::size_t i = 0; i < n; ++i) detail::append(in, x);
        }
    }
};

/// Eight to a byte.
template <typename Allocator>
struct codec<std::vector<bool, Allocator>> {
    using vector = std::vector<bool, Allocator>;
    static constexpr std::size_t least = count_bytes;

    static void write(writer& out, const vector& x) {
        out.count(x.size());
        for (std::size_t i = 0; i < x.size();) {
            std::uint8_t eight = 0;
            for (unsigned bit = 0; bit < 8 && i < x.size(); ++bit, ++i)
                eight = static_cast<std::uint8_t>(eight | (unsigned{x[i]} << bit));
            out.number(eight);
        }
    }
    static void read(reader& in, vector& x) {
        const auto n = in.number<std::uint64_t>();
        if (n / 8 > in.left()) in.fail("a count of " + std::to_string(n) + " bits where fewer are left");
        x.clear();
        x.reserve(static_cast<std::size_t>(n));
        for (std::uint64_t i = 0; i < n;) {
            const unsigned eight = in.number<std::uint8_t>();
            for (unsigned bit = 0; bit < 8 && i < n; ++bit, ++i) x.push_back((eight >> bit & 1U) != 0);
        }
    }
};

} // namespace multiprocessing::serial
