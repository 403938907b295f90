// Floor 5, serial/archive: whole messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility> // std::move
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/reader.hpp>
#include <multiprocessing/serial/type_name.hpp>
#include <multiprocessing/serial/types.hpp> // a message knows every type, so that no file sees one that another doesn't
#include <multiprocessing/serial/writer.hpp>

namespace multiprocessing {

/// T can be sent to another process: as an argument, a result, a queue's item, a message, an exception's content.
///
///     struct page { int number; std::vector<std::string> lines; };   // nothing more to write
///     static_assert(mp::Serializable<page>);
///     static_assert(!mp::Serializable<const char*>);
///
/// These travel: numbers, enumerations, strings, the standard's containers, optional, variant, tuple, pair, unique_ptr,
/// shared_ptr (what is shared within a message stays shared), chrono, complex, bitset, path; aggregates of such; classes with
/// cereal's serialize, save + load, or save_minimal + load_minimal; and what has a serial::codec, as this library's handles do.
///
/// - Python: what pickle takes. There a type is found out to be unfit when it is sent, here when it is compiled.
/// - Errors: what isn't Serializable and is sent is a compile error of one sentence.
template <typename T>
concept Serializable = serial::detail::verdict_on<std::remove_cv_t<T>>::why == serial::refusal::none;

} // namespace multiprocessing

