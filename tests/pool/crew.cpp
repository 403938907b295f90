#include <multiprocessing/pool/crew.hpp>

#include <csignal>
#include <string>
#include <thread>

#include <unistd.h>

#include "support/catch.hpp"

namespace memory = multiprocessing::memory;
namespace pool = multiprocessing::pool;
namespace mp = multiprocessing;

namespace {

// A job that writes the square of each item to its place.
void squares(pool::desk& at) {
    auto* out = memory::commons::here().at<std::uint64_t>(at.which().output);
    for (auto i = at.work.begin; i < at.work.end; ++i) {
        at.all.station_of(at.w).item = i;
        out[i] = i * i;
    }
}

void fail(pool::desk& at, std::uint64_t item) {
    multiprocessing::os::throw_site site;
    try {
        site.watch([] { throw std::runtime_error("no"); });
    } catch (...) {
        pool::fail_job(at, item, site);
    }
}

unsigned fill(pool::crew& all, std::uint64_t items, pool::chunk_function run) {
    const unsigned j = all.reserve(items, 0);
    all.at(j).run = pool::code_number(run);
    all.at(j).output = memory::commons::here().offset_of(all.room_for_output(j, items * 8));
    return j;
}

bool do_squares(pool::crew& all, std::uint64_t items) {
    const unsigned j = fill(all, items, &squares);
    all.start(j);
    const bool good = all.wait(j, false).good();
    bool right = good;
    const auto* out = memory::commons::here().at<std::uint64_t>(all.at(j).output);
    for (std::uint64_t i = 0; right && i < items; ++i) right = out[i] == i * i;
    all.release(j);
    return right;
}

std::uint64_t objects() { return memory::family::here().objects(); }

} // namespace

TEST_CASE("a crew does one job after another", "[pool][crew]") {
    pool::crew all({.workers = 2});
    REQUIRE(all.size() == 2);
    REQUIRE(all.pids().size() == 2);
    for (std::uint64_t items = 1; items < 3000; items *= 3) REQUIRE(do_squares(all, items));
}

TEST_CASE("threads have jobs done at once, more of them than there are slots", "[pool][crew]") {
    pool::crew all({.workers = 2});
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (unsigned t = 0; t < pool::max_jobs + 16; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 20; ++i) good += do_squares(all, 100);
        });
    for (auto& t : threads) t.join();
    REQUIRE(good == (pool::max_jobs + 16) * 20);
}

TEST_CASE("asking for the pids, while others wait, keeps nobody waiting", "[pool][crew]") {
    pool::crew all({.workers = 2});
    std::atomic<bool> over{false};
    std::thread asking([&] {
        while (!over) static_cast<void>(all.pids());
    });
    bool good = true;
    for (int i = 0; i < 500; ++i) good = good && do_squares(all, 1000);
    over = true;
    asking.join();
    REQUIRE(good);
}

TEST_CASE("a worker that dies idle is replaced, and nobody is told", "[pool][crew]") {
    pool::crew all({.workers = 2});
    for (int i = 0; i < 20; ++i) {
        for (const pid_t pid : all.pids()) ::kill(pid, SIGKILL);
        REQUIRE(do_squares(all, 100));
    }
}

TEST_CASE("a worker that dies at work is named, and the crew goes on", "[pool][crew]") {
    pool::crew all({.workers = 2});
    for (int i = 0; i < 10; ++i) {
        const unsigned j = fill(all, 100, [](pool::desk& at) {
            for (auto n = at.work.begin; n < at.work.end; ++n) {
                at.all.station_of(at.w).item = n;
                if (n == 17) ::raise(SIGKILL);
            }
        });
        all.start(j);
        const auto how = all.wait(j, false);
        REQUIRE(how.lost);
        try {
            std::rethrow_exception(how.lost);
        } catch (const mp::WorkerLostError& lost) {
            REQUIRE(lost.item() == 17u);
            REQUIRE(lost.exitcode() == -SIGKILL);
            REQUIRE_THAT(lost.what(), Catch::Contains("SIGKILL") && Catch::Contains("item 17 of 100") &&
                                          Catch::Contains(std::to_string(lost.pid())));
        }
        all.release(j);
        REQUIRE(do_squares(all, 50));
    }
}

