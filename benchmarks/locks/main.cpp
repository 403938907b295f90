// What does a lock cost, alone, fought over, and to wake somebody? (README.md)
//
//     locks [ROUNDS]

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/family.hpp>

#include "contender.hpp"

namespace memory = multiprocessing::memory;

namespace {

using steady = std::chrono::steady_clock; // the same in all processes

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(steady::now().time_since_epoch()).count();
}

double median(std::vector<double> all) {
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

// ---- Processes and processors ----

using cores = std::vector<int>;

/// The first two that this program may run on, or the one.
cores two_cores() {
    cpu_set_t allowed;
    ::sched_getaffinity(0, sizeof allowed, &allowed);
    cores found;
    for (int i = 0; i < CPU_SETSIZE && found.size() < 2; ++i)
        if (CPU_ISSET(i, &allowed)) found.push_back(i);
    if (found.size() < 2) {
        std::puts("there is one core: nothing that is said of two is true");
        found.push_back(found[0]);
    }
    return found;
}

void pin(const cores& where) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int core : where) CPU_SET(core, &set);
    ::sched_setaffinity(0, sizeof set, &set);
}

/// This process there, while it lasts.
class pinned {
public:
    explicit pinned(const cores& where) {
        ::sched_getaffinity(0, sizeof before_, &before_);
        pin(where);
    }
    pinned(const pinned&) = delete;
    pinned& operator=(const pinned&) = delete;
    ~pinned() { ::sched_setaffinity(0, sizeof before_, &before_); }

private:
    cpu_set_t before_;
};

/// Processes that run until they are joined.
class crew {
public:
    template <typename Body>
    void start(const cores& where, Body body) {
        memory::birth birth;
        std::fflush(nullptr);
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            pin(where);
            body();
            ::_exit(0);
        }
        birth.in_parent(child);
        all_.emplace_back(child, birth.slot());
    }
    void join() {
        for (const auto& [child, seat] : all_) {
            int status = 0;
            ::waitpid(child, &status, 0);
            memory::bury(seat);
            if (status != 0) {
                std::puts("a process failed");
                std::exit(1);
            }
        }
        all_.clear();
    }

private:
    std::vector<std::pair<pid_t, memory::seat>> all_;
};

// ---- The questions ----

double nanoseconds_for_each(long n, const std::function<void(long)>& repeat) {
    repeat(n / 10);
    const auto begin = now();
    repeat(n);
    return static_cast<double>(now() - begin) / static_cast<double>(n);
}

/// Million turns a second, of all; and the fewest that one had, to the most.
numbers fight(exclusion& lock, const std::vector<cores>& places, std::chrono::milliseconds time, int private_work) {
    struct ring {
        arena floor;
        std::atomic<int> ready{0};
        std::atomic<bool> open{false};
        std::array<long, 16> turns{};
    };
    ring& r = in_shared_memory<ring>();
    crew all;
    for (std::size_t i = 0; i < places.size(); ++i)
        all.start(places[i], [&] {
            ++r.ready;
            while (!r.open) ::sched_yield();
            r.turns[i] = lock.take_turns(r.floor, private_work);
        });
    while (r.ready != static_cast<int>(places.size())) std::this_thread::sleep_for(std::chrono::microseconds(100));
    const auto begin = now();
    r.open = true;
    std::this_thread::sleep_for(time);
    r.floor.over = true;
    const auto spent = static_cast<double>(now() - begin);
    all.join();
    long total = 0, fewest = r.turns[0], most = r.turns[0];
    for (std::size_t i = 0; i < places.size(); ++i) {
        total += r.turns[i];
        fewest = std::min(fewest, r.turns[i]);
        most = std::max(most, r.turns[i]);
    }
    if (total != r.floor.counter) {
        std::puts("two had the lock at a time");
        std::exit(1);
    }
    ::munmap(&r, sizeof r);
    return {static_cast<double>(total) * 1e3 / spent,
            static_cast<double>(fewest) / static_cast<double>(std::max(most, 1L))};
}

/// One waits on the second core; another tells it, from the first, `rest` after it began to. From before it was
/// told until it went on, and what telling took, in us.
numbers wake(doorbell& bell, const cores& two, int n, std::chrono::nanoseconds rest) {
    constexpr int most = 1024;
    struct notes {
        std::atomic<int> ready{0};
        alignas(64) std::atomic<std::int64_t> told{0};
        alignas(64) std::array<double, most> times{};
    };
    notes& note = in_shared_memory<notes>();
    const pinned here({two[0]});
    crew waiter;
    waiter.start({two[1]}, [&] {
        for (int i = 0; i < n; ++i) {
            note.ready.store(i + 1, std::memory_order_release);
            bell.wait();
            note.times[static_cast<std::size_t>(i)] = static_cast<double>(now() - note.told.load()) / 1e3;
            bell.rearm();
        }
    });
    std::vector<double> telling;
    for (int i = 0; i < n; ++i) {
        while (note.ready.load(std::memory_order_acquire) != i + 1) ::sched_yield();
        const auto until = now() + rest.count();
        while (now() < until) {}
        const auto begin = now();
        note.told = begin;
        bell.tell();
        telling.push_back(static_cast<double>(now() - begin) / 1e3);
    }
    waiter.join();
    const numbers result{median({note.times.begin(), note.times.begin() + n}), median(telling)};
    ::munmap(&note, sizeof note);
    return result;
}

