// Floor 5, serial/object/print: Python's repr.
#pragma once

#include <algorithm> // std::find
#include <cmath> // std::isfinite, std::isnan
#include <cstddef>
#include <cstdint>
#include <iterator> // std::back_inserter
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <multiprocessing/serial/object/dict.hpp>
#include <multiprocessing/serial/object/nesting.hpp>
#include <multiprocessing/serial/object/printable.hpp>
#include <multiprocessing/serial/object/storage.hpp>
#include <multiprocessing/serial/object/value.hpp>

namespace multiprocessing::serial::dynamic {

namespace detail {

inline constexpr std::uint32_t no_character = ~std::uint32_t{0};

struct decoded {
    std::uint32_t character; // or no_character, for a byte that begins none
    std::size_t size;
};

/// The first character of a text that isn't empty.
inline decoded decode(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {no_character, 1};
    std::uint32_t character = lead & (0x7fU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return {no_character, 1};
        character = character << 6 | (byte(i) & 0x3f);
    }
    // Longer than needed, half of a UTF-16 pair, or too large.
    if ((size == 3 && character < 0x800) || (size == 4 && character < 0x10000) || character > 0x10ffff ||
        (character >= 0xd800 && character < 0xe000))
        return {no_character, 1};
    return {character, size};
}

/// Single quotes, unless there are such inside and no double ones.
inline char quote_for(std::string_view text) noexcept {
    const bool has_single = text.find('\'') != std::string_view::npos;
    return has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
}

/// The escape of a character that has a short one.
inline bool put_short_escape(std::string& out, std::uint32_t character, char quote) {
    switch (character) {
    case '\n': out += "\\n"; return true;
    case '\r': out += "\\r"; return true;
    case '\t': out += "\\t"; return true;
    case '\\': out += "\\\\"; return true;
    default: break;
    }
    if (character != static_cast<unsigned char>(quote)) return false;
    out += '\\';
    out += quote;
    return true;
}

} // namespace detail

/// How many characters a str has; a byte that is none counts as one.
inline std::size_t count_characters(std::string_view text) noexcept {
    std::size_t n = 0;
    for (; !text.empty(); ++n) text.remove_prefix(detail::decode(text).size);
    return n;
}

inline void put_str(std::string& out, std::string_view text) {
    const char quote = detail::quote_for(text);
    out += quote;
    while (!text.empty()) {
        const auto [character, size] = detail::decode(text);
        if (character == detail::no_character)
            fmt::format_to(std::back_inserter(out), "\\udc{:02x}", static_cast<unsigned char>(text[0]));
        else if (detail::put_short_escape(out, character, quote)) {
        } else if (is_printable(character))
            out += text.substr(0, size);
        else if (character < 0x100)
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", character);
        else if (character < 0x10000)
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", character);
        else
            fmt::format_to(std::back_inserter(out), "\\U{:08x}", character);
        text.remove_prefix(size);
    }
    out += quote;
}

inline void put_bytes(std::string& out, std::string_view bytes) {
    const char quote = detail::quote_for(bytes);
    out += 'b';
    out += quote;
    for (const char each : bytes) {
        const auto byte = static_cast<unsigned char>(each);
        if (detail::put_short_escape(out, byte, quote)) continue;
        if (byte < 0x80 && is_printable(byte)) out += each;
        else fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    }
    out += quote;
}

/// The fewest digits that are read back as the same number. fmt puts the point where Python does, and leaves out ".0".
inline void put_float(std::string& out, double value) {
    if (std::isnan(value)) {
        out += "nan";
        return;
    }
    const std::size_t before = out.size();
    fmt::format_to(std::back_inserter(out), "{}", value);
    if (std::isfinite(value) && out.find_first_of(".e", before) == std::string::npos) out += ".0";
}

inline void put(std::string& out, const Object& x);

inline void put(std::string& out, const list& items) {
    const nesting deeper;
    std::string_view between = "";
    out += '[';
    for (const Object& each : items) {
        out += between;
        put(out, each);
        between = ", ";
    }
    out += ']';
}

inline void put(std::string& out, const dict& entries) {
    const nesting deeper;
    std::string_view between = "";
    out += '{';
    for (const auto& [key, value] : entries.items()) {
        out += between;
        put(out, key);
        out += ": ";
        put(out, value);
        between = ", ";
    }
    out += '}';
}

inline void put(std::string& out, const Object& x) {
    switch (x.kind()) {
    case Object::Kind::none: out += "None"; return;
    case Object::Kind::boolean: out += access::integer(x) != 0 ? "True" : "False"; return;
    case Object::Kind::integer: fmt::format_to(std::back_inserter(out), "{}", access::integer(x)); return;
    case Object::Kind::floating: put_float(out, access::floating(x)); return;
    case Object::Kind::text: put_str(out, access::text(x)); return;
    case Object::Kind::data: put_bytes(out, access::text(x)); return;
    case Object::Kind::list: put(out, access::items(x)); return;
    case Object::Kind::dict: put(out, access::entries(x)); return;
    }
}

/// repr, for a message: no longer than a line.
inline std::string shown(const Object& x) {
    constexpr std::size_t most = 60;
    std::string text;
    if ((x.is_str() || x.is_bytes()) && access::text(x).size() > most)
        x.is_str() ? put_str(text, access::text(x).substr(0, most)) : put_bytes(text, access::text(x).substr(0, most));
    else
        put(text, x);
    if (text.size() <= most) return text;
    std::size_t end = most - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end; // not within a character
    return text.substr(0, end) + "...";
}

} // namespace multiprocessing::serial::dynamic

