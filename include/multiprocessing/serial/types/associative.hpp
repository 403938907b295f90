// Floor 5, serial/types/associative: std::map, std::set, and their multi and unordered kin.
#pragma once

#include <cstddef>
#include <utility>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

namespace detail {

/// Unordered ones would rehash as they grow. 8 bytes or so for each, which takes at least one: in proportion.
template <typename Container>
void make_room(Container& into, std::size_t n) {
    if constexpr (requires { into.reserve(n); }) into.reserve(n);
}

/// Adds an element where sorted input belongs. Keys that a map can't hold twice aren't there twice.
template <bool Unique, typename Container, typename... Element>
void insert(reader& in, Container& into, Element&&... element) {
    const std::size_t before = into.size();
    into.emplace_hint(into.end(), std::forward<Element>(element)...);
    if (Unique && into.size() == before) in.fail("a key that is there already");
}

} // namespace detail

template <typename Map>
    requires(family_of<Map> == family::map || family_of<Map> == family::multimap)
struct codec<Map> {
    using key = typename Map::key_type;
    using mapped = typename Map::mapped_type;
    using parts = types<key, mapped>;
    static constexpr std::size_t least = count_bytes;

    static void write(writer& out, const Map& x) {
        out.count(x.size());
        for (const auto& [k, v] : x) {
            serial::write(out, k);
            serial::write(out, v);
        }
    }
    static void read(reader& in, Map& x) {
        const std::size_t n = in.count(serial::least<key> + serial::least<mapped>);
        x.clear();
        detail::make_room(x, n);
        for (std::size_t i = 0; i < n; ++i) {
            auto k = serial::take<key>(in); // before the value: as arguments, either could be read first
            detail::insert<family_of<Map> == family::map>(in, x, std::move(k), serial::take<mapped>(in));
        }
    }
};

template <typename Set>
    requires(family_of<Set> == family::set || family_of<Set> == family::multiset)
struct codec<Set> {
    using key = typename Set::key_type;
    using parts = types<key>;
    static constexpr std::size_t least = count_bytes;

    static void write(writer& out, const Set& x) {
        out.count(x.size());
        for (const auto& k : x) serial::write(out, k);
    }
    static void read(reader& in, Set& x) {
        const std::size_t n = in.count(serial::least<key>);
        x.clear();
        detail::make_room(x, n);
        for (std::size_t i = 0; i < n; ++i) detail::insert<family_of<Set> == family::set>(in, x, serial::take<key>(in));
    }
};

} // namespace multiprocessing::serial
