#include <multiprocessing/version.hpp>

#include <type_traits>

#include "support/catch.hpp"

TEST_CASE("the version can be asked by the preprocessor", "[ground][version]") {
#if MULTIPROCESSING_VERSION_MAJOR == 0 && MULTIPROCESSING_VERSION_MINOR < 1
    FAIL("the first version is 0.1.0");
#endif
    STATIC_REQUIRE(MULTIPROCESSING_VERSION_PATCH >= 0);
}

TEST_CASE("the layout of shared memory has a number of its own, that fits into a word of it", "[ground][version]") {
    STATIC_REQUIRE(std::is_same_v<decltype(multiprocessing::layout_version), const std::uint32_t>);
    STATIC_REQUIRE(multiprocessing::layout_version > 0); // fresh memory is zero
}
