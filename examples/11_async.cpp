// Calls that don't wait: results later, callbacks, results one by one as they come, a fold in the workers, an item that is
// tried again, and one that takes too long. Python: apply_async, map_async, imap, imap_unordered

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/ranges.h>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/pool.hpp>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

int square(int x) { return x * x; }

int slow_square(int x) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5 * x));
    return x * x;
}

int stuck(int) {
    for (;;) std::this_thread::sleep_for(1h);
}

int main() {
    mp::Pool pool(4);

    mp::AsyncResult<int> seven = pool.apply_async(slow_square, 7);
    mp::AsyncResult<std::vector<int>> all = pool.map_async(square, {1, 2, 3});
    fmt::print("{} {}\n", all.get(), seven.get());

    all.callback([](const std::vector<int>& v) { fmt::print("called back with {}\n", v); }).wait();

    for (const int x : pool.imap(slow_square, {3, 2, 1})) fmt::print("{} ", x); // in order, each as soon as it is there
    fmt::print("\n");

    const std::vector<int> numbers{1, 2, 3, 4};
    fmt::print("{}\n", pool.map_reduce(square, std::plus<>(), numbers, 0));

    try {
        pool.map(stuck, {1, 2}, {.task_timeout = 50ms});
    } catch (const mp::TimeoutError&) {
        fmt::print("too slow\n");
    }

    mp::futures::ProcessPoolExecutor executor(2);
    auto future = executor.submit(square, 9);
    fmt::print("{}\n", future.result());
}
