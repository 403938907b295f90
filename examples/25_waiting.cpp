// Ways to wait for each other: a signal to all, so many at a time, until something is so, and until everybody is here.
// Python: Event, Semaphore, Condition, Barrier
//
// Prints 25_waiting.sorted.out.
#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

constexpr int diners = 5;

struct restaurant {
    mp::Event open;
    mp::Semaphore tables{2};
    mp::Condition served;                    // under its lock one may look at what follows
    mp::RawValue<int> meals, seated, crowd;
    mp::Barrier goodbye{diners};
};

void dine(restaurant r, int guest) {
    r.open.wait();
    {
        const std::lock_guard table(r.tables);
        {
            std::unique_lock lock(r.served);
            r.crowd.value() = std::max(r.crowd.value(), ++r.seated.value());
            r.served.wait_for([&] { return r.meals.value() > 0; });
            --r.meals.value();
        }
        fmt::print("guest {} has eaten\n", guest);
        std::unique_lock lock(r.served);
        --r.seated.value();
    }
    if (r.goodbye.wait() == 0) fmt::print("everybody leaves at once\n"); // one of them says so
}

void cook(restaurant r) {
    for (int i = 0; i < diners; ++i) {
        std::this_thread::sleep_for(1ms);
        std::unique_lock lock(r.served);
        ++r.meals.value();
        r.served.notify();
    }
}

int main() {
    restaurant r;
    std::vector<mp::Process> processes;
    for (int guest = 1; guest <= diners; ++guest) processes.emplace_back(dine, r, guest);
    processes.emplace_back(cook, r);
    for (auto& p : processes) p.start();
    r.open.set();
    for (auto& p : processes) p.join();
    fmt::print("never more than two at a time: {}\n", r.crowd.value() <= 2);
}
