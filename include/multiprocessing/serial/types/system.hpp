// Floor 5, serial/types/system: std::error_code and std::filesystem::path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

/// A category is an object of one process. The two that every process has travel.
template <>
struct codec<std::error_code> {
    static constexpr std::size_t least = 1 + sizeof(int);

    static void write(writer& out, const std::error_code& x) {
        const bool generic = x.category() == std::generic_category();
        if (!generic && x.category() != std::system_category())
            throw ValueError(std::string("a std::error_code of the category \"") + x.category().name() +
                             "\" doesn't travel, only generic and system ones do: send its value and name it there");
        out.number(static_cast<std::uint8_t>(generic));
        out.number(x.value());
    }
    static void read(reader& in, std::error_code& x) {
        const bool generic = in.flag();
        x.assign(in.number<int>(), generic ? std::generic_category() : std::system_category());
    }
};

template <typename Path>
    requires(family_of<Path> == family::path)
struct codec<Path> {
    using string = typename Path::string_type;
    static constexpr std::size_t least = count_bytes;

    static void write(writer& out, const Path& x) { serial::write(out, x.native()); }
    static void read(reader& in, Path& x) { x = Path(serial::take<string>(in)); }
};

} // namespace multiprocessing::serial
