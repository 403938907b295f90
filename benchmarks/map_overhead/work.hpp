// What is mapped, the same for every contender.
#pragma once

#include <cstddef>
#include <functional>
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

enum class task { square, microsecond, skewed };

/// One row of the table: a contender's way of mapping a task over `in` to `out`.
struct contender {
    std::string name;
    std::function<void(task, const std::vector<double>& in, std::vector<double>& out)> map;
};

// One function a file.
std::vector<contender> loop();
std::vector<contender> ours();
std::vector<contender> openmp();
