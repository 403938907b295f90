// Floor 5, serial/portable: what may go along with a call to another process, and how it is held there.
#pragma once

#include <bit> // std::bit_cast
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/place.hpp>
#include <multiprocessing/serial/type_name.hpp>

namespace multiprocessing::serial {

/// A text that was given as T, a const char* or a std::string_view: its owner, where it has arrived.
template <typename T>
class held_text {
public:
    held_text() = default;
    held_text(T text) : null_(is_null(text)), text_(null_ ? std::string() : std::string(text)) {}

    /// As what it was given.
    [[nodiscard]] T get() const noexcept {
        if constexpr (std::is_pointer_v<T>) return null_ ? nullptr : text_.c_str();
        else return text_;
    }

private:
    friend struct codec<held_text>;
    static bool is_null(T text) noexcept {
        if constexpr (std::is_pointer_v<T>) return text == nullptr;
        else return false;
    }
    bool null_ = false;
    std::string text_;
};

template <typename T>
struct codec<held_text<T>> {
    static void write(writer& out, const held_text<T>& x) {
        serial::write(out, x.null_);
        serial::write(out, x.text_);
    }
    static void read(reader& in, held_text<T>& x) {
        serial::read(in, x.null_);
        serial::read(in, x.text_);
    }
};

namespace detail {

/// How a T goes along with a call.
enum class conveyance { value, text, pointer, nothing, refused };

template <typename T>
constexpr conveyance find_conveyance() {
    if constexpr (std::is_same_v<T, const char*> || std::is_same_v<T, std::string_view>) return conveyance::text;
    else if constexpr (function_pointer<T> || std::is_member_pointer_v<T>) return conveyance::pointer;
    else if constexpr (Serializable<T>) return conveyance::value;
    // A captureless lambda, a functor without members: it is nothing but its type.
    else if constexpr (std::is_class_v<T> && std::is_empty_v<T> &&
                       (std::default_initializable<T> || (std::is_trivially_copyable_v<T> && sizeof(T) == 1)))
        return conveyance::nothing;
    else return conveyance::refused;
}

template <typename T>
inline constexpr conveyance conveyance_of = find_conveyance<T>();

template <typename T>
struct landing {
    using type = T;
};
template <typename T>
    requires(conveyance_of<T> == conveyance::text)
struct landing<T> {
    using type = held_text<T>;
};

/// As what a T is held where it has arrived, and by mp::bind.
template <typename T>
using landed = typename landing<T>::type;

/// What was sent, of what is held.
template <typename T>
constexpr T&& unwrap(T&& x) noexcept {
    return std::forward<T>(x);
}
template <typename T>
constexpr T unwrap(held_text<T>& x) noexcept {
    return x.get();
}
template <typename T>
constexpr T unwrap(const held_text<T>& x) noexcept {
    return x.get();
}
template <typename T>
constexpr T unwrap(held_text<T>&& x) noexcept {
    return x.get(); // whoever holds it lives until the call is over
}

template <typename T>
inline constexpr bool is_lambda = std::is_class_v<T> && spelling<T>().find("lambda") != std::string_view::npos &&
                                  !std::is_aggregate_v<T> && !Serializable<T>;

/// Words for the reasons of codec.hpp, where they are found out by a program that runs.
constexpr std::string_view in_words(refusal why) {
    using enum refusal;
    switch (why) {
    case pointer: return "a raw pointer means nothing in another process";
    case reference: return "a reference means nothing in another process";
    case view: return "a view owns nothing";
    case function: return "a std::function doesn't say what is in it";
    case weak_pointer: return "a std::weak_ptr keeps nothing alive";
    case array_pointer: return "a smart pointer to an array doesn't know its length";
    case deleter: return "nobody knows how to make something that has a deleter of its own";
    case abstract_class: return "of an abstract class nobody knows what to make";
    case union_type: return "of a union nobody knows which member is alive";
    case base_class: return "an aggregate with a base class can't be taken apart";
    case fixed_member: return "a const or reference member can't be filled in";
    case too_many_members: return "it has too many members to be taken apart without Boost.PFR";
    case no_default: return "it has no default constructor";
    case immovable: return "it can be neither moved nor copied";
    default: return "it is no aggregate of types that travel, and has no serialize(Archive&)";
    }
}

template <typename T>
std::string why_refused() {
    using verdict = verdict_on<T>;
    using culprit = std::remove_cv_t<typename verdict::culprit>;
    std::string text(in_words(verdict::why));
    if constexpr (!std::is_same_v<culprit, T>) text.append(" (").append(type_name<culprit>()).append(" is in it)");
    return text;
}

} // namespace detail

} // namespace multiprocessing::serial

namespace multiprocessing {

/// T can go along with a call to a process that isn't a copy of this one (spawn, forkserver), as the callable or as an argument:
/// what is Serializable, pointers to functions and members, callables that are nothing but their type (captureless lambdas, empty
/// functors), mp::bind of such; and texts (const char*, std::string_view), which are copied.
///
///     static_assert(mp::Portable<decltype(&parse)>);
///     static_assert(!mp::Portable<int*> && !mp::Portable<std::function<void()>>);
///
/// A lambda with captures isn't: nobody can tell what it holds. mp::bind(f, args...) says it.
template <typename T>
concept Portable = serial::detail::conveyance_of<std::remove_cv_t<T>> != serial::detail::conveyance::refused;

} // namespace multiprocessing

namespace multiprocessing::serial {

/// Writes what goes along with a call.
template <Portable T>
void write_portable(writer& out, const T& x) {
    constexpr auto how = detail::conveyance_of<T>;
    if constexpr (how == detail::conveyance::text) serial::write(out, held_text<T>(x));
    else if constexpr (how == detail::conveyance::pointer) detail::write_pointer(out, x);
    else if constexpr (how == detail::conveyance::value) serial::write(out, x);
    else out.number(std::uint8_t{0}); // no value takes no byte: see writer
}

/// Reads it.
template <Portable T>
[[nodiscard]] detail::landed<T> take_portable(reader& in) {
    constexpr auto how = detail::conveyance_of<T>;
    if constexpr (how == detail::conveyance::pointer) {
        return detail::read_pointer<T>(in);
    } else if constexpr (how == detail::conveyance::nothing) {
        if (in.number<std::uint8_t>() != 0) in.fail("something where there is nothing to say");
        if constexpr (std::default_initializable<T>) return T();
        else return std::bit_cast<T>(std::byte{});
    } else {
        return serial::take<detail::landed<T>>(in);
    }
}

namespace detail {

/// Makes the compiler say why a T isn't Portable.
template <typename T>
constexpr bool explain_portable() {
    if constexpr (!Portable<T>) {
        static_assert(!is_lambda<T>, "multiprocessing: a lambda with captures can't be taken apart: leave the captures out and "
                                     "give what they hold as arguments, mp::bind(f, args...)");
        if constexpr (!is_lambda<T>) return demand<T>;
    }
    return Portable<T>;
}

} // namespace detail

/// True, or else a compile error of one sentence.
template <typename T>
inline constexpr bool demand_portable = detail::explain_portable<T>();

} // namespace multiprocessing::serial
