#include <multiprocessing/os/named_memory.hpp>

#include <multiprocessing/os/pages.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

namespace {

int code_of(auto call) {
    try {
        call();
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

} // namespace

TEST_CASE("named memory is made once, found by its name, and gone when that is taken away", "[os][named_memory]") {
    const std::string name = fmt::format("/mp-test-{}", ::getpid());
    REQUIRE(code_of([&] { os::open_named_memory(name); }) == ENOENT);
    {
        const auto made = os::create_named_memory(name);
        os::resize_file(made.get(), 100);
        REQUIRE(code_of([&] { os::create_named_memory(name); }) == EEXIST);
        const auto found = os::open_named_memory(name);
        REQUIRE(os::file_size(found.get()) == 100);
        for (const int fd : {made.get(), found.get()}) REQUIRE((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
    const auto number = os::memory_number(os::open_named_memory(name).get());
    REQUIRE_FALSE(os::unlink_named_memory(name, number + 1)); // another one
    REQUIRE(os::unlink_named_memory(name, number));
    REQUIRE_FALSE(os::unlink_named_memory(name, number));
    static_cast<void>(os::create_named_memory(name));
    REQUIRE(os::unlink_named_memory(name));
    REQUIRE_FALSE(os::unlink_named_memory(name));
    REQUIRE(code_of([&] { os::open_named_memory(name); }) == ENOENT);
}

TEST_CASE("a name that can't be is an error", "[os][named_memory]") {
    const std::string bad = "/a/b";
    REQUIRE(code_of([&] { os::create_named_memory(bad); }) != 0);
    REQUIRE(code_of([&] { os::create_named_memory("/" + std::string(300, 'x')); }) != 0);
}
