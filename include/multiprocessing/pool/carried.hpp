// Floor 9, pool/carried: a callable that goes along with each item, to workers that are no copies of the caller.
#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <type_traits>
#include <utility> // std::forward, std::move
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/module.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/bind.hpp>
#include <multiprocessing/serial/callable.hpp>
#include <multiprocessing/serial/portable.hpp>

namespace multiprocessing::pool {

/// A functor with members, or a function of a shared library, and what it is to be called with. Spawned workers know the program's
/// functions and types; what a functor holds, and where a library's function is, they have to be told, and with the items is
/// where everything that travels is told. So it is packed once an item: mp::bind a shared object (an Array, a Value) rather than a
/// large value.
template <typename F, typename T>
struct carried {
    F function;
    T item;
};

struct call_carried {
    template <typename F, typename T>
    decltype(auto) operator()(carried<F, T>&& both) const {
        return call_with(both.function, both.item);
    }
};

/// What is carried of a callable: itself; a pointer to code in a form that travels.
template <typename F>
[[nodiscard]] auto packable(const F& f) {
    if constexpr (detail::is_pointer_to_code<F>) return multiprocessing::bind(f);
    else return f;
}
template <typename F>
[[nodiscard]] auto packable(const starred<F>& f) {
    return starred<decltype(packable(f.function))>{packable(f.function)};
}
template <typename F>
using packable_form = decltype(packable(std::declval<const F&>()));

/// Whether an F can be carried to where a T goes.
template <typename F, typename T>
concept Carriable = (!KnownToAll<F> || detail::is_pointer_to_code<F>) && std::copy_constructible<F> && Serializable<packable_form<F>> &&
                    Serializable<T>;

/// The callable beside each item.
template <typename F, typename Range>
[[nodiscard]] auto with_each(const F& f, Range& range, std::size_t n) {
    using T = std::ranges::range_value_t<Range>;
    const packable_form<F> function = packable(f);
    std::vector<carried<packable_form<F>, T>> all;
    all.reserve(n);
    for (auto&& item : range) all.push_back({function, T(std::forward<decltype(item)>(item))});
    return all;
}

/// Whether spawned workers have the code that calls what is carried: not where it was compiled into a library.
template <typename F, typename T>
[[nodiscard]] bool can_be_called_there() noexcept {
    using both = carried<packable_form<F>, T>;
    return os::in_executable(reinterpret_cast<const void*>(+[](const call_carried& call, both&& x) { call(std::move(x)); }));
}

/// Whether spawned workers have this code: it is part of the program. A library may not be loaded there, or somewhere else.
template <typename F, typename Code>
[[nodiscard]] bool is_in_program(const F& f, Code* run) noexcept {
    if (!os::in_executable(reinterpret_cast<const void*>(run))) return false;
    if constexpr (std::is_pointer_v<F>) return os::in_executable(reinterpret_cast<const void*>(f));
    else return true;
}
template <typename F, typename Code>
[[nodiscard]] bool is_in_program(const starred<F>& f, Code* run) noexcept {
    return is_in_program(f.function, run);
}

/// Says why an F can't be called with a T by a spawned worker.
template <typename F, typename T>
[[noreturn]] void refuse_to_carry() {
    if constexpr (!KnownToAll<F>) serial::require_portable<F>();
    if constexpr (!Serializable<T>)
        throw NotPortableError(fmt::format("items of type {} can't travel to the workers of a pool that wasn't forked: use a pool "
                                           "with .start_method = StartMethod::fork, or items that travel",
                                           serial::type_name<T>()));
    throw NotPortableError("this call isn't a part of the program but of a library, and the workers of a pool that wasn't forked may "
                           "not have that: use a pool with .start_method = StartMethod::fork, or call the pool from the program");
}

} // namespace multiprocessing::pool