namespace multiprocessing {

inline std::string Object::repr() const {
    std::string out;
    serial::dynamic::put(out, *this);
    return out;
}
inline std::string Object::str() const { return is_str() ? std::string(text()) : repr(); }

inline std::string list::repr() const {
    std::string out;
    serial::dynamic::put(out, *this);
    return out;
}
inline std::string dict::repr() const {
    std::string out;
    serial::dynamic::put(out, *this);
    return out;
}

/// How a format_spec ends: 's' for str(), 'r' or nothing for repr(); what stands before it (fill, alignment, width) is a
/// string's. `{}` of a str has its quotes, as a list's items have in Python.
template <typename T>
struct object_formatter : fmt::formatter<fmt::string_view> {
    constexpr auto parse(fmt::format_parse_context& context) {
        const auto end = std::find(context.begin(), context.end(), '}');
        auto last = end;
        if (last != context.begin() && (*(last - 1) == 'r' || *(last - 1) == 's')) {
            --last;
            as_str_ = *last == 's';
        }
        fmt::format_parse_context part(
            fmt::string_view(context.begin() == last ? "" : &*context.begin(), static_cast<std::size_t>(last - context.begin())));
        static_cast<void>(fmt::formatter<fmt::string_view>::parse(part));
        return end;
    }
    template <typename Context>
    auto format(const T& x, Context& context) const {
        const std::string text = shown_as(x);
        return fmt::formatter<fmt::string_view>::format(fmt::string_view(text.data(), text.size()), context);
    }

private:
    [[nodiscard]] std::string shown_as(const Object& x) const { return as_str_ ? x.str() : x.repr(); }
    [[nodiscard]] static std::string shown_as(const list& x) { return x.repr(); }
    [[nodiscard]] static std::string shown_as(const dict& x) { return x.repr(); }
    bool as_str_ = false;
};

} // namespace multiprocessing

template <>
struct fmt::formatter<multiprocessing::Object> : multiprocessing::object_formatter<multiprocessing::Object> {};
template <>
struct fmt::formatter<multiprocessing::list> : multiprocessing::object_formatter<multiprocessing::list> {};
template <>
struct fmt::formatter<multiprocessing::dict> : multiprocessing::object_formatter<multiprocessing::dict> {};
