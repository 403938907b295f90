// What dies around a queue, and what is left afterwards.

#include <algorithm>
#include <csignal>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/queues.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
namespace os = multiprocessing::os;
using namespace std::chrono_literals;

namespace {

bool sanitized() { return MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER(); }

struct item {
    std::uint32_t producer = 0;
    std::uint32_t number = 0;
    std::vector<unsigned char> bytes;

    static std::size_t size_of(std::uint32_t number) {
        constexpr std::size_t sizes[] = {0, 3, 50, 8, 900, 0, 5000, 17, 100, 40'000};
        return number % 97 == 0 ? 400'000 : sizes[number % std::size(sizes)];
    }
    static item make(std::uint32_t producer, std::uint32_t number) {
        item made{producer, number, std::vector<unsigned char>(size_of(number))};
        for (std::size_t i = 0; i < made.bytes.size(); ++i) made.bytes[i] = static_cast<unsigned char>(i * 7 + producer + number);
        return made;
    }
    bool whole() const {
        if (bytes.size() != size_of(number)) return false;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            if (bytes[i] != static_cast<unsigned char>(i * 7 + producer + number)) return false;
        return true;
    }
};

// A child in the family that a test kills when it likes.
struct player {
    pid_t pid = 0;
    memory::seat place;

    template <typename Body>
    static player start(Body body) {
        memory::birth birth;
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            try {
                body();
            } catch (...) {
                ::_exit(42);
            }
            ::_exit(0);
        }
        birth.in_parent(child);
        return {child, birth.slot()};
    }
    int wait(bool bury) const {
        int status = 0;
        while (::waitpid(pid, &status, 0) < 0) {}
        if (bury) memory::bury(place);
        return status;
    }
};

struct score {
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> torn{0};
    std::atomic<std::uint64_t> disordered{0};
    std::atomic<std::uint64_t> logged{0};
};

void kill_around(mp::Queue<item> q, int kills) {
    constexpr std::uint64_t log_size = 1 << 24;
    constexpr std::uint32_t most_producers = 1 << 15;
    auto board = memory::handle<score>::create();
    auto log = memory::handle<std::uint64_t[]>::create(log_size);
    auto sent = memory::handle<std::uint32_t[]>::create(most_producers); // how many puts of each have returned
    std::uint32_t producers = 0;
    int killed_consumers = 0;
    std::mt19937 random(2026);

    const auto produce = [&](std::uint32_t id) {
        for (std::uint32_t n = 0; !board->over; ++n) {
            q.put(item::make(id, n));
            std::atomic_ref(sent[id]).store(n + 1);
        }
    };
    const auto consume = [&] {
        std::map<std::uint32_t, std::uint32_t> next;
        while (auto got = q.try_get_for(10s)) {
            const std::uint64_t at = board->logged++;
            if (at < log_size) std::atomic_ref(log[at]).store(std::uint64_t{got->producer + 1} << 32 | got->number);
            board->torn += !got->whole();
            auto& expected = next[got->producer];
            board->disordered += got->number < expected;
            expected = got->number + 1;
        }
    };
    struct role {
        player who;
        bool produces = false;
    };
    std::vector<role> all;
    const auto start = [&](bool produces) {
        const std::uint32_t id = producers;
        if (produces) ++producers;
        return role{produces ? player::start([&] { produce(id); }) : player::start(consume), produces};
    };
    for (const bool produces : {true, false, true, false}) all.push_back(start(produces));
    std::vector<memory::seat> unburied;
    for (int k = 0; k < kills; ++k) {
        if (random() % 4 != 0) ::usleep(static_cast<useconds_t>(random() % 300));
        auto& victim = all[random() % all.size()];
        ::kill(victim.who.pid, SIGKILL);
        const bool bury = random() % 4 != 0;
        const int status = victim.who.wait(bury);
        if (!bury) unburied.push_back(victim.who.place);
        if (unburied.size() > 20) {
            for (const auto place : unburied) memory::bury(place);
            unburied.clear();
        }
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) FAIL("ended by itself: " << status);
        killed_consumers += !victim.produces;
        victim = start(victim.produces);
    }
    board->over = true;
    // Those producers that wait for room get it; then everything is read.
    for (auto& each : all)
        if (each.produces) REQUIRE(each.who.wait(true) == 0);
    while (q.qsize() != 0) {
        ::usleep(100);
        for (auto& each : all) {
            int status = 0;
            if (!each.produces && ::waitpid(each.who.pid, &status, WNOHANG) == each.who.pid)
                FAIL("a consumer ended by itself: " << status << ", and left " << q.qsize());
        }
    }
    for (auto& each : all)
        if (!each.produces) {
            ::kill(each.who.pid, SIGKILL); // asleep, or about to count its last item
            each.who.wait(true);
            ++killed_consumers;
        }
    for (const auto place : unburied) memory::bury(place);

