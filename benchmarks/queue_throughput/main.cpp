// How long does a message take through a queue, when one follows the other? (README.md)
//
//     queue_throughput [ROUNDS] [SIZE]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
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

double nanoseconds_for(line& q, std::size_t size, std::size_t n, int pairs, setting where) {
    struct gate {
        std::atomic<int> ready{0};
        std::atomic<bool> open{false};
    };
    auto start = memory::handle<gate>::create();
    const std::size_t each = std::max<std::size_t>(n / static_cast<std::size_t>(pairs), 1);
    std::vector<std::pair<pid_t, memory::seat>> children;
    for (int i = 0; i < 2 * pairs; ++i) {
        memory::birth birth;
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            if (where != setting::unpinned) pin(where == setting::one_core ? 0 : i % 2);
            std::vector<char> message(size, 'x');
            ++start->ready;
            while (!start->open) ::sched_yield();
            for (std::size_t done = 0; done < each;) {
                const std::size_t some = std::min<std::size_t>(64, each - done);
                i % 2 == 0 ? q.send_many(message.data(), size, some) : q.receive_many(message.data(), size, some);
                done += some;
            }
            ::_exit(0);
        }
        birth.in_parent(child);
        children.emplace_back(child, birth.slot());
    }
    while (start->ready < 2 * pairs) ::sched_yield();
    const auto begin = std::chrono::steady_clock::now();
    start->open = true;
    for (const auto& child : children) {
        ::waitpid(child.first, nullptr, 0);
        memory::bury(child.second);
    }
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    return spent.count() / static_cast<double>(each * static_cast<std::size_t>(pairs));
}

} // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
    const std::size_t only = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
    std::vector<contender> all = ours();
    for (auto more : {boost_message_queue, posix_queue, sockets, redis})
        for (auto& each : more()) all.push_back(std::move(each));

    const struct {
        const char* text;
        setting where;
        const char* word;
    } settings[] = {{"on two cores", setting::two_cores, "two"},
                    {"unpinned", setting::unpinned, "unpinned"},
                    {"all on one core", setting::one_core, "one"}};
    std::printf("ns a message: median (smallest, largest) of %d rounds\n", rounds);
    for (const std::size_t size : {std::size_t{8}, std::size_t{64}, std::size_t{1024}, std::size_t{65536}, std::size_t{1} << 24})
        for (const int pairs : {1, 2, 4})
            for (const auto& how : settings) {
                if (only != 0 && size != only) continue;
                const std::size_t n = size <= 1024 ? 100'000 : size <= 65536 ? 5'000 : 32;
                std::printf("\n%zu bytes, %d to %d, %s\n", size, pairs, pairs, how.text);
                std::vector<std::vector<double>> times(all.size());
                for (int round = -1; round < rounds; ++round)
                    for (std::size_t c = 0; c < all.size(); ++c) {
                        if (pairs > 1 && !all[c].shared) continue;
                        const auto q = all[c].make(size);
                        if (q == nullptr) continue;
                        const double t = nanoseconds_for(*q, size, std::max<std::size_t>(n / all[c].fewer, 8), pairs, how.where);
                        if (round >= 0) times[c].push_back(t);
                    }
                for (std::size_t c = 0; c < all.size(); ++c) {
                    auto& t = times[c];
                    if (t.empty()) continue;
                    std::sort(t.begin(), t.end());
                    std::printf("    %-30s %12.0f (%.0f, %.0f)\n", all[c].name.c_str(), t[t.size() / 2], t.front(), t.back());
                }
                for (const char* kind : {"Queue", "SimpleQueue", "Pipe"}) {
                    if (pairs > 1 && std::string(kind) == "Pipe") continue;
                    const double t = python(kind, size, std::max<std::size_t>(n / 50, 8) / static_cast<std::size_t>(pairs), pairs, how.word);
                    if (t > 0) std::printf("    %-30s %12.0f (once)\n", (std::string("CPython, ") + kind).c_str(), t);
                }
                std::fflush(stdout);
            }
}
