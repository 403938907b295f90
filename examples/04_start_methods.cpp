// The same process by each start method.
//
// fork copies the program as it is; spawn runs it again; forkserver copies a clean one that is kept for this. The first line of
// main() is what the other two need.

#include <string>

#include <fmt/format.h>
#include <multiprocessing/context.hpp>
#include <multiprocessing/process.hpp>

namespace mp = multiprocessing;

int loaded = 0; // what main() sets is there in a copy of the program, and not in one that is run again

void greet(const std::string& name, int number) {
    fmt::print("hello {} from {}, which finds {} where its parent left {}\n", name, mp::current_process().name(), loaded, number);
}

int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);

    loaded = 42;
    for (const auto method : {mp::StartMethod::fork, mp::StartMethod::spawn, mp::StartMethod::forkserver}) {
        mp::Process p({.name = to_string(method), .start_method = method}, greet, "bob", loaded);
        p.start();
        p.join();
    }
}