    REQUIRE(board->torn == 0);
    REQUIRE(board->disordered == 0);
    const std::uint64_t logged = std::min<std::uint64_t>(board->logged, log_size);
    REQUIRE(board->logged < log_size);
    std::vector<std::vector<bool>> seen(producers);
    std::uint64_t received = 0, doubled = 0, never_sent = 0;
    for (std::uint64_t i = 0; i < logged; ++i) {
        if (log[i] == 0) continue; // killed just there
        const auto producer = static_cast<std::uint32_t>((log[i] >> 32) - 1);
        const auto number = static_cast<std::uint32_t>(log[i]);
        auto& of = seen.at(producer);
        if (of.size() <= number) of.resize(number + 1);
        doubled += of[number];
        of[number] = true;
        never_sent += number > sent[producer]; // its last put may not have returned
        ++received;
    }
    std::uint64_t promised = 0, missing = 0;
    for (std::uint32_t p = 0; p < producers; ++p) {
        promised += sent[p];
        for (std::uint32_t n = 0; n < sent[p]; ++n) missing += n >= seen[p].size() || !seen[p][n];
    }
    CAPTURE(received, promised, killed_consumers, producers);
    REQUIRE(doubled == 0);
    REQUIRE(never_sent == 0);
    REQUIRE(missing <= static_cast<std::uint64_t>(killed_consumers));
    REQUIRE(received > 0);
}

} // namespace

TEST_CASE("8000 producers and consumers of bounded queues are killed in full traffic", "[deaths][queue][slow]") {
    const int maxsize = GENERATE(3, 50);
    const auto before = memory::family::here().objects();
    kill_around(mp::Queue<item>(maxsize), sanitized() ? 300 : 4000);
    memory::family::here().bury_the_dead();
    REQUIRE(memory::family::here().objects() == before);
}

TEST_CASE("2000 producers and consumers of an unbounded queue are killed in full traffic", "[deaths][queue][slow]") {
    const auto before = memory::family::here().objects();
    kill_around(mp::Queue<item>(), sanitized() ? 300 : 2000);
    memory::family::here().bury_the_dead();
    REQUIRE(memory::family::here().objects() == before);
}

TEST_CASE("a consumer asleep gets what a producer put before it was killed", "[deaths][queue]") {
    for (unsigned k = 1; k < 40; ++k) {
        mp::Queue<int> q;
        auto got = memory::handle<std::atomic<int>>::create(0);
        const auto consumer = player::start([&] {
            for (;;) *got = q.get();
        });
        ::usleep(1000);
        const bool killed = testing::run_and_kill_at(k, [&] { q.put(1); }, k % 2 == 0);
        q.put(2); // wakes it, if the other could not
        while (*got != 2) ::usleep(100);
        ::kill(consumer.pid, SIGKILL);
        consumer.wait(true);
        if (!killed) break;
    }
    memory::family::here().bury_the_dead();
}

TEST_CASE("of two consumers asleep, one is woken and killed at any step: the other gets the item", "[deaths][queue]") {
    for (unsigned k = 1; k < 60; ++k) {
        mp::Queue<int> q;
        auto got = memory::handle<std::atomic<int>>::create(0);
        const auto other = player::start([&] {
            for (;;) *got = q.get();
        });
        memory::birth birth;
        const pid_t victim = ::fork();
        if (victim == 0) {
            birth.in_child();
            testing::arm(k);
            for (;;) *got = q.get();
        }
        birth.in_parent(victim);
        ::usleep(2000);
        int sent = 0;
        // One item may go with the victim; the next one may not.
        q.put(++sent);
        q.put(++sent);
        while (*got != sent) {
            ::usleep(100);
            if (::waitpid(victim, nullptr, WNOHANG) == victim && q.qsize() == 0 && *got != sent) q.put(++sent);
        }
        ::kill(victim, SIGKILL);
        ::waitpid(victim, nullptr, 0);
        memory::bury(birth.slot());
        ::kill(other.pid, SIGKILL);
        other.wait(true);
    }
}

