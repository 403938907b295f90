// Dicts, lists and more that processes share, as a manager makes them.
//
// Prints 10_manager.out.
#include <numeric> // std::iota
#include <string>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/managers.hpp>
#include <multiprocessing/process.hpp>

namespace mp = multiprocessing;

void f(mp::DictProxy<> d, mp::ListProxy<> l) {
    d[1] = "1";
    d["2"] = 2;
    d[0.25] = nullptr;
    l.reverse();
}

void update_shared_dict(mp::DictProxy<std::string, std::string> shared, int process_id) {
    for (int i = 0; i < 3; ++i)
        shared[fmt::format("process_{}_item_{}", process_id, i)] = fmt::format("Value from process {}", process_id);
}

void count(mp::DictProxy<std::string, int> words, std::vector<std::string> text) {
    for (const auto& word : text) words.update(word, [](int n) { return n + 1; }); // words[word] += 1 would lose some
}

int main() {
    mp::Manager manager;

    std::vector<int> range(10);
    std::iota(range.begin(), range.end(), 0);
    auto d = manager.dict(); // of anything, as in Python
    auto l = manager.list(range);
    mp::Process p(f, d, l);
    p.start();
    p.join();
    fmt::print("{}\n{}\n", d, l);

    auto shared = manager.dict<std::string, std::string>(); // of one type
    auto counts = manager.dict<std::string, int>();
    std::vector<mp::Process> processes;
    for (int i = 0; i < 3; ++i) processes.emplace_back(update_shared_dict, shared, i);
    for (int i = 0; i < 3; ++i) processes.emplace_back(count, counts, std::vector<std::string>{"the", "cat", "the", "hat"});
    for (auto& each : processes) each.start();
    for (auto& each : processes) each.join();
    fmt::print("Contents of the shared dictionary:\n");
    for (const auto& [key, value] : shared.copy()) fmt::print("{}: {}\n", key, value);
    fmt::print("{} times the, {} times cat\n", counts["the"], counts["cat"]);

    auto table = manager.dict<std::string, mp::ListProxy<int>>(); // one in another
    table["primes"] = manager.list<int>({2, 3, 5});
    mp::Process q([](mp::DictProxy<std::string, mp::ListProxy<int>> t) { t["primes"]->append(7); }, table);
    q.start();
    q.join();
    fmt::print("{}\n", table["primes"]);

    auto ns = manager.Namespace();
    ns["name"] = "Bob";
    ns["job"] = "Builder";
    ns["_hidden"] = 3.5;
    fmt::print("{}\n", ns);
}
