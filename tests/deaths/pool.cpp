// What dies around a pool, and what is left afterwards.

#include <csignal>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"
#include "support/count_up.hpp"
#include "support/census.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
namespace os = multiprocessing::os;

namespace {

int square(int x) { return x * x; }

bool sanitized() { return MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER(); }

} // namespace

TEST_CASE("10000 workers killed in a running pool leave everything as it was", "[deaths][pool][slow]") {
    const int deaths = sanitized() ? 500 : 10'000;
    mp::Pool pool(2);
    std::mt19937 random(2026);
    const auto in = testing::count_up(0, 200);
    const auto kill_some = [&](int n) {
        int lost = 0;
        for (int i = 0; i < n;) {
            for (const pid_t pid : pool.pids())
                if (random() % 2) i += ::kill(pid, SIGKILL) == 0;
            try {
                const auto out = pool.map(square, in);
                REQUIRE(out.size() == 200);
                REQUIRE(out[14] == 196);
                const auto text = pool.map([](int x) { return std::to_string(x); }, in);
                REQUIRE(text.at(199) == "199");
            } catch (const mp::WorkerLostError&) {
                ++lost; // killed in the middle of a chunk
            }
        }
        return lost;
    };
    kill_some(deaths / 10);
    const auto objects = memory::family::here().objects();
    const auto bytes = memory::commons::here().resident_bytes();
    const auto members = memory::family::here().members_alive();
    const auto before = testing::census::now();
    kill_some(deaths);
    REQUIRE(pool.map(square, in).size() == 200);
    REQUIRE(pool.pids().size() == 2);
    // The workers are others, but not more.
    const auto after = testing::census::now();
    REQUIRE(after.family.size() == before.family.size());
    REQUIRE(after.threads == before.threads);
    REQUIRE(after.descriptors.size() == before.descriptors.size());
    REQUIRE(after.shared_mappings == before.shared_mappings);
    REQUIRE(after.shared_names == before.shared_names);
    REQUIRE(memory::family::here().objects() <= objects + 2); // rooms kept warm
    REQUIRE(memory::family::here().members_alive() == members);
    REQUIRE(memory::commons::here().resident_bytes() <= bytes + (1 << 20));
}

TEST_CASE("when the owner of a pool is killed, its workers end with it, also while they compute", "[deaths][pool]") {
    // Orphans come to this process, so that it sees them end.
    REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    auto pids = memory::handle<std::atomic<pid_t>[]>::create(4);
    memory::birth birth;
    const pid_t owner = ::fork();
    if (owner == 0) {
        birth.in_child();
        mp::Pool pool(3);
        auto* at = pids.get();
        std::atomic<int> zero{0};
        pool.map(
            [at, &zero](int i) {
                at[i] = ::getpid();
                while (zero == 0) {} // computes for ever
            },
            testing::count_up(0, 3), 1);
        ::_exit(0);
    }
    birth.in_parent(owner);
    std::vector<os::descriptor> sentinels;
    for (int i = 0; i < 3; ++i) {
        while (pids[static_cast<std::size_t>(i)] == 0) ::usleep(100);
        const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pids[static_cast<std::size_t>(i)].load(), 0));
        REQUIRE(fd >= 0);
        sentinels.emplace_back(fd);
    }
    ::kill(owner, SIGKILL);
    const auto a_second = os::deadline::after(std::chrono::seconds(1));
    for (const auto& each : sentinels) REQUIRE(os::wait_readable(each.get(), a_second));
    while (::waitpid(-1, nullptr, 0) > 0) {}
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    memory::bury(birth.slot());
    memory::family::here().bury_the_dead();
}

TEST_CASE("a pool whose workers are all killed in the middle of a map answers", "[deaths][pool]") {
    mp::Pool pool(4);
    for (int i = 0; i < 50; ++i) {
        try {
            pool.map([](int) { ::raise(SIGKILL); }, testing::count_up(0, 100), 1);
            FAIL("nobody lived to finish it");
        } catch (const mp::WorkerLostError& lost) {
            REQUIRE(lost.signal_name() == "SIGKILL");
            REQUIRE(lost.item().has_value());
        }
    }
    REQUIRE(pool.map(square, testing::count_up(0, 10)).size() == 10);
}

TEST_CASE("a worker that exhausts what memory it may have throws, and lives", "[deaths][pool]") {
    if (sanitized()) return; // they need the address space themselves
    mp::Pool pool({.processes = 1, .limits = {.memory = 256 << 20}});
    const auto pids = pool.pids();
    REQUIRE_THROWS_AS(pool.apply([] {
        std::vector<std::vector<char>> hoard;
        for (;;) hoard.emplace_back(1 << 20, 'x');
    }),
                      std::bad_alloc);
    REQUIRE(pool.apply(square, 3) == 9);
    REQUIRE(pool.pids() == pids);
}

TEST_CASE("Ctrl-C ends a program that computes in a pool, and leaves no process", "[deaths][pool]") {
    testing::let_signals_kill();
    for (const bool handled : {false, true}) {
        testing::story alive;
        mp::Process program([&] {
            ::setpgid(0, 0); // a terminal sends the signal to the whole group
            static volatile std::sig_atomic_t interrupted = 0;
            std::signal(SIGINT, SIG_DFL);
            if (handled) std::signal(SIGINT, [](int) { interrupted = 1; });
            mp::Pool pool(2);
            auto result = pool.map_async(
                [&](int) {
                    alive.tell("!");
                    for (;;) ::pause(); // not ended by the signal: workers ignore it
                },
                std::vector<int>{1, 2}, 1);
            while (interrupted == 0) static_cast<void>(result.wait(std::chrono::milliseconds(10)));
            pool.terminate(); // as the program likes: Python's would throw KeyboardInterrupt here
            pool.join();
            mp::exit(3);
        });
        program.start();
        REQUIRE(alive.hear(2) == "!!");
        ::kill(-*program.pid(), SIGINT);
        REQUIRE(alive.hear_all().empty());
        program.join();
        REQUIRE(program.exitcode() == (handled ? 3 : -SIGINT));
    }
}
