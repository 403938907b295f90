// What tests/serial/callable.cpp has in another translation unit.
#pragma once

#include <string>

#include <multiprocessing/serial/archive.hpp>

namespace testing {

/// What was called last, and with what.
inline std::string& called() {
    static std::string text;
    return text;
}

/// A call of a function and of a lambda that are named as others are in the first unit.
multiprocessing::serial::message call_of_namesake();
multiprocessing::serial::message call_of_lambda_elsewhere();

void function_elsewhere(int n);

template <typename T>
void function_template(T value) {
    called() = "template " + std::string(multiprocessing::serial::type_name<T>()) + " " + std::to_string(value);
}

struct inline_functor {
    int number = 0;
    void operator()() const { called() = "inline functor " + std::to_string(number); }
};
multiprocessing::serial::message call_of_inline_functor();

} // namespace testing
