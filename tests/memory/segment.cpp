#include <multiprocessing/memory/segment.hpp>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace memory = multiprocessing::memory;
namespace os = multiprocessing::os;

TEST_CASE("a segment is zero at first, and what is written is seen by a forked child and back", "[memory][segment]") {
    memory::segment s("multiprocessing-test", 1 << 20);
    REQUIRE(s.size() == 1 << 20);
    REQUIRE(s.data()[12345] == std::byte{0});
    s.data()[0] = std::byte{1};
    const pid_t child = ::fork();
    if (child == 0) {
        s.data()[1] = s.data()[0];
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    REQUIRE(s.data()[1] == std::byte{1});
}

TEST_CASE("nobody can shorten a segment under those who map it", "[memory][segment]") {
    memory::segment s("multiprocessing-test", 1 << 16);
    REQUIRE(::ftruncate(s.descriptor(), 0) == -1);
    REQUIRE(::ftruncate(s.descriptor(), 1 << 20) == -1);
}

TEST_CASE("memory whose size isn't sealed is refused", "[memory][segment]") {
    auto file = os::make_memory_file("unsealed");
    os::resize_file(file.get(), 1 << 16);
    REQUIRE_THROWS_AS(memory::segment(std::move(file)), multiprocessing::ProcessError);
}

TEST_CASE("a second mapping shows the same memory", "[memory][segment]") {
    memory::segment s("multiprocessing-test", 1 << 16);
    os::descriptor again(::dup(s.descriptor()));
    memory::segment t(std::move(again));
    REQUIRE(t.data() != s.data());
    s.data()[99] = std::byte{7};
    REQUIRE(t.data()[99] == std::byte{7});
}

TEST_CASE("a segment of a tebibyte costs what is touched", "[memory][segment]") {
#if MULTIPROCESSING_THREAD_SANITIZER()
    const std::uint64_t size = std::uint64_t{1} << 36;
#else
    const std::uint64_t size = std::uint64_t{1} << 40;
#endif
    memory::segment s("multiprocessing-test", size);
    REQUIRE(os::resident_bytes(s.descriptor()) == 0);
    s.data()[size / 2] = std::byte{1};
    REQUIRE(os::resident_bytes(s.descriptor()) <= 64 * 1024);
}
