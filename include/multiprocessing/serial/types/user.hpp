// Floor 5, serial/types/user: classes with cereal's functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/cereal.hpp>
#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

namespace detail {

/// The standard's types are looked after by their rooms, whatever cereal's headers, which trust counts, would offer for them.
template <typename T>
concept user_class = (std::is_class_v<T> || std::is_union_v<T>) && family_of<T> == family::none &&
                     !memory::MadeOfHandles<T> && conventional<T>;

template <typename T>
constexpr refusal reason_of_user_class() {
    constexpr auto saving = saving_of<T>, loading = loading_of<T>;
    if constexpr (saving.how == form::several || loading.how == form::several) return refusal::several_ways;
    else if constexpr (loading.how == form::none) return refusal::one_way;
    else if constexpr (saving.how == form::member_serialize && inherits_serialize<T>()) return refusal::inherited;
    else return refusal::none;
}

} // namespace detail

template <typename T>
    requires detail::user_class<T>
struct codec<T> {
    static constexpr refusal refuses = detail::reason_of_user_class<T>();

    static void write(writer& out, const T& x) {
        const writer::level level(out);
        const std::size_t before = out.size();
        constexpr auto manner = detail::saving_of<T>;
        if constexpr (manner.versioned) {
            const auto version = detail::class_version<T>();
            out.number(version);
            detail::caller<manner.how>::save(out, x, version);
        } else {
            detail::caller<manner.how>::save(out, x);
        }
        if (out.size() == before) out.number(std::uint8_t{0}); // no value takes no byte: see writer
    }
    static void read(reader& in, T& x) {
        const reader::level level(in);
        const std::size_t before = in.position();
        constexpr auto manner = detail::loading_of<T>;
        if constexpr (manner.versioned) {
            const auto version = in.number<std::uint32_t>();
            detail::caller<manner.how>::load(in, x, version);
        } else {
            detail::caller<manner.how>::load(in, x);
        }
        if (in.position() == before) in.run(1);
    }
};

} // namespace multiprocessing::serial
