// A pool of workers applies a function to many items: [1, 4, 9], the squares and factorials of a list, the work log of two
// workers, and a call that fails. Python: from multiprocessing import Pool

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/ranges.h>
#include <multiprocessing/pool.hpp>

namespace mp = multiprocessing;

int f(int x) { return x * x; }

int compute_square(int number) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10)); // simulates computation
    return number * number;
}

std::int64_t compute_factorial(int n) { return n <= 1 ? 1 : n * compute_factorial(n - 1); }

std::string work_log(const std::pair<std::string, int>& work) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10 * work.second));
    return fmt::format("Process {} waited {} units", work.first, work.second);
}

std::string risky_task(int task_id) {
    if (task_id == 2) throw std::invalid_argument(fmt::format("Error in task {}", task_id));
    return fmt::format("Task {} completed successfully: {}", task_id, task_id * 2);
}

int main() {
    mp::Pool pool(4);
    fmt::print("{}\n", pool.map(f, {1, 2, 3}));

    std::vector<int> numbers;
    for (int i = 1; i <= 20; ++i) numbers.push_back(i);
    fmt::print("Calculating squares:\n");
    const auto squares = pool.map(compute_square, numbers);
    fmt::print("Squares: {}...\n", std::vector(squares.begin(), squares.begin() + 10));
    fmt::print("\nCalculating factorials:\n");
    numbers.resize(10);
    fmt::print("Factorials: {}\n\n", pool.map(compute_factorial, numbers));

    // The results come in the order of the items, whichever worker was done first.
    const std::vector<std::pair<std::string, int>> work{{"A", 5}, {"B", 2}, {"C", 1}, {"D", 3}};
    for (const auto& line : pool.map(work_log, work)) fmt::print("{}\n", line);

    // What a task throws is thrown here, as what it was; the pool goes on.
    for (int task_id = 0; task_id < 5; ++task_id) {
        try {
            fmt::print("Result {}: {}\n", task_id, pool.apply(risky_task, task_id));
        } catch (const std::invalid_argument& error) {
            fmt::print("An error occurred: {}\n", error.what());
        }
    }

    // A callable with captures works as well: its workers are forked at this moment.
    const int factor = 100;
    fmt::print("{}\n", pool.map([&](int x) { return x * factor; }, {1, 2, 3}));
}
