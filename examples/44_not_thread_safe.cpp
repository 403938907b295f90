// A library with one global state for everybody, as there are many from before threads: in threads its callers spoil each other's
// work, in processes each has one of his own. Here it is a calculator. Python: the reason why there is multiprocessing
//
// Prints 44_not_thread_safe.out.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/pool.hpp>

namespace mp = multiprocessing;

namespace calculator { // as from 1985: "3 4 + 2 *" is 14; two calls at a time are none

double stack[100];
int height = 0;
double memory = 0; // what "m" stands for, from one call to the next

void store(double x) { memory = x; }

double evaluate(char* text) {
    height = 0;
    for (const char* word = std::strtok(text, " "); word != nullptr; word = std::strtok(nullptr, " ")) { // strtok: one more of the kind
        if (std::strchr("+*", *word) != nullptr) {
            if (height < 2) throw std::runtime_error("stack underflow");
            const double b = stack[--height], a = stack[--height];
            stack[height++] = *word == '+' ? a + b : a * b;
        } else {
            stack[height++] = *word == 'm' ? memory : std::atof(word);
        }
    }
    return stack[--height];
}

} // namespace calculator

double evaluate(std::string text) { return calculator::evaluate(text.data()); }

int main() {
    std::vector<std::string> formulas;
    std::vector<double> expected;
    for (int i = 0; i < 1000; ++i) {
        formulas.push_back(fmt::format("{} {} + m * {} +", i, i + 1, i % 7));
        expected.push_back((i + i + 1) * 2.5 + i % 7);
    }

    // Each worker sets up its own calculator, once.
    mp::Pool pool({.processes = 4}, calculator::store, 2.5);
    const std::vector<double> results = pool.map(evaluate, formulas);
    fmt::print("{} = {}\n", formulas[20], results[20]);
    fmt::print("{} formulas, all right: {}\n", results.size(), results == expected);
    fmt::print("this process's own calculator was touched: {}\n", calculator::memory != 0);

    try {
        pool.apply(evaluate, "1 +");
    } catch (const std::runtime_error& error) {
        fmt::print("1 +: {}\n", error.what());
    }
}
