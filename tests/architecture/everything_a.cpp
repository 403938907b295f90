// Two translation units that include everything, in one program: they link, and share what a program has once.
#include "everything.hpp"

#include "support/catch.hpp"

namespace testing {

const void* commons_elsewhere();            // in everything_b.cpp
multiprocessing::os::log_level log_level_elsewhere();

} // namespace testing

TEST_CASE("two translation units see one commons", "[architecture]") {
    REQUIRE(&multiprocessing::memory::commons::here() == testing::commons_elsewhere());
}

TEST_CASE("two translation units see one log level", "[architecture]") {
    namespace os = multiprocessing::os;
    const os::log_level before = os::level();
    os::level(os::log_level::error);
    REQUIRE(testing::log_level_elsewhere() == os::log_level::error);
    os::level(before);
}
