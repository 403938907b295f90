// One at a time: lines that don't get mixed up, and a number that is read, thought about and written. Python: with lock:
//
// Prints 19_lock.sorted.out.
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void f(mp::Lock lock, int i) {
    const std::lock_guard held(lock);
    fmt::print("hello world {}\n", i);
    std::fflush(stdout); // out, before the next one may
}

void worker_with_lock(mp::Lock lock, mp::Value<int> shared_resource) {
    for (int i = 0; i < 3; ++i) {
        const std::lock_guard held(lock);
        const int current_value = shared_resource;
        std::this_thread::sleep_for(1ms); // simulates work
        shared_resource = current_value + 1;
    }
}

int main() {
    mp::Lock lock;
    mp::Value<int> shared_resource(0);

    std::vector<mp::Process> processes;
    for (int num = 0; num < 10; ++num) processes.emplace_back(f, lock, num);
    for (int worker = 0; worker < 4; ++worker) processes.emplace_back(worker_with_lock, lock, shared_resource);
    for (auto& p : processes) p.start();
    for (auto& p : processes) p.join();
    fmt::print("Final value: {}\n", shared_resource.load());
}