/// us for a token there and one back.
double round_trip(doorbell& there, doorbell& back, int here_core, int other_core, int n) {
    const pinned here({here_core});
    crew other;
    other.start({other_core}, [&] {
        for (int i = -n / 10; i < n; ++i) {
            there.wait();
            back.tell();
        }
    });
    auto begin = now();
    for (int i = -n / 10; i < n; ++i) {
        if (i == 0) begin = now();
        there.tell();
        back.wait();
    }
    const double spent = static_cast<double>(now() - begin) / 1e3;
    other.join();
    return spent / n;
}

// ---- The tables ----

class tables {
public:
    explicit tables(int rounds) : rounds_(rounds) {}

    /// measure(contender): its numbers; or the answer to `question` of those that aren't of this program. The second number is told
    /// where it has a text of its own.
    template <typename Contender, typename Measure>
    void print(const char* title, const std::vector<Contender>& all, const std::string& question, Measure measure,
               const char* second = nullptr) const {
        std::vector<column> first_numbers(all.size()), second_numbers(all.size());
        for (int round = -1; round < rounds_; ++round)
            for (std::size_t c = 0; c < all.size(); ++c) {
                const numbers found = all[c].elsewhere ? all[c].elsewhere(question) : measure(all[c]);
                if (round < 0) continue;
                first_numbers[c].push_back(found.first);
                second_numbers[c].push_back(found.second);
            }
        std::printf("\n%s\n", title);
        for (std::size_t c = 0; c < all.size(); ++c) {
            std::printf("    %-34s", all[c].name.c_str());
            tell("%9.2f (%.2f, %.2f)", first_numbers[c]);
            if (second != nullptr) {
                std::printf("   %s", second);
                tell(" %.2f (%.2f, %.2f)", second_numbers[c]);
            }
            std::printf("\n");
        }
        std::fflush(stdout);
    }

private:
    using column = std::vector<double>; // a number for each round

    static void tell(const char* format, const column& c) {
        const auto [least, greatest] = std::minmax_element(c.begin(), c.end());
        std::printf(format, median(c), *least, *greatest);
    }

    int rounds_;
};

} // namespace

int main(int argc, char** argv) {
    using namespace std::chrono_literals;
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
    const cores two = two_cores();
    contenders all = ours();
    for (auto more : {pthreads, posix_semaphore, boost_interprocess, futex, python}) {
        contenders others = more();
        for (auto& each : others.locks) all.locks.push_back(std::move(each));
        for (auto& each : others.doorbells) all.doorbells.push_back(std::move(each));
        for (auto& each : others.values) all.values.push_back(std::move(each));
    }
    std::vector<doorbell_contender> tokens;
    for (const auto& each : all.doorbells)
        if (each.hands_over) tokens.push_back(each);
    const std::string first = std::to_string(two[0]), second = std::to_string(two[1]), both = first + "," + second;

    std::printf("median (smallest, largest) of %d rounds\n", rounds);
    const tables table(rounds);

    table.print("acquire and release, nobody else there: ns a pair", all.locks, "pair 500000",
                [](const lock_contender& who) {
                    const auto one = who.make();
                    return numbers(nanoseconds_for_each(500'000, [&](long n) { one->pairs(n); }), 0);
                });

    const auto fought = [](const std::vector<cores>& places, std::chrono::milliseconds time, int work) {
        return [=](const lock_contender& who) {
            const auto one = who.make();
            return fight(*one, places, time, work);
        };
    };
    const std::vector<cores> each_its_own{{two[0]}, {two[1]}}, four(4, two);
    const std::string places = " " + first + " " + second;
    table.print("fought over by two, each on a core of its own: million turns a second", all.locks,
                "fight 0.03 0" + places, fought(each_its_own, 30ms, 0), "fairness");
    table.print("the same, with 250 steps of private work after each turn", all.locks, "fight 0.03 250" + places,
                fought(each_its_own, 30ms, 250), "fairness");
    table.print("fought over by four on these two cores: million turns a second", all.locks,
                "fight 0.1 0 " + both + " " + both + " " + both + " " + both, fought(four, 100ms, 0), "fairness");

    const auto woken = [&](int n, std::chrono::nanoseconds rest) {
        return [=](const doorbell_contender& who) {
            const auto one = who.make();
            return wake(*one, two, n, rest);
        };
    };
    table.print("woken on the other core, 1 ms after it began to wait: us until it goes on", all.doorbells,
                "wake 50 1e-3" + places, woken(50, 1ms), "telling took");
    table.print("the same, 2 us after it began to wait", all.doorbells, "wake 200 2e-6" + places, woken(200, 2us),
                "telling took");

    const auto handed_over = [&](int other) {
        return [=](const doorbell_contender& who) {
            const auto there = who.make(), back = who.make();
            return numbers(round_trip(*there, *back, two[0], other, 1000), 0);
        };
    };
    table.print("a token to the other core and one back: us", tokens, "trip 1000" + places, handed_over(two[1]));
    table.print("a token to another process on the same core and one back: us", tokens,
                "trip 1000 " + first + " " + first, handed_over(two[0]));

    table.print("values: ns an operation", all.values, "repeat 2000000",
                [](const value_contender& who) { return numbers(nanoseconds_for_each(2'000'000, who.repeat), 0); });
}
