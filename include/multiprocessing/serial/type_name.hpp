// Floor 5, serial/type_name: a type's name, the same from every compiler, as text and as a number.
#pragma once

#include <array>
#include <bit>     // std::endian
#include <climits> // CHAR_BIT
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace multiprocessing::serial {

namespace detail {

/// "... signature() [with T = int]" from g++, "... signature() [T = int]" from clang++.
template <typename T>
consteval auto signature() {
    return std::string_view(__PRETTY_FUNCTION__);
}

/// How the compiler spells T.
template <typename T>
consteval std::string_view spelling() {
    constexpr std::string_view probe = signature<void>();
    constexpr std::size_t before = probe.rfind("void");
    constexpr std::size_t after = probe.size() - before - 4;
    constexpr std::string_view whole = signature<T>();
    return whole.substr(before, whole.size() - before - after);
}

struct respelling {
    std::string_view from;
    std::string_view to; // never longer, so that a name fits where its spelling did
};

/// What g++ 12, clang++ 14 and the standard libraries' inline namespaces spell differently. The first that matches is used.
inline constexpr respelling respellings[] = {
    {"std::__cxx11::basic_string<char>", "std::string"},
    {"std::__1::basic_string<char>", "std::string"},
    {"std::basic_string<char>", "std::string"},
    {"__cxx11::", ""},
    {"__debug::", ""},
    {"__1::", ""},
    {"_V2::", ""},
    {"long long unsigned int", "unsigned long long"},
    {"long unsigned int", "unsigned long"},
    {"short unsigned int", "unsigned short"},
    {"long long int", "long long"},
    {"long int", "long"},
    {"short int", "short"},
    {"(anonymous namespace)", "{anonymous}"},
    {"<unnamed>", "{anonymous}"},
    {" >", ">"},
    {" *", "*"},
    {" &", "&"},
    {" [", "["},
};

constexpr bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

template <std::size_t Size>
struct respelled {
    std::array<char, Size> text{};
    std::size_t size = 0;

    constexpr explicit respelled(std::string_view raw) {
        for (std::size_t at = 0; at < raw.size();) {
            const respelling hit = match(raw, at);
            for (const char c : hit.to) text[size++] = c;
            at += hit.from.size();
        }
    }

private:
    static constexpr respelling match(std::string_view raw, std::size_t at) {
        const bool in_a_word = at > 0 && is_word(raw[at]) && is_word(raw[at - 1]);
        if (!in_a_word)
            for (const auto& each : respellings)
                if (each.from.front() == raw[at] && raw.substr(at).starts_with(each.from)) return each;
        return {raw.substr(at, 1), raw.substr(at, 1)};
    }
};

template <typename T>
inline constexpr respelled<spelling<T>().size()> name_of{spelling<T>()};

/// Nothing in it is spelled in two ways. Most names are so, and the compiler needn't walk through them.
constexpr bool is_plain(std::string_view spelling) {
    char before = 0;
    for (const char c : spelling) {
        if (c == '<' || c == ' ' || c == '(' || c == '[' || c == '{' || (c == '_' && before == ':')) return false;
        before = c;
    }
    return true;
}

constexpr std::uint64_t hash(std::string_view text, std::uint64_t value) { // FNV-1a
    for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return value;
}

} // namespace detail

/// T's name as one would write it.
///
///     serial::type_name<std::map<std::string, unsigned long>>();   // "std::map<std::string, unsigned long>"
///
/// g++ and clang++ agree on it for the standard's types and for types outside inline namespaces. Types of the same name in
/// two anonymous namespaces, or in two functions, have one name.
template <typename T>
consteval std::string_view type_name() {
    if constexpr (detail::is_plain(detail::spelling<T>())) return detail::spelling<T>();
    else return {detail::name_of<T>.text.data(), detail::name_of<T>.size};
}

/// A number that stands for T in a message: its name's hash, together with what the machine's numbers look like, so that bytes
/// of a machine with other ones are refused instead of misread.
template <typename T>
consteval std::uint64_t fingerprint() {
    constexpr char machine[] = {std::endian::native == std::endian::little ? 'l' : 'b', CHAR_BIT, sizeof(short),
                                sizeof(int),     sizeof(long),    sizeof(wchar_t), sizeof(void*),
                                sizeof(long double), std::numeric_limits<long double>::digits % 128};
    return detail::hash(type_name<T>(), detail::hash({machine, sizeof machine}, 0xcbf29ce484222325));
}

} // namespace multiprocessing::serial
