// What CPython's TestWait asks (T150, T207, T209 to T211).

#include <algorithm>
#include <string>
#include <vector>

#include <unistd.h>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>

#include "support/catch.hpp"

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
    for (const bool slow : {false, true}) {
        std::vector<mp::Connection> readers;
        std::vector<mp::Process> processes;
        for (int i = 0; i < 4; ++i) {
            auto [reader, writer] = mp::Pipe(false);
            processes.emplace_back([slow](mp::Connection to, int number) {
                for (int n = 0; n < 10; ++n) {
                    if (slow) ::usleep(static_cast<useconds_t>(500 + 300 * number));
                    to.send(std::pair(number, n));
                }
            }, writer, i);
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
    mp::Process p([] {});
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
