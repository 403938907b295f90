// A lock, a value and an array that several processes share, and what becomes of a lock whose holder is killed.
//
// Prints 07_synchronize.out.
#include <csignal>
#include <mutex>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

namespace mp = multiprocessing;

void f(mp::Value<double> n, mp::Array<int> a) {
    n = 3.1415927;
    for (int& x : a) x = -x;
}

// Reading and writing are two steps; the lock makes them one.
void count(mp::Lock lock, mp::RawValue<int> total) {
    for (int i = 0; i < 1000; ++i) {
        const std::lock_guard held(lock);
        total.value() = total.value() + 1;
    }
}

int main() {
    mp::Value<double> num(0.0);
    mp::Array arr{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    mp::Process p(f, num, arr);
    p.start();
    p.join();
    fmt::print("{}\n{}\n", num.load(), arr.to_vector());

    mp::Lock lock;
    mp::RawValue<int> total(0);
    std::vector<mp::Process> counters;
    for (int i = 0; i < 4; ++i) counters.emplace_back(count, lock, total);
    for (auto& each : counters) each.start();
    for (auto& each : counters) each.join();
    fmt::print("{}\n", total.value());

    // Whoever comes next holds the lock, and is told.
    mp::Process careless([&] {
        lock.acquire();
        ::raise(SIGKILL);
    });
    careless.start();
    careless.join();
    try {
        lock.acquire();
    } catch (const mp::OwnerDiedError& error) {
        fmt::print("the holder died, and the lock is ours\n");
        lock.release();
    }
    fmt::print("and works: {}\n", lock.acquire());
    lock.release();
}
