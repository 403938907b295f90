#include <multiprocessing/os/at_fork.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

namespace {
int prepared = 0;
int in_parent = 0;
int in_child = 0;
} // namespace

TEST_CASE("around every fork the hooks run where they belong", "[os][at_fork]") {
    os::at_fork({.prepare = [] { ++prepared; }, .parent = [] { ++in_parent; }, .child = [] { ++in_child; }});
    const pid_t child = ::fork();
    if (child == 0) ::_exit(prepared == 1 && in_parent == 0 && in_child == 1 ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
    REQUIRE(prepared == 1);
    REQUIRE(in_parent == 1);
    REQUIRE(in_child == 0);
}
