// Ten tasks for four processes: one queue of what is to be done, one of what is done and by whom. Python: get_nowait, Empty,
// current_process().name
//
// Prints 17_task_queue.out, with the names of the day.
#include <string>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>

namespace mp = multiprocessing;

bool do_job(mp::Queue<std::string> tasks_to_accomplish, mp::Queue<std::string> tasks_that_are_done) {
    for (;;) {
        try {
            const std::string task = tasks_to_accomplish.get_nowait();
            tasks_that_are_done.put(task + " is done by " + mp::current_process().name());
        } catch (const mp::Empty&) {
            return true;
        }
    }
}

int main() {
    constexpr int number_of_tasks = 10;
    constexpr int number_of_processes = 4;
    mp::Queue<std::string> tasks_to_accomplish;
    mp::Queue<std::string> tasks_that_are_done;
    for (int i = 0; i < number_of_tasks; ++i) tasks_to_accomplish.put(fmt::format("Task no {}", i));

    std::vector<mp::Process> processes;
    for (int w = 0; w < number_of_processes; ++w) processes.emplace_back(do_job, tasks_to_accomplish, tasks_that_are_done).start();
    for (auto& p : processes) p.join();

    while (!tasks_that_are_done.empty()) fmt::print("{}\n", tasks_that_are_done.get());
}
