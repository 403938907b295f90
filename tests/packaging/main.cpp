#include <multiprocessing/multiprocessing.hpp>

#include <fmt/ranges.h>

namespace mp = multiprocessing;

int square(int x) { return x * x; }

int main() {
    mp::Pool pool(2);
    fmt::print("{}\n", pool.map(square, std::vector{1, 2, 3}));
}
