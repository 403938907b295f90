#include <multiprocessing/config.hpp>

#include <csignal>
#include <string>
#include <type_traits>

#include "support/catch.hpp"
#include "support/steps.hpp"

// A switch can be asked in #if as well as in code.
#if MULTIPROCESSING_LINUX()
constexpr bool linux_in_preprocessor = true;
#else
constexpr bool linux_in_preprocessor = false;
#endif

TEST_CASE("a switch is 0 or 1", "[ground][config]") {
    STATIC_REQUIRE(linux_in_preprocessor == (MULTIPROCESSING_LINUX() == 1));
    STATIC_REQUIRE((MULTIPROCESSING_PORTABLE() == 0 || MULTIPROCESSING_PORTABLE() == 1));
    STATIC_REQUIRE((MULTIPROCESSING_THREAD_SANITIZER() == 0 || MULTIPROCESSING_THREAD_SANITIZER() == 1));
    STATIC_REQUIRE((MULTIPROCESSING_ADDRESS_SANITIZER() == 0 || MULTIPROCESSING_ADDRESS_SANITIZER() == 1));
    STATIC_REQUIRE_FALSE((MULTIPROCESSING_THREAD_SANITIZER() && MULTIPROCESSING_ADDRESS_SANITIZER()));
}

TEST_CASE("off Linux the portable back ends are the only ones", "[ground][config]") {
    STATIC_REQUIRE((MULTIPROCESSING_LINUX() || MULTIPROCESSING_PORTABLE()));
#if defined(MULTIPROCESSING_FORCE_PORTABLE)
    STATIC_REQUIRE(MULTIPROCESSING_PORTABLE() == (MULTIPROCESSING_FORCE_PORTABLE != 0));
#endif
}

TEST_CASE("the signal that tells of a parent's death is a real-time one", "[ground][config]") {
    REQUIRE(MULTIPROCESSING_PARENT_DEATH_SIGNAL() > SIGRTMIN);
    REQUIRE(MULTIPROCESSING_PARENT_DEATH_SIGNAL() <= SIGRTMAX);
}

TEST_CASE("a step of a protocol is counted where kill tests want it, by its name", "[ground][config]") {
    STATIC_REQUIRE(std::is_same_v<decltype(MULTIPROCESSING_STEP(here)), void>);
    testing::arm(0);
    MULTIPROCESSING_STEP(first);
    if (testing::steps_seen() == 1) MULTIPROCESSING_STEP(second); // it is a statement
    CHECK(testing::steps_seen() == 2);
    CHECK(testing::last_step() == std::string("second"));
    testing::disarm();
}
