// Floor 5, serial/object/codec: how mp::Object, mp::list and mp::dict travel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/object/dict.hpp>
#include <multiprocessing/serial/object/storage.hpp>
#include <multiprocessing/serial/object/value.hpp>
#include <multiprocessing/serial/types/vector.hpp> // room_for

namespace multiprocessing::serial {

namespace dynamic {

/// What comes next. Numbers behind it, and the sizes of everything, take as many bytes as they need: seven bits in each, the
/// lowest first, the eighth saying that more follow.
enum class tag : std::uint8_t { none, no, yes, integer, floating, str, bytes, list, dict };

inline void write_number(writer& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.number(static_cast<std::uint8_t>(value | 0x80));
    out.number(static_cast<std::uint8_t>(value));
}

inline std::uint64_t read_number(reader& in) {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const std::uint64_t seven = in.number<std::uint8_t>();
        if (shift == 63 && seven > 1) in.fail("a number of more than 64 bits");
        value |= (seven & 0x7f) << shift;
        if (seven < 0x80) return value;
    }
}

/// How many of something follow, each of at least `least` bytes.
inline std::size_t read_count(reader& in, std::size_t least) {
    const std::uint64_t n = read_number(in);
    if (n > in.left() / least)
        in.fail("a count of " + std::to_string(n) + " where " + std::to_string(in.left()) + " bytes are left");
    return static_cast<std::size_t>(n);
}

// -1 as 1, 1 as 2, -2 as 3, ...: small ones are short, whatever their sign.
inline std::uint64_t fold(std::int64_t value) noexcept {
    return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unfold(std::uint64_t value) noexcept {
    return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1));
}

inline void write_text(writer& out, std::string_view text) {
    write_number(out, text.size());
    if (!text.empty()) out.bytes(text.data(), text.size());
}
inline std::string_view read_text(reader& in) {
    const std::size_t n = read_count(in, 1);
    return {reinterpret_cast<const char*>(in.run(n)), n};
}

} // namespace dynamic

template <>
struct codec<multiprocessing::list> {
    static void write(writer& out, const multiprocessing::list& x);
    static void read(reader& in, multiprocessing::list& x);
};
template <>
struct codec<multiprocessing::dict> {
    static void write(writer& out, const multiprocessing::dict& x);
    static void read(reader& in, multiprocessing::dict& x);
};

template <>
struct codec<Object> {
    static void write(writer& out, const Object& x);
    static void read(reader& in, Object& x);
};

inline void codec<Object>::write(writer& out, const Object& x) {
    using dynamic::access, dynamic::tag;
    switch (x.kind()) {
    case Object::Kind::none: return out.number(tag::none);
    case Object::Kind::boolean: return out.number(access::integer(x) != 0 ? tag::yes : tag::no);
    case Object::Kind::integer:
        out.number(tag::integer);
        return dynamic::write_number(out, dynamic::fold(access::integer(x)));
    case Object::Kind::floating:
        out.number(tag::floating);
        return out.number(access::floating(x));
    case Object::Kind::text:
        out.number(tag::str);
        return dynamic::write_text(out, access::text(x));
    case Object::Kind::data:
        out.number(tag::bytes);
        return dynamic::write_text(out, access::text(x));
    case Object::Kind::list:
        out.number(tag::list);
        return codec<multiprocessing::list>::write(out, access::items(x));
    case Object::Kind::dict:
        out.number(tag::dict);
        return codec<multiprocessing::dict>::write(out, access::entries(x));
    }
}

inline void codec<Object>::read(reader& in, Object& x) {
    using dynamic::access, dynamic::tag;
    x = Object();
    const auto what = in.number<std::uint8_t>();
    switch (static_cast<tag>(what)) {
    case tag::none: return;
    case tag::no: return access::put(x, false);
    case tag::yes: return access::put(x, true);
    case tag::integer: return access::put(x, dynamic::unfold(dynamic::read_number(in)));
    case tag::floating: return access::put(x, in.number<double>());
    case tag::str: return access::put(x, Object::Kind::text, dynamic::read_text(in));
    case tag::bytes: return access::put(x, Object::Kind::data, dynamic::read_text(in));
    case tag::list: {
        multiprocessing::list items;
        codec<multiprocessing::list>::read(in, items);
        return access::put(x, std::move(items));
    }
    case tag::dict: {
        multiprocessing::dict entries;
        codec<multiprocessing::dict>::read(in, entries);
        return access::put(x, std::move(entries));
    }
    }
    in.fail("no kind of mp::Object has the number " + std::to_string(what));
}

inline void codec<multiprocessing::list>::write(writer& out, const multiprocessing::list& x) {
    const writer::level level(out);
    dynamic::write_number(out, x.size());
    for (const Object& each : x) codec<Object>::write(out, each);
}

inline void codec<multiprocessing::list>::read(reader& in, multiprocessing::list& x) {
    const reader::level level(in);
    const std::size_t n = dynamic::read_count(in, 1);
    x.clear();
    x.reserve(detail::room_for<Object>(in, n));
    for (std::size_t i = 0; i < n; ++i) {
        Object each;
        codec<Object>::read(in, each);
        x.append(std::move(each));
    }
}

inline void codec<multiprocessing::dict>::write(writer& out, const multiprocessing::dict& x) {
    const writer::level level(out);
    dynamic::write_number(out, x.size());
    for (const auto& [key, value] : x.items()) {
        codec<Object>::write(out, key);
        codec<Object>::write(out, value);
    }
}

inline void codec<multiprocessing::dict>::read(reader& in, multiprocessing::dict& x) {
    const reader::level level(in);
    const std::size_t n = dynamic::read_count(in, 2);
    x.clear();
    for (std::size_t i = 0; i < n; ++i) {
        Object key, value;
        codec<Object>::read(in, key);
        if (key.is_list() || key.is_dict()) in.fail("a key that is a list or a dict");
        codec<Object>::read(in, value);
        if (!x.insert(std::move(key), std::move(value))) in.fail("a key that is there already");
    }
}

} // namespace multiprocessing::serial
