// What does a lock cost, alone, fought over, and to wake somebody? (README.md)
//
//     locks [ROUNDS] [--json FILE]

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

#include <support/processes.hpp>
#include <support/report.hpp>

#include "contender.hpp"

namespace {

using steady = std::chrono::steady_clock; // the same in all processes

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(steady::now().time_since_epoch()).count();
}

double median(std::vector<double> all) {
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

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

/// The operations that all have: a value's name is "who: operation".
std::vector<value_contender> who_can(const std::vector<value_contender>& all, const std::string& operation) {
    std::vector<value_contender> found;
    for (value_contender one : all)
        if (one.name.ends_with(": " + operation)) {
            one.name.resize(one.name.size() - operation.size() - 2);
            found.push_back(std::move(one));
        }
    return found;
}

/// What the contender found by itself, or what is measured here.
template <typename Measure>
auto by(std::string question, Measure measure) {
    return [question = std::move(question), measure](const auto& who) -> numbers {
        return who.elsewhere ? who.elsewhere(question) : measure(who);
    };
}
template <typename Measure>
auto first_by(std::string question, Measure measure) {
    return [both = by(std::move(question), measure)](const auto& who) { return both(who).first; };
}

} // namespace

int main(int argc, char** argv) {
    using namespace std::chrono_literals;
    report says("locks", "What does a lock cost, alone, fought over, and to wake somebody?", argc, argv, 7);
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

    says.yardstick("bare futex");
    says.yardstick("std::atomic<long>");
    says.yardstick("std::array<long>");

    says.sheet("ns a pair", "acquire and release");
    says.ask({.text = "nobody else there", .goals = {{"ours, Lock", 1, "pthread_mutex"}}, .pictured = true}, all.locks,
             first_by("pair 500000", [](const lock_contender& who) {
                 const auto one = who.make();
                 return numbers(nanoseconds_for_each(500'000, [&](long n) { one->pairs(n); }), 0);
             }));

    const auto fought = [](const std::vector<cores>& places, std::chrono::milliseconds time, int work) {
        return [=](const lock_contender& who) {
            const auto one = who.make();
            return fight(*one, places, time, work);
        };
    };
    const std::vector<cores> each_its_own{{two[0]}, {two[1]}}, four(4, two);
    const std::string places = " " + first + " " + second;
    const auto fairness = [](std::string of) {
        return asked{.text = std::move(of), .goals = {{"ours, Lock", 0.8}}, .unit = "fairness, the fewest turns of one to the most"};
    };
    says.sheet("million turns a second", "fought over", better::more);
    const std::vector<goal> as_many{{"ours, Lock", 1, "pthread_mutex, robust"}};
    std::string text = "by two, each on a core of its own";
    says.ask({.text = text, .goals = as_many, .pictured = true}, fairness(text), all.locks,
             by("fight 0.03 0" + places, fought(each_its_own, 30ms, 0)));
    text = "by two, with 250 steps of private work after each turn";
    says.ask({.text = text, .goals = as_many, .pictured = true}, fairness(text), all.locks,
             by("fight 0.03 250" + places, fought(each_its_own, 30ms, 250)));
    text = "by four on these two cores";
    says.ask({.text = text}, fairness(text), all.locks,
             by("fight 0.1 0 " + both + " " + both + " " + both + " " + both, fought(four, 100ms, 0)));

    const auto woken = [&](int n, std::chrono::nanoseconds rest) {
        return [=](const doorbell_contender& who) {
            const auto one = who.make();
            return wake(*one, two, n, rest);
        };
    };
    const auto telling = [](std::string then) { return asked{.text = std::move(then), .unit = "us that telling took"}; };
    const std::vector<goal> as_the_futex{{"ours, Event", 1.2, "bare futex"}};
    says.sheet("us until it goes on", "woken on the other core");
    text = "1 ms after it began to wait";
    says.ask({.text = text, .goals = as_the_futex, .pictured = true}, telling(text), all.doorbells,
             by("wake 50 1e-3" + places, woken(50, 1ms)));
    text = "2 us after it began to wait";
    says.ask({.text = text, .goals = as_the_futex, .pictured = true}, telling(text), all.doorbells,
             by("wake 200 2e-6" + places, woken(200, 2us)));

    const auto handed_over = [&](int other) {
        return [=](const doorbell_contender& who) {
            const auto there = who.make(), back = who.make();
            return numbers(round_trip(*there, *back, two[0], other, 1000), 0);
        };
    };
    says.sheet("us there and back", "a token");
    says.ask({.text = "to the other core"}, tokens, first_by("trip 1000" + places, handed_over(two[1])));
    says.ask({.text = "to another process on the same core"}, tokens,
             first_by("trip 1000 " + first + " " + first, handed_over(two[0])));

    says.sheet("ns an operation", "values");
    const auto value_goals = [](const std::string& operation) -> std::vector<goal> {
        if (operation == "element") return {{"ours, RawArray<long>", 1.05, "std::array<long>"}};
        return {{"ours, Value<long>", 13}};
    };
    for (const std::string operation : {"load", "+=", "element"})
        says.ask({.text = operation, .goals = value_goals(operation)}, who_can(all.values, operation),
                 first_by("repeat 2000000", [](const value_contender& who) {
                     return numbers(nanoseconds_for_each(2'000'000, who.repeat), 0);
                 }));
    return says.finish();
}
