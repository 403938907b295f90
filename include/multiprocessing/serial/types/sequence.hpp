// Floor 5, serial/types/sequence: std::list, std::deque, std::forward_list, std::valarray.
#pragma once

#include <cstddef>
#include <iterator> // std::distance

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>
#include <multiprocessing/serial/types/vector.hpp> // detail::append, detail::room_for

namespace multiprocessing::serial {

template <typename List>
    requires(family_of<List> == family::list)
struct codec<List> {
    using value = typename List::value_type;
    using parts = types<value>;
    static constexpr std::size_t least = count_bytes;

    static void write(writer& out, const List& x) {
        out.count(x.size());
        for (const auto& each : x) serial::write(out, each);
    }
    static void read(reader& in, List& x) {
        const std::size_t n = in.count(serial::least<value>);
        x.clear();
        for (std::size_t i = 0; i < n; ++i) detail::append(in, x);
    }
};

template <typename List>
    requires(family_of<List> == family::forward_list)
struct codec<List> {
    using value = typename List::value_type;
    using parts = types<value>;
    static constexpr std::size_t least = count_bytes;

    static void write(writer& out, const List& x) {
        out.count(static_cast<std::size_t>(std::distance(x.begin(), x.end())));
        for (const auto& each : x) serial::write(out, each);
    }
    static void read(reader& in, List& x) {
        const std::size_t n = in.count(serial::least<value>);
        x.clear();
        auto last = x.before_begin();
        for (std::size_t i = 0; i < n; ++i) last = x.insert_after(last, serial::take<value>(in));
    }
};

/// Its size is fixed before its elements are there, so these come by way of a vector.
template <typename Array>
    requires(family_of<Array> == family::valarray)
struct codec<Array> {
    using value = typename Array::value_type;
    using parts = types<value>;
    static constexpr std::size_t least = count_bytes;

    static void write(writer& out, const Array& x) {
        out.count(x.size());
        if (x.size() != 0) serial::write_run(out, &x[0], x.size());
    }
    static void read(reader& in, Array& x) {
        const auto values = serial::take<std::vector<value>>(in);
        x.resize(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) x[i] = values[i];
    }
};

} // namespace multiprocessing::serial
