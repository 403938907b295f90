#include <multiprocessing/pool/progress.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

#include <multiprocessing/pool.hpp>

#include "support/catch.hpp"
#include "support/count_up.hpp"

namespace mp = multiprocessing;
namespace pool = multiprocessing::pool;

namespace {

std::string contents(std::FILE* file) {
    std::rewind(file);
    std::string text(1'000'000, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    return text;
}

template <typename F>
std::string said_on_stderr(F f) {
    std::FILE* file = std::tmpfile();
    const int before = ::dup(STDERR_FILENO);
    ::dup2(::fileno(file), STDERR_FILENO);
    f();
    ::dup2(before, STDERR_FILENO);
    ::close(before);
    std::string text = contents(file);
    std::fclose(file);
    return text;
}

int same(int x) { return x; }

} // namespace

TEST_CASE("a line says how far it has come, how fast, and how long it will take", "[pool][progress]") {
    REQUIRE(pool::progress_line::describe(500, 1000, 2, 10) == "[##########..........] 500/1000  50/s  elapsed 0:10  left 0:10  failed 2");
    REQUIRE(pool::progress_line::describe(0, 10, 0, 0) == "[....................] 0/10  0/s  elapsed 0:00  left ?  failed 0");
    REQUIRE(pool::progress_line::describe(3, pool::progress_line::unknown, 0, 3700) == "3  0.0008108/s  elapsed 1:01:40  failed 0");
}

TEST_CASE("a terminal is drawn on, a file is written to line by line", "[pool][progress]") {
    for (const bool terminal : {true, false}) {
        std::FILE* file = std::tmpfile();
        REQUIRE(file != nullptr);
        pool::progress_line line(10, terminal, file);
        line.show(1); // too early
        line.finish(10);
        const std::string text = contents(file);
        std::fclose(file);
        REQUIRE(text.find("10/10") != std::string::npos);
        REQUIRE(text.back() == '\n');
        REQUIRE((text.front() == '\r') == terminal);
    }
}

TEST_CASE("a map shows its progress on stderr", "[pool][progress]") {
    mp::Pool pool(2);
    std::size_t results = 0;
    const std::string text = said_on_stderr([&] { results = pool.map(same, testing::count_up(0, 100), {.progress = true}).size(); });
    REQUIRE(results == 100);
    REQUIRE_THAT(text, testing::contains("100/100"));
}

TEST_CASE("so does a map that nobody waits for, before its result is handed out", "[pool][progress]") {
    mp::Pool pool(2);
    std::size_t results = 0;
    std::string text = said_on_stderr([&] {
        results = pool.map_async(same, testing::count_up(0, 100), {.progress = true}).get().size();
        int k = 1; // captured, so on heirs
        results += pool.map_async([&k](int x) { return x + k; }, testing::count_up(0, 50), {.progress = true}).get().size();
    });
    REQUIRE(results == 150);
    REQUIRE_THAT(text, testing::contains("100/100") && testing::contains("50/50") && testing::contains("failed 0"));
    text = said_on_stderr([&] {
        auto bad = pool.map_async([](int x) { return x == 3 ? throw std::out_of_range("three") : x; }, testing::count_up(0, 10),
                                  {.progress = true});
        bad.wait();
    });
    REQUIRE_THAT(text, testing::contains("/10") && testing::contains("failed 1"));
    text = said_on_stderr([&] {
        auto dropped = pool.map_async([](int) { ::pause(); }, testing::count_up(0, 10), {.progress = true});
        pool.terminate();
        dropped.wait();
    });
    REQUIRE_THAT(text, testing::contains("0/10"));
}

TEST_CASE("a pool knows what its workers have done", "[pool][stats]") {
    mp::Pool pool(2);
    pool.map([](int x) { return x; }, testing::count_up(0, 1000));
    for (int i = 0; i < 10; ++i) pool.apply([](int x) { return x; }, i);
    while (pool.stats().total.tasks < 1010) {} // a worker counts a task when its result is there already
    const auto all = pool.stats();
    REQUIRE(all.workers.size() == 2);
    REQUIRE(all.total.tasks == 1010);
    REQUIRE(all.total.chunks >= 11);
    REQUIRE(all.total.working.count() > 0);
    REQUIRE(all.total.busy() <= 1.0);
    REQUIRE(all.started == 2);
    const auto pids = pool.pids();
    REQUIRE(all.workers[0].pid == pids[0]);
    REQUIRE(all.total.starting.count() > 0);
    REQUIRE(all.total.result_bytes == 0); // numbers go to their places as they are
    pool.map([](int x) { return std::string(static_cast<std::size_t>(x), 'x'); }, testing::count_up(0, 100));
    REQUIRE(pool.stats().total.result_bytes >= 99 * 100 / 2);
}

TEST_CASE("what packing took is told apart from the work, and numbers take none", "[pool][stats]") {
    for (const mp::StartMethod method : {mp::StartMethod::fork, mp::StartMethod::spawn}) {
        mp::Pool pool({.processes = 2, .start_method = method});
        auto after = [&, tasks = std::uint64_t{0}](std::uint64_t more) mutable {
            tasks += more;
            while (pool.stats().total.tasks < tasks) {}
            return pool.stats();
        };
        pool.map(same, testing::count_up(0, 1000));
        pool.apply(same, 5);
        pool.apply_async(same, 5).get();
        REQUIRE(after(1002).total.transferring.count() == 0);

        const std::vector<std::string> texts(100, std::string(10'000, 'x'));
        pool.map([](const std::string& s) { return s + s; }, texts);
        const auto both_ways = after(100).total;
        REQUIRE(both_ways.transferring.count() > 0);
        REQUIRE(both_ways.transferring <= both_ways.working);
        pool.map([](const std::string& s) { return s.size(); }, texts);
        const auto one_way = after(100).total;
        REQUIRE(one_way.transferring > both_ways.transferring);
        pool.apply([](const std::string& s) { return s.size(); }, texts[0]);
        REQUIRE(after(1).total.transferring > one_way.transferring);
        std::chrono::nanoseconds sum{};
        for (const auto& each : pool.stats().workers) sum += each.transferring;
        REQUIRE(sum == pool.stats().total.transferring);
    }
}

TEST_CASE("a trace has a row for each worker, and tells of every item once", "[pool][trace]") {
    for (const mp::StartMethod method : {mp::StartMethod::fork, mp::StartMethod::spawn}) {
        mp::Pool pool({.processes = 2, .start_method = method, .trace = true});
        pool.map(+[](int x) { return x; }, testing::count_up(0, 1000));
        const std::string path = fmt::format("/tmp/multiprocessing-trace-{}.json", ::getpid());
        pool.write_trace(path);
        std::FILE* const file = std::fopen(path.c_str(), "r");
        REQUIRE(file != nullptr);
        const std::string text = contents(file);
        std::fclose(file);
        ::unlink(path.c_str());
        std::size_t items = 0;
        for (std::size_t at = 0; (at = text.find("\"items\":", at)) != std::string::npos; ++at)
            items += std::stoul(text.substr(at + 8));
        REQUIRE(items == 1000);
        REQUIRE_THAT(text, testing::contains("\"thread_name\""));
        REQUIRE(std::count(text.begin(), text.end(), '{') == std::count(text.begin(), text.end(), '}'));
        REQUIRE_THROWS_AS(pool.write_trace("/nowhere/at/all.json"), std::system_error);
    }
    mp::Pool without(1);
    REQUIRE_THROWS_AS(without.write_trace("/tmp/never.json"), mp::ValueError);
}

TEST_CASE("a track keeps the latest stretches", "[pool][trace]") {
    auto tracks = mp::memory::handle<mp::pool::track[]>::create(1);
    for (std::uint64_t n = 0; n < mp::pool::track::room + 10; ++n) tracks[0].add({n, n + 1, 1, n, 1, 1});
    const auto all = tracks[0].read();
    REQUIRE(all.size() == mp::pool::track::room - 1);
    REQUIRE(all.front().first == 11);
    REQUIRE(all.back().first == mp::pool::track::room + 9);
}

TEST_CASE("large private arrays go in pieces, and a failure names the item", "[pool][pieces]") {
    mp::Pool pool(2);
    std::vector<double> in(5'000'000);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<double>(i);
    const auto out = pool.map([](double x) { return x / 2; }, in);
    REQUIRE(out.size() == in.size());
    bool right = true;
    for (std::size_t i = 0; i < in.size(); ++i) right = right && out[i] == in[i] / 2;
    REQUIRE(right);
    const auto deadly = [](double x) {
        if (x == 3'000'000) ::_exit(3);
        if (x == 4'000'000) throw std::out_of_range("four");
        return x;
    };
    try {
        pool.map(deadly, in);
        FAIL("it should have thrown");
    } catch (const mp::WorkerLostError& lost) {
        REQUIRE(lost.item() == 3'000'000u);
        REQUIRE_THAT(lost.what(), testing::contains("item 3000000 of 5000000"));
    }
    in[3'000'000] = 0;
    REQUIRE_THROWS_AS(pool.map(deadly, in), std::out_of_range);
    REQUIRE(pool.map(deadly, std::vector<double>{1}).size() == 1);
}
