// How many processes? The same work with more and more of them. No number need be given: then it is as many as this process may
// use. Python: cpu_count(), os.process_cpu_count()
//
// Prints 22_how_many.out, with the times of the day.
#include <chrono>
#include <cstdint>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>

namespace mp = multiprocessing;

std::uint64_t cpu_intensive_task(std::uint64_t n) {
    std::uint64_t result = 0;
    for (std::uint64_t i = 0; i < n; ++i) result += i * i % 7;
    return result;
}

template <typename F>
double seconds_for(F f) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int main() {
    const std::vector<std::uint64_t> tasks(20, 300'000);
    fmt::print("Number of CPU cores: {}, of which this process may use {}\n", mp::cpu_count(), mp::process_cpu_count());

    std::vector<std::uint64_t> expected;
    const double baseline = seconds_for([&] {
        for (const auto n : tasks) expected.push_back(cpu_intensive_task(n));
    });
    fmt::print("without a pool: {:.4f} seconds\n", baseline);

    for (const int num_processes : {1, 2, 4, 8}) {
        std::vector<std::uint64_t> results;
        const double time = seconds_for([&] { results = mp::Pool(num_processes).map(cpu_intensive_task, tasks); });
        fmt::print("{} processes: {:.4f} seconds, acceleration {:.2f}x, right: {}\n", num_processes, time, baseline / time,
                   results == expected);
    }
    fmt::print("as many as are of use: {}\n", mp::Pool().size());
}
