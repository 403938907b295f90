// A parser in a shared library that crashes, aborts and hangs on some inputs, and takes down a worker, never the program: what it
// parses well is parsed, and each of the others is an error that says what happened.
//
//     43_crash_proof_parser [LIBRARY]
//
// Prints 43_crash_proof_parser.out. What the dying workers say about themselves is on stderr.

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>
#include <multiprocessing/pool.hpp>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

long parse(const std::string& text) {
    static auto* const sum_of = reinterpret_cast<long (*)(const char*)>(::dlsym(RTLD_DEFAULT, "sum_of"));
    return sum_of(text.c_str());
}

int main(int argc, char** argv) {
    const char* const library = argc > 1 ? argv[1] : PLUGIN;
    if (::dlopen(library, RTLD_NOW | RTLD_GLOBAL) == nullptr) {
        fmt::print(stderr, "{}\n", ::dlerror());
        return 2;
    }

    const std::vector<std::string> texts{
        "[1, 2, 3]",                // good
        "[1, [20, [300]], 4]",      // good
        std::string(1'000'000, '['), // too deep for its stack
        "[5, 6]",                   // good
        "[1, #, 2]",                // it gives up
        "[7, ~8]",                  // it never ends
        "[9, [10]]",                // good
    };

    mp::Pool pool(2);
    auto sums = pool.imap(parse, texts, {.task_timeout = 500ms}); // the failure of an item is at its place; those behind it go on
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string shown = texts[i].size() > 20 ? texts[i].substr(0, 17) + "..." : texts[i];
        try {
            fmt::print("{:<20}  {}\n", shown, sums.next());
        } catch (const mp::WorkerLostError& error) {
            fmt::print("{:<20}  the parser died of {}\n", shown, error.signal_name());
        } catch (const mp::TimeoutError&) {
            fmt::print("{:<20}  the parser took too long\n", shown);
        }
    }
}
