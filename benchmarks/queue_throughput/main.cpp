// How long does a message take through a queue, when one follows the other? (README.md)
//
//     queue_throughput [ROUNDS [SIZE]] [--json FILE]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <sched.h>

#include <fmt/format.h>

#include <multiprocessing/memory/handle.hpp>

#include <support/processes.hpp>
#include <support/report.hpp>

#include "contender.hpp"

namespace {

/// How many producers and as many consumers, and where.
struct setting {
    int pairs;
    const char* text;
    const char* word; ///< CPython's
    cores producers = {}, consumers = {};
};

double nanoseconds_for(line& q, std::size_t size, std::size_t n, const setting& how) {
    struct gate {
        std::atomic<int> ready{0};
        std::atomic<bool> open{false};
    };
    const auto start = multiprocessing::memory::handle<gate>::create();
    const auto pairs = static_cast<std::size_t>(how.pairs);
    const std::size_t each = std::max<std::size_t>(n / pairs, 1);
    crew all;
    for (std::size_t i = 0; i < 2 * pairs; ++i)
        all.start(i % 2 == 0 ? how.producers : how.consumers, [&] {
            std::vector<char> message(size, 'x');
            ++start->ready;
            while (!start->open) ::sched_yield();
            for (std::size_t done = 0; done < each;) {
                const std::size_t some = std::min<std::size_t>(64, each - done);
                i % 2 == 0 ? q.send_many(message.data(), size, some) : q.receive_many(message.data(), size, some);
                done += some;
            }
        });
    while (start->ready < 2 * how.pairs) ::sched_yield();
    const auto begin = std::chrono::steady_clock::now();
    start->open = true;
    all.join();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    return spent.count() / static_cast<double>(each * pairs);
}

/// Any contender, CPython's too.
struct anyone {
    std::string name;
    std::function<double(std::size_t size, std::size_t n, const setting&)> nanoseconds;
};

std::vector<anyone> everybody() {
    std::vector<anyone> all;
    for (auto more : {ours, bare_rings, boost_message_queue, posix_queue, sockets, redis})
        for (auto& who : more())
            all.push_back({who.name, [who](std::size_t size, std::size_t n, const setting& how) {
                               if (how.pairs > 1 && !who.shared) return -1.0;
                               const auto q = who.make(size);
                               return q == nullptr ? -1.0
                                                   : nanoseconds_for(*q, size, std::max<std::size_t>(n / who.fewer, 8), how);
                           }});
    for (const std::string kind : {"Queue", "SimpleQueue", "Pipe"})
        all.push_back({"CPython, " + kind, [kind](std::size_t size, std::size_t n, const setting& how) {
                           if (how.pairs > 1 && kind == "Pipe") return -1.0;
                           const std::size_t each = std::max<std::size_t>(n / 50, 8) / static_cast<std::size_t>(how.pairs);
                           const double t = python(kind, size, each, how.pairs, how.word);
                           return t > 0 ? t : -1;
                       }});
    return all;
}

std::vector<goal> goals(std::size_t size, const setting& how) {
    const std::string where = how.word;
    if (how.pairs == 1 && where == "two") {
        if (size == 8)
            return {{"ours, Queue", 80}, {"ours, Queue", 1.3, "bare ring"}, {"ours, put_many and get_many", 20},
                    {"ours, Queue", 1. / 2, "Boost message_queue"}, {"ours, Queue", 1. / 35, "CPython, Queue"}};
        if (size == 64) return {{"ours, Queue", 1.3, "bare ring"}};
        if (size == 1024) return {{"ours, Queue", 140}, {"ours, Queue", 1 / 2.5, "Boost message_queue"}};
        if (size == 65536) return {{"ours, Queue", 65536 / 13.}, {"ours, Queue", 1. / 16, "CPython, Queue"}};
        if (size > 65536) return {{"ours, Queue", static_cast<double>(size) / 10}, {"ours, Queue", 1. / 25, "CPython, Queue"}};
    }
    if (how.pairs == 2 && where == "unpinned") {
        if (size == 8)
            return {{"ours, Queue", 110}, {"ours, Queue", 1.3, "bare ring"}, {"ours, Queue", 1 / 1.7, "Boost message_queue"}};
        if (size == 64) return {{"ours, Queue", 1.3, "bare ring"}};
        if (size == 1024) return {{"ours, Queue", 180}, {"ours, Queue", 1 / 2.5, "Boost message_queue"}};
    }
    return {};
}

} // namespace

int main(int argc, char** argv) {
    report says("queue_throughput", "How long does a message take through a queue, when one follows the other?", argc, argv, 5);
    says.patience(0.3);
    says.yardstick("bare ring");
    says.yardstick("bare ring, 64 at a time");
    const std::size_t only = says.arguments().empty() ? 0 : std::strtoull(says.arguments().front().c_str(), nullptr, 10);
    const std::vector<anyone> all = everybody();
    const cores two = two_cores(), first{two[0]}, second{two[1]};
    const setting settings[] = {{1, "one to one, on two cores", "two", first, second},
                                {1, "one to one, unpinned", "unpinned"},
                                {1, "one to one, both on one core", "one", first, first},
                                {2, "two to two, on two cores", "two", first, second},
                                {2, "two to two, unpinned", "unpinned"},
                                {4, "four to four, unpinned", "unpinned"}};
    const std::pair<std::size_t, const char*> sizes[] = {
        {8, "8 bytes"}, {64, "64 bytes"}, {1024, "1 KiB"}, {65536, "64 KiB"}, {std::size_t{1} << 24, "16 MiB"}};
    for (const auto& [size, words] : sizes) {
        if (only != 0 && size != only) continue;
        const std::size_t n = size <= 1024 ? 100'000 : size <= 65536 ? 5'000 : 32;
        says.sheet("ns a message", words);
        for (const setting& how : settings) {
            const bool pictured = std::string(how.word) == (how.pairs == 1 ? "two" : "unpinned") && how.pairs <= 2 && size != 64;
            says.ask({.text = how.text, .goals = goals(size, how), .pictured = pictured}, all,
                     [&, size = size](const anyone& who) { return who.nanoseconds(size, n, how); });
        }
    }
    return says.finish();
}
