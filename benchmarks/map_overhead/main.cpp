// What does a map cost beyond the work itself? (README.md)
//
//     map_overhead [ROUNDS]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "work.hpp"

namespace {

struct question {
    const char* text;
    task which;
    std::size_t items;
    int calls;          // in a row, timed together
    bool rested;        // after a millisecond in which nobody did anything
    bool dear_at_end;   // a hundredth of the items
};

double microseconds_for(const contender& who, const question& what, const std::vector<double>& in, std::vector<double>& out) {
    // OpenMP's threads spin for milliseconds after their work: on the processors where the next contender is to be measured.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    who.map(what.which, in, out); // and who is to be measured may have fallen asleep meanwhile
    if (what.rested) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < what.calls; ++i) who.map(what.which, in, out);
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
    return spent.count() / what.calls;
}

} // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
    std::vector<contender> all = ours(); // first: its workers are forked before other contenders have threads
    for (auto& each : loop()) all.push_back(std::move(each));
    for (auto& each : openmp()) all.push_back(std::move(each));

    const question questions[] = {
        {"x*x, 2 items, back to back", task::square, 2, 1000, false, false},
        {"x*x, 2 items, after 1 ms of rest", task::square, 2, 1, true, false},
        {"x*x, 1e4 items", task::square, 10'000, 20, false, false},
        {"x*x, 1e6 items", task::square, 1'000'000, 3, false, false},
        {"x*x, 1e7 items", task::square, 10'000'000, 1, false, false},
        {"1 us, 1e4 items", task::microsecond, 10'000, 1, false, false},
        {"10 us, 1e3 items, 1% of them 1 ms, all at the end", task::skewed, 1'000, 1, false, true},
    };
    std::printf("us a call: median (smallest, largest) of %d rounds\n", rounds);
    for (const auto& what : questions) {
        std::vector<double> in(what.items);
        for (std::size_t i = 0; i < what.items; ++i) in[i] = 1.0 + static_cast<double>(i % 1000);
        if (what.dear_at_end)
            for (std::size_t i = what.items - what.items / 100; i < what.items; ++i) in[i] = -1;
        std::vector<double> out(what.items);
        std::vector<std::vector<double>> times(all.size());
        for (int round = -1; round < rounds; ++round)
            for (std::size_t c = 0; c < all.size(); ++c) {
                const double t = microseconds_for(all[c], what, in, out);
                if (round >= 0) times[c].push_back(t);
            }
        std::printf("\n%s\n", what.text);
        for (std::size_t c = 0; c < all.size(); ++c) {
            auto& t = times[c];
            std::sort(t.begin(), t.end());
            std::printf("    %-24s %12.2f (%.2f, %.2f)\n", all[c].name.c_str(), t[t.size() / 2], t.front(), t.back());
        }
        std::fflush(stdout);
    }
}
