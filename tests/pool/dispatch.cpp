#include <multiprocessing/pool/dispatch.hpp>

#include <array>
#include <list>
#include <numeric>
#include <span>
#include <string>

#include "support/catch.hpp"

namespace memory = multiprocessing::memory;
namespace pool = multiprocessing::pool;

namespace {

int twice(int x) { return 2 * x; }

std::uint64_t objects() { return memory::family::here().objects(); }

} // namespace

TEST_CASE("few plain items travel in the job itself, many in a room that is kept warm", "[pool][dispatch]") {
    pool::crew all({.workers = 1});
    auto* f = &twice;
    const auto before = objects();
    std::array<int, 3> few{1, 2, 3};
    for (int i = 0; i < 3; ++i)
        REQUIRE(pool::run_on_standing(all, f, few, 3, {}, pool::collected<int>{}) == std::vector{2, 4, 6});
    REQUIRE(objects() == before);
    std::vector<int> many(10'000, 7);
    for (int i = 0; i < 3; ++i)
        REQUIRE(pool::run_on_standing(all, f, many, many.size(), {}, pool::collected<int>{}) == std::vector<int>(10'000, 14));
    REQUIRE(objects() == before + 2); // one for what goes in, one for what comes out
}

TEST_CASE("what is common memory already is used where it stands", "[pool][dispatch]") {
    pool::crew all({.workers = 1});
    auto* f = &twice;
    auto in = memory::handle<int[]>::create(1000);
    auto out = memory::handle<int[]>::create(1000);
    std::iota(in.get(), in.get() + 1000, 0);
    const auto before = objects();
    std::span from(in.get(), 1000);
    pool::run_on_standing(all, f, from, 1000, {}, pool::written_into<int>(out.get(), 1000));
    REQUIRE(out[999] == 1998);
    REQUIRE(objects() == before);
}

TEST_CASE("heirs are given a place in memory, or places of places", "[pool][dispatch]") {
    int k = 5;
    auto f = [&k](const std::string& s) { return s.size() + static_cast<std::size_t>(k); };
    std::vector<std::string> in_order{"a", "bb"};
    std::list<std::string> linked{"ccc"};
    pool::crew all({.workers = 2});
    REQUIRE(pool::run_on_heirs(all, f, in_order, 2, {}, pool::collected<std::size_t>{}) == std::vector<std::size_t>{6, 7});
    REQUIRE(pool::run_on_heirs(all, f, linked, 1, {}, pool::collected<std::size_t>{}) == std::vector<std::size_t>{8});
}

TEST_CASE("workers have the code of the program, and that of libraries loaded before them", "[pool][dispatch]") {
    const auto modules = multiprocessing::os::modules_loaded();
    const pool::chunk_function here = [](pool::desk&) {};
    REQUIRE(pool::workers_have(&twice, modules, here));
    REQUIRE(pool::workers_have([](int) {}, modules + 1, here)); // the program itself is older than any library
    REQUIRE(pool::workers_have(pool::starred<int (*)(int)>{&twice}, modules + 1, here));
    REQUIRE_FALSE(pool::workers_have(pool::starred<char* (*)(const char*)>{&std::getenv}, modules + 1, here));
    REQUIRE_FALSE(pool::workers_have(&std::string::size, modules + 1, here));
    REQUIRE_FALSE(pool::workers_have(&std::getenv, modules + 1, here));
    REQUIRE(pool::workers_have(&std::getenv, modules, here));
}
