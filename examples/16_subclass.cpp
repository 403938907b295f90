// A process as a class: members are what it starts with, run() is what it does. What run() changes stays in the child, so the
// outcome goes back by a queue. Python: class MyProcess(Process)
//
// Prints 16_subclass.out.
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>

namespace mp = multiprocessing;

class CustomProcess : public mp::Process {
public:
    CustomProcess(const std::string& name, int work_count, mp::Queue<std::string> log)
        : mp::Process(mp::ProcessOptions{.name = name}), work_count_(work_count), log_(std::move(log)) {}

    [[nodiscard]] int done() const { return done_; }

private:
    void run() override {
        fmt::print("Process {} started\n", name());
        for (; done_ < work_count_; ++done_) log_.put(fmt::format("{}: performing task {}", name(), done_ + 1));
        fmt::print("Process {} finished, {} done\n", name(), done_);
    }

    int work_count_;
    int done_ = 0;
    mp::Queue<std::string> log_;
};

int main() {
    mp::Queue<std::string> log;
    std::vector<CustomProcess> processes;
    for (int i = 1; i <= 3; ++i) processes.emplace_back(fmt::format("Custom-{}", i), i, log);
    for (auto& p : processes) {
        p.start();
        p.join(); // one after the other, so that the order is certain
        fmt::print("here {} are done\n", p.done());
    }
    while (const auto line = log.try_get()) fmt::print("{}\n", *line);
}
