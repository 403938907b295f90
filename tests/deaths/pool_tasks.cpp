// Items that are tried again, items that take too long, workers that are replaced, and 10,000 kills at random under all kinds
// of calls.

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <unistd.h>

#include <multiprocessing/pool.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"
#include "support/count_up.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

namespace {

int square(int x) { return x * x; }
int own_pid(int) { return ::getpid(); }
bool sanitized() { return MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER(); }

// Kills its worker so many times, counted in common memory.
struct mine {
    std::uint64_t deaths_left; // place
    int item;
};
int step_on(const mine& m) {
    if (m.item == 13 && memory::commons::here().at<std::atomic<int>>(m.deaths_left)->fetch_sub(1) > 0) ::raise(SIGKILL);
    return m.item;
}
std::string say_on(const mine& m) { return std::string(static_cast<std::size_t>(step_on(m)) * 10, 'x'); }

struct minefield {
    memory::handle<std::atomic<int>> left = memory::handle<std::atomic<int>>::create(0);
    std::vector<mine> mines;
    explicit minefield(int n) {
        for (int i = 0; i < n; ++i) mines.push_back({memory::commons::here().offset_of(&*left), i});
    }
};

} // namespace

TEST_CASE("an item whose worker died is tried again, as often as was said", "[deaths][pool]") {
    mp::Pool pool(2);
    const minefield field(50);
    for (int i = 0; i < 5; ++i) {
        *field.left = 2;
        REQUIRE(pool.map(step_on, field.mines, {.retries = 2}) == testing::count_up(0, 50));
        *field.left = 2;
        const auto text = pool.map(say_on, field.mines, {.chunksize = 10, .retries = 2});
        for (std::size_t n = 0; n < 50; ++n) REQUIRE(text.at(n).size() == n * 10);
        *field.left = 1;
        const auto pointer = &field;
        REQUIRE(pool.map([pointer](int n) { return step_on(pointer->mines.at(static_cast<std::size_t>(n))); }, testing::count_up(0, 50),
                         {.retries = 1}) == testing::count_up(0, 50));
        *field.left = 2;
        REQUIRE(pool.map_async(step_on, field.mines, {.retries = 2}).get() == testing::count_up(0, 50));
        *field.left = 1;
        auto later = pool.map_async([pointer](int n) { return step_on(pointer->mines.at(static_cast<std::size_t>(n))); },
                                    testing::count_up(0, 50), {.retries = 1});
        REQUIRE(later.get() == testing::count_up(0, 50));
        *field.left = 1;
        REQUIRE(pool.apply({.retries = 1}, step_on, field.mines[13]) == 13);
        *field.left = 2;
        int n = 0;
        for (const int x : pool.imap(step_on, field.mines, {.retries = 2})) REQUIRE(x == n++);
        *field.left = 2;
        REQUIRE_THROWS_AS(pool.map(step_on, field.mines, {.retries = 1}), mp::WorkerLostError);
    }
    REQUIRE_THROWS_AS(pool.map(square, {1}, {.retries = -1}), mp::ValueError);
}

TEST_CASE("an item on which three workers died isn't tried again", "[deaths][pool]") {
    mp::Pool pool(2);
    const minefield field(20);
    *field.left = 1000;
    try {
        pool.map(step_on, field.mines, {.retries = 100});
        FAIL("it should have thrown");
    } catch (const mp::WorkerLostError& lost) {
        REQUIRE(lost.item() == 13u);
    }
    REQUIRE(*field.left == 997);
    REQUIRE_THROWS_AS(pool.apply({.retries = 100}, step_on, field.mines[13]), mp::WorkerLostError);
    REQUIRE(*field.left == 994);
}

