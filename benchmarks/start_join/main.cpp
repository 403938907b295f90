// How long does it take to start a process that does nothing, and to join it? (README.md)
//
//     start_join [ROUNDS [GIB...]]      GIB: what the parent holds in private memory, each touched

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <multiprocessing/context.hpp>

#include "contender.hpp"

namespace {

void tell(const std::string& name, std::vector<double> t) {
    std::sort(t.begin(), t.end());
    std::printf("    %-24s %10.0f (%.0f, %.0f)\n", name.c_str(), t[t.size() / 2], t.front(), t.back());
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--nothing") == 0) return 0; // what posix_spawn starts
    multiprocessing::freeze_support(argc, argv);
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 50;
    std::vector<int> sizes;
    for (int i = 2; i < argc; ++i) sizes.push_back(std::atoi(argv[i]));
    if (sizes.empty()) sizes = {0, 1};

    std::vector<contender> all = bare();
    for (auto& each : ours()) all.push_back(std::move(each));
    std::printf("us from start to the end of join: median (smallest, largest) of %d rounds\n", rounds);
    for (const int gib : sizes) {
        std::vector<char> held(static_cast<std::size_t>(gib) << 30);
        for (std::size_t i = 0; i < held.size(); i += 4096) held[i] = 1;
        std::vector<std::vector<double>> times(all.size());
        for (int round = -1; round < rounds; ++round)
            for (std::size_t c = 0; c < all.size(); ++c) {
                const auto begin = std::chrono::steady_clock::now();
                all[c].start_and_join();
                const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
                if (round >= 0) times[c].push_back(spent.count());
            }
        std::printf("\na parent that holds %d GiB\n", gib);
        for (std::size_t c = 0; c < all.size(); ++c) tell(all[c].name, times[c]);
        for (const auto& each : python(rounds, gib)) tell(each.name, each.microseconds);
        std::fflush(stdout);
    }
}
