// A pool at work, traced: what trace.svg is drawn from.
//
//     traced_run FILE

#include <cstdio>
#include <vector>

#include <multiprocessing/pool.hpp>

namespace mp = multiprocessing;

namespace {

/// Dependent multiplications and additions: that many microseconds of them, about.
double burn(double microseconds) {
    double x = 1;
    for (int i = 0; i < static_cast<int>(microseconds * 400); ++i) x = x * 0.999999 + 1e-9;
    return x;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::puts("traced_run FILE");
        return 2;
    }
    const std::vector<double> cheap(3000, 2);
    std::vector<double> dear_at_end(150, 100), dear_here_and_there(150, 100);
    for (std::size_t i = 0; i < 150; ++i) {
        if (i >= 147) dear_at_end[i] = 3000;
        if (i % 29 == 13) dear_here_and_there[i] = 1500;
    }
    mp::Pool pool({.trace = true});
    for (const auto& each : {cheap, dear_at_end, dear_here_and_there}) pool.map(burn, each);
    pool.write_trace(argv[1]);
}
