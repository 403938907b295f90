// Floor 5, serial/types/handle: handles to shared objects, and classes made of such.
#pragma once

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/codec.hpp>

namespace multiprocessing::serial {

// The object itself stays where it is. What travels is its number among the shares that accompany the message; who sends the
// message hands them over (writer::carry), who receives it has them by then (reader::claim_from).

template <typename T>
struct codec<memory::handle<T>> {
    static constexpr std::size_t least = sizeof(std::uint32_t);

    static void write(writer& out, const memory::handle<T>& x) { out.share(x); }
    static memory::handle<T> make(reader& in) {
        if constexpr (std::is_array_v<T>)
            return memory::handle<T>(in.share(0));
        else
            return memory::handle<T>(in.share(sizeof(T)));
    }
};

namespace detail {

template <typename T>
void write_part(writer& out, const T& part) {
    serial::write(out, part);
}

} // namespace detail

template <typename T>
    requires memory::MadeOfHandles<T>
struct codec<T> {
    static void write(writer& out, const T& x) {
        // parts() is one function for both directions; nothing is changed here.
        std::apply([&](const auto&... part) { (detail::write_part(out, part), ...); },
                   memory::access::parts(const_cast<T&>(x)));
    }
    static T make(reader& in) {
        T x = memory::access::empty<T>();
        std::apply([&](auto&... part) { (serial::read(in, part), ...); }, memory::access::parts(x));
        return x;
    }
};

} // namespace multiprocessing::serial
