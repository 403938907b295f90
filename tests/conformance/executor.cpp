// CPython's tests of concurrent.futures with processes, by each start method. T276 and T280 to T282 are of what isn't so here: a
// worker is replaced under fork too, and an executor waits for what was submitted before it goes.
#include <multiprocessing/futures.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>

#include "support/catch.hpp"
#include "support/count_up.hpp"
#include "support/each_context.hpp"
#include "support/run_program.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
namespace futures = multiprocessing::futures;
using namespace std::chrono_literals;

namespace {

int square(int x) { return x * x; }
int fails(int x) {
    if (x == 3) throw std::out_of_range("three");
    return x;
}
[[noreturn]] int sleep_for_ever(int) {
    for (;;) ::pause();
}
int slowly(int x) {
    ::usleep(2000);
    return x;
}

// What goes wrong on the way: where it is written, or where it is read, in the parent or in a worker.
template <int Where>
struct awkward {
    enum : int { written = 1, read = 2, dies = 4 };
    int maker = ::getpid();
    std::string text = "not plain"; // what is plain is never written

    template <typename Archive>
    void save(Archive& to) const {
        if constexpr ((Where & written) != 0) go_wrong();
        to(maker, text);
    }
    template <typename Archive>
    void load(Archive& from) {
        from(maker, text);
        if constexpr ((Where & read) != 0) go_wrong();
    }
    static void go_wrong() {
        if constexpr ((Where & dies) != 0) ::_exit(7);
        throw std::domain_error("it can't travel");
    }
};
using unwritable = awkward<1>;
using unreadable = awkward<2>;
using deadly_written = awkward<5>;
using deadly_read = awkward<6>;
template <typename T>
int takes(const T&) {
    return 1;
}
template <typename T>
T gives(int) {
    return T();
}

// Programs that end with something to do still.
enum class fruit { apple, pear };
int say(fruit what) {
    ::usleep(100'000);
    std::puts(what == fruit::apple ? "apple" : "pear");
    return std::fflush(stdout);
}
template <mp::StartMethod Method>
int leave_with_work() {
    static futures::ProcessPoolExecutor executor({.processes = 2, .start_method = Method});
    for (int i = 0; i < 4; ++i) executor.submit(say, fruit::apple);
    return 0;
}
template <mp::StartMethod Method>
int submit_at_exit() {
    static futures::ProcessPoolExecutor executor({.processes = 1, .start_method = Method});
    std::atexit([] { executor.submit(say, fruit::pear); });
    executor.submit(say, fruit::apple);
    return 0;
}
template <mp::StartMethod Method>
int submit_at_exit_after_shutdown() {
    static futures::ProcessPoolExecutor executor({.processes = 1, .start_method = Method});
    std::atexit([] {
        try {
            executor.submit(say, fruit::pear);
        } catch (const mp::ProcessError&) {
            std::puts("refused");
        }
    });
    executor.submit(say, fruit::apple);
    executor.shutdown(false);
    return 0;
}
const testing::program leaving[] = {
    {"leaves with work, by fork", leave_with_work<mp::StartMethod::fork>},
    {"leaves with work, by spawn", leave_with_work<mp::StartMethod::spawn>},
    {"leaves with work, by forkserver", leave_with_work<mp::StartMethod::forkserver>},
};
const testing::program submitting[] = {
    {"submits at its end, by fork", submit_at_exit<mp::StartMethod::fork>},
    {"submits at its end, by spawn", submit_at_exit<mp::StartMethod::spawn>},
    {"submits at its end, by forkserver", submit_at_exit<mp::StartMethod::forkserver>},
};
const testing::program too_late[] = {
    {"submits after shutdown, by fork", submit_at_exit_after_shutdown<mp::StartMethod::fork>},
    {"submits after shutdown, by spawn", submit_at_exit_after_shutdown<mp::StartMethod::spawn>},
    {"submits after shutdown, by forkserver", submit_at_exit_after_shutdown<mp::StartMethod::forkserver>},
};

} // namespace

TEST_CASE("T263: submit gives a future with the result", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method});
    auto future = executor.submit([](int a, int b) { return a - b; }, 5, 3);
    REQUIRE(future.result() == 2);
    REQUIRE(future.done());
    REQUIRE_FALSE(future.running());
    REQUIRE(future.exception() == nullptr);
    auto bad = executor.submit(fails, 3);
    REQUIRE_THROWS_AS(bad.result(), std::out_of_range);
    REQUIRE(bad.exception() != nullptr);
    REQUIRE_THROWS_AS(std::rethrow_exception(bad.exception()), mp::RemoteError); // T272
}

