#include <multiprocessing/os/pages.hpp>

#include <cstring>

#include <sys/mman.h>

#include <multiprocessing/os/descriptor.hpp>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

TEST_CASE("a file of memory has the size it was given, and takes what was touched", "[os][pages]") {
    const auto file = os::make_memory_file("multiprocessing-test");
    os::resize_file(file.get(), 1 << 24);
    REQUIRE(os::file_size(file.get()) == 1 << 24);
    REQUIRE(os::resident_bytes(file.get()) == 0);
    void* map = ::mmap(nullptr, 1 << 24, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    REQUIRE(map != MAP_FAILED);
    std::memset(map, 1, 1 << 20);
    REQUIRE(os::resident_bytes(file.get()) == 1 << 20);
    REQUIRE(os::give_back(map, 1 << 20));
    REQUIRE(os::resident_bytes(file.get()) == 0);
    REQUIRE(static_cast<char*>(map)[100] == 0);
    os::leave_out_of_core_dumps(map, 1 << 24);
    ::munmap(map, 1 << 24);
}

TEST_CASE("a sealed file keeps its size", "[os][pages]") {
    const auto file = os::make_memory_file("multiprocessing-test");
    os::resize_file(file.get(), 4096);
    REQUIRE_FALSE(os::size_is_sealed(file.get()));
    os::seal_size(file.get());
    REQUIRE(os::size_is_sealed(file.get()));
    REQUIRE_THROWS_AS(os::resize_file(file.get(), 8192), std::system_error);
    REQUIRE_THROWS_AS(os::resize_file(file.get(), 0), std::system_error);
}

TEST_CASE("what isn't a file of memory can't be asked about", "[os][pages]") {
    REQUIRE_THROWS_AS(os::file_size(-1), std::system_error);
    REQUIRE_THROWS_AS(os::resident_bytes(-1), std::system_error);
    REQUIRE_THROWS_AS(os::seal_size(0), std::system_error);
    REQUIRE_FALSE(os::size_is_sealed(-1));
}
