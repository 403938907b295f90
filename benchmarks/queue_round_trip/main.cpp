// How long does an answer take, from one process to another and back? (README.md)
//
//     queue_round_trip [ROUNDS]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>

#include "contender.hpp"

namespace memory = multiprocessing::memory;

namespace {

enum class setting { two_cores, unpinned, one_core };

void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    ::sched_setaffinity(0, sizeof set, &set);
}

double microseconds_for(line& there, line& back, int n, setting where) {
    cpu_set_t before;
    ::sched_getaffinity(0, sizeof before, &before);
    memory::birth birth;
    const pid_t child = ::fork();
    if (child == 0) {
        birth.in_child();
        if (where != setting::unpinned) pin(where == setting::one_core ? 0 : 1);
        for (int i = -n / 10; i < n; ++i) back.send(there.receive());
        ::_exit(0);
    }
    birth.in_parent(child);
    if (where != setting::unpinned) pin(0);
    auto begin = std::chrono::steady_clock::now();
    for (int i = -n / 10; i < n; ++i) {
        if (i == 0) begin = std::chrono::steady_clock::now();
        there.send(i);
        if (back.receive() != i) std::abort();
    }
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
    ::waitpid(child, nullptr, 0);
    memory::bury(birth.slot());
    ::sched_setaffinity(0, sizeof before, &before);
    return spent.count() / n;
}

} // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
    std::vector<contender> all = ours();
    for (auto more : {boost_message_queue, descriptors})
        for (auto& each : more()) all.push_back(std::move(each));
    const struct {
        const char* text;
        setting where;
    } settings[] = {{"on two cores", setting::two_cores}, {"unpinned", setting::unpinned}, {"both on one core", setting::one_core}};
    std::printf("us a round trip of 8 bytes: median (smallest, largest) of %d rounds\n", rounds);
    for (const auto& how : settings) {
        std::printf("\n%s\n", how.text);
        std::vector<std::vector<double>> times(all.size());
        for (int round = -1; round < rounds; ++round)
            for (std::size_t c = 0; c < all.size(); ++c) {
                const auto there = all[c].make(), back = all[c].make();
                const double t = microseconds_for(*there, *back, 5000, how.where);
                if (round >= 0) times[c].push_back(t);
            }
        for (std::size_t c = 0; c < all.size(); ++c) {
            auto& t = times[c];
            std::sort(t.begin(), t.end());
            std::printf("    %-24s %10.2f (%.2f, %.2f)\n", all[c].name.c_str(), t[t.size() / 2], t.front(), t.back());
        }
        std::fflush(stdout);
    }
}
