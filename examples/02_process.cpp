// A process with arguments, several at once, a class of one's own, a daemon, and ending one.
//
// Prints 02_process.out.
#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h> // pause

#include <multiprocessing/process.hpp>

namespace mp = multiprocessing;

void greet(const std::string& name) {
    fmt::print("hello {}\n", name);
}

void print_continent(const std::string& continent) {
    fmt::print("The name of continent is :  {}\n", continent);
}

class MyProcess : public mp::Process {
    void run() override { fmt::print("called run method in process: {}\n", name()); }
};

int main() {
    // Process(target=greet, args=('bob',))
    mp::Process p(greet, "bob");
    p.start();
    p.join();

    // Several, one after another so that the order is certain.
    for (const char* continent : {"Asia", "America", "Europe", "Africa"}) {
        mp::Process each(print_continent, continent);
        each.start();
        each.join();
    }

    // The subclassing style. A class gives its processes its name; the numbers go on.
    std::vector<MyProcess> jobs(3);
    for (auto& job : jobs) {
        job.start();
        job.join();
    }

    // What the target throws ends its process, not this one.
    mp::Process faulty({.name = "Faulty"}, [] { throw std::runtime_error("reported on stderr"); });
    faulty.start();
    faulty.join();
    fmt::print("{} ended with exit code {}\n", faulty.name(), *faulty.exitcode());

    mp::Process leaving([] { mp::exit(3); });
    leaving.start();
    leaving.join();
    fmt::print("another one with {}\n", *leaving.exitcode());

    // A process that takes too long.
    mp::Process stuck([] {
        for (;;) ::pause();
    });
    stuck.start();
    if (!stuck.join(std::chrono::milliseconds(10))) stuck.terminate();
    stuck.join();
    fmt::print("and a terminated one with {}\n", *stuck.exitcode());

    // A daemonic process ends with the program, so this one doesn't keep it from ending.
    mp::Process daemon({.daemon = true}, [] {
        for (;;) ::pause();
    });
    daemon.start();
    fmt::print("{} active child, daemonic: {}\n", mp::active_children().size(), mp::active_children().front().daemon());
}
