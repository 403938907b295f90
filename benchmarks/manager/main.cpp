// What does it cost to use what a manager has made? (README.md)
//
//     manager [ROUNDS [WORDS OF A ROW]] [--json FILE]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>

#include <support/processes.hpp>
#include <support/report.hpp>

#include "contender.hpp"

namespace {

constexpr long operations = 100'000; ///< of each client

struct gate {
    std::atomic<int> ready{0};
    std::atomic<bool> open{false};
};

void demand(bool is_right) {
    if (!is_right) ::_exit(1);
}

/// What a client does. Each has a thousand keys of its own, and values of 32 bytes.
void repeat(store& s, kind what, const std::vector<std::string>& keys, long n) {
    const std::string value(32, 'v');
    pairs ten;
    for (std::size_t i = 0; i < 10; ++i) ten.emplace_back(keys[i], value);
    for (long i = 0; i < n; ++i) {
        const std::string& key = keys[static_cast<std::size_t>(i) % keys.size()];
        switch (what) {
        case kind::get:
            demand(s.get(key).size() == value.size());
            break;
        case kind::set: s.set(key, value); break;
        case kind::half:
            if (i % 2 == 1) s.set(key, value);
            else demand(s.get(key).size() == value.size());
            break;
        case kind::update: s.update(ten); break;
        case kind::append:
            s.append(value);
            if (i % 1000 == 999) s.clear_list();
            break;
        case kind::lock:
            s.acquire();
            s.release();
            break;
        case kind::queue:
            s.put(value);
            demand(s.take().size() == value.size());
            break;
        case kind::call: s.call(); break;
        }
    }
}

/// Nanoseconds an operation, over all clients.
double nanoseconds_for(store& s, int clients, long n, kind what) {
    const auto start = multiprocessing::memory::handle<gate>::create();
    crew all;
    for (int c = 0; c < clients; ++c)
        all.start({}, [&] {
            std::vector<std::string> keys;
            for (int i = 0; i < 1000; ++i) keys.push_back("key:" + std::to_string(c) + ":" + std::to_string(i));
            for (const auto& key : keys) s.set(key, std::string(32, 'v'));
            repeat(s, what, keys, n / 20 + 1);
            ++start->ready;
            while (!start->open) ::sched_yield();
            repeat(s, what, keys, n);
        });
    while (start->ready < clients) ::sched_yield();
    const auto begin = std::chrono::steady_clock::now();
    start->open = true;
    all.join();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    return spent.count() / (static_cast<double>(n) * clients);
}

std::vector<goal> goals(kind what) {
    const std::string who = "ours, of std::string";
    if (what == kind::update) return {{who, 1, "Boost, under a mutex"}}; // of ten keys: one message of theirs
    if (what == kind::get || what == kind::set)
        return {{who, 1, "Boost, under a mutex"}, {who, 1. / 300, "CPython"}, {who, 1. / 100, "Redis"}};
    if (what == kind::call) return {{who, 700}};
    return {};
}

} // namespace

int main(int argc, char** argv) {
    report says("manager", "What does it cost to use what a manager has made?", argc, argv, 7);
    const std::string only = says.arguments().empty() ? "" : says.arguments().front();
    std::vector<contender> all;
    for (auto more : {ours, boost_interprocess, redis, python, local}) // ours first: its server inherits no line to a program
        for (auto& each : more()) all.push_back(std::move(each));
    says.yardstick("not shared");

    const std::pair<kind, const char*> kinds[] = {{kind::get, "dict: get"},
                                                  {kind::set, "dict: set"},
                                                  {kind::half, "dict: half get, half set"},
                                                  {kind::update, "dict: update of ten keys"},
                                                  {kind::append, "list: append"},
                                                  {kind::lock, "lock: acquire and release"},
                                                  {kind::queue, "queue: put and get"},
                                                  {kind::call, "a method of a registered type"}};
    for (const int clients : {1, 2}) {
        says.sheet("ns an operation", clients == 1 ? "one client" : "two clients, over both");
        for (const auto& [what, text] : kinds) {
            if (std::string(text).find(only) == std::string::npos) continue;
            const bool pictured = what == kind::get || what == kind::set || what == kind::call;
            says.ask({.text = text, .goals = goals(what), .pictured = pictured}, all, [&, what = what](const contender& who) {
                if (std::find(who.kinds.begin(), who.kinds.end(), what) == who.kinds.end()) return -1.0;
                const long n = operations / who.fewer / (what == kind::update ? 4 : 1);
                return who.ask ? who.ask(what, clients, n) : nanoseconds_for(*who.make(), clients, n, what);
            });
        }
    }
    return says.finish();
}
