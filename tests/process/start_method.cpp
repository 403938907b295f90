#include <multiprocessing/process/start_method.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;

TEST_CASE("start methods have Python's names", "[process][start_method]") {
    REQUIRE(mp::to_string(mp::StartMethod::fork) == "fork");
    REQUIRE(mp::to_string(mp::StartMethod::spawn) == "spawn");
    REQUIRE(mp::to_string(mp::StartMethod::forkserver) == "forkserver");
    REQUIRE_THROWS_AS(mp::to_string(static_cast<mp::StartMethod>(9)), mp::ValueError);
}

TEST_CASE("a method is found by its name", "[process][start_method]") {
    for (const auto& name : mp::get_all_start_methods()) REQUIRE(mp::to_string(mp::process::method_called(name)) == name);
    REQUIRE_THROWS_WITH(mp::process::method_called("Fork"), testing::contains("'fork', 'spawn' and 'forkserver'"));
}

TEST_CASE("what a start was told goes before what was chosen, and that before fork", "[process][start_method]") {
    REQUIRE(mp::process::method_for({}) == mp::StartMethod::fork);
    mp::process::choose_start_method(mp::StartMethod::spawn);
    REQUIRE(mp::process::method_for({}) == mp::StartMethod::spawn);
    REQUIRE(mp::process::method_for(mp::StartMethod::forkserver) == mp::StartMethod::forkserver);
    mp::process::choose_start_method({});
}
