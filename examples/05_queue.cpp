// A queue between processes: of anything, as in Python, and of one type.
//
// Prints 05_queue.out.
#include <string>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/serialization.hpp>

namespace mp = multiprocessing;

void f(mp::Queue<> q) {
    q.put({42, nullptr, "hello"});
}

// Takes tasks until there are none, and says who has done each.
void do_job(mp::Queue<std::string> tasks, mp::Queue<std::string> done) {
    while (auto task = tasks.try_get()) done.put(*task + " is done by " + mp::current_process().name());
}

int main() {
    mp::Queue q;
    mp::Process p(f, q);
    p.start();
    fmt::print("{}\n", q.get()); // [42, None, 'hello']
    p.join();

    mp::Queue<std::string> colours;
    for (const char* colour : {"red", "green", "blue", "black"}) colours.put(colour);
    for (int n = 0; !colours.empty(); ++n) fmt::print("item no: {} {}\n", n, colours.get());

    mp::Queue<std::string> tasks, done;
    for (int i = 0; i < 10; ++i) tasks.put(fmt::format("Task no {}", i));
    std::vector<mp::Process> workers;
    for (int w = 0; w < 4; ++w) workers.emplace_back(mp::ProcessOptions{.name = "Worker"}, do_job, tasks, done);
    for (auto& worker : workers) worker.start();
    for (auto& worker : workers) worker.join(); // before the queue is emptied: that is no deadlock here
    fmt::print("{} tasks are done\n", done.qsize());
    try {
        static_cast<void>(tasks.get_nowait());
    } catch (const mp::Empty&) {
        fmt::print("and none is left\n");
    }
}
