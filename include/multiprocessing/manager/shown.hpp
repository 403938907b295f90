// Floor 10, manager/shown: values as Python prints them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include <multiprocessing/serial/object.hpp>
#include <multiprocessing/serial/type_name.hpp>

namespace multiprocessing::manager {

/// What is shown as it says itself, where it stands in another one.
template <typename T>
concept HasNestedRepr = requires(const T& x) {
    { x.nested_repr() } -> std::convertible_to<std::string>;
};

/// What Python's repr(x) would be, as far as there is such a thing.
template <typename T>
[[nodiscard]] std::string shown(const T& x) {
    if constexpr (std::is_same_v<T, Object> || std::is_same_v<T, multiprocessing::list> || std::is_same_v<T, multiprocessing::dict>)
        return x.repr();
    else if constexpr (HasNestedRepr<T>)
        return x.nested_repr();
    else if constexpr (ConvertibleToObject<T>)
        return Object(x).repr();
    else if constexpr (fmt::is_formattable<T>::value)
        return fmt::format("{}", x);
    else
        return "<" + std::string(serial::type_name<T>()) + ">";
}

/// `<DictProxy object, typeid 'dict' at 0x1a>`
[[nodiscard]] inline std::string proxy_repr(std::string_view type, std::string_view typeid_, std::uint64_t name) {
    return fmt::format("<{} object, typeid '{}' at {:#x}>", type, typeid_, name);
}

/// A letter for a type, as Python's array module has it; '?' for what has none.
template <typename T>
constexpr char typecode() noexcept {
    if constexpr (std::is_same_v<T, bool>) return '?';
    else if constexpr (std::is_same_v<T, char> || std::is_same_v<T, signed char>) return 'b';
    else if constexpr (std::is_same_v<T, unsigned char>) return 'B';
    else if constexpr (std::is_same_v<T, short>) return 'h';
    else if constexpr (std::is_same_v<T, unsigned short>) return 'H';
    else if constexpr (std::is_same_v<T, int>) return 'i';
    else if constexpr (std::is_same_v<T, unsigned>) return 'I';
    else if constexpr (std::is_same_v<T, long>) return 'l';
    else if constexpr (std::is_same_v<T, unsigned long>) return 'L';
    else if constexpr (std::is_same_v<T, long long>) return 'q';
    else if constexpr (std::is_same_v<T, unsigned long long>) return 'Q';
    else if constexpr (std::is_same_v<T, float>) return 'f';
    else if constexpr (std::is_same_v<T, double>) return 'd';
    else return '?';
}

/// For fmt::formatter of what has a repr().
template <typename T>
struct repr_formatter : fmt::formatter<fmt::string_view> {
    template <typename Context>
    auto format(const T& x, Context& context) const {
        const std::string text = x.repr();
        return fmt::formatter<fmt::string_view>::format(fmt::string_view(text.data(), text.size()), context);
    }
};

} // namespace multiprocessing::manager
