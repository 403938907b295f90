#include <multiprocessing/os/backtrace.hpp>

#include <array>
#include <cstdlib>
#include <string_view>

#include <support/catch.hpp>

namespace os = multiprocessing::os;

namespace testing {

// With linkage, so that the executable tells their names; kept from being inlined, from being copied for a constant argument,
// and from ending in a jump.
volatile bool yes = true, no = false;
[[gnu::noinline]] std::size_t reader_of_stacks(std::span<const void*> into, const void* until) {
    const std::size_t n = os::read_stack(into, until);
    __asm__ volatile("");
    return n;
}
[[gnu::noinline]] std::size_t caller_of_readers(std::span<const void*> into, bool to_here) {
    const std::size_t n = reader_of_stacks(into, to_here ? __builtin_frame_address(0) : nullptr);
    __asm__ volatile("");
    return n;
}

} // namespace testing

TEST_CASE("the stack is read from the innermost call outwards", "[os][backtrace]") {
    std::array<const void*, 100> calls{};
    const std::size_t n = testing::caller_of_readers(calls, testing::no);
    REQUIRE(n > 3);
    REQUIRE(n < calls.size());
    std::size_t at = 0;
    while (at < n && os::linker_name(calls[at]).find("reader_of_stacks") == std::string_view::npos) ++at;
    REQUIRE(at + 1 < n);
    CHECK_THAT(std::string(os::linker_name(calls[at + 1])), testing::contains("caller_of_readers"));
}

TEST_CASE("reading ends where it was told to", "[os][backtrace]") {
    std::array<const void*, 100> all{}, some{};
    const std::size_t n = testing::caller_of_readers(all, testing::no);
    const std::size_t to_here = testing::caller_of_readers(some, testing::yes);
    CHECK(to_here < n);
    CHECK_THAT(std::string(os::linker_name(some[to_here - 1])), testing::contains("caller_of_readers"));

    std::array<const void*, 2> few{};
    CHECK(testing::caller_of_readers(few, testing::no) == 2);
    CHECK(testing::caller_of_readers({}, testing::no) == 0);
}

TEST_CASE("code is described by name, module and place in it", "[os][backtrace]") {
    const auto text = os::describe_code(reinterpret_cast<const void*>(&testing::caller_of_readers));
    CHECK_THAT(text, testing::contains("testing::caller_of_readers("));
    CHECK_THAT(text, testing::contains("+0x"));
    CHECK_THAT(os::describe_code(reinterpret_cast<const void*>(&std::abort)), testing::contains("libc"));
    CHECK(os::describe_code(nullptr) == "0x0");
    CHECK(os::linker_name(nullptr).empty());
}
