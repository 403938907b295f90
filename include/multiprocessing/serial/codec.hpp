// Floor 5, serial/codec: how a type travels, or the sentence that says why it doesn't.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

#include <multiprocessing/serial/cereal.hpp>
#include <multiprocessing/serial/reader.hpp>
#include <multiprocessing/serial/type_name.hpp>
#include <multiprocessing/serial/writer.hpp>

namespace multiprocessing::serial {

/// How T travels. Specialise it for a type that has no other way; each room of types/ does so for its types.
///
///     template <>
///     struct multiprocessing::serial::codec<ticket> {
///         static void write(writer& out, const ticket& x) { out.number(x.id()); }
///         static ticket make(reader& in) { return ticket(in.number<std::uint32_t>()); }
///     };
///
/// | member                                    | is                                                                       |
/// | ----------------------------------------- | ------------------------------------------------------------------------ |
/// | static void write(writer&, const T&)      | writes at least one byte                                                 |
/// | static void read(reader&, T&)             | reads them into a value; or else                                         |
/// | static T make(reader&)                    | makes the value from them, for who has no default constructor            |
/// | static constexpr bool bulk = ...          | optional; true: T's own bytes travel, and nothing above is needed        |
/// | static constexpr std::size_t least = ...  | optional; the fewest bytes that a T takes; 1 if left out                 |
/// | using parts = types<...>                  | optional; the types a T consists of, so that they are looked at too      |
/// | static constexpr refusal refuses = ...    | optional; why it doesn't travel after all                                |
template <typename T>
struct codec;

/// A list of types.
template <typename... T>
struct types {};

/// Why a type doesn't travel. Each has its sentence below, in explain().
enum class refusal {
    none,
    other,
    pointer,
    reference,
    view,
    function,
    weak_pointer,
    array_pointer,
    deleter,
    abstract_class,
    union_type,
    base_class,
    fixed_member,
    too_many_members,
    one_way,
    several_ways,
    inherited,
    no_default,
    immovable,
    incomplete,
};

namespace detail {

template <typename T>
concept has_codec = complete<codec<T>>;

template <typename T>
constexpr bool is_bulk() {
    if constexpr (requires { codec<T>::bulk; }) return codec<T>::bulk;
    else return false;
}

template <typename T>
constexpr std::size_t fewest_bytes() {
    if constexpr (is_bulk<T>()) return sizeof(T);
    else if constexpr (requires { codec<T>::least; }) return codec<T>::least;
    else return 1;
}

template <typename T>
concept is_made = requires(reader& in) {
    { codec<T>::make(in) } -> std::same_as<T>;
};

} // namespace detail

/// T's own bytes are its message: numbers, and arrays and aggregates of nothing else, without gaps.
template <typename T>
inline constexpr bool bulk = detail::is_bulk<T>();

/// The fewest bytes that a T takes; never 0.
template <typename T>
inline constexpr std::size_t least = detail::fewest_bytes<T>();

/// Bytes of a count.
inline constexpr std::size_t count_bytes = sizeof(std::uint64_t);

/// Writes x. For codecs: whether T travels has been asked at the door.
template <typename T>
void write(writer& out, const T& x) {
    if constexpr (bulk<T>) out.bytes(std::addressof(x), sizeof x);
    else codec<T>::write(out, x);
}

/// Reads into x.
template <typename T>
void read(reader& in, T& x) {
    if constexpr (bulk<T>) in.bytes(static_cast<void*>(std::addressof(x)), sizeof x);
    else if constexpr (requires { codec<T>::read(in, x); }) codec<T>::read(in, x);
    else x = codec<T>::make(in);
}

/// Reads a value.
template <typename T>
[[nodiscard]] T take(reader& in) {
    if constexpr (!bulk<T> && detail::is_made<T>) {
        return codec<T>::make(in);
    } else {
        T x{};
        serial::read(in, x);
        return x;
    }
}

/// Writes `n` values that lie side by side.
template <typename T>
void write_run(writer& out, const T* first, std::size_t n) {
    if constexpr (bulk<T>) {
        if (n != 0) out.bytes(first, n * sizeof(T));
    } else {
        for (std::size_t i = 0; i < n; ++i) serial::write(out, first[i]);
    }
}

/// Reads into `n` values that lie side by side.
template <typename T>
void read_run(reader& in, T* first, std::size_t n) {
    if constexpr (bulk<T>) {
        if (n != 0) in.bytes(first, n * sizeof(T));
    } else {
        for (std::size_t i = 0; i < n; ++i) serial::read(in, first[i]);
    }
}

namespace detail {

/// What was found about a type: the reason, and which of its parts is to blame.
template <refusal Why, typename Culprit>
struct verdict {
    static constexpr refusal why = Why;
    using culprit = Culprit;
};

template <typename T>
constexpr refusal reason_without_codec() {
    using bare = std::remove_all_extents_t<T>;
    if constexpr (std::is_function_v<std::remove_pointer_t<T>> || std::is_member_pointer_v<T>) return refusal::function;
    else if constexpr (std::is_pointer_v<bare>) return refusal::pointer;
    else if constexpr (std::is_reference_v<T>) return refusal::reference;
    else if constexpr (std::is_void_v<T> || !complete<T>) return refusal::incomplete;
    else if constexpr (std::is_union_v<T>) return refusal::union_type;
    else if constexpr (std::is_abstract_v<T>) return refusal::abstract_class;
    else return refusal::other;
}

template <typename T>
constexpr refusal reason_with_codec() {
    if constexpr (requires { codec<T>::refuses; })
        if constexpr (codec<T>::refuses != refusal::none) return codec<T>::refuses;
    return refusal::none;
}

/// Whether a T can be made from nothing but its bytes, as an element of a container must be.
template <typename T>
constexpr refusal reason_not_to_make() {
    if constexpr (bulk<T> || is_made<T>) return refusal::none;
    else if constexpr (std::is_abstract_v<T>) return refusal::abstract_class;
    else if constexpr (!std::default_initializable<T>) return refusal::no_default;
    else return refusal::none;
}

template <typename T, typename... Path>
constexpr auto examine();

template <typename... Path>
constexpr auto examine_all(types<>) {
    return verdict<refusal::none, void>{};
}
template <typename... Path, typename First, typename... Rest>
constexpr auto examine_all(types<First, Rest...>) {
    using found = decltype(examine<First, Path...>());
    if constexpr (found::why != refusal::none) return found{};
    else if constexpr (reason_not_to_make<std::remove_cv_t<First>>() != refusal::none)
        return verdict<reason_not_to_make<std::remove_cv_t<First>>(), First>{};
    else return examine_all<Path...>(types<Rest...>{});
}

/// Looks at T and at what it consists of. Path: the types on the way here; one that comes again is being looked at already.
template <typename T, typename... Path>
constexpr auto examine() {
    using type = std::remove_cv_t<T>;
    if constexpr ((std::is_same_v<type, Path> || ...)) return verdict<refusal::none, type>{};
    else if constexpr (!has_codec<type>) return verdict<reason_without_codec<type>(), type>{};
    else if constexpr (reason_with_codec<type>() != refusal::none) return verdict<reason_with_codec<type>(), type>{};
    else if constexpr (requires { typename codec<type>::parts; })
        return examine_all<Path..., type>(typename codec<type>::parts{});
    else return verdict<refusal::none, type>{};
}

/// A T that is there already can be saved and loaded.
template <typename T>
using verdict_in_place = decltype(examine<T>());

template <typename T>
constexpr auto examine_with_making() {
    using type = std::remove_cv_t<T>;
    using found = decltype(examine<T>());
    if constexpr (found::why != refusal::none) return found{};
    else if constexpr (reason_not_to_make<type>() != refusal::none) return verdict<reason_not_to_make<type>(), type>{};
    else if constexpr (!std::move_constructible<type>) return verdict<refusal::immovable, type>{};
    else return found{};
}

/// A T can be sent, and made by the receiver.
template <typename T>
using verdict_on = decltype(examine_with_making<T>());

/// Makes the compiler say it. The template arguments in its message name the culprit, and what it was sent in.
template <refusal Why, typename Culprit, typename Sent>
constexpr bool explain() {
    using enum refusal;
    static_assert(Why != pointer, "multiprocessing: a raw pointer doesn't travel, it means nothing in another process: send the "
                                  "value, or hold it by std::unique_ptr or std::shared_ptr");
    static_assert(Why != reference, "multiprocessing: a reference doesn't travel, it means nothing in another process: send the "
                                    "value");
    static_assert(Why != view, "multiprocessing: a view (std::string_view, std::span, std::initializer_list) doesn't travel, it "
                               "owns nothing: send a std::string or std::vector");
    static_assert(Why != function, "multiprocessing: a function isn't data and doesn't travel as a value: hand it to Process or "
                                   "Pool as the callable");
    static_assert(Why != weak_pointer, "multiprocessing: a std::weak_ptr doesn't travel: send the std::shared_ptr");
    static_assert(Why != array_pointer, "multiprocessing: a smart pointer to an array doesn't travel, it doesn't know its "
                                        "length: send a std::vector");
    static_assert(Why != deleter, "multiprocessing: a std::unique_ptr with a deleter of its own doesn't travel, nobody knows "
                                  "how to make such an object: send the value");
    static_assert(Why != abstract_class, "multiprocessing: an abstract class doesn't travel, the receiver wouldn't know what to "
                                         "make: send a std::variant of the concrete classes");
    static_assert(Why != union_type, "multiprocessing: a union doesn't travel, nobody knows which member is alive: send a "
                                     "std::variant");
    static_assert(Why != base_class, "multiprocessing: an aggregate with a base class can't be taken apart: make the base a "
                                     "member, or give the type a serialize(Archive&) function");
    static_assert(Why != fixed_member, "multiprocessing: an aggregate with a const or reference member can't be filled in by a "
                                       "receiver: send a value there, or give the type a serialize(Archive&) function");
    static_assert(Why != too_many_members, "multiprocessing: an aggregate of more than 16 members is taken apart by Boost.PFR "
                                           "(Boost 1.75 or newer, Debian's libboost-dev), which is missing, or can't do it "
                                           "because of a C array in it: use std::array, or give the type a "
                                           "serialize(Archive&) function");
    static_assert(Why != one_way, "multiprocessing: this type can be saved but not loaded, or loaded but not saved: give it "
                                  "both save(Archive&) const and load(Archive&), or one serialize(Archive&)");
    static_assert(Why != several_ways, "multiprocessing: this type has several of serialize, save + load, save_minimal + "
                                       "load_minimal: leave one, or choose by cereal::specialize");
    static_assert(Why != inherited, "multiprocessing: this type inherits its base's serialize(), which would lose what the type "
                                    "adds: give it one of its own that calls ar(cereal::base_class<Base>(this), ...)");
    static_assert(Why != no_default, "multiprocessing: the receiver must make this type before it can load it: give it a "
                                     "default constructor, or specialise multiprocessing::serial::codec with a make() "
                                     "(cereal's load_and_construct isn't used)");
    static_assert(Why != immovable, "multiprocessing: a type that can be neither moved nor copied doesn't travel");
    static_assert(Why != incomplete, "multiprocessing: a type that is void or only declared here doesn't travel");
    static_assert(Why != other, "multiprocessing: this type doesn't travel: make it an aggregate of types that do, or give it "
                                "cereal's serialize(Archive&), or save and load; where those are private, include "
                                "<cereal/access.hpp> and befriend cereal::access");
    return Why == none;
}

/// True, or else a compile error.
template <typename T, typename Verdict = verdict_on<T>>
inline constexpr bool demand = explain<Verdict::why, typename Verdict::culprit, T>();

// What users' functions hand to an archive: values, and cereal's wrappers round them.

template <typename T>
void put_one(writer& out, const T& value) {
    if constexpr (demand<T, verdict_in_place<T>>) serial::write(out, value);
}
template <typename T>
void put_one(writer& out, const cereal::NameValuePair<T>& pair) {
    out(pair.value);
}
template <typename T>
void put_one(writer& out, const cereal::SizeTag<T>& tag) {
    out.announce(static_cast<std::size_t>(tag.size));
}
template <typename T>
void put_one(writer& out, const cereal::BinaryData<T>& data) {
    if (data.size != 0) out.bytes(data.data, static_cast<std::size_t>(data.size));
}
template <typename Base>
void put_one(writer& out, const cereal::base_class<Base>& base) {
    out(std::as_const(*base.base_ptr));
}
// A base that several paths lead to goes once for each: the receiver reads the same value again.
template <typename Base>
void put_one(writer& out, const cereal::virtual_base_class<Base>& base) {
    out(std::as_const(*base.base_ptr));
}
template <typename T>
void put_one(writer&, const cereal::DeferredData<T>&) {
    static_assert(std::is_void_v<T>, "multiprocessing: cereal::defer isn't supported: write the value itself");
}

template <typename T>
void put(writer& out, const T& value) {
    put_one(out, value);
}

template <typename T>
void get_one(reader& in, T& value) {
    static_assert(!std::is_const_v<T>, "multiprocessing: an archive can't load into something const");
    if constexpr (demand<T, verdict_in_place<T>> && !std::is_const_v<T>) serial::read(in, value);
}
template <typename T>
void get_one(reader& in, cereal::NameValuePair<T>& pair) {
    in(pair.value);
}
template <typename T>
void get_one(reader& in, cereal::SizeTag<T>& tag) {
    using number = std::remove_reference_t<decltype((tag.size))>;
    const auto n = in.count();
    if (n > static_cast<std::uint64_t>(std::numeric_limits<number>::max())) in.fail("a count that its variable can't hold");
    tag.size = static_cast<number>(n);
}
template <typename T>
void get_one(reader& in, cereal::BinaryData<T>& data) {
    if (data.size != 0) in.bytes(data.data, static_cast<std::size_t>(data.size));
}
template <typename Base>
void get_one(reader& in, cereal::base_class<Base>& base) {
    in(*base.base_ptr);
}
template <typename Base>
void get_one(reader& in, cereal::virtual_base_class<Base>& base) {
    in(*base.base_ptr);
}
template <typename T>
void get_one(reader&, cereal::DeferredData<T>&) {
    static_assert(std::is_void_v<T>, "multiprocessing: cereal::defer isn't supported: read the value itself");
}

template <typename T>
void get(reader& in, T& value) {
    get_one(in, value);
}

} // namespace detail

} // namespace multiprocessing::serial
