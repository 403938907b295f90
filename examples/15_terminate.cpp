// Ending a process from outside: terminate, interrupt and kill, and what its exit code says then. Python: the same names
//
// Prints 15_terminate.out.
#include <chrono>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/synchronize.hpp>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void child_process(mp::Event begun) {
    fmt::print("Starting function\n");
    std::fflush(stdout); // who is ended from outside doesn't get to it
    begun.set();
    std::this_thread::sleep_for(1h);
    fmt::print("Finished function\n"); // never
}

int main() {
    for (const auto end : {&mp::Process::terminate, &mp::Process::interrupt, &mp::Process::kill}) {
        mp::Event begun;
        mp::Process p(child_process, begun);
        p.start();
        begun.wait();

        fmt::print("{} is alive: {}\n", p.name(), p.is_alive());
        (p.*end)();
        p.join();
        fmt::print("{} is alive: {}, exit code {}\n", p.name(), p.is_alive(), *p.exitcode()); // minus the signal's number
        std::fflush(stdout);
    }
}
