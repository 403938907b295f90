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

using microseconds = std::chrono::duration<double, std::micro>;

template <typename F>
double microseconds_for(const question& asked, F f) {
    f(); // who is to be measured may have fallen asleep meanwhile
    if (asked.rested) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < asked.calls; ++i) f();
    return microseconds(std::chrono::steady_clock::now() - begin).count() / asked.calls;
}

/// What goes in and comes out, made once for all contenders.
struct material {
    std::vector<double> in, out;
    std::vector<text> texts, texts_out;
    std::vector<numbers> vectors, vectors_out;
    octets block, block_out;

    explicit material(const question& asked) {
        const std::size_t n = asked.items;
        switch (asked.what) {
        case subject::texts:
            for (std::size_t i = 0; i < n; ++i) texts.push_back("a text of some length, " + std::to_string(i));
            return;
        case subject::vectors: vectors.assign(n, numbers{1, 2, 3, 4, 5, 6, 7, 8}); return;
        case subject::block: block.assign(n, 'x'); return;
        case subject::square:
        case subject::microsecond:
        case subject::skewed:
        case subject::first:
            for (std::size_t i = 0; i < n; ++i) in.push_back(item(asked, i));
            out.resize(n);
        }
    }
};

/// Microseconds a call; less than 0 from who isn't asked this.
double ask(const contender& who, const question& asked, material& all) {
    if (who.elsewhere) return who.elsewhere(asked);
    switch (asked.what) {
    case subject::first: {
        if (!who.first) return -1;
        double sum = 0;
        for (int i = 0; i < asked.calls; ++i) {
            const auto begin = std::chrono::steady_clock::now();
            const auto kept = who.first(all.in, all.out);
            sum += microseconds(std::chrono::steady_clock::now() - begin).count();
        }
        return sum / asked.calls;
    }
    case subject::texts: return who.texts ? microseconds_for(asked, [&] { who.texts(all.texts, all.texts_out); }) : -1;
    case subject::vectors: return who.vectors ? microseconds_for(asked, [&] { who.vectors(all.vectors, all.vectors_out); }) : -1;
    case subject::block: return who.block ? microseconds_for(asked, [&] { who.block(all.block, all.block_out); }) : -1;
    case subject::square:
    case subject::microsecond:
    case subject::skewed: break;
    }
    return who.map ? microseconds_for(asked, [&] { who.map(asked.what, all.in, all.out); }) : -1;
}

} // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    std::vector<contender> all = ours(); // first: its workers are forked before other contenders have threads
    for (const auto others : {loop, openmp, onetbb, standard, mpi, python})
        for (auto& each : others()) all.push_back(std::move(each));

    // The pools are made first, while this process is small.
    const question questions[] = {
        {"two workers made, and x*x over 2 items", subject::first, 2, 5},
        {"x*x, 2 items, back to back", subject::square, 2, 1000},
        {"x*x, 2 items, after 1 ms of rest", subject::square, 2, 1, true},
        {"x*x, 1e2 items", subject::square, 100, 200},
        {"x*x, 1e3 items", subject::square, 1'000, 100},
        {"x*x, 1e4 items", subject::square, 10'000, 20},
        {"x*x, 1e5 items", subject::square, 100'000, 10},
        {"x*x, 1e6 items", subject::square, 1'000'000, 3},
        {"x*x, 1e7 items", subject::square, 10'000'000, 1},
        {"1 us, 1e4 items", subject::microsecond, 10'000, 1},
        {"10 us, 1e3 items, 1% of them 1 ms, all at the end", subject::skewed, 1'000, 1, false, true},
        {"s + '!', 1e5 strings", subject::texts, 100'000, 1},
        {"2 * x, 1e5 vectors of 8 numbers", subject::vectors, 100'000, 1},
        {"one argument of 1 MiB, and one result", subject::block, 1 << 20, 10},
    };
    std::printf("us a call: median (smallest, largest) of %d rounds, or of fewer where a round takes long; ns an item\n", rounds);
    std::fflush(stdout);
    for (const auto& asked : questions) {
        material what(asked);
        std::vector<std::vector<double>> times(all.size());
        std::vector<int> rounds_left(all.size(), rounds);
        for (int round = -1; round < rounds; ++round)
            for (std::size_t c = 0; c < all.size(); ++c) {
                if (rounds_left[c] <= 0) continue;
                // OpenMP's threads spin for milliseconds after their work: on the processors where the next is to be measured.
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
                const auto begin = std::chrono::steady_clock::now();
                const double t = ask(all[c], asked, what);
                const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
                if (t < 0)
                    rounds_left[c] = 0;
                else if (round < 0) // one that isn't counted; and the slow ones have a second in all
                    rounds_left[c] = std::clamp(static_cast<int>(1 / seconds), 1, rounds);
                else
                    --rounds_left[c], times[c].push_back(t);
            }
        std::printf("\n%s\n", asked.text);
        for (std::size_t c = 0; c < all.size(); ++c) {
            auto& t = times[c];
            if (t.empty()) continue;
            std::sort(t.begin(), t.end());
            const double median = t[t.size() / 2];
            std::printf("    %-24s %12.2f (%.2f, %.2f)%*s", all[c].name.c_str(), median, t.front(), t.back(), 2, "");
            if (asked.what != subject::block && asked.items > 2) std::printf("%.2f ns", 1000 * median / static_cast<double>(asked.items));
            std::printf("\n");
        }
        std::fflush(stdout);
    }
}
