// Floor 5, serial/callable: calls of functions, from one process to another.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional> // std::invoke
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/place.hpp>
#include <multiprocessing/serial/portable.hpp>

namespace multiprocessing::serial {

/// f(args...), to be called once in another process of the same build, by run_call(). The values are copied into the message
/// as they are now; arrays and functions are taken as pointers, as by std::thread. Compiles for everything: what isn't Portable
/// is a NotPortableError, which says what to do.
///
///     serial::message call = serial::pack_call(&resize, picture, 640);
///     serial::run_call(call);                                               // there
///
/// The call names the function that unpacks these very types and calls (place.hpp, write_entry), and is followed by f and args. A
/// const char* and a std::string_view are copied, and live there until the call is over.
///
/// - Python: pickle of a function is its module and name; a lambda, and what isn't at a module's top level, don't pickle.
/// - Threads: safe. A child forked while another thread was in dlopen must not call it.
/// - Start methods: spawn and forkserver; under fork nothing is packed.
/// - Errors: NotPortableError; ValueError for a null function; what a user's save() throws.
template <typename F, typename... Args>
[[nodiscard]] message pack_call(const F& f, const Args&... args);

/// Runs it. Each part is moved into the call, as std::thread does. What it returns is dropped; what it throws is thrown.
///
/// A shared library that the call needs and that isn't loaded is loaded, from where it was for the sender: so this is for calls
/// from who started this process.
///
/// - Errors: NotPortableError when the build is another, ProcessError when the bytes are no call: then nothing was called.
inline void run_call(const message& call);

/// f and its arguments in a writer, without saying whom to call: for those who know. Only for Portable ones.
template <typename F, typename... Args>
void write_call(writer& out, const F& f, const Args&... args);

/// NotPortableError unless each of the types is Portable, the first as the callable.
template <typename F, typename... Args>
void require_portable();

namespace detail {

template <typename T>
[[noreturn]] void refuse_callable() {
    if constexpr (is_lambda<T>)
        throw NotPortableError("a lambda with captures can't be sent to a process that isn't a copy of this one, since nobody "
                               "can tell what it holds: start the process by fork, or leave the captures out and give what they "
                               "hold as arguments, mp::bind(f, args...)");
    throw NotPortableError(fmt::format("a callable of type {} can't be sent to a process that isn't a copy of this one: {}; start "
                                       "the process by fork, give it a function, or members that travel",
                                       type_name<T>(), why_refused<T>()));
}

template <typename T>
[[noreturn]] void refuse_argument(std::size_t number) {
    throw NotPortableError(fmt::format("argument {}, of type {}, can't be sent to a process that isn't a copy of this one: {}; "
                                       "start the process by fork, or give a value that travels",
                                       number, type_name<T>(), is_lambda<T> ? "nobody can tell what a lambda's captures hold"
                                                                            : why_refused<T>()));
}

template <typename F>
void require_callable(const F& f) {
    if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>)
        if (f == nullptr) throw ValueError("a null pointer to a function can't be called");
}

/// Where a call arrives.
template <typename F, typename... Args>
void run_as(reader& in) {
    auto parts = [&] {
        const may_load libraries;
        return std::tuple<landed<F>, landed<Args>...>{take_portable<F>(in), take_portable<Args>(in)...}; // braces: in that order
    }();
    in.finish();
    std::apply([](auto&... each) { static_cast<void>(std::invoke(detail::unwrap(std::move(each))...)); }, parts);
}

} // namespace detail

template <typename F, typename... Args>
void require_portable() {
    if constexpr (!Portable<F>) detail::refuse_callable<F>();
    [[maybe_unused]] std::size_t number = 0;
    ((++number, [&] {
         if constexpr (!Portable<Args>) detail::refuse_argument<Args>(number);
     }()),
     ...);
}

template <typename F, typename... Args>
void write_call(writer& out, const F& f, const Args&... args) {
    detail::require_callable(f);
    serial::write_portable(out, f);
    (serial::write_portable(out, args), ...);
}

namespace detail {

template <typename F, typename... Args>
message pack_decayed(const F& f, const Args&... args) {
    serial::require_portable<F, Args...>();
    message call;
    if constexpr ((Portable<F> && ... && Portable<Args>)) {
        static_assert(std::is_invocable_v<F, Args...>,
                      "multiprocessing: the callable must be callable with these arguments, each moved in");
        call.bytes = detail::pack_by(call.shares, [&](writer& out) {
            serial::write_entry<&detail::run_as<F, Args...>>(out);
            serial::write_call(out, f, args...);
        });
    }
    return call;
}

} // namespace detail

template <typename F, typename... Args>
message pack_call(const F& f, const Args&... args) {
    return detail::pack_decayed<std::decay_t<const F&>, std::decay_t<const Args&>...>(f, args...);
}

inline void run_call(const message& call) {
    reader in(call.bytes, "call");
    in.claim_from(call.shares);
    void (*run)(reader&) = nullptr;
    {
        const may_load libraries;
        run = serial::read_entry<void(reader&)>(in);
    }
    run(in);
}

} // namespace multiprocessing::serial
