// Floor 9, pool/callable: which callables the standing workers know already, and how an item is handed to one.
#pragma once

#include <bit> // std::bit_cast
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <functional> // std::invoke
#include <memory>     // std::addressof
#include <tuple>
#include <type_traits>
#include <utility>

#include <multiprocessing/os/module.hpp>
#include <multiprocessing/pool/board.hpp>

namespace multiprocessing::pool {

/// Code of the program as a number that means the same where the program stands at another address; other code (of a
/// library that was loaded before the workers were forked) as its address. 0 is none.
///
/// The top bit tells one from the other: no address of a process has it.
[[nodiscard]] inline std::uint64_t code_number(std::uint64_t address) noexcept {
    constexpr std::uint64_t relative = std::uint64_t{1} << 63;
    if (!os::in_executable(reinterpret_cast<const void*>(address))) return address;
    return relative | (address - os::detail::program_begin.load(std::memory_order_relaxed));
}
[[nodiscard]] inline std::uint64_t code_address(std::uint64_t number) noexcept {
    if (number >> 63 == 0) return number;
    static_cast<void>(os::in_executable(nullptr)); // the first time it looks where the program is
    return os::detail::program_begin.load(std::memory_order_relaxed) + (number << 1 >> 1);
}
template <typename Function>
    requires std::is_function_v<Function>
[[nodiscard]] std::uint64_t code_number(Function* f) noexcept {
    return code_number(reinterpret_cast<std::uintptr_t>(f));
}

namespace detail {

template <typename F, typename Tuple, typename Indices = std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<Tuple>>>>
inline constexpr bool takes_elements = false;
template <typename F, typename Tuple, std::size_t... I>
inline constexpr bool takes_elements<F, Tuple, std::index_sequence<I...>> =
    std::is_invocable_v<F&, decltype(std::get<I>(std::declval<Tuple>()))...>;

} // namespace detail

/// Calls f with the elements of a tuple. As empty as f is.
template <typename F>
struct starred {
    [[no_unique_address]] F function;

    template <typename Tuple>
        requires(requires { std::tuple_size<std::remove_cvref_t<Tuple>>::value; } && detail::takes_elements<F, Tuple>)
    constexpr decltype(auto) operator()(Tuple&& items) {
        return std::apply(function, std::forward<Tuple>(items));
    }
};

namespace detail {

template <typename F>
inline constexpr bool is_pointer_to_code =
    (std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>) || std::is_member_pointer_v<F>;
template <typename F>
inline constexpr bool is_pointer_to_code<starred<F>> = is_pointer_to_code<F>;

} // namespace detail

/// A callable that is nothing but its type (a captureless lambda, an empty functor), or a pointer to code: a worker that was
/// forked before it was made can call it all the same.
template <typename F>
concept KnownToAll = (std::is_empty_v<F> && std::is_trivially_copyable_v<F> && sizeof(F) == 1) ||
                     (detail::is_pointer_to_code<F> && std::is_trivially_copyable_v<F> && sizeof(F) <= 16);

/// The callable of a call, as the caller's object where it is one; a function becomes the pointer to it.
template <typename F>
class as_callable {
public:
    using type = std::decay_t<F>;
    explicit as_callable(std::remove_reference_t<F>& f) noexcept : callable_(hold(f)) {}
    // Called in the workers alone, on their copy: that it may be const here concerns nobody.
    [[nodiscard]] type& get() noexcept {
        if constexpr (is_function)
            return callable_;
        else
            return const_cast<type&>(*callable_);
    }

private:
    static constexpr bool is_function = std::is_function_v<std::remove_reference_t<F>>;
    using held = std::conditional_t<is_function, type, const type*>;
    static held hold(std::remove_reference_t<F>& f) noexcept {
        if constexpr (is_function)
            return f;
        else
            return std::addressof(f);
    }
    held callable_;
};

/// Writes a callable down, in its job or its task: two words.
template <typename F>
void put_callable([[maybe_unused]] std::uint64_t (&where)[2], [[maybe_unused]] const F& f) noexcept {
    if constexpr (std::is_empty_v<F>) {
        return; // nothing but its type
    } else if constexpr (KnownToAll<F>) {
        // The first word of a pointer to a member is the code, or a place in a table of functions; of one to data a
        // distance: those are small numbers, which aren't in the program.
        where[0] = where[1] = 0;
        std::memcpy(where, &f, sizeof f);
        where[0] = code_number(where[0]);
        where[1] = code_number(where[1]);
    } else {
        where[0] = reinterpret_cast<std::uintptr_t>(&f); // for workers who inherited it at this address
    }
}

/// The callable, in a worker: its own copy, or the one it inherited.
template <typename F>
decltype(auto) get_callable([[maybe_unused]] const std::uint64_t (&where)[2]) noexcept {
    if constexpr (!KnownToAll<F>) {
        return *reinterpret_cast<F*>(where[0]);
    } else if constexpr (std::is_empty_v<F>) {
        return std::bit_cast<F>(std::byte{});
    } else {
        const std::uint64_t words[2] = {code_address(where[0]), code_address(where[1])};
        F f;
        std::memcpy(&f, words, sizeof f);
        return f;
    }
}

/// How f takes an item of type T: a worker has one of its own to give away, so by value or rvalue first.
enum class handing { away, to_look_at, to_change, impossible };

template <typename F, typename T>
inline constexpr handing handing_of = std::is_invocable_v<F&, T>          ? handing::away
                                      : std::is_invocable_v<F&, const T&> ? handing::to_look_at
                                      : std::is_invocable_v<F&, T&>       ? handing::to_change
                                                                          : handing::impossible;

template <typename F, typename T>
concept CallableWith = handing_of<F, T> != handing::impossible;

/// Calls f with an item that it may have.
template <typename F, typename T>
decltype(auto) call_with(F& f, T& item) {
    if constexpr (handing_of<F, T> == handing::away) {
        return std::invoke(f, std::move(item));
    } else if constexpr (handing_of<F, T> == handing::to_look_at) {
        return std::invoke(f, std::as_const(item));
    } else {
        return std::invoke(f, item);
    }
}

template <typename F, typename T>
using result_of = std::remove_cvref_t<decltype(call_with(std::declval<F&>(), std::declval<T&>()))>;

} // namespace multiprocessing::pool