TEST_CASE("an item that takes too long fails, and its worker is replaced", "[deaths][pool]") {
    mp::Pool pool(2);
    const auto pids = pool.pids();
    const auto stuck = [](int x) {
        if (x == 7) ::raise(SIGSTOP);
        if (x == 8)
            for (;;) ::pause();
        return x;
    };
    REQUIRE_THROWS_WITH(pool.map(stuck, testing::count_up(0, 8), {.task_timeout = 50ms}), testing::contains("item 7 of 8"));
    REQUIRE_THROWS_AS(pool.map(stuck, testing::count_up(8, 9), {.task_timeout = 50ms}), mp::TimeoutError);
    REQUIRE_THROWS_AS(pool.apply({.task_timeout = 50ms}, stuck, 7), mp::TimeoutError);
    int k = 0; // on heirs
    REQUIRE_THROWS_AS(pool.map([k, stuck](int x) { return stuck(x) + k; }, {1, 7, 2}, {.task_timeout = 50ms}), mp::TimeoutError);
    auto one = pool.apply_async({.task_timeout = 50ms}, stuck, 8);
    auto other = pool.apply_async(stuck, 1);
    auto map = pool.map_async(stuck, testing::count_up(0, 9), {.task_timeout = 50ms});
    REQUIRE(other.get() == 1);
    REQUIRE_THROWS_AS(one.get(), mp::TimeoutError);
    REQUIRE_THROWS_AS(map.get(), mp::TimeoutError);
    auto some = pool.imap(stuck, testing::count_up(5, 11), {.task_timeout = 50ms});
    for (int i = 5; i < 11; ++i) {
        if (i == 7 || i == 8)
            REQUIRE_THROWS_AS(some.next(), mp::TimeoutError);
        else
            REQUIRE(some.next() == i);
    }
    REQUIRE(pool.map(square, {1, 2}, {.task_timeout = 1h}) == std::vector{1, 4});
    REQUIRE(pool.pids().size() == 2);
    REQUIRE(pool.pids() != pids);
    REQUIRE_THROWS_AS(pool.map(square, {1}, {.task_timeout = 0s}), mp::ValueError);
}

TEST_CASE("a limit holds, and workers get their signals, when a thread attends that slept before", "[deaths][pool]") {
    mp::Pool pool(2);
    std::atomic<int> called{0};
    pool.apply_async(square, 3).callback([&](int x) {
        called = x;
        called.notify_one();
    });
    called.wait(0);
    const auto stuck = [](int x) {
        if (x == 1)
            for (;;) ::pause();
        return x;
    };
    REQUIRE_THROWS_AS(pool.map(stuck, {1}, {.task_timeout = 50ms}), mp::TimeoutError);
    REQUIRE_THROWS_AS(pool.apply({.task_timeout = 50ms}, stuck, 1), mp::TimeoutError);
    // Those in their places were forked by that thread, in which all signals are blocked.
    const auto is_deaf = [](int) {
        ::usleep(1000);
        sigset_t blocked;
        ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
        return ::sigismember(&blocked, SIGTERM) + ::sigismember(&blocked, SIGSEGV);
    };
    REQUIRE(pool.map(is_deaf, testing::count_up(0, 50)) == std::vector<int>(50, 0));
}

TEST_CASE("a worker is replaced when it has done its share", "[deaths][pool][T126][T127][T128]") {
    {
        mp::Pool pool({.processes = 3, .maxtasksperchild = 10});
        const auto before = pool.pids();
        std::map<int, int> items;
        for (int i = 0; i < 20; ++i)
            for (const int pid : pool.map(own_pid, testing::count_up(0, 10), i % 2)) ++items[pid];
        REQUIRE(items.size() >= 20);
        for (const auto& [pid, n] : items) REQUIRE(n <= 10);
        REQUIRE(pool.map(square, testing::count_up(0, 1000)).size() == 1000);
        for (int i = 0; i < 100; ++i) REQUIRE(pool.apply_async(square, i).get() == i * i);
        for (const int pid : pool.pids()) REQUIRE(std::count(before.begin(), before.end(), pid) == 0);
        REQUIRE(pool.pids().size() == 3);
    }
    mp::Pool pool({.processes = 3, .maxtasksperchild = 1});
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < 6; ++i) all.push_back(pool.apply_async(square, i));
    pool.close();
    pool.join();
    for (int i = 0; i < 6; ++i) REQUIRE(all[static_cast<std::size_t>(i)].get() == i * i);
    REQUIRE_THROWS_AS(mp::Pool({.processes = 1, .maxtasksperchild = 0}), mp::ValueError);
}