TEST_CASE("T264, T265, T269: map", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method});
    for (const int chunk : {0, 3, 6, 40, 50}) {
        std::vector<int> all;
        for (const int x : executor.map(square, testing::count_up(0, 40), {.chunksize = chunk})) all.push_back(x);
        REQUIRE(all.size() == 40);
        REQUIRE(all[39] == 39 * 39);
    }
    REQUIRE_THROWS_AS(executor.map(square, testing::count_up(0, 4), {.chunksize = -1}), mp::ValueError);
    auto some = executor.map(fails, testing::count_up(2, 6));
    REQUIRE(some.next() == 2);
    REQUIRE_THROWS_AS(some.next(), std::out_of_range);
    auto slow = executor.map(sleep_for_ever, std::vector<int>{1}, {.buffersize = 1});
    REQUIRE_THROWS_AS(slow.next(10ms), mp::TimeoutError); // T266
    executor.kill_workers();
}

TEST_CASE("T268: a size below 1 is refused", "[conformance][executor]") {
    REQUIRE_THROWS_AS(futures::ProcessPoolExecutor(0), mp::ValueError);
    REQUIRE_THROWS_AS(futures::ProcessPoolExecutor(-1), mp::ValueError);
}

TEST_CASE("T270, T271, T300: a worker that dies breaks the executor", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method});
    auto a = executor.submit(sleep_for_ever, 0);
    auto b = executor.submit([](int code) { ::_exit(code); return 0; }, 99);
    auto c = executor.submit(sleep_for_ever, 0);
    REQUIRE_THROWS_AS(a.result(), futures::BrokenProcessPool);
    REQUIRE_THROWS_WITH(b.result(), testing::contains("99"));
    REQUIRE_THROWS_AS(c.result(), futures::BrokenProcessPool);
    REQUIRE_THROWS_AS(executor.submit(square, 1), futures::BrokenProcessPool);
    executor.terminate_workers(); // T284
    executor.kill_workers();
}

TEST_CASE("T273, T274: as many processes as were asked for", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method});
    std::vector<futures::Future<int>> all;
    for (int i = 0; i < 30; ++i) all.push_back(executor.submit([](int) { return static_cast<int>(::getpid()); }, i));
    std::set<int> pids;
    for (auto& each : all) pids.insert(each.result());
    REQUIRE(pids.size() <= 2);
}

TEST_CASE("T275, T277, T278: workers are replaced after so many tasks", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    {
        futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method, .maxtasksperchild = 3});
        std::vector<int> pids;
        for (int i = 0; i < 6; ++i) pids.push_back(executor.submit([](int) { return static_cast<int>(::getpid()); }, i).result());
        REQUIRE((pids[0] == pids[1] && pids[1] == pids[2]));
        REQUIRE((pids[3] == pids[4] && pids[4] == pids[5]));
        REQUIRE(pids[0] != pids[3]);
    }
    for (const int workers : {1, 2}) {
        std::vector<futures::Future<int>> all;
        {
            futures::ProcessPoolExecutor executor({.processes = workers, .start_method = method, .maxtasksperchild = workers == 1 ? 2 : 1});
            for (int i = 0; i < 8; ++i) all.push_back(executor.submit(square, i));
        }
        for (int i = 0; i < 8; ++i) REQUIRE(all[static_cast<std::size_t>(i)].result() == i * i);
    }
}

