// Several processes at once: two that take different times, a few in a loop, one that leaves its argument out. All together
// take as long as the longest. Python: Process(target=f, args=(...)), cpu_count()
//
// Prints 13_several_processes.sorted.out: who comes first is chance.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/process.hpp>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void worker_task(const std::string& name, std::chrono::milliseconds duration) {
    fmt::print("Process {} started\n", name);
    std::this_thread::sleep_for(duration);
    fmt::print("Process {} finished\n", name);
}

void spawn_process(int i) { fmt::print("This is process: {}\n", i); }

void print_continent(const std::string& continent = "Asia") { fmt::print("The name of continent is : {}\n", continent); }

int main() {
    fmt::print("Number of cpu : {}\n", mp::cpu_count());

    const auto start = std::chrono::steady_clock::now();
    mp::Process first(worker_task, "Worker-1", 30ms);
    mp::Process second(worker_task, "Worker-2", 20ms);
    first.start();
    second.start();
    first.join();
    second.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print("Total execution time: {:.3f} seconds\n", took.count());

    std::vector<mp::Process> jobs;
    for (int i = 0; i < 3; ++i) jobs.emplace_back(spawn_process, i);
    jobs.emplace_back([] { print_continent(); }); // a function forgets its default arguments; a lambda doesn't need them
    for (const char* continent : {"America", "Europe", "Africa"}) jobs.emplace_back(print_continent, continent);
    for (auto& job : jobs) job.start();
    for (auto& job : jobs) job.join();
}
