// Floor 5, serial/object/likeness: which C++ type stands for which of Python's.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator> // std::begin, std::end
#include <optional> // std::nullopt_t; exceptions.hpp has it already
#include <string>
#include <string_view>
#include <tuple> // std::tuple_size, std::tuple_element
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/serial/family.hpp>

namespace multiprocessing {

class Object;
class list;
class dict;

/// Python's bytes.
using bytes = std::vector<std::byte>;

} // namespace multiprocessing

namespace multiprocessing::serial::dynamic {

/// What a C++ type is taken for.
enum class likeness {
    object,
    list,
    dict,
    none,
    boolean,
    integer,
    character, // a str of one
    floating,
    enumeration, // an int
    text,
    path, // a str
    bytes,
    optional, // the value, or None
    map,
    tuple,    // a list of that length
    sequence, // a list
    variant,
    pointer,
    alien,
};

namespace detail {

template <typename T>
concept range = requires(const T& x) {
    std::begin(x) != std::end(x);
    *std::begin(x);
};

template <range T>
using element = std::remove_cvref_t<decltype(*std::begin(std::declval<const T&>()))>;

template <typename T>
concept byte_run = range<T> && requires(const T& x) {
    { x.data() } -> std::convertible_to<const std::byte*>;
    x.size();
};

template <typename T>
concept mapping = range<T> && requires {
    typename T::key_type;
    typename T::mapped_type;
} && family_of<T> != family::multimap; // a dict could keep but one value of a key, a list of pairs has them all

template <typename T>
inline constexpr bool is_pair = false;
template <typename A, typename B>
inline constexpr bool is_pair<std::pair<A, B>> = true;

template <typename T>
inline constexpr bool is_wide = std::is_same_v<T, wchar_t> || std::is_same_v<T, char8_t> ||
                                std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;

template <typename T>
constexpr likeness find_likeness() {
    using bare = std::remove_cv_t<std::remove_pointer_t<std::decay_t<T>>>;
    if constexpr (std::is_same_v<T, Object>) return likeness::object;
    else if constexpr (std::is_same_v<T, multiprocessing::list>) return likeness::list;
    else if constexpr (std::is_same_v<T, multiprocessing::dict>) return likeness::dict;
    else if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t> ||
                       family_of<T> == family::monostate)
        return likeness::none;
    else if constexpr (std::is_same_v<T, bool>) return likeness::boolean;
    else if constexpr (std::is_same_v<T, char>) return likeness::character;
    else if constexpr (is_wide<T>) return likeness::alien;
    else if constexpr (std::is_integral_v<T>) return likeness::integer;
    else if constexpr (std::is_floating_point_v<T>) return likeness::floating;
    else if constexpr (std::is_enum_v<T>) return likeness::enumeration;
    else if constexpr (std::is_pointer_v<std::decay_t<T>> && std::is_same_v<bare, char>) return likeness::text;
    else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_function_v<T>)
        return likeness::pointer;
    else if constexpr (std::is_convertible_v<const T&, std::string_view>) return likeness::text;
    else if constexpr (family_of<T> == family::path) return likeness::path; // a range of itself, so before the ranges
    else if constexpr (family_of<T> == family::optional) return likeness::optional;
    else if constexpr (family_of<T> == family::variant) return likeness::variant;
    else if constexpr (family_of<T> == family::tuple || is_pair<T>) return likeness::tuple;
    else if constexpr (byte_run<T>) return likeness::bytes;
    else if constexpr (mapping<T>) return likeness::map;
    else if constexpr (range<T>) return likeness::sequence;
    else return likeness::alien;
}

} // namespace detail

/// T without const and reference.
template <typename T>
inline constexpr likeness likeness_of = detail::find_likeness<T>();

namespace detail {

template <typename T>
constexpr bool goes_in();

template <typename T, std::size_t... I>
constexpr bool elements_go_in(std::index_sequence<I...>) {
    return (goes_in<std::remove_cvref_t<std::tuple_element_t<I, T>>>() && ...);
}
template <template <typename...> typename Variant, typename... T>
constexpr bool alternatives_go_in(const Variant<T...>*) {
    return (goes_in<T>() && ...);
}

/// An Object can be made of a T.
template <typename T>
constexpr bool goes_in() {
    constexpr likeness like = likeness_of<T>;
    if constexpr (like == likeness::alien || like == likeness::pointer) return false;
    else if constexpr (like == likeness::optional) return goes_in<std::remove_cv_t<typename T::value_type>>();
    else if constexpr (like == likeness::map) return goes_in<typename T::key_type>() && goes_in<typename T::mapped_type>();
    else if constexpr (like == likeness::tuple) return elements_go_in<T>(std::make_index_sequence<std::tuple_size_v<T>>());
    else if constexpr (like == likeness::variant) return alternatives_go_in(static_cast<const T*>(nullptr));
    else if constexpr (like == likeness::sequence) {
        if constexpr (std::is_same_v<element<T>, T>) return false; // a range of itself has no end
        else return goes_in<element<T>>();
    } else return true;
}

template <typename T>
constexpr bool comes_out();

template <typename T, std::size_t... I>
constexpr bool elements_come_out(std::index_sequence<I...>) {
    return (comes_out<std::remove_cv_t<std::tuple_element_t<I, T>>>() && ...);
}

template <typename T>
concept fixed_array = requires { std::tuple_size<T>::value; } && requires(T& x) { x[0]; };

template <typename T>
concept growing = requires(T& x, typename T::value_type element) { x.push_back(std::move(element)); } ||
                  requires(T& x, typename T::value_type element) { x.insert(std::move(element)); };

/// A T can be made of an Object.
template <typename T>
constexpr bool comes_out() {
    constexpr likeness like = likeness_of<T>;
    if constexpr (std::is_reference_v<T> || std::is_array_v<T> || std::is_pointer_v<T>) return false;
    else if constexpr (like == likeness::none) return !std::is_same_v<T, std::nullopt_t>;
    else if constexpr (like == likeness::text) return std::is_constructible_v<T, const char*, std::size_t>;
    else if constexpr (like == likeness::path) return true;
    else if constexpr (like == likeness::bytes) return std::is_constructible_v<T, const std::byte*, const std::byte*>;
    else if constexpr (like == likeness::alien || like == likeness::variant) return false;
    else if constexpr (like == likeness::optional) return comes_out<std::remove_cv_t<typename T::value_type>>();
    else if constexpr (like == likeness::map)
        return std::default_initializable<T> && comes_out<typename T::key_type>() && comes_out<typename T::mapped_type>();
    else if constexpr (like == likeness::tuple)
        return elements_come_out<T>(std::make_index_sequence<std::tuple_size_v<T>>());
    else if constexpr (like == likeness::sequence) {
        if constexpr (std::is_same_v<element<T>, T> || !std::default_initializable<T>) return false;
        else if constexpr (fixed_array<T>) return comes_out<element<T>>();
        else if constexpr (growing<T>) return comes_out<typename T::value_type>();
        else return false;
    } else return true;
}

} // namespace detail

} // namespace multiprocessing::serial::dynamic

namespace multiprocessing {

/// An mp::Object can be made of a T: numbers, enumerations, strings, nullptr, std::nullopt, bytes, paths; containers, pairs,
/// tuples, optionals and variants of such.
template <typename T>
concept ConvertibleToObject = serial::dynamic::detail::goes_in<std::remove_cvref_t<T>>();

/// An mp::Object can be turned into a T: the same types, but for variants, and views only of text and bytes.
template <typename T>
concept ConvertibleFromObject = serial::dynamic::detail::comes_out<std::remove_cv_t<T>>();

} // namespace multiprocessing