TEST_CASE("workers are given their surroundings", "[deaths][pool]") {
    mp::Pool pool({.processes = 1, .nice = 1, .env = {{"POOL_TEST", "yes"}}, .cwd = "/"});
    REQUIRE(pool.apply([] { return std::string(std::getenv("POOL_TEST")); }) == "yes");
    REQUIRE(pool.apply([] { char here[64]; return std::string(::getcwd(here, sizeof here)); }) == "/");
    int k = 0; // heirs too
    REQUIRE(pool.apply([k] { return std::string(std::getenv("POOL_TEST") + k); }) == "yes");
}

TEST_CASE("10000 random kills under mixed traffic leave every surviving result right", "[deaths][pool][slow]") {
    const int kills = sanitized() ? 300 : 10'000;
    const auto at_first = memory::family::here().objects();
    std::optional<mp::Pool> owner(std::in_place, 2);
    mp::Pool& pool = *owner;
    std::mt19937 random(2026);
    const auto in = testing::count_up(0, 60);
    int lost = 0;
    const auto traffic = [&](int n) {
        for (int done = 0; done < n;) {
            std::vector<mp::AsyncResult<int>> tasks;
            std::vector<mp::AsyncResult<std::string>> texts;
            for (int i = 0; i < 20; ++i) {
                tasks.push_back(pool.apply_async({.retries = i % 2}, square, i));
                texts.push_back(pool.apply_async([](std::size_t s) { return std::string(s, 'x'); }, static_cast<std::size_t>(i) * 9));
            }
            auto map = pool.map_async([](int x) { return std::to_string(x); }, in, {.retries = 2});
            for (const pid_t pid : pool.pids())
                if (random() % 2) done += ::kill(pid, SIGKILL) == 0;
            auto lazy = pool.imap(square, in);
            const auto safely = [&](auto f) {
                bool good = false;
                try {
                    good = f();
                } catch (const mp::WorkerLostError&) {
                    ++lost;
                    good = true;
                }
                REQUIRE(good);
            };
            for (int i = 0; i < 60; ++i) safely([&] { return lazy.next() == i * i; });
            for (const pid_t pid : pool.pids())
                if (random() % 2) done += ::kill(pid, SIGKILL) == 0;
            for (int i = 0; i < 20; ++i) {
                safely([&] { return tasks[static_cast<std::size_t>(i)].get() == i * i; });
                safely([&] { return texts[static_cast<std::size_t>(i)].get().size() == static_cast<std::size_t>(i) * 9; });
            }
            safely([&] { return map.get().at(59) == "59"; });
            safely([&] { return pool.map(square, in, {.retries = 1}).at(59) == 59 * 59; });
        }
    };
    traffic(std::max(kills / 10, 300)); // until as much is kept warm as ever will be
    const auto objects = memory::family::here().objects();
    const auto members = memory::family::here().members_alive();
    const auto before = testing::census::now();
    traffic(kills);
    REQUIRE(pool.map(square, in).size() == 60);
    REQUIRE(pool.pids().size() == 2);
    const auto after = testing::census::now();
    REQUIRE(after.family.size() == before.family.size());
    REQUIRE(after.threads == before.threads);
    REQUIRE(after.descriptors.size() == before.descriptors.size());
    REQUIRE(after.shared_mappings == before.shared_mappings);
    REQUIRE(memory::family::here().objects() <= objects + 40); // how many rooms and entries are kept warm varies by chance
    REQUIRE(memory::family::here().members_alive() == members);
    owner.reset();
    REQUIRE(memory::family::here().objects() == at_first);
}