namespace multiprocessing::serial {

/// Bytes that x takes.
template <typename T>
[[nodiscard]] std::size_t packed_size(const T& x) {
    if constexpr (detail::demand<T>) {
        writer nowhere{std::span<std::byte>()};
        serial::write(nowhere, x);
        nowhere.finish();
        return nowhere.size();
    }
}

/// Writes x to the beginning of `place` and returns the bytes it takes. If they are more than `place` has, x isn't there.
///
///     const std::size_t size = serial::pack_into(slot, x);
///     if (size > slot.size()) serial::pack_into(larger_slot(size), x);
template <typename T>
[[nodiscard]] std::size_t pack_into(std::span<std::byte> place, const T& x) {
    if constexpr (detail::demand<T>) {
        writer out(place);
        serial::write(out, x);
        out.finish();
        return out.size();
    }
}

namespace detail {

/// What `write_all(writer&)` writes. It is called twice where that is more than a few bytes: once to learn how many they are,
/// which then go to their place with nothing moved or cleared on the way. (A vector that grows as it is filled touches twice
/// the memory, and memory touched for the first time is what costs: 2 ms against 50 for a million short strings.)
template <typename F>
std::vector<std::byte> pack_by(F write_all) {
    std::byte few[512];
    writer first{std::span(few)};
    write_all(first);
    first.finish();
    if (first.size() <= sizeof few) return {few, few + first.size()};
    writer out;
    out.reserve(first.size());
    write_all(out);
    return std::move(out).take();
}

/// The same with shares beside the bytes.
template <typename F>
std::vector<std::byte> pack_by(std::vector<memory::holding>& shares, F write_all) {
    return pack_by([&](writer& out) {
        shares.clear(); // from the time before
        out.carry(shares);
        write_all(out);
    });
}

} // namespace detail

/// What is sent from process to process: bytes, and shares in the objects that they name.
struct message {
    std::vector<std::byte> bytes;
    std::vector<memory::holding> shares;
};

/// x as a message. x may have shared objects in it.
template <typename T>
[[nodiscard]] message pack_message(const T& x) {
    if constexpr (detail::demand<T>) {
        message made;
        made.bytes = detail::pack_by(made.shares, [&](writer& out) { serial::write(out, x); });
        return made;
    }
}
template <typename T>
[[nodiscard]] T unpack_message(const message& from) {
    if constexpr (detail::demand<T>) {
        reader in(from.bytes, type_name<T>());
        in.claim_from(from.shares);
        T x = serial::take<T>(in);
        in.finish();
        return x;
    }
}

/// x as bytes. A save() of x's may be called twice.
template <typename T>
[[nodiscard]] std::vector<std::byte> pack(const T& x) {
    if constexpr (detail::demand<T>) return detail::pack_by([&](writer& out) { serial::write(out, x); });
}

/// What pack() made of a T. ProcessError when the bytes aren't one, or are more than one.
template <typename T>
[[nodiscard]] T unpack(std::span<const std::byte> bytes) {
    if constexpr (detail::demand<T>) {
        reader in(bytes, type_name<T>());
        T x = serial::take<T>(in);
        in.finish();
        return x;
    }
}

/// The same, into an x that is there already and may have memory to use again.
template <typename T>
void unpack_into(std::span<const std::byte> bytes, T& x) {
    if constexpr (detail::demand<T, detail::verdict_in_place<T>>) {
        reader in(bytes, type_name<T>());
        serial::read(in, x);
        in.finish();
    }
}

/// Writes which type follows: its fingerprint, for the comparison, and its name, for the error.
template <typename T>
void write_tag(writer& out) {
    constexpr std::string_view name = type_name<T>().substr(0, 255);
    out.number(fingerprint<T>());
    out.number(static_cast<std::uint8_t>(name.size()));
    out.bytes(name.data(), name.size());
}

/// What else a T can be received from: specialised for Object.
template <typename... Types>
struct types_of_messages {};
template <typename T>
struct also_received_from : types_of_messages<> {};

template <typename T>
[[noreturn]] void refuse_tag(std::string_view name) {
    std::string text = "a message of type ";
    text.append(name).append(" can't be received as ").append(type_name<T>());
    if (type_name<T>().substr(0, 255) == name) text += ": the sender's numbers have other sizes";
    throw TypeError(text);
}

/// Reads what write_tag() wrote; TypeError if it was another type.
template <typename T>
void read_tag(reader& in) {
    const auto sent = in.number<std::uint64_t>();
    const std::size_t size = in.number<std::uint8_t>();
    const auto* name = reinterpret_cast<const char*>(in.run(size));
    if (sent != fingerprint<T>()) refuse_tag<T>(std::string_view(name, size));
}

/// Reads what write_tag() wrote, and the value behind it.
template <typename T>
[[nodiscard]] T take_tagged(reader& in) {
    const auto sent = in.number<std::uint64_t>();
    const std::size_t size = in.number<std::uint8_t>();
    const auto* name = reinterpret_cast<const char*>(in.run(size));
    if (sent == fingerprint<T>()) return serial::take<T>(in);
    std::optional<T> value;
    const auto try_each = [&]<typename... Sent>(const types_of_messages<Sent...>&) {
        static_cast<void>(((sent == fingerprint<Sent>() && (value.emplace(serial::take<Sent>(in)), true)) || ...));
    };
    try_each(also_received_from<T>());
    if (!value) refuse_tag<T>(std::string_view(name, size));
    return *std::move(value);
}

/// As the functions above, in messages that know their type.
template <typename T>
[[nodiscard]] std::size_t packed_size_tagged(const T& x) {
    return sizeof(std::uint64_t) + 1 + type_name<T>().substr(0, 255).size() + serial::packed_size(x);
}
template <typename T>
[[nodiscard]] std::size_t pack_tagged_into(std::span<std::byte> place, const T& x) {
    if constexpr (detail::demand<T>) {
        writer out(place);
        serial::write_tag<T>(out);
        serial::write(out, x);
        out.finish();
        return out.size();
    }
}
template <typename T>
[[nodiscard]] std::vector<std::byte> pack_tagged(const T& x) {
    if constexpr (detail::demand<T>) {
        return detail::pack_by([&](writer& out) {
            serial::write_tag<T>(out);
            serial::write(out, x);
        });
    }
}
template <typename T>
[[nodiscard]] T unpack_tagged(std::span<const std::byte> bytes) {
    if constexpr (detail::demand<T>) {
        reader in(bytes, type_name<T>());
        serial::read_tag<T>(in);
        T x = serial::take<T>(in);
        in.finish();
        return x;
    }
}

} // namespace multiprocessing::serial
