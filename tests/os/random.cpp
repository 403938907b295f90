#include <multiprocessing/os/random.hpp>

#include <algorithm>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("random bytes fill any span, and differ", "[os][random]") {
    std::vector<std::byte> a(1000), b(1000);
    multiprocessing::os::fill_random(a);
    multiprocessing::os::fill_random(b);
    REQUIRE(a != b);
    REQUIRE(std::count(a.begin(), a.end(), std::byte{0}) < 100);
    REQUIRE(std::count(a.begin() + 900, a.end(), std::byte{0}) < 50);
    multiprocessing::os::fill_random({});
}
