#include <multiprocessing/os/deadline.hpp>

#include <cmath>
#include <limits>

#include "support/catch.hpp"

namespace os = multiprocessing::os;
using namespace std::chrono_literals;

namespace {

std::chrono::nanoseconds monotonic_now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::chrono::nanoseconds at(const os::deadline& until) {
    const timespec time = until.absolute();
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

} // namespace

TEST_CASE("a deadline is a point on the monotonic clock", "[os][deadline]") {
    const auto before = monotonic_now();
    const auto until = os::deadline::after(1h);
    const auto after = monotonic_now();
    REQUIRE(at(until) >= before + 1h);
    REQUIRE(at(until) <= after + 1h);
    REQUIRE(until.absolute().tv_nsec < 1'000'000'000);
    REQUIRE_FALSE(until.passed());
    REQUIRE_FALSE(until.is_never());
    REQUIRE(until.left() <= 1h);
    REQUIRE(until.left() > 0h);
}

TEST_CASE("never doesn't pass", "[os][deadline]") {
    const auto never = os::deadline::never();
    REQUIRE(never.is_never());
    REQUIRE_FALSE(never.passed());
    REQUIRE(never.left() == std::chrono::nanoseconds::max());
    REQUIRE(never.milliseconds_left() == -1);
    REQUIRE(never.absolute().tv_sec > 0);
    REQUIRE(never > os::deadline::after(1h));
}

TEST_CASE("a timeout that is negative, zero or not a number is over at once", "[os][deadline]") {
    for (const auto& until :
         {os::deadline::after(0ns), os::deadline::after(-1ns), os::deadline(0s), os::deadline(-1h),
          os::deadline::after(std::chrono::nanoseconds::min()), os::deadline(-0.5s),
          os::deadline(std::chrono::hours::min()), os::deadline(std::chrono::duration<double>(std::nan(""))),
          os::deadline(std::chrono::duration<double>(-std::numeric_limits<double>::infinity()))}) {
        CHECK(until.passed());
        CHECK(until.left() == 0ns);
        CHECK(until.milliseconds_left() == 0);
        CHECK_FALSE(until.is_never());
        CHECK(at(until) <= monotonic_now());
    }
}

TEST_CASE("a timeout that the clock can't express is never over", "[os][deadline]") {
    for (const auto& until :
         {os::deadline::after(std::chrono::nanoseconds::max()), os::deadline(std::chrono::hours::max()),
          os::deadline(std::chrono::seconds::max()), os::deadline(1e300 * 1s),
          os::deadline(std::chrono::duration<double>(std::numeric_limits<double>::infinity())),
          os::deadline(std::chrono::duration<unsigned long long>(~0ULL))})
        CHECK(until.is_never());
    CHECK_FALSE(os::deadline(std::chrono::years(100)).is_never());
}

TEST_CASE("fractions are rounded up: a deadline is never early", "[os][deadline]") {
    using tenths_of_nanoseconds = std::chrono::duration<long, std::ratio<1, 10'000'000'000>>;
    using os::detail::in_nanoseconds;
    CHECK(in_nanoseconds(tenths_of_nanoseconds(10'000'000'000'001)) == 1000s + 1ns);
    CHECK(in_nanoseconds(tenths_of_nanoseconds(1)) == 1ns);
    CHECK(in_nanoseconds(std::chrono::duration<double, std::nano>(0.25)) == 1ns);
    CHECK(in_nanoseconds(std::chrono::duration<float>(1.5F)) == 1500ms);
    CHECK(in_nanoseconds(std::chrono::duration<short>(2)) == 2s);
    CHECK(in_nanoseconds(7us) == 7000ns);
    const auto before = monotonic_now();
    CHECK(at(os::deadline(2.5s)) >= before + 2500ms);
}

TEST_CASE("milliseconds for poll() are rounded up, and cut where an int ends", "[os][deadline]") {
    const int of_a_little = os::deadline::after(1min + 1ns).milliseconds_left();
    REQUIRE(of_a_little <= 60'001);
    REQUIRE(of_a_little > 0);
    REQUIRE(os::deadline(std::chrono::years(1)).milliseconds_left() == INT_MAX);

    const auto until = os::deadline::after(1h);
    for (int looks = 0; looks < 100; ++looks) {
        const std::chrono::milliseconds rounded_up(until.milliseconds_left());
        REQUIRE(rounded_up >= until.left()); // of a moment later, so no more than that
    }
}

TEST_CASE("deadlines compare as points in time", "[os][deadline]") {
    const auto sooner = os::deadline::after(1s), later = os::deadline::after(1h);
    REQUIRE(sooner < later);
    REQUIRE(std::min(os::deadline::never(), sooner) == sooner);
}
