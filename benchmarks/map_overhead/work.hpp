// What is mapped, the same for every contender.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

inline double square(double x) { return x * x; }

/// Dependent multiplications and additions; `rounds` of them.
inline double burn(double x, int rounds) {
    for (int i = 0; i < rounds; ++i) x = x * 0.999999 + 1e-9;
    return x;
}
inline double microsecond(double x) { return burn(x, 400); }
/// About 10 us, and a hundred times that where x is negative.
inline double skewed(double x) { return burn(x, x < 0 ? 400'000 : 4'000); }

using text = std::string;
inline text louder(const text& s) { return s + '!'; }
using numbers = std::vector<double>;
inline numbers doubled(numbers all) {
    for (double& x : all) x *= 2;
    return all;
}
using octets = std::vector<char>;
inline octets same(octets all) { return all; }

/// What a question is about; programs elsewhere are told the number.
enum class subject { square, microsecond, skewed, first, texts, vectors, block };

struct question {
    const char* text;
    subject what;
    std::size_t items;
    int calls;                 ///< in a row, timed together
    bool rested = false;       ///< after a millisecond in which nobody did anything
    bool dear_at_end = false;  ///< a hundredth of the items
};

inline double item(const question& asked, std::size_t i) {
    return asked.dear_at_end && i >= asked.items - asked.items / 100 ? -1 : 1.0 + static_cast<double>(i % 1000);
}

/// One row of the tables: a contender's way of doing each of these; what it leaves empty it isn't asked.
struct contender {
    std::string name;
    /// square, microsecond or skewed
    std::function<void(subject, const std::vector<double>& in, std::vector<double>& out)> map = {};
    /// Makes workers and maps square over two numbers; returns what keeps the workers.
    std::function<std::shared_ptr<void>(const std::vector<double>& in, std::vector<double>& out)> first = {};
    std::function<void(const std::vector<text>& in, std::vector<text>& out)> texts = {};
    std::function<void(const std::vector<numbers>& in, std::vector<numbers>& out)> vectors = {};
    /// A MiB there, and a MiB back.
    std::function<void(const octets& in, octets& out)> block = {};
    /// Not in this program: microseconds a call by its own clock, or less than 0.
    std::function<double(const question&)> elsewhere = {};
};

// One function a file.
std::vector<contender> loop();
std::vector<contender> ours();
std::vector<contender> openmp();
std::vector<contender> onetbb();
std::vector<contender> standard();
std::vector<contender> python();
std::vector<contender> mpi();
