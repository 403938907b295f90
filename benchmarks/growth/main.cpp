// How does what one thing costs grow with how many there are? (README.md)
//
//     growth [ROUNDS] [--json FILE]
//
// Nobody else is asked: each row is one number of workers, items, bytes, processes, queues; each cell is what one of them costs.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/synchronize.hpp>

#include <support/numbers.hpp>
#include <support/report.hpp>

namespace mp = multiprocessing;

namespace {

int next(int x) { return x + 1; }
double square(double x) { return x * x; }
void nothing() {}
std::size_t count(const std::vector<char>& bytes) { return bytes.size(); }

using numbers = std::initializer_list<std::size_t>;

double microseconds_for(const std::function<void()>& f) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

/// What one of the things that are counted costs, when there are so many.
struct cost {
    std::string name;
    std::function<double()> measure;
};

class growing {
public:
    growing(report& says, std::string unit, std::string title, std::string of_what) : says_(says), of_what_(std::move(of_what)) {
        says_.sheet(std::move(unit), std::move(title), better::less, of_what_);
    }
    void at(std::size_t many, const std::vector<cost>& costs) const {
        const auto number = static_cast<double>(many);
        says_.ask({.text = with_letter(number) + " " + of_what_, .at = number}, costs, [](const cost& one) { return one.measure(); });
    }

private:
    report& says_;
    std::string of_what_;
};

void with_workers(report& says) {
    const growing table(says, "us", "a call of a pool", "workers");
    for (const int workers : {1, 2, 4, 8, 16}) {
        mp::Pool pool(workers);
        const std::vector<int> thousand(1000, 1);
        table.at(static_cast<std::size_t>(workers),
                 {{"map, 1000 items",
                   [&] {
                       return microseconds_for([&] {
                                  for (int i = 0; i < 200; ++i) pool.map(next, thousand);
                              }) / 200;
                   }},
                  {"apply",
                   [&] {
                       return microseconds_for([&] {
                                  for (int i = 0; i < 1000; ++i) pool.apply(next, i);
                              }) / 1000;
                   }},
                  {"apply_async, each of 1e4", [&] {
                       return microseconds_for([&] {
                                  std::vector<mp::AsyncResult<int>> all;
                                  for (int i = 0; i < 10'000; ++i) all.push_back(pool.apply_async(next, i));
                                  for (auto& each : all) each.get();
                              }) / 10'000;
                   }}});
    }
}

void with_pools(report& says) {
    const growing table(says, "us a worker", "a pool, made and ended", "workers");
    for (const int workers : {1, 2, 4, 8, 16, 64})
        table.at(static_cast<std::size_t>(workers),
                 {{"made", [=] {
                       std::unique_ptr<mp::Pool> pool;
                       return microseconds_for([&] { pool = std::make_unique<mp::Pool>(workers); }) / workers;
                   }},
                  {"ended", [=] {
                       auto pool = std::make_unique<mp::Pool>(workers);
                       return microseconds_for([&] { pool.reset(); }) / workers;
                   }}});
}

void with_items(report& says) {
    mp::Pool pool(2);
    const growing table(says, "ns an item", "a map of x*x by two workers", "items");
    for (const std::size_t items : numbers{10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000}) {
        const auto calls = static_cast<int>(std::max<std::size_t>(100'000 / items, 1));
        const auto in = mp::memory::handle<double[]>::create(items), out = mp::memory::handle<double[]>::create(items);
        const std::span from(in.get(), items), to(out.get(), items);
        const std::vector<double> own(items, 1.5);
        const double all = static_cast<double>(items) * calls;
        table.at(items, {{"vectors", [&] {
                              return 1000 * microseconds_for([&] {
                                         for (int i = 0; i < calls; ++i) pool.map(square, own);
                                     }) / all;
                          }},
                         {"common memory", [&] {
                              return 1000 * microseconds_for([&] {
                                         for (int i = 0; i < calls; ++i) pool.map_into(square, from, to);
                                     }) / all;
                          }}});
    }
}

void with_tasks(report& says) {
    mp::Pool pool(2);
    const growing table(says, "ns a task", "tasks begun before the first result is asked for, by two workers", "tasks");
    for (const int tasks : {1, 10, 100, 1'000, 10'000, 100'000})
        table.at(static_cast<std::size_t>(tasks), {{"apply_async and get", [&] {
                                                        const int times = std::max(10'000 / tasks, 1);
                                                        return 1000 * microseconds_for([&] {
                                                                   for (int t = 0; t < times; ++t) {
                                                                       std::vector<mp::AsyncResult<int>> all;
                                                                       for (int i = 0; i < tasks; ++i)
                                                                           all.push_back(pool.apply_async(next, i));
                                                                       for (auto& each : all) each.get();
                                                                   }
                                                               }) / (static_cast<double>(times) * tasks);
                                                    }}});
}

void with_bytes(report& says) {
    mp::Pool pool(1);
    mp::Queue<std::vector<char>> queue;
    const growing table(says, "ns a thousand bytes", "bytes on their way, one message at a time", "bytes");
    for (const std::size_t bytes : numbers{100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000}) {
        const std::vector<char> message(bytes, 'x');
        const auto times = static_cast<int>(std::max<std::size_t>(4'000'000 / std::max<std::size_t>(bytes, 4'000), 1));
        const double all = static_cast<double>(bytes) / 1000 * times;
        table.at(bytes, {{"put and get, by one process", [&] {
                              return 1000 * microseconds_for([&] {
                                         for (int i = 0; i < times; ++i) {
                                             queue.put(message);
                                             if (queue.get().size() != bytes) std::abort();
                                         }
                                     }) / all;
                          }},
                         {"an argument of apply", [&] {
                              return 1000 * microseconds_for([&] {
                                         for (int i = 0; i < times; ++i)
                                             if (pool.apply(count, message) != bytes) std::abort();
                                     }) / all;
                          }}});
    }
}

void with_processes(report& says) {
    const growing table(says, "us", "one more process, in a family of many", "processes");
    const mp::Event enough;
    std::vector<mp::Process> family;
    for (const std::size_t many : numbers{1, 10, 100, 1'000}) {
        while (family.size() < many) {
            family.emplace_back(mp::ProcessOptions{.start_method = mp::StartMethod::fork}, [enough] { enough.wait(); });
            family.back().start();
        }
        table.at(many, {{"started and joined",
                         [] {
                             return microseconds_for([] {
                                 mp::Process one({.start_method = mp::StartMethod::fork}, nothing);
                                 one.start();
                                 one.join();
                             });
                         }},
                        {"asked whether they live, each", [&] {
                             return microseconds_for([&] {
                                        for (auto& each : family)
                                            if (!each.is_alive()) std::abort();
                                    }) / static_cast<double>(many);
                         }}});
    }
    enough.set();
    for (auto& each : family) each.join();
}

void with_queues(report& says) {
    const growing table(says, "ns", "a put and its get, where there are many queues", "queues");
    std::vector<mp::Queue<int>> all;
    for (const std::size_t many : numbers{1, 10, 100, 1'000}) {
        while (all.size() < many) all.emplace_back();
        for (auto& q : all) { // warm
            q.put(1);
            if (q.get() != 1) std::abort();
        }
        table.at(many, {{"put and get",
                         [&] {
                             const auto times = 20'000 / all.size();
                             return 1000 * microseconds_for([&] {
                                        for (std::size_t t = 0; t < times; ++t)
                                            for (auto& q : all) {
                                                q.put(1);
                                                if (q.get() != 1) std::abort();
                                            }
                                    }) / static_cast<double>(times * all.size());
                         }},
                        {"one made and destroyed", [] {
                             return 1000 * microseconds_for([] {
                                        for (int i = 0; i < 100; ++i) const mp::Queue<int> one;
                                    }) / 100;
                         }}});
    }
}

} // namespace

int main(int argc, char** argv) {
    report says("growth", "How does what one thing costs grow with how many there are?", argc, argv, 5);
    for (const auto with : {with_processes, with_workers, with_pools, with_items, with_tasks, with_bytes, with_queues}) with(says);
    return says.finish();
}
