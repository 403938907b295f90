#include <multiprocessing/pool/task.hpp>

#include <array>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace memory = multiprocessing::memory;
namespace pool = multiprocessing::pool;
namespace mp = multiprocessing;

namespace {

struct plain {
    int a;
    double b;
};
struct with_text {
    std::string s;
};

// A desk at a board whose only worker is this process.
struct office {
    pool::board all{1};
    pool::log_writer log{all, 0, memory::family::here().self()};
    std::optional<pool::chunk> work;

    explicit office(std::uint64_t items) {
        pool::job& which = all.job_at(0);
        which.grains = static_cast<std::uint32_t>(items);
        which.fixed = 0;
        which.count = items;
        which.grain = 1;
    }
    void run(pool::chunk_function f) {
        all.open(0);
        while ((work = all.claim(0, 0))) {
            pool::desk at{all, 0, 0, memory::family::here().self(), log, *work};
            f(at);
            static_cast<void>(all.finish(0, 0, *work));
        }
    }
};

} // namespace

TEST_CASE("plain are values whose bytes are all there is to them", "[pool][task]") {
    STATIC_REQUIRE(pool::Plain<int>);
    STATIC_REQUIRE(pool::Plain<plain>);
    STATIC_REQUIRE(pool::Plain<std::pair<int, double>>);
    STATIC_REQUIRE(pool::Plain<std::array<float, 7>>);
    STATIC_REQUIRE_FALSE(pool::Plain<std::string>);
    STATIC_REQUIRE_FALSE(pool::Plain<with_text>);
    STATIC_REQUIRE_FALSE(pool::Plain<int*>);
    STATIC_REQUIRE_FALSE(pool::Plain<std::string_view>);
}

TEST_CASE("a chunk's items go through the function to their places", "[pool][task]") {
    office here(100);
    auto in = memory::handle<int[]>::create(100);
    auto out = memory::handle<long[]>::create(100);
    for (int i = 0; i < 100; ++i) in[static_cast<std::size_t>(i)] = i;
    auto& all = memory::commons::here();
    const auto f = [](int x) { return 10L * x; };
    here.all.job_at(0).input = all.offset_of(in.get());
    here.all.job_at(0).output = all.offset_of(out.get());
    here.run(&pool::run_chunk<std::decay_t<decltype(f)>, pool::items_in_array<int>, pool::results_to_array<long>>);
    for (std::size_t i = 0; i < 100; ++i) REQUIRE(out[i] == 10 * static_cast<long>(i));
    REQUIRE(here.all.station_of(0).item == 99);
}

TEST_CASE("inherited items are looked at where they are, and given away if that must be", "[pool][task]") {
    office here(2);
    auto out = memory::handle<std::size_t[]>::create(2);
    here.all.job_at(0).output = memory::commons::here().offset_of(out.get());
    SECTION("a list, by an index of iterators") {
        std::list<std::string> items{"one", "three"};
        const std::vector<std::list<std::string>::iterator> index{items.begin(), std::next(items.begin())};
        auto first = index.begin();
        here.all.job_at(0).input = reinterpret_cast<std::uintptr_t>(&first);
        const auto f = [](const std::string& s) { return s.size(); };
        here.run(&pool::run_chunk<std::decay_t<decltype(f)>, pool::items_inherited<decltype(first), std::string, true>,
                                  pool::results_to_array<std::size_t>>);
        REQUIRE((out[0] == 3 && out[1] == 5));
        REQUIRE(items.front() == "one");
    }
    SECTION("what can only be moved") {
        std::vector<std::unique_ptr<int>> items;
        items.push_back(std::make_unique<int>(4));
        items.push_back(std::make_unique<int>(5));
        auto first = items.begin();
        here.all.job_at(0).input = reinterpret_cast<std::uintptr_t>(&first);
        const auto f = [](std::unique_ptr<int> p) { return static_cast<std::size_t>(*p); };
        here.run(&pool::run_chunk<std::decay_t<decltype(f)>,
                                  pool::items_inherited<decltype(first), std::unique_ptr<int>, false>,
                                  pool::results_to_array<std::size_t>>);
        REQUIRE((out[0] == 4 && out[1] == 5));
    }
}

TEST_CASE("a job that was dropped goes no further", "[pool][task]") {
    office here(10);
    here.all.job_at(0).dropped = 1;
    const auto f = [](int) -> int { throw std::logic_error("called"); };
    auto in = memory::handle<int[]>::create(10);
    here.all.job_at(0).input = memory::commons::here().offset_of(in.get());
    here.run(&pool::run_chunk<std::decay_t<decltype(f)>, pool::items_in_array<int>, pool::results_dropped>);
    REQUIRE(here.all.job_at(0).error == 0);
}
