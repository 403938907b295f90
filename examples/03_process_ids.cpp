// Who is who: process ids, names and parents.
//
// Prints 03_process_ids.out, with the numbers of the day.
#include <string>

#include <fmt/format.h>

#include <multiprocessing/process.hpp>

namespace mp = multiprocessing;

void info(const std::string& title) {
    fmt::print("{}\n", title);
    fmt::print("process name: {}\n", mp::current_process().name());
    if (const auto parent = mp::parent_process()) fmt::print("parent process: {}\n", parent->pid());
    fmt::print("process id: {}\n", *mp::current_process().pid());
}

void f(const std::string& name) {
    info("function f");
    fmt::print("hello {}\n", name);
}

int main() {
    info("main line");
    mp::Process p(f, "bob");
    p.start();
    p.join();
    fmt::print("{}\n", p);
}