TEST_CASE("a failed job's room stays until the last worker is past it", "[pool][crew]") {
    auto gate = memory::handle<std::atomic<std::uint32_t>[]>::create(2);
    static std::atomic<std::uint32_t>* at_gate = nullptr;
    at_gate = gate.get();
    pool::crew all({.workers = 2});
    const unsigned j = fill(all, 2, [](pool::desk& at) {
        if (at.work.begin == 0) { // stays until it may go, and writes then
            at_gate[0] = 1;
            while (at_gate[1] == 0) {}
            memory::commons::here().at<std::uint64_t>(at.which().output)[0] = 99;
        } else {
            while (at_gate[0] == 0) {}
            fail(at, 1);
        }
    });
    all.start(j);
    REQUIRE(all.wait(j, false).failure);
    const volatile auto* out = memory::commons::here().at<volatile std::uint64_t>(all.at(j).output);
    all.release(j);
    for (int i = 0; i < 100; ++i) {
        const unsigned k = fill(all, 10, &squares);
        REQUIRE(k != j); // its slot isn't free
        all.abandon(k);
    }
    REQUIRE(do_squares(all, 10)); // the other worker goes on
    at_gate[1] = 1;
    while (*out != 99) {}
    REQUIRE(do_squares(all, 10));
}

TEST_CASE("terminate ends what is outstanding, close lets it be done", "[pool][crew]") {
    SECTION("terminate") {
        pool::crew all({.workers = 2});
        const unsigned j = fill(all, 10, [](pool::desk&) { ::pause(); });
        all.start(j);
        std::thread other([&] { all.terminate(); });
        const auto how = all.wait(j, false);
        other.join();
        REQUIRE(how.lost);
        REQUIRE_THROWS_AS(std::rethrow_exception(how.lost), mp::ProcessError);
        all.release(j);
        all.join();
        REQUIRE(all.pids().empty());
    }
    SECTION("close") {
        pool::crew all({.workers = 2});
        const unsigned j = fill(all, 100'000, &squares);
        all.start(j);
        all.close();
        REQUIRE(all.wait(j, false).good());
        all.release(j);
        all.join();
        REQUIRE(all.pids().empty());
    }
}

TEST_CASE("a worker that ignores SIGTERM ends all the same", "[pool][crew]") {
    pool::crew all({.workers = 1, .initializer = [] { ::signal(SIGTERM, SIG_IGN); }});
    REQUIRE(do_squares(all, 1));
    const unsigned j = fill(all, 1, [](pool::desk&) {
        for (;;) ::pause();
    });
    all.start(j);
    all.terminate();
    all.join();
    all.release(j);
}

TEST_CASE("an initializer that throws fails what is asked of the crew, with its own words", "[pool][crew]") {
    const auto before = objects();
    {
        pool::crew all({.workers = 2, .initializer = [] { throw std::runtime_error("no licence"); }});
        for (int i = 0; i < 3; ++i) {
            const unsigned j = fill(all, 10, &squares);
            all.start(j);
            const auto how = all.wait(j, false);
            REQUIRE(how.lost);
            REQUIRE_THROWS_WITH(std::rethrow_exception(how.lost), Catch::Contains("no licence"));
            all.release(j);
        }
    }
    REQUIRE(objects() == before);
}

TEST_CASE("a crew leaves no object behind, whatever became of its jobs", "[pool][crew]") {
    const auto before = objects();
    {
        pool::crew all({.workers = 2});
        REQUIRE(do_squares(all, 100'000));
        const unsigned j = fill(all, 10, [](pool::desk& at) {
            fail(at, at.work.begin);
        });
        all.start(j);
        REQUIRE(all.wait(j, false).failure);
        all.release(j);
        all.abandon(fill(all, 10, &squares));
        const unsigned k = fill(all, 10, [](pool::desk&) { ::pause(); });
        all.start(k);
    }
    REQUIRE(objects() == before);
}
