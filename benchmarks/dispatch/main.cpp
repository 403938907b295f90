// What does a task cost that does nothing? (README.md)
//
//     dispatch [ROUNDS]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "work.hpp"

namespace {

double nanoseconds_each(const contender& who, bool outstanding, int n) {
    if (who.elsewhere) return who.elsewhere(outstanding, n);
    const auto& f = outstanding ? who.outstanding : who.round_trip;
    if (!f) return -1;
    if (who.turn) who.turn(true);
    const auto begin = std::chrono::steady_clock::now();
    f(n);
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    if (who.turn) who.turn(false);
    return spent.count() / n;
}

} // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
    std::vector<contender> all = prototype(); // and ours: forked before other contenders have threads
    for (const auto others : {ours, onetbb, standard, python})
        for (auto& each : others()) all.push_back(std::move(each));
    std::printf("ns a task: median (smallest, largest) of %d rounds, of those that take long 3\n", rounds);
    std::fflush(stdout);
    struct question {
        const char* text;
        bool outstanding;
        int tasks;
    };
    for (const question& asked : {question{"one task and its result after the other", false, 2000},
                                  question{"1e4 tasks outstanding", true, 10'000},
                                  question{"1e5 tasks outstanding", true, 100'000}}) {
        std::vector<std::vector<double>> times(all.size());
        for (int round = -1; round < rounds; ++round)
            for (std::size_t c = 0; c < all.size(); ++c) {
                if (asked.tasks > all[c].most_tasks || round >= all[c].most_rounds) continue;
                std::this_thread::sleep_for(std::chrono::milliseconds(5)); // who was before may still spin
                const double t = nanoseconds_each(all[c], asked.outstanding, asked.tasks);
                if (round >= 0 && t >= 0) times[c].push_back(t);
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
