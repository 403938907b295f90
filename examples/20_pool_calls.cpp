// A pool in all its calls: now or later, in order or as they come, one argument or several, with a result or for what it does.
// Python: Pool
//
// Prints 20_pool_calls.out.
#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <fmt/ranges.h>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

int f(int x) { return x * x; }

int power(int base, int exponent) { return exponent == 0 ? 1 : base * power(base, exponent - 1); }

int long_task(int task_id) {
    std::this_thread::sleep_for(10ms);
    return task_id * task_id;
}

int pid() { return *mp::current_process().pid(); }

void nap(std::chrono::seconds duration) { std::this_thread::sleep_for(duration); }

int main() {
    mp::Pool pool(4); // four worker processes
    const std::vector range{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

    fmt::print("map             {}\n", pool.map(f, range));
    fmt::print("in chunks of 3  {}\n", pool.map(f, range, 3)); // not needed: the pool finds out
    fmt::print("starmap         {}\n", pool.starmap(power, {std::tuple(2, 10), std::tuple(3, 3), std::tuple(5, 0)}));

    fmt::print("imap           ");
    for (const int i : pool.imap(f, range)) fmt::print(" {}", i); // one by one
    std::vector<int> in_any_order;
    for (const int i : pool.imap_unordered(f, range)) in_any_order.push_back(i);
    std::sort(in_any_order.begin(), in_any_order.end());
    fmt::print("\nimap_unordered  {}\n", in_any_order);

    fmt::print("apply           {}\n", pool.apply(power, 2, 8));
    auto result = pool.apply_async(f, 20); // by one process, while this one goes on
    fmt::print("apply_async     {}\n", result.get(60s));
    fmt::print("a worker's pid is this process's: {}\n", pool.apply_async(pid).get() == pid());

    std::vector<mp::AsyncResult<int>> several; // by several, maybe
    for (int i = 0; i < 5; ++i) several.push_back(pool.apply_async(long_task, i));
    fmt::print("Results:       ");
    for (auto& each : several) fmt::print(" {}", each.get(60s));
    fmt::print("\nmap_async       {}\n", pool.map_async(f, {1, 2, 3}).get());

    mp::Array<int> squares(range.size()); // in memory that the workers have, too: nothing is copied
    pool.map_into(f, range, squares);
    fmt::print("map_into        {}\n", squares);
    fmt::print("map_reduce      {}\n", pool.map_reduce(f, std::plus<>(), range, 0));
    mp::Value<int> sum(0);
    pool.for_each([&](int x) { sum += x; }, range);
    fmt::print("for_each        {}\n", sum.load());

    auto sleeping = pool.apply_async(nap, 3600s);
    try {
        sleeping.get(10ms);
    } catch (const mp::TimeoutError&) {
        fmt::print("We lacked patience and got a TimeoutError\n");
    }

    pool.terminate(); // not close(), which would let it sleep on
    pool.join();
    try {
        pool.map(f, range);
    } catch (const mp::ValueError& error) {
        fmt::print("{}\n", error.what());
    }
}