TEST_CASE("T283, T285: terminate_workers and kill_workers end what runs", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    for (const bool kill : {false, true}) {
        futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method});
        auto began = memory::handle<std::atomic<int>>::create(0);
        auto running = executor.submit(
            [](std::uint64_t place) {
                memory::commons::here().at<std::atomic<int>>(place)->store(1);
                return sleep_for_ever(0);
            },
            memory::commons::here().offset_of(&*began));
        auto pending = executor.submit(square, 1);
        while (*began == 0) {}
        REQUIRE(running.running());
        REQUIRE_FALSE(running.cancel());
        if (kill)
            executor.kill_workers();
        else
            executor.terminate_workers();
        REQUIRE_THROWS_AS(running.result(), futures::BrokenProcessPool);
        REQUIRE_THROWS_AS(pending.result(), mp::CancelledError);
        REQUIRE_THROWS_AS(executor.submit(square, 1), mp::ProcessError);
    }
}

TEST_CASE("T287, T290, T291, T296: shutdown", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    {
        futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method});
        std::vector<futures::Future<int>> all;
        for (int i = 0; i < 50; ++i) all.push_back(executor.submit(slowly, i));
        executor.shutdown();
        for (auto& each : all) REQUIRE(each.done());
        REQUIRE_THROWS_WITH(executor.submit(square, 1), testing::contains("after shutdown"));
        executor.shutdown();
    }
    {
        futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method});
        std::vector<futures::Future<int>> all;
        for (int i = 0; i < 50; ++i) all.push_back(executor.submit(slowly, i));
        executor.shutdown(true, true);
        const auto cancelled = std::count_if(all.begin(), all.end(), [](const auto& each) { return each.cancelled(); });
        REQUIRE(cancelled > 20);
        for (auto& each : all) REQUIRE((each.cancelled() || each.result() >= 0));
    }
    futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method});
    executor.submit(square, 1).cancel();
    executor.shutdown(false);
}

TEST_CASE("T310, T311: the initializer runs in every worker, and breaks the executor when it fails", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    static int prepared = 0;
    futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method}, [](int x) { prepared = x; }, 5);
    REQUIRE(executor.submit([] { return prepared; }).result() == 5);
    futures::ProcessPoolExecutor broken({.processes = 2, .start_method = method}, [] { throw std::runtime_error("no licence"); });
    try {
        REQUIRE_THROWS_WITH(broken.submit(square, 1).result(), testing::contains("no licence"));
    } catch (const futures::BrokenProcessPool&) {
        // known before it was submitted
    }
}

TEST_CASE("T312 to T315: wait", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method});
    auto good = executor.submit(square, 2);
    auto same = futures::wait(std::vector{good, good});
    REQUIRE(same.done.size() == 1);
    REQUIRE(same.not_done.empty());
    auto never = executor.submit(sleep_for_ever, 0);
    auto first = futures::wait(std::vector{never, executor.submit(square, 3)}, futures::FIRST_COMPLETED);
    REQUIRE(first.done.size() == 1);
    REQUIRE(first.done[0].result() == 9);
    REQUIRE(first.not_done.size() == 1);
    auto failing = futures::wait(std::vector{never, good, executor.submit(fails, 3)}, futures::FIRST_EXCEPTION);
    REQUIRE(failing.done.size() == 2);
    auto some = futures::wait(std::vector{never, good}, futures::ALL_COMPLETED, 20ms);
    REQUIRE(some.done.size() == 1);
    REQUIRE(some.not_done.size() == 1);
    futures::ProcessPoolExecutor other({.processes = 1, .start_method = method}); // of two executors
    auto both = futures::wait(std::vector{other.submit(slowly, 1), executor.submit(slowly, 2)});
    REQUIRE(both.done.size() == 2);
    executor.kill_workers();
}

