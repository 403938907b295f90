// What does a map cost beyond the work itself? (README.md)
//
//     map_overhead [ROUNDS] [--json FILE]

#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <support/report.hpp>

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
    report says("map_overhead", "What does a map cost beyond the work itself?", argc, argv, 9);
    std::vector<contender> all = ours(); // first: its workers are forked before other contenders have threads
    for (const auto others : {loop, openmp, onetbb, standard, mpi, python})
        for (auto& each : others()) all.push_back(std::move(each));
    says.yardstick("loop");
    says.yardstick("two memcpys");
    says.rest(10); // OpenMP's threads spin for milliseconds after their work: on the processors where the next is to be measured

    const std::string by_vectors = "ours, private vectors", in_common = "ours, common memory";
    const double all_of_two = 0.5; // what two workers need of the loop's time, if there were nothing else
    struct row {
        question what;
        std::vector<goal> goals = {};
        bool pictured = false;
    };
    // The pools are made first, while this process is small.
    const row rows[] = {
        {{"two workers made, and x*x over 2 items", subject::first, 2, 5}, {{by_vectors, 500}}},
        {{"x*x, 2 items, back to back", subject::square, 2, 1000}, {{by_vectors, 1.5}, {by_vectors, 1. / 120, "CPython Pool"}}, true},
        {{"x*x, 2 items, after 1 ms of rest", subject::square, 2, 1, true}, {{by_vectors, 35}, {by_vectors, 1. / 7, "CPython Pool"}}, true},
        {{"x*x, 1e2 items", subject::square, 100, 200}},
        {{"x*x, 1e3 items", subject::square, 1'000, 100}},
        {{"x*x, 1e4 items", subject::square, 10'000, 20}, {}, true},
        {{"x*x, 1e5 items", subject::square, 100'000, 10}},
        {{"x*x, 1e6 items", subject::square, 1'000'000, 3},
         {{in_common, 1.2, "openmp static"}, {in_common, 1. / 300, "CPython Pool"}}, true},
        {{"x*x, 1e7 items", subject::square, 10'000'000, 1}, {{by_vectors, 25'000}, {by_vectors, 1 / 1.5, "MPI"}}, true},
        {{"1 us, 1e4 items", subject::microsecond, 10'000, 1}, {{by_vectors, all_of_two / 0.98, "loop"}}, true},
        {{"10 us, 1e3 items, 1% of them 1 ms, all at the end", subject::skewed, 1'000, 1, false, true},
         {{by_vectors, all_of_two / 0.97, "loop"}}, true},
        {{"s + '!', 1e5 strings", subject::texts, 100'000, 1}, {}, true},
        {{"2 * x, 1e5 vectors of 8 numbers", subject::vectors, 100'000, 1}},
        {{"one argument of 1 MiB, and one result", subject::block, 1 << 20, 10}},
    };
    says.sheet("us a call");
    for (const auto& [what, goals, pictured] : rows) {
        material kept(what);
        const bool counts = what.what != subject::block && what.items > 2;
        says.ask({.text = what.text, .goals = goals, .items = counts ? static_cast<double>(what.items) : 0, .pictured = pictured}, all,
                 [&question = what, &kept](const contender& who) { return ask(who, question, kept); });
    }
    return says.finish();
}
