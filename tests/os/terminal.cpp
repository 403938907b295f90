#include <multiprocessing/os/terminal.hpp>

#include <fcntl.h>

#include "support/catch.hpp"

TEST_CASE("a file isn't a terminal", "[os][terminal]") {
    const int before = ::dup(STDERR_FILENO);
    const int file = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(::dup2(file, STDERR_FILENO) == STDERR_FILENO);
    const bool terminal = multiprocessing::os::stderr_is_terminal();
    ::dup2(before, STDERR_FILENO);
    ::close(before);
    ::close(file);
    REQUIRE_FALSE(terminal);
}
