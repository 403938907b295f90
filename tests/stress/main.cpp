// The soak: programs of all kinds at once, out of a seed, with processes killed anywhere, and the promises of the library looked
// at all the way.
//
//     stress [--seconds N] [--seed S] [--rounds N] [--only NAME]
//
//   --seconds   how long; 600 if nothing else is said
//   --seed      that of the first round; the next has the next number. If it isn't given, it comes from the clock
//   --rounds    so many at most: `--seed S --rounds 1` has a round again
//   --only      this program alone: queues, joinable_queues, handles, pipes, sockets, locks, semaphores, conditions, barriers, values,
//               pools, managers, starts
//
// A line tells of each round when it is over: its seed, what ran, how long. In a round one to three programs run at the same time,
// each in a process of its own with children of its own; one time in six one of these processes is killed as well. Afterwards
// nothing may be left: no process, descriptor, thread, mapping, name or shared object. A round that takes longer than a minute
// is a hang, and is shown as one. Ends with 1 at the first fault.

#include <charconv>
#include <chrono>
#include <cstdint>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include <multiprocessing/context.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/process.hpp>

#include "stage.hpp"
#include "support/census.hpp"
#include "support/watchdog.hpp"

namespace {

namespace mp = multiprocessing;
using clock_type = std::chrono::steady_clock;

struct program {
    const char* name;
    void (*run)(stress::chance&);
};

constexpr program programs[] = {
    {"queues", stress::queues},
    {"joinable_queues", stress::joinable_queues},
    {"handles", stress::handles},
    {"pipes", stress::pipes},
    {"sockets", stress::sockets},
    {"locks", stress::locks},
    {"semaphores", stress::semaphores},
    {"conditions", stress::conditions},
    {"barriers", stress::barriers},
    {"values", stress::values},
    {"pools", stress::pools},
    {"managers", stress::managers},
    {"starts", stress::starts},
};

[[noreturn]] void usage() {
    fmt::print(stderr, "usage: stress [--seconds N] [--seed S] [--rounds N] [--only NAME]\n");
    std::exit(2);
}

std::uint64_t number(const char* text) {
    std::uint64_t value = 0;
    const char* const end = text + std::strlen(text);
    if (const auto [stop, error] = std::from_chars(text, end, value); error != std::errc() || stop != end) usage();
    return value;
}

/// Shared objects that there are: the dead have been buried, if somebody has looked.
std::uint64_t shared_objects() {
    mp::memory::family& all = mp::memory::family::here();
    all.bury_the_dead();
    return all.objects();
}

long kilobytes_of_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:")) return std::atol(line.c_str() + 8);
    return 0;
}

struct outcome {
    std::string line;
    std::string fault;
};

outcome play_round(std::uint64_t seed, const std::vector<program>& choice) {
    stress::chance dice(seed);
    std::vector<mp::Process> running;
    std::string names;
    for (unsigned n = dice.between(1, 3); n > 0; --n) {
        const program& one = choice[dice.between(0, static_cast<unsigned>(choice.size()) - 1)];
        names += (names.empty() ? "" : " + ") + std::string(one.name);
        running.emplace_back(mp::ProcessOptions{.name = one.name}, [run = one.run, own = dice.number()] {
            stress::chance its_dice(own);
            run(its_dice);
        });
    }
    const bool kill_one = dice.one_in(6);
    const std::size_t victim = dice.between(0, static_cast<unsigned>(running.size()) - 1);
    const std::chrono::microseconds after(dice.between(1, 1U << dice.between(6, 17)));

    for (auto& each : running) each.start();
    if (kill_one && !running[victim].join(after)) {
        running[victim].kill();
        names += fmt::format(" (the {} killed)", running[victim].name());
    }
    std::string fault;
    for (auto& each : running) {
        each.join();
        const int code = *each.exitcode();
        if (code != 0 && !(kill_one && code == -SIGKILL && &each == &running[victim])) fault += fmt::format("\n  the {} ended with {}", each.name(), code);
    }
    return {names, fault};
}

} // namespace

int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);
    testing::examine_if_asked(argc, argv);

    std::uint64_t seconds = 600;
    std::uint64_t rounds = UINT64_MAX;
    std::uint64_t seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) / 1'000'000;
    std::vector<program> choice(std::begin(programs), std::end(programs));
    for (int i = 1; i < argc; i += 2) {
        const std::string_view option = argv[i];
        if (i + 1 == argc) usage();
        if (option == "--seconds") seconds = number(argv[i + 1]);
        else if (option == "--seed") seed = number(argv[i + 1]);
        else if (option == "--rounds") rounds = number(argv[i + 1]);
        else if (option == "--only") std::erase_if(choice, [&](const program& p) { return std::strcmp(p.name, argv[i + 1]) != 0; });
        else usage();
    }
    if (choice.empty()) usage();

    fmt::print("stress: {} s from seed {}\n", seconds, seed);
    mp::Process([] {}).start(); // what the library makes once and keeps
    while (!mp::active_children().empty()) std::this_thread::yield();
    const std::uint64_t objects = shared_objects();
    testing::settle();

    const auto end = clock_type::now() + std::chrono::seconds(seconds);
    std::uint64_t played = 0;
    long memory_at_first = 0;
    for (; clock_type::now() < end && played < rounds; ++seed, ++played) {
        const std::string title = fmt::format("round {} (seed {})", played, seed);
        const auto begin = clock_type::now();
        testing::watch(title.c_str());
        outcome what = play_round(seed, choice);
        testing::stop_watching();
        if (const std::string left = testing::left_behind(); !left.empty()) what.fault += "\n  left behind:" + left;
        // Who found a death out last may not have seen it yet.
        for (int tries = 0; shared_objects() > objects && tries < 200; ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        if (const std::uint64_t now = shared_objects(); now > objects) what.fault += fmt::format("\n  left behind: {} shared objects", now - objects);

        const std::chrono::duration<double> took = clock_type::now() - begin;
        fmt::print("{:>6}  seed {}  {:.3f} s  {}\n", played, seed, took.count(), what.line);
        std::fflush(stdout);
        if (played == 20) memory_at_first = kilobytes_of_memory();
        if (what.fault.empty()) continue;
        fmt::print("FAILED; to have it again: {} --seed {} --rounds 1{}\n", argv[0], seed, what.fault);
        std::fflush(stdout);
        testing::end_family();
        return 1;
    }
    const long memory = kilobytes_of_memory();
    fmt::print("{} rounds without a fault; {} KiB of memory of its own at the end, {} KiB after the first twenty rounds\n", played, memory, memory_at_first);
    if (memory_at_first != 0 && memory > 2 * memory_at_first + 4096) {
        fmt::print("FAILED: that grows\n");
        return 1;
    }
    return 0;
}
