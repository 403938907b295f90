// Floor 5, serial/types/optional: std::optional.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility> // std::in_place

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

template <typename Optional>
    requires(family_of<Optional> == family::optional)
struct codec<Optional> {
    using value = typename Optional::value_type;
    using parts = types<value>;

    static void write(writer& out, const Optional& x) {
        out.number(static_cast<std::uint8_t>(x.has_value()));
        if (x) serial::write(out, *x);
    }
    static Optional make(reader& in) {
        if (!in.flag()) return {};
        return Optional(std::in_place, serial::take<std::remove_const_t<value>>(in));
    }
};

} // namespace multiprocessing::serial