TEST_CASE("T316, T317: as_completed", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method});
    std::vector<futures::Future<int>> all;
    for (int i = 0; i < 20; ++i) all.push_back(executor.submit(fails, i));
    all.push_back(all[0]);
    int n = 0;
    for (auto& each : futures::as_completed(all)) {
        REQUIRE(each.done());
        ++n;
    }
    REQUIRE(n == 20);
    auto never = executor.submit(sleep_for_ever, 0);
    n = 0;
    try {
        for (auto& each : futures::as_completed(std::vector{never, all[1], all[2]}, 20ms)) n += each.done();
        FAIL("it should have thrown");
    } catch (const mp::TimeoutError& error) {
        REQUIRE(std::string(error.what()) == "1 (of 3) futures unfinished");
    }
    REQUIRE(n == 2);
    executor.kill_workers();
}

TEST_CASE("T318 to T320, T322, T323: callbacks, and results that are waited for", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method});
    std::vector<int> seen;
    auto a = executor.submit(square, 3);
    a.add_done_callback([](auto&) { throw std::runtime_error("of no consequence"); });
    a.add_done_callback([&](auto& future) { seen.push_back(future.result()); });
    a.result();
    auto slow = executor.submit(slowly, 1);
    auto pending = executor.submit(square, 1);
    if (pending.cancel()) {
        REQUIRE(pending.cancelled());
        REQUIRE(pending.cancel());
        REQUIRE(pending.done());
        pending.add_done_callback([&](auto& future) { seen.push_back(future.cancelled() ? -1 : 0); });
        REQUIRE_THROWS_AS(pending.result(), mp::CancelledError);
        REQUIRE_THROWS_AS(pending.exception(), mp::CancelledError);
        REQUIRE(seen == std::vector{9, -1});
    }
    auto never = executor.submit(sleep_for_ever, 0);
    REQUIRE_THROWS_AS(never.result(0s), mp::TimeoutError);
    REQUIRE_THROWS_AS(never.exception(0s), mp::TimeoutError);
    std::thread other([&] {
        while (!never.running()) ::usleep(100);
        executor.kill_workers();
    });
    REQUIRE_THROWS_AS(never.result(), futures::BrokenProcessPool);
    other.join();
}

TEST_CASE("T267, T279, T295, T297: what was submitted is done after shutdown", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    {
        futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method});
        std::vector<futures::Future<int>> all;
        for (int i = 0; i < 12; ++i) all.push_back(executor.submit(slowly, i));
        executor.shutdown();
        for (int i = 0; i < 12; ++i) REQUIRE(all[static_cast<std::size_t>(i)].result() == i);
    }
    {
        futures::ProcessPoolExecutor executor({.processes = 2, .start_method = method});
        auto all = executor.map(slowly, testing::count_up(0, 20));
        executor.shutdown(false);
        for (int i = 0; i < 20; ++i) REQUIRE(all.next() == i);
    }
    {
        futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method, .maxtasksperchild = 1});
        auto good = executor.submit(slowly, 1);
        auto bad = executor.submit(fails, 3);
        auto last = executor.submit(slowly, 2);
        executor.shutdown(false);
        REQUIRE(good.result() == 1);
        REQUIRE_THROWS_AS(bad.result(), std::out_of_range);
        REQUIRE(last.result() == 2);
    }
}

TEST_CASE("T288: a program's end waits for what was submitted", "[conformance][executor]") {
    for (const testing::program& each : leaving) {
        const auto said = each.run();
        CHECK(said.exit_code == 0);
        CHECK(said.out == "apple\napple\napple\napple\n");
        CHECK(said.err.empty());
    }
}

TEST_CASE("T289: while its executor is there, an exit handler may submit; after shutdown it is refused",
          "[conformance][executor]") {
    for (const testing::program& each : submitting) {
        const auto said = each.run();
        CHECK(said.exit_code == 0);
        CHECK(said.out == "apple\npear\n");
        CHECK(said.err.empty());
    }
    for (const testing::program& each : too_late) {
        const auto said = each.run();
        CHECK(said.exit_code == 0);
        CHECK((said.out == "apple\nrefused\n" || said.out == "refused\napple\n"));
        CHECK(said.err.empty());
    }
}