TEST_CASE("join() returns when a consumer was killed with items in hand", "[deaths][queue]") {
    for (const bool bury : {true, false}) {
        mp::JoinableQueue<int> q;
        for (int i = 0; i < 10; ++i) q.put(i);
        const auto consumer = player::start([&] {
            for (int i = 0; i < 3; ++i) static_cast<void>(q.get());
            q.task_done();
            ::raise(SIGKILL);
        });
        consumer.wait(bury);
        REQUIRE(q.qsize() == 7);
        REQUIRE_FALSE(q.join(20ms));
        for (int i = 0; i < 7; ++i) {
            static_cast<void>(q.get());
            q.task_done();
        }
        q.join();
        REQUIRE_THROWS_AS(q.task_done(), mp::ValueError);
        memory::family::here().bury_the_dead();
    }
}

TEST_CASE("who waits by a descriptor sees what a producer killed at any step had put, and what comes after", "[deaths][queue]") {
    const mp::Queue<int> q;
    const auto steps = testing::kill_at_every_step([&] { q.put(1); },
                                                   [&](unsigned k) {
                                                       std::thread next([&] { q.put(2); });
                                                       int last = 0;
                                                       while (last != 2) {
                                                           REQUIRE(mp::connection::wait(std::vector{q}).size() == 1);
                                                           if (const auto x = q.try_get()) last = *x;
                                                       }
                                                       next.join();
                                                       REQUIRE((k == 0 || q.empty()));
                                                   });
    REQUIRE(steps >= 5);
}

TEST_CASE("a producer killed at any step of put(): at its burial who polls is told of what it had put", "[deaths][queue]") {
    const mp::Queue<int> here, there;
    auto taken = memory::handle<std::atomic<int>>::create(0);
    const auto other = player::start([&] {
        pollfd its{there.fileno(), POLLIN, 0};
        for (;;) {
            while (::poll(&its, 1, -1) != 1) {} // who only polls doesn't look by himself
            while (there.try_get()) ++*taken;
        }
    });
    int visible = 0;
    for (unsigned k = 1;; ++k) {
        pollfd mine{here.fileno(), POLLIN, 0};
        const bool killed = testing::run_and_kill_at(k, [&] {
            here.put(1);
            there.put(1);
        });
        INFO("killed at step " << k << ", " << testing::last_step());
        REQUIRE((::poll(&mine, 1, 0) == 1 || here.empty()));
        while (here.try_get()) ++visible;
        while (!there.empty()) ::usleep(100);
        if (!killed) break;
    }
    REQUIRE(visible > 5);
    ::kill(other.pid, SIGKILL);
    other.wait(true);
}

TEST_CASE("killed at any step of waiting for a queue, a consumer keeps nobody from being rung for", "[deaths][queue]") {
    const mp::Queue<int> q;
    const auto steps = testing::kill_at_every_step(
        [&] {
            static_cast<void>(mp::connection::wait(std::vector{q}, 1ms));
            static_cast<void>(q.try_get());
        },
        [&](unsigned k) {
            std::thread later([&] {
                ::usleep(1000);
                q.put(static_cast<int>(k));
            });
            REQUIRE(mp::connection::wait(std::vector{q}).size() == 1);
            later.join();
            REQUIRE(q.get() == static_cast<int>(k));
        });
    REQUIRE(steps >= 3);
}

TEST_CASE("killed at any step of put(), a producer leaves nothing to count or to join", "[deaths][queue]") {
    mp::JoinableQueue<int> q;
    const auto steps = testing::kill_at_every_step([&] { q.put(1); },
                                                   [&](unsigned) {
                                                       if (!q.empty()) { // it had become visible
                                                           REQUIRE(q.qsize() == 1);
                                                           REQUIRE(q.get_nowait() == 1);
                                                           q.task_done();
                                                       }
                                                       REQUIRE(q.qsize() == 0);
                                                       q.join();
                                                   });
    REQUIRE(steps >= 4);
}

TEST_CASE("killed at any step of get() and task_done(), a consumer doesn't stop join()", "[deaths][queue]") {
    mp::JoinableQueue<int> q;
    const auto steps = testing::kill_at_every_step(
        [&] {
            q.put(1);
            static_cast<void>(q.get());
            q.task_done();
        },
        [&](unsigned) {
            while (q.try_get()) q.task_done();
            q.join();
        });
    REQUIRE(steps >= 10);
}
