#include <multiprocessing/process/start_method.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;

TEST_CASE("start methods have Python's names", "[process][start_method]") {
    REQUIRE(mp::to_string(mp::StartMethod::fork) == "fork");
    REQUIRE(mp::to_string(mp::StartMethod::spawn) == "spawn");
    REQUIRE(mp::to_string(mp::StartMethod::forkserver) == "forkserver");
    REQUIRE_THROWS_AS(mp::to_string(static_cast<mp::StartMethod>(9)), mp::ValueError);
}

TEST_CASE("what isn't there yet is refused", "[process][start_method]") {
    REQUIRE_NOTHROW(mp::process::require_available({}));
    REQUIRE_NOTHROW(mp::process::require_available(mp::StartMethod::fork));
    REQUIRE_THROWS_WITH(mp::process::require_available(mp::StartMethod::forkserver), testing::contains("'forkserver'"));
}
