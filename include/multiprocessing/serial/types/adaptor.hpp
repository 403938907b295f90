// Floor 5, serial/types/adaptor: std::queue, std::stack, std::priority_queue.
#pragma once

#include <cstddef>
#include <utility>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

namespace detail {

/// The container in an adaptor is protected, for derived classes to use; this one does.
template <typename Adaptor>
struct opened : Adaptor {
    static const typename Adaptor::container_type& container(const Adaptor& x) { return x.*&opened::c; }
    static typename Adaptor::container_type& container(Adaptor& x) { return x.*&opened::c; }
};

} // namespace detail

template <typename Adaptor>
    requires(family_of<Adaptor> == family::adaptor || family_of<Adaptor> == family::priority_queue)
struct codec<Adaptor> {
    using container = typename Adaptor::container_type;
    using parts = types<container>;
    static constexpr std::size_t least = serial::least<container>;

    static void write(writer& out, const Adaptor& x) { serial::write(out, detail::opened<Adaptor>::container(x)); }
    static void read(reader& in, Adaptor& x) {
        if constexpr (family_of<Adaptor> == family::adaptor) {
            serial::read(in, detail::opened<Adaptor>::container(x));
        } else { // push by push: the sender's order of the heap isn't to be trusted
            auto elements = serial::take<container>(in);
            detail::opened<Adaptor>::container(x).clear();
            for (auto& each : elements) x.push(std::move(each));
        }
    }
};

} // namespace multiprocessing::serial
