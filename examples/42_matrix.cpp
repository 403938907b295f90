// Matrices in common memory, computed row by row by a pool: no number is copied on its way to a worker or back.
//
// Prints 42_matrix.out, with the times of the day. Python: multiprocessing.Array, numpy
#include <chrono>
#include <cmath>
#include <cstddef>
#include <numeric> // std::iota
#include <span>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/sharedctypes.hpp>

namespace mp = multiprocessing;

// A square matrix. Copies are the same matrix, in any process.
class matrix {
public:
    explicit matrix(std::size_t size) : size_(size), elements_(size * size) {}
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::span<double> row(std::size_t i) const { return {elements_.data() + i * size_, size_}; }

private:
    std::size_t size_;
    mp::RawArray<double> elements_;
};

void compute_row(const matrix& m, std::size_t i) {
    for (std::size_t j = 0; j < m.size(); ++j) m.row(i)[j] = std::sin(static_cast<double>(i * j)) * std::cos(static_cast<double>(i + j));
}

void multiply_row(const matrix& a, const matrix& b, const matrix& product, std::size_t i) {
    for (double& x : product.row(i)) x = 0;
    for (std::size_t k = 0; k < a.size(); ++k)
        for (std::size_t j = 0; j < a.size(); ++j) product.row(i)[j] += a.row(i)[k] * b.row(k)[j];
}

bool equal(const matrix& a, const matrix& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        for (std::size_t j = 0; j < a.size(); ++j)
            if (a.row(i)[j] != b.row(i)[j]) return false;
    return true;
}

int main() {
    constexpr std::size_t size = 200;
    std::vector<std::size_t> rows(size);
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    mp::Pool pool(4);

    const auto start = std::chrono::steady_clock::now();
    const matrix m(size), square(size);
    pool.for_each([&](std::size_t i) { compute_row(m, i); }, rows);
    pool.for_each([&](std::size_t i) { multiply_row(m, m, square, i); }, rows);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print("Calculation of matrix {}x{} and of its square completed\n", size, size);
    fmt::print("Execution time: {:.3f} seconds\n", took.count());

    const matrix alone(size), square_alone(size);
    for (const std::size_t i : rows) compute_row(alone, i);
    for (const std::size_t i : rows) multiply_row(alone, alone, square_alone, i);
    fmt::print("the same as by one process: {}\n", equal(m, alone) && equal(square, square_alone));

    const auto trace = [&](std::size_t i) { return square.row(i)[i]; };
    fmt::print("the sum of its diagonal: {:.3f}\n", pool.map_reduce(trace, [](double a, double b) { return a + b; }, rows, 0.0));
}
