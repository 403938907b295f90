// Producers and consumers with names. Each producer says when it has no more, and the last consumer hears the last of it.
// Python: queue.put(None)
//
// Prints 18_producer_consumer.sorted.out.
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>

namespace mp = multiprocessing;

using Items = mp::Queue<std::optional<std::string>>; // nothing: there won't be more

void producer(Items queue, int items) {
    for (int i = 0; i < items; ++i) {
        const std::string data = fmt::format("item {} from {}", i, mp::current_process().name());
        queue.put(data);
        fmt::print("sent: {}\n", data);
    }
    queue.put(std::nullopt);
}

void consumer(Items queue, mp::Queue<std::string> received) {
    while (const auto data = queue.get()) received.put(*data);
}

int main() {
    Items queue(3); // three items at most: a fast producer waits for slow consumers
    mp::Queue<std::string> received;

    std::vector<mp::Process> processes;
    for (const char* name : {"Producer-1", "Producer-2"}) processes.emplace_back(mp::ProcessOptions{.name = name}, producer, queue, 5);
    for (const char* name : {"Consumer-1", "Consumer-2"}) processes.emplace_back(mp::ProcessOptions{.name = name}, consumer, queue, received);
    for (auto& p : processes) p.start();
    for (auto& p : processes) p.join();

    while (const auto data = received.try_get()) fmt::print("received: {}\n", *data);
}
