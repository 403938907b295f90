// What does it cost to read and to write a shared dict? (README.md)
//
//     manager_dict [ROUNDS]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>

#include "contender.hpp"

namespace memory = multiprocessing::memory;

namespace {

enum class kind { half, get, set };

/// Nanoseconds an operation, over all clients: each has a thousand keys of its own, and values of 32 bytes.
double nanoseconds_for(store& s, int clients, int n, kind what) {
    struct gate {
        std::atomic<int> ready{0};
        std::atomic<bool> open{false};
    };
    auto start = memory::handle<gate>::create();
    std::vector<std::pair<pid_t, memory::seat>> children;
    for (int c = 0; c < clients; ++c) {
        memory::birth birth;
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            std::vector<std::string> keys;
            for (int i = 0; i < 1000; ++i) keys.push_back("key:" + std::to_string(c) + ":" + std::to_string(i));
            const std::string value(32, 'v');
            for (const auto& key : keys) s.set(key, value);
            ++start->ready;
            while (!start->open) ::sched_yield();
            for (int i = 0; i < n; ++i) {
                const auto& key = keys[static_cast<std::size_t>(i) % keys.size()];
                if (what == kind::set || (what == kind::half && i % 2 == 1)) s.set(key, value);
                else if (s.get(key).size() != value.size()) ::_exit(1);
            }
            ::_exit(0);
        }
        birth.in_parent(child);
        children.emplace_back(child, birth.slot());
    }
    while (start->ready < clients) ::sched_yield();
    const auto begin = std::chrono::steady_clock::now();
    start->open = true;
    for (const auto& [child, seat] : children) {
        int status = 0;
        ::waitpid(child, &status, 0);
        memory::bury(seat);
        if (status != 0) std::printf("a client failed\n");
    }
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    return spent.count() / (static_cast<double>(n) * clients);
}

} // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
    std::vector<contender> all = ours();
    for (auto more : {boost_map, local_map})
        for (auto& each : more()) all.push_back(std::move(each));
    std::printf("ns an operation, over all clients: median (smallest, largest) of %d rounds\n", rounds);
    const std::pair<kind, const char*> kinds[] = {{kind::half, "half get, half set"}, {kind::get, "get"}, {kind::set, "set"}};
    for (const int clients : {1, 2, 4})
        for (const auto& [what, text] : kinds) {
            std::printf("\n%d clients, %s\n", clients, text);
            std::vector<std::vector<double>> times(all.size());
            for (int round = -1; round < rounds; ++round)
                for (std::size_t c = 0; c < all.size(); ++c) {
                    const auto s = all[c].make();
                    const double t = nanoseconds_for(*s, clients, 400'000, what);
                    if (round >= 0) times[c].push_back(t);
                }
            for (std::size_t c = 0; c < all.size(); ++c) {
                auto& t = times[c];
                std::sort(t.begin(), t.end());
                std::printf("    %-32s %8.0f (%.0f, %.0f)\n", all[c].name.c_str(), t[t.size() / 2], t.front(), t.back());
            }
            std::fflush(stdout);
        }
}
