// What CPython's TestWait asks (T150, T207, T209 to T211), under each start method.

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using mp::connection::Waitable;

TEST_CASE("waiting for nothing lasts until the timeout", "[conformance][wait]") { // T150, T211
    const auto before = clock_type::now();
    REQUIRE(mp::connection::wait(std::vector<Waitable>{}, 50ms).empty());
    REQUIRE(clock_type::now() - before >= 50ms);
    auto [a, b] = mp::Pipe();
    REQUIRE(mp::connection::wait({a, b}, -1s).empty());
    REQUIRE(mp::connection::wait({a, b}, 0s).empty());
}

TEST_CASE("messages of several processes, until the end of each", "[conformance][wait]") { // T207
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    for (const bool slow : {false, true}) {
        std::vector<mp::Connection> readers;
        std::vector<mp::Process> processes;
        for (int i = 0; i < 4; ++i) {
            auto [reader, writer] = mp::Pipe(false);
            processes.push_back(ctx.Process([](mp::Connection to, int number, bool slowly) {
                for (int n = 0; n < 10; ++n) {
                    if (slowly) ::usleep(static_cast<useconds_t>(500 + 300 * number));
                    to.send(std::pair(number, n));
                }
            }, writer, i, slow));
            processes.back().start();
            readers.push_back(std::move(reader));
        }
        std::vector<std::pair<int, int>> all;
        while (!readers.empty())
            for (auto& ready : mp::connection::wait(readers)) {
                try {
                    all.push_back(ready.recv<std::pair<int, int>>());
                } catch (const mp::EOFError&) {
                    readers.erase(std::find(readers.begin(), readers.end(), ready));
                }
            }
        std::sort(all.begin(), all.end());
        REQUIRE(all.size() == 40);
        for (int i = 0; i < 40; ++i) REQUIRE(all[static_cast<std::size_t>(i)] == std::pair(i / 10, i % 10));
        for (auto& p : processes) p.join();
    }
}

TEST_CASE("the right one is ready", "[conformance][wait]") { // T209
    auto [a, b] = mp::Pipe();
    const auto before = clock_type::now();
    REQUIRE(mp::connection::wait({a, b}, 50ms).empty());
    REQUIRE(clock_type::now() - before >= 50ms);
    b.send(1);
    const auto ready = mp::connection::wait(std::vector<mp::Connection>{a, b}, 1h);
    REQUIRE(ready == std::vector<mp::Connection>{a});
}

TEST_CASE("connections and a process's end together", "[conformance][wait]") { // T210
    auto [a, b] = mp::Pipe();
    const auto ctx = testing::each_context();
    auto p = ctx.Process([] {});
    p.start();
    const std::vector<Waitable> all{a, p.sentinel(), b};
    REQUIRE(mp::connection::wait(all) == std::vector<Waitable>{p.sentinel()});
    a.send(1);
    REQUIRE(mp::connection::wait(all) == std::vector<Waitable>{p.sentinel(), b});
    b.send(2);
    REQUIRE(mp::connection::wait(all) == all);
    REQUIRE(mp::connection::wait({p.sentinel(), a})[0] == p.sentinel());
    REQUIRE(mp::connection::wait(std::vector<int>{p.sentinel()}, 1h) == std::vector<int>{p.sentinel()});
    REQUIRE(mp::connection::wait({b}, 1h)[0] == b);
    p.join();
}

TEST_CASE("the same thing twice is an error", "[conformance][wait]") {
    auto [a, b] = mp::Pipe();
    REQUIRE_THROWS_AS(mp::connection::wait({a, a}, 0s), mp::ValueError);
    REQUIRE_THROWS_AS(mp::connection::wait({a, b, 0, 0}, 0s), mp::ValueError);
}

