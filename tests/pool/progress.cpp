#include <multiprocessing/pool/progress.hpp>

#include <cstdio>
#include <string>
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
    std::string text(10'000, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    return text;
}

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
    std::FILE* file = std::tmpfile();
    const int before = ::dup(STDERR_FILENO);
    ::dup2(::fileno(file), STDERR_FILENO);
    const auto all = pool.map([](int x) { return x; }, testing::count_up(0, 100), {.progress = true});
    ::dup2(before, STDERR_FILENO);
    ::close(before);
    const std::string text = contents(file);
    std::fclose(file);
    REQUIRE(all.size() == 100);
    REQUIRE_THAT(text, testing::contains("100/100"));
}

TEST_CASE("a pool knows what its workers have done", "[pool][stats]") {
    mp::Pool pool(2);
    pool.map([](int x) { return x; }, testing::count_up(0, 1000));
    for (int i = 0; i < 10; ++i) pool.apply([](int x) { return x; }, i);
    const auto all = pool.stats();
    REQUIRE(all.workers.size() == 2);
    REQUIRE(all.total.tasks == 1010);
    REQUIRE(all.total.chunks >= 11);
    REQUIRE(all.total.working.count() > 0);
    REQUIRE(all.total.busy() <= 1.0);
    REQUIRE(all.started == 2);
    const auto pids = pool.pids();
    REQUIRE(all.workers[0].pid == pids[0]);
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
