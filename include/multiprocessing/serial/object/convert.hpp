// Floor 5, serial/object/convert: C++ values into an mp::Object, and out of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility> // std::in_range

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/object/dict.hpp>
#include <multiprocessing/serial/object/likeness.hpp>
#include <multiprocessing/serial/object/nesting.hpp>
#include <multiprocessing/serial/object/print.hpp>
#include <multiprocessing/serial/object/storage.hpp>
#include <multiprocessing/serial/object/value.hpp>
#include <multiprocessing/serial/type_name.hpp>

namespace multiprocessing::serial::dynamic {

[[noreturn]] inline void refuse_type(const Object& there, std::string_view wanted) {
    throw TypeError(fmt::format("{} is wanted where there is {} {}: {}", wanted, there.is_int() ? "an" : "a",
                                there.type_name(), shown(there)));
}
[[noreturn]] inline void refuse_value(const Object& there, std::string_view wanted) {
    throw ValueError(fmt::format("{} doesn't fit into {}", shown(there), wanted));
}

// In --------------------------------------------------------------------------------------------------------------------------

template <typename T>
void fill(Object& into, T&& x);

template <typename Integer>
std::int64_t as_int64(Integer x) {
    if (!std::in_range<std::int64_t>(x))
        throw ValueError(fmt::format("{} doesn't fit into an int of 64 bits: the largest is {}", x,
                                     std::numeric_limits<std::int64_t>::max()));
    return static_cast<std::int64_t>(x);
}

template <typename T>
std::string_view text_of(const T& x) {
    if constexpr (std::is_pointer_v<T>) {
        if (x == nullptr) throw ValueError("a null pointer is no str: say nullptr or std::nullopt for None");
    }
    return x; // an array ends at its first zero, as a literal does
}

template <typename T>
list items_of(T&& x) {
    list items;
    if constexpr (requires { x.size(); }) items.reserve(x.size());
    else if constexpr (std::is_array_v<std::remove_reference_t<T>>) items.reserve(std::size(x));
    for (auto&& each : x) {
        using element = std::remove_cvref_t<decltype(each)>;
        if constexpr (std::is_same_v<element, bool> || !std::is_reference_v<decltype(*std::begin(x))>)
            items.append(Object(static_cast<detail::element<std::remove_cvref_t<T>>>(each))); // proxies, as vector<bool>'s
        else if constexpr (std::is_lvalue_reference_v<T>)
            items.append(Object(each));
        else
            items.append(Object(std::move(each)));
    }
    return items;
}

/// Makes x of nothing. T is forwarded: what can be moved is.
template <typename T>
void fill(Object& into, T&& x) {
    using type = std::remove_cvref_t<T>;
    constexpr likeness like = likeness_of<type>;
    if constexpr (like == likeness::none) into = Object();
    else if constexpr (like == likeness::object) into = std::forward<T>(x);
    else if constexpr (like == likeness::list || like == likeness::dict) access::put(into, type(std::forward<T>(x)));
    else if constexpr (like == likeness::boolean) access::put(into, x);
    else if constexpr (like == likeness::integer) access::put(into, as_int64(x));
    else if constexpr (like == likeness::character) access::put(into, Object::Kind::text, std::string_view(&x, 1));
    else if constexpr (like == likeness::floating) access::put(into, static_cast<double>(x));
    else if constexpr (like == likeness::enumeration) fill(into, static_cast<std::underlying_type_t<type>>(x));
    else if constexpr (like == likeness::text) access::put(into, Object::Kind::text, text_of<std::decay_t<T>>(x));
    else if constexpr (like == likeness::path) access::put(into, Object::Kind::text, x.string());
    else if constexpr (like == likeness::bytes)
        access::put(into, Object::Kind::data, std::string_view(reinterpret_cast<const char*>(x.data()), x.size()));
    else if constexpr (like == likeness::optional) {
        if (x.has_value()) fill(into, *std::forward<T>(x));
    } else if constexpr (like == likeness::variant) {
        visit([&](const auto& alternative) { fill(into, alternative); }, x); // found with the variant
    } else if constexpr (like == likeness::tuple) {
        list items;
        items.reserve(std::tuple_size_v<type>);
        std::apply([&](auto&&... each) { (items.append(Object(std::forward<decltype(each)>(each))), ...); }, std::forward<T>(x));
        access::put(into, std::move(items));
    } else if constexpr (like == likeness::map) {
        dict entries;
        for (const auto& [key, value] : x) entries[Object(key)] = Object(value);
        access::put(into, std::move(entries));
    } else {
        if constexpr (std::is_same_v<type, std::vector<Object>>) access::put(into, list(std::forward<T>(x)));
        else access::put(into, items_of(std::forward<T>(x)));
    }
}

// Out -------------------------------------------------------------------------------------------------------------------------

template <typename T>
T get(const Object& from);

template <typename T>
T get_integer(const Object& from) {
    if (!from.is_int() && !from.is_bool()) refuse_type(from, "an int");
    const std::int64_t value = access::integer(from);
    if (!std::in_range<T>(value)) refuse_value(from, type_name<T>());
    return static_cast<T>(value);
}

template <typename T>
T get_floating(const Object& from) {
    if (from.is_int() || from.is_bool()) return static_cast<T>(access::integer(from));
    if (!from.is_float()) refuse_type(from, "a float");
    const double value = access::floating(from);
    if (std::isfinite(value) && !std::isfinite(static_cast<T>(value))) refuse_value(from, type_name<T>());
    return static_cast<T>(value);
}

inline std::string_view get_text(const Object& from) {
    if (!from.is_str()) refuse_type(from, "a str");
    return access::text(from);
}

template <typename T>
T get_bytes(const Object& from) {
    if (!from.is_bytes()) refuse_type(from, "bytes");
    const auto* const first = reinterpret_cast<const std::byte*>(access::text(from).data());
    return T(first, first + access::text(from).size());
}

/// The list there, for a T of so many elements.
inline const list& get_list(const Object& from, std::string_view wanted) {
    if (!from.is_list()) refuse_type(from, wanted);
    return access::items(from);
}
inline const list& get_list(const Object& from, std::size_t size, std::string_view wanted) {
    const list& items = get_list(from, wanted);
    if (items.size() != size)
        throw ValueError(fmt::format("{} takes {} items, and the list has {}: {}", wanted, size, items.size(), shown(from)));
    return items;
}

template <typename T>
T get_map(const Object& from) {
    if (!from.is_dict()) refuse_type(from, type_name<T>());
    T into;
    for (const auto& [key, value] : access::entries(from).items())
        into.insert_or_assign(get<typename T::key_type>(key), get<typename T::mapped_type>(value));
    return into;
}

template <typename T>
T get_sequence(const Object& from) {
    T into{};
    if constexpr (detail::fixed_array<T>) {
        const list& items = get_list(from, std::tuple_size_v<T>, type_name<T>());
        for (std::size_t i = 0; i < std::tuple_size_v<T>; ++i)
            into[i] = get<detail::element<T>>(items[static_cast<std::int64_t>(i)]);
    } else {
        using value = typename T::value_type;
        const list& items = get_list(from, type_name<T>());
        if constexpr (requires { into.reserve(items.size()); }) into.reserve(items.size());
        for (const Object& each : items) {
            if constexpr (requires(value element) { into.push_back(std::move(element)); }) into.push_back(get<value>(each));
            else into.insert(get<value>(each));
        }
    }
    return into;
}

template <typename T>
T get(const Object& from) {
    constexpr likeness like = likeness_of<T>;
    if constexpr (like == likeness::object) return from;
    else if constexpr (like == likeness::none) {
        if (!from.is_none()) refuse_type(from, "None");
        return T{};
    } else if constexpr (like == likeness::list) return from.as_list();
    else if constexpr (like == likeness::dict) return from.as_dict();
    else if constexpr (like == likeness::boolean) {
        if (!from.is_bool()) refuse_type(from, "a bool");
        return access::integer(from) != 0;
    } else if constexpr (like == likeness::integer) return get_integer<T>(from);
    else if constexpr (like == likeness::character) {
        const std::string_view text = get_text(from);
        if (text.size() != 1) refuse_value(from, "a char");
        return text[0];
    } else if constexpr (like == likeness::floating) return get_floating<T>(from);
    else if constexpr (like == likeness::enumeration) return static_cast<T>(get<std::underlying_type_t<T>>(from));
    else if constexpr (like == likeness::text) {
        const std::string_view text = get_text(from);
        return T(text.data(), text.size());
    } else if constexpr (like == likeness::path) return T(std::string(get_text(from)));
    else if constexpr (like == likeness::bytes) return get_bytes<T>(from);
    else if constexpr (like == likeness::optional) {
        if (from.is_none()) return T();
        return T(get<std::remove_cv_t<typename T::value_type>>(from));
    } else if constexpr (like == likeness::tuple) {
        const list& items = get_list(from, std::tuple_size_v<T>, type_name<T>());
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return T{get<std::remove_cv_t<std::tuple_element_t<I, T>>>(items[static_cast<std::int64_t>(I)])...};
        }(std::make_index_sequence<std::tuple_size_v<T>>());
    } else if constexpr (like == likeness::map) return get_map<T>(from);
    else return get_sequence<T>(from);
}

} // namespace multiprocessing::serial::dynamic
