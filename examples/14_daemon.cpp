// A process in the background. The program waits at its end for those that aren't daemonic, and ends those that are.
// Python: p.daemon = True
//
// Prints 14_daemon.sorted.out.
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void daemonic(mp::Event alive, mp::Value<int> beats) {
    for (;; std::this_thread::sleep_for(1ms)) {
        beats += 1;
        alive.set();
    }
}

void ordinary() {
    fmt::print("starting my Process\n");
    std::this_thread::sleep_for(20ms);
    fmt::print("ending my Process\n");
}

int main() {
    mp::Event alive;
    mp::Value<int> beats(0);

    mp::Process background({.name = "Background"}, daemonic, alive, beats);
    background.daemon(true); // or .daemon = true, beside the name
    background.start();
    mp::Process p(ordinary);
    p.start();

    alive.wait();
    fmt::print("{} is daemonic: {}\n", background.name(), background.daemon());
    fmt::print("{} is daemonic: {}\n", p.name(), p.daemon());
    fmt::print("it has beaten: {}\n", beats > 0);
    // Neither is joined: main() ends here, the loop with it, and what p prints is still seen.
}
