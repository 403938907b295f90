#include <multiprocessing/pool/options.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;

TEST_CASE("any integer type gives a number without a cast", "[pool][options]") {
    const std::size_t n = 7;
    const int i = -3;
    REQUIRE(mp::MapOptions{.chunksize = n}.chunksize.value() == 7);
    REQUIRE(mp::MapOptions{.chunksize = i}.chunksize.value() == -3);
    REQUIRE(mp::PoolOptions{.processes = n}.processes->value() == 7);
    REQUIRE(mp::pool::whole_number(~std::uint64_t{0}).value() == INT64_MAX);
    REQUIRE_FALSE(mp::PoolOptions{}.processes);
}

TEST_CASE("a negative chunk size is refused by name", "[pool][options]") {
    REQUIRE(mp::pool::checked_chunksize({}) == 0);
    REQUIRE(mp::pool::checked_chunksize({.chunksize = 5}) == 5);
    REQUIRE_THROWS_WITH(mp::pool::checked_chunksize({.chunksize = -1}), Catch::Contains("chunksize"));
}
