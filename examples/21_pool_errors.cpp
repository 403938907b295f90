// What goes wrong in a task: an exception, of which callbacks hear as well, one of a class of one's own, and a worker that dies.
// Python: error_callback
//
// Prints 21_pool_errors.out. What the dying worker says about itself is on stderr.
#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/pool.hpp>

namespace mp = multiprocessing;

struct OutOfPaper : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::string risky_task(int task_id) {
    if (task_id == 2) throw std::invalid_argument(fmt::format("Error in task {}", task_id));
    return fmt::format("Task {} completed successfully: {}", task_id, task_id * 2);
}

void print_page(int page) {
    if (page == 3) throw OutOfPaper("tray 1");
}

int crash_on_three(int x) {
    if (x == 3) ::raise(SIGKILL);
    return x;
}

int main() {
    mp::register_exception<OutOfPaper>(); // std:: exceptions are known already
    mp::Pool pool(3);

    std::vector<mp::AsyncResult<std::string>> results;
    for (int task_id = 0; task_id < 5; ++task_id) {
        results.push_back(pool.apply_async(risky_task, task_id));
        results.back().error_callback([](const std::exception& error) { fmt::print("An error occurred: {}\n", error.what()); });
    }
    for (const auto& each : results) each.wait(); // for the callbacks, too
    for (std::size_t i = 0; i < results.size(); ++i) {
        try {
            fmt::print("Result {}: {}\n", i, results[i].get());
        } catch (const std::invalid_argument& error) {
            fmt::print("Failed to get result {}: {}\n", i, error.what());
        }
    }

    try {
        pool.for_each(print_page, {1, 2, 3, 4});
    } catch (const OutOfPaper& error) { // its own type ...
        fmt::print("out of paper: {}\n", error.what());
    }
    try {
        pool.for_each(print_page, {1, 2, 3, 4});
    } catch (const mp::RemoteError& error) { // ... and always this one, which also knows where it came from
        fmt::print("{} in another process: {}\n", error.type_name(), error.pid() != 0);
    }

    // A worker that dies takes along what it was doing, and is replaced.
    auto each = pool.imap(crash_on_three, {1, 2, 3, 4});
    for (int i = 0; i < 4; ++i) {
        try {
            fmt::print("{}\n", each.next());
        } catch (const mp::WorkerLostError& error) {
            fmt::print("item {} was lost: {}\n", i, error.signal_name());
        }
    }
    fmt::print("{} workers\n", pool.size());
}