TEST_CASE("queues, connections and a process's end are waited for together", "[conformance][wait]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Queue<int> numbers;
    const mp::SimpleQueue<std::string> texts;
    const mp::JoinableQueue<> tasks;
    auto [here, there] = mp::Pipe();
    REQUIRE(mp::connection::wait({numbers, texts, tasks, here}, 0s).empty());
    numbers.put(1);
    tasks.put({"two", 2});
    for (int twice = 0; twice < 2; ++twice) { // nothing is taken by waiting
        const auto ready = mp::connection::wait({numbers, texts, tasks, here});
        REQUIRE(ready.size() == 2);
        REQUIRE(ready[0] == numbers);
        REQUIRE(ready[1] == tasks);
        REQUIRE_FALSE(ready[0] == here);
        REQUIRE_FALSE(ready[0] == texts);
    }
    REQUIRE(numbers.get() == 1);
    REQUIRE(mp::connection::wait({numbers, texts, here}, 0s).empty());
    {
        auto p = ctx.Process([](mp::Queue<int> n, mp::SimpleQueue<std::string> t, mp::Connection c) {
            for (int i = 0; i < 30; ++i) {
                if (i % 3 == 0) n.put(i);
                if (i % 3 == 1) t.put(std::to_string(i));
                if (i % 3 == 2) c.send(i);
                if (i % 7 == 0) ::usleep(2000);
            }
        }, numbers, texts, there);
        p.start();
        int got = 0;
        bool ended = false;
        while (!ended || got < 30)
            for (auto& each : mp::connection::wait({numbers, texts, here, p.sentinel()})) {
                const bool is_end = each == p.sentinel();
                ended = ended || is_end;
                got += is_end ? 0 : 1;
                if (each == numbers) REQUIRE(numbers.get_nowait() % 3 == 0);
                if (each == texts) REQUIRE(std::stoi(texts.get()) % 3 == 1);
                if (each == here) REQUIRE(here.recv<int>() % 3 == 2);
            }
        REQUIRE(got == 30);
        p.join();
    }
    REQUIRE_THROWS_AS(mp::connection::wait({numbers, mp::Queue<int>(numbers)}), mp::ValueError);
}

TEST_CASE("several processes and threads wait for one queue, and each item wakes one that takes it", "[conformance][wait]") {
    const mp::Queue<int> items;
    const mp::Value<int> sum(0), left(400);
    const auto consume = [=] {
        while (left.load() > 0) {
            if (mp::connection::wait(std::vector{items}, 20ms).empty()) continue;
            if (const auto x = items.try_get()) {
                sum += *x;
                --left;
            }
        }
    };
    std::vector<mp::Process> processes;
    for (int i = 0; i < 3; ++i) processes.emplace_back(consume);
    for (auto& p : processes) p.start();
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) threads.emplace_back(consume);
    for (int i = 1; i <= 400; ++i) {
        items.put(i);
        if (i % 50 == 0) ::usleep(1000);
    }
    for (auto& t : threads) t.join();
    for (auto& p : processes) p.join();
    REQUIRE(sum.load() == 400 * 401 / 2);
}

TEST_CASE("a queue's descriptor is readable when it has an item, in any process", "[conformance][wait]") {
    const mp::Queue<int> items;
    const int fd = items.fileno();
    REQUIRE(items.fileno() == fd);
    REQUIRE(mp::connection::wait(std::vector{fd}, 0s).empty());
    items.put(1);
    items.put(2);
    REQUIRE(mp::connection::wait(std::vector{fd}) == std::vector{fd});
    REQUIRE(items.get() == 1);
    REQUIRE(mp::connection::wait(std::vector{fd}, 0s) == std::vector{fd});
    REQUIRE(items.get() == 2);
    REQUIRE(mp::connection::wait(std::vector{fd}, 0s).empty()); // who takes an item arms it again
    mp::Process p([=] {
        const int mine = items.fileno();
        items.put(3);
        if (mp::connection::wait(std::vector{mine}) == std::vector{mine}) items.put(4);
    });
    p.start();
    REQUIRE(mp::connection::wait(std::vector{fd}) == std::vector{fd});
    p.join();
    REQUIRE(items.get() == 3);
    REQUIRE(items.get() == 4);
    REQUIRE(mp::connection::wait(std::vector{fd}, 0s).empty());
}
