// Floor 5, serial/types/refused: the standard's types that refer to something at home.
#pragma once

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

template <typename T>
    requires(family_of<T> == family::view)
struct codec<T> {
    static constexpr refusal refuses = refusal::view;
};

template <typename T>
    requires(family_of<T> == family::reference)
struct codec<T> {
    static constexpr refusal refuses = refusal::reference;
};

template <typename T>
    requires(family_of<T> == family::function)
struct codec<T> {
    static constexpr refusal refuses = refusal::function;
};

} // namespace multiprocessing::serial
