// Catch2, whichever of its two generations this machine has.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#    include <catch2/catch_all.hpp>
#else
#    include <catch2/catch.hpp>
#endif

#include <string>

namespace testing {

/// A matcher for REQUIRE_THAT and REQUIRE_THROWS_WITH: the text has this part. Its name differs between the generations.
inline auto contains(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
    return Catch::Matchers::ContainsSubstring(part);
#else
    return Catch::Matchers::Contains(part);
#endif
}

} // namespace testing