TEST_CASE("T298, T299, T303 to T305: what goes wrong on the way is told, and a death there breaks the executor",
          "[conformance][executor]") {
    const auto method = testing::each_context().method();
    futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method});
    REQUIRE_THROWS_AS(executor.submit(takes<unwritable>, unwritable()).result(), std::domain_error);
    REQUIRE_THROWS_AS(executor.submit(takes<unreadable>, unreadable()).result(), std::domain_error);
    REQUIRE_THROWS_AS(executor.submit(gives<unwritable>, 1).result(), std::domain_error);
    REQUIRE_THROWS_AS(executor.submit(gives<unreadable>, 1).result(), std::domain_error); // Python: the executor is broken
    REQUIRE(executor.submit(square, 3).result() == 9);
    for (const bool while_reading : {true, false}) {
        futures::ProcessPoolExecutor fragile({.processes = 1, .start_method = method});
        auto lost = while_reading ? fragile.submit(takes<deadly_read>, deadly_read())
                                  : fragile.submit([](int x) { return gives<deadly_written>(x).maker; }, 1);
        if (!while_reading) {
            REQUIRE(lost.result() > 0); // nothing was written
            REQUIRE_THROWS_AS(fragile.submit(gives<deadly_written>, 1).result(), futures::BrokenProcessPool);
        } else {
            REQUIRE_THROWS_AS(lost.result(), futures::BrokenProcessPool);
        }
    }
}

TEST_CASE("T306, T308: a death after shutdown, and one while much is on its way", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    const auto die = [](const std::string& text) -> int {
        ::usleep(1000);
        ::_exit(text.empty() ? 1 : 2);
    };
    {
        futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method});
        auto lost = executor.submit(die, std::string());
        auto never = executor.submit(square, 1);
        executor.shutdown();
        REQUIRE_THROWS_AS(lost.result(), futures::BrokenProcessPool);
        REQUIRE_THROWS_AS(never.result(), futures::BrokenProcessPool);
    }
    {
        futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method});
        std::vector<futures::Future<int>> all;
        try {
            for (int i = 0; i < 8; ++i) all.push_back(executor.submit(die, std::string(10'000'000, 'x')));
        } catch (const futures::BrokenProcessPool&) { // it was quicker
        }
        REQUIRE_FALSE(all.empty());
        for (auto& each : all) REQUIRE_THROWS_AS(each.result(), futures::BrokenProcessPool);
    }
}

TEST_CASE("T321: what a future says of itself in each of its states", "[conformance][executor]") {
    const auto method = testing::each_context().method();
    futures::ProcessPoolExecutor executor({.processes = 1, .start_method = method});
    auto good = executor.submit(square, 2);
    auto bad = executor.submit(fails, 3);
    REQUIRE(good.result() == 4);
    REQUIRE_THROWS(bad.result());
    auto on_it = executor.submit(sleep_for_ever, 1);
    auto pending = executor.submit(square, 3);
    auto cancelled = executor.submit(square, 4);
    REQUIRE(cancelled.cancel());
    while (!on_it.running()) ::usleep(100);
    const auto states = [](auto& f) { return std::array{f.cancel(), f.cancelled(), f.running(), f.done()}; };
    REQUIRE(states(good) == std::array{false, false, false, true});
    REQUIRE(states(bad) == std::array{false, false, false, true});
    REQUIRE(states(on_it) == std::array{false, false, true, false});
    REQUIRE(states(cancelled) == std::array{true, true, false, true});
    REQUIRE_FALSE(pending.running());
    REQUIRE_FALSE(pending.done());
    REQUIRE(states(pending)[0]); // it is cancelled by asking
    REQUIRE(pending.cancelled());
    executor.kill_workers();
}
