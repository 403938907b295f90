// Floor 5, serial/family: which of the standard's types a type is, told by its name.
#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>

#include <multiprocessing/serial/type_name.hpp>

// Who sends a std::map has included <map>; nobody else shall pay for it. The standard's headers for all that travels cost
// 0.25 s in every file (g++ 12, -O0), and their classes can't be declared without them, so the codecs of what isn't needed
// here anyway are chosen by name.

namespace multiprocessing::serial {

enum class family {
    none,
    own, // has a codec of its own: its header is needed here anyway
    array,
    list, // what elements are added to at its end
    forward_list,
    valarray,
    map,
    multimap,
    set,
    multiset,
    adaptor,
    priority_queue,
    optional,
    variant,
    monostate,
    tuple,
    duration,
    time_point,
    calendar,
    complex,
    bitset,
    path,
    view,
    reference,
    function,
};

namespace detail {

struct member_of_family {
    std::string_view name;
    family is;
};

inline constexpr member_of_family families[] = {
    {"std::basic_string", family::own},
    {"std::vector", family::own},
    {"std::pair", family::own},
    {"std::unique_ptr", family::own},
    {"std::shared_ptr", family::own},
    {"std::weak_ptr", family::own},
    {"std::error_code", family::own},
    {"std::array", family::array},
    {"std::list", family::list},
    {"std::deque", family::list},
    {"std::forward_list", family::forward_list},
    {"std::valarray", family::valarray},
    {"std::map", family::map},
    {"std::unordered_map", family::map},
    {"std::multimap", family::multimap},
    {"std::unordered_multimap", family::multimap},
    {"std::set", family::set},
    {"std::unordered_set", family::set},
    {"std::multiset", family::multiset},
    {"std::unordered_multiset", family::multiset},
    {"std::queue", family::adaptor},
    {"std::stack", family::adaptor},
    {"std::priority_queue", family::priority_queue},
    {"std::optional", family::optional},
    {"std::variant", family::variant},
    {"std::monostate", family::monostate},
    {"std::tuple", family::tuple},
    {"std::chrono::duration", family::duration},
    {"std::chrono::time_point", family::time_point},
    {"std::chrono::day", family::calendar},
    {"std::chrono::month", family::calendar},
    {"std::chrono::year", family::calendar},
    {"std::chrono::weekday", family::calendar},
    {"std::chrono::year_month", family::calendar},
    {"std::chrono::month_day", family::calendar},
    {"std::chrono::year_month_day", family::calendar},
    {"std::complex", family::complex},
    {"std::bitset", family::bitset},
    {"std::filesystem::path", family::path},
    {"std::basic_string_view", family::view},
    {"std::span", family::view},
    {"std::initializer_list", family::view},
    {"std::reference_wrapper", family::reference},
    {"std::function", family::function},
    {"std::move_only_function", family::function},
};

/// "std::list" of "std::__cxx11::list<int>": without template arguments and inline namespaces.
struct bare_name {
    char text[40] = {}; // longer ones aren't in the table
    std::size_t size = 0;

    constexpr explicit bare_name(std::string_view spelling) {
        for (std::size_t at = 0; at < spelling.size() && spelling[at] != '<' && size < sizeof text;) {
            if (spelling[at] == '_' && spelling[at + 1] == '_' && spelling[at - 1] == ':') { // the user has no such names
                while (spelling[at] != ':') ++at;
                at += 2;
            } else {
                text[size++] = spelling[at++];
            }
        }
    }
    [[nodiscard]] constexpr bool operator==(std::string_view name) const { return std::string_view(text, size) == name; }
};

template <typename T>
constexpr family find_family() {
    if constexpr (std::is_class_v<T> && spelling<T>().starts_with("std::")) {
        constexpr bare_name name(spelling<T>());
        for (const auto& each : families)
            if (name == each.name) return each.is;
    }
    return family::none;
}

} // namespace detail

/// T's family; none for what isn't the standard's, or isn't known here.
template <typename T>
inline constexpr family family_of = detail::find_family<T>();

} // namespace multiprocessing::serial
