// Floor 5, serial/types/aggregate: aggregates, member by member, with no code written for them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>
#include <multiprocessing/serial/fields.hpp>
#include <multiprocessing/serial/types/user.hpp> // who has functions isn't taken apart

namespace multiprocessing::serial {

namespace detail {

template <typename T>
concept aggregate = std::is_class_v<T> && std::is_aggregate_v<T> && family_of<T> == family::none && !user_class<T>;

template <typename T>
constexpr refusal reason_of_aggregate() {
    if constexpr (has_base<T>) return refusal::base_class;
    else if constexpr (!can_take_apart<T>()) return refusal::too_many_members;
    // A reference can't be told from what it refers to, but it keeps its class from being assigned. So does a const.
    else if constexpr (!std::is_move_assignable_v<T>) return refusal::fixed_member;
    else return refusal::none;
}

/// What there is to know about an aggregate's members, once it is known that they can be had.
template <typename T, typename Fields>
struct shape;
template <typename T, typename... Field>
struct shape<T, types<Field...>> {
    static constexpr bool bulk = std::is_trivially_copyable_v<T> && sizeof...(Field) != 0 && (serial::bulk<Field> && ...) &&
                                 (sizeof(Field) + ... + 0) == sizeof(T); // gaps hold whatever was there before: not for others
    static constexpr std::size_t least = sizeof...(Field) == 0 ? 1 : (serial::least<Field> + ... + 0);
    static constexpr bool can_be_made = ((!std::is_array_v<Field> && (is_made<Field> || std::default_initializable<Field>)) && ...);

    static T make(reader& in) { return T{serial::take<Field>(in)...}; } // braces: from left to right
};

template <typename T>
constexpr auto find_fields() {
    if constexpr (reason_of_aggregate<T>() != refusal::none) return types<>();
    else return field_types<T>();
}

} // namespace detail

template <typename T>
    requires detail::aggregate<T>
struct codec<T> {
    static constexpr refusal refuses = detail::reason_of_aggregate<T>();
    using parts = decltype(detail::find_fields<T>());
    using shape = detail::shape<T, parts>;
    static constexpr bool bulk = shape::bulk;
    static constexpr std::size_t least = shape::least;

    static void write(writer& out, const T& x) {
        const writer::level level(out);
        detail::apply_to_fields(x, [&](const auto&... field) {
            if constexpr (sizeof...(field) == 0) out.number(std::uint8_t{0}); // no value takes no byte: see writer
            (serial::write(out, field), ...);
        });
    }
    static void read(reader& in, T& x)
        requires std::default_initializable<T>
    {
        const reader::level level(in);
        detail::apply_to_fields(x, [&](auto&... field) {
            if constexpr (sizeof...(field) == 0) in.run(1);
            (serial::read(in, field), ...);
        });
    }
    static T make(reader& in)
        requires(!std::default_initializable<T> && shape::can_be_made)
    {
        const reader::level level(in);
        return shape::make(in);
    }
};

} // namespace multiprocessing::serial
