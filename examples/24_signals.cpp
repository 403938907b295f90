// A group of workers that ends in good order when the program is told to, by Ctrl-C or SIGTERM: an Event can be set in a signal
// handler. Who doesn't listen is ended. Python: the class ProcessManager of many tutorials
//
// Prints 24_signals.out.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <vector>

#include <fmt/ranges.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/synchronize.hpp>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

mp::Event shutdown_event;

void on_signal(int) { shutdown_event.set(); }

class ProcessManager {
public:
    explicit ProcessManager(int max_processes) {
        std::signal(SIGINT, on_signal);
        std::signal(SIGTERM, on_signal); // in the workers as well, which inherit it
        for (int i = 0; i < max_processes; ++i) workers_.emplace_back(worker, tasks_, results_).start();
    }
    ~ProcessManager() { shutdown(); }

    std::vector<int> process(const std::vector<int>& tasks) {
        tasks_.put_many(tasks);
        std::vector<int> results;
        while (results.size() < tasks.size() && !shutdown_event.is_set())
            if (const auto result = results_.try_get_for(100ms)) results.push_back(*result);
        std::sort(results.begin(), results.end());
        return results;
    }

    void wait() { shutdown_event.wait(); }

    void shutdown() {
        shutdown_event.set();
        for (auto& p : workers_) {
            if (p.join(60s)) continue;
            p.terminate();
            if (!p.join(1s)) p.kill();
        }
    }

    [[nodiscard]] std::vector<int> exit_codes() const {
        std::vector<int> codes;
        for (const auto& p : workers_) codes.push_back(*p.exitcode());
        return codes;
    }

private:
    static void worker(mp::Queue<int> tasks, mp::Queue<int> results) {
        while (!shutdown_event.is_set())
            if (const auto task = tasks.try_get_for(10ms)) results.put(*task * 2);
    }

    mp::Queue<int> tasks_;
    mp::Queue<int> results_;
    std::vector<mp::Process> workers_;
};

int main() {
    ProcessManager manager(3);
    std::vector<int> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(i);
    const auto results = manager.process(tasks);
    fmt::print("Processed {} tasks\nResults: {}\n", results.size(), results);

    std::raise(SIGTERM); // as `kill` would
    manager.wait();
    fmt::print("Received a signal. Terminating processes...\n");
    manager.shutdown();
    fmt::print("Exit codes: {}\n", manager.exit_codes());
}
