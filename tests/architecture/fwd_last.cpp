// The forward header after the definitions.
#include "everything.hpp"

#include <multiprocessing/fwd.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;

TEST_CASE("the forward header agrees with definitions that come before it", "[architecture][fwd]") {
    const mp::Process* const process = nullptr;
    const mp::Pool* const pool = nullptr;
    REQUIRE(process == nullptr);
    REQUIRE(pool == nullptr);
}
