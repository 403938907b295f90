// What does a task cost that does nothing? (README.md)
//
//     dispatch [ROUNDS]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "work.hpp"

namespace {

double nanoseconds_each(const std::function<void(int)>& f, int n) {
    const auto begin = std::chrono::steady_clock::now();
    f(n);
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() / n;
}

} // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
    std::vector<contender> all = ours();
    for (auto& each : standard()) all.push_back(std::move(each));
    std::printf("ns a task: median (smallest, largest) of %d rounds\n", rounds);
    struct question {
        const char* text;
        std::function<void(int)> contender::*what;
        int n;
    };
    for (const question& asked : {question{"one task and its result after the other", &contender::round_trip, 2000},
                                  question{"1e4 tasks outstanding", &contender::outstanding, 10'000},
                                  question{"1e5 tasks outstanding", &contender::outstanding, 100'000}}) {
        std::vector<std::vector<double>> times(all.size());
        for (int round = -1; round < rounds; ++round)
            for (std::size_t c = 0; c < all.size(); ++c) {
                if (all[c].name == "std::async" && (asked.n > 10'000 || round > 2)) continue;
                const double t = nanoseconds_each(all[c].*asked.what, asked.n);
                if (round >= 0) times[c].push_back(t);
            }
        std::printf("\n%s\n", asked.text);
        for (std::size_t c = 0; c < all.size(); ++c) {
            auto& t = times[c];
            if (t.empty()) continue;
            std::sort(t.begin(), t.end());
            std::printf("    %-24s %10.0f (%.0f, %.0f)\n", all[c].name.c_str(), t[t.size() / 2], t.front(), t.back());
        }
        std::fflush(stdout);
    }
}
