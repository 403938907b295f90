#include <multiprocessing/process/parent.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/process/fork.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
namespace process = multiprocessing::process;
using namespace std::chrono_literals;

TEST_CASE("a child knows who started it", "[process][parent]") {
    REQUIRE_FALSE(mp::parent_process());
    const auto child = process::start_by_fork({}, [&, pid = ::getpid()] {
        const auto parent = mp::parent_process();
        const auto copy = parent;
        return parent && parent->pid() == pid && copy->ident() == pid && parent->name() == "MainProcess" &&
                       copy->is_alive() && !parent->join(1ms)
                   ? 0
                   : 1;
    });
    child.wait(os::deadline::never());
    REQUIRE(child.exitcode() == 0);
}

TEST_CASE("a process forked by others' means has no parent here", "[process][parent]") {
    const auto child = process::start_by_fork({}, [] {
        const pid_t stranger = ::fork();
        if (stranger == 0) ::_exit(mp::parent_process() ? 1 : 0);
        int status = 0;
        ::waitpid(stranger, &status, 0);
        return status == 0 && mp::parent_process() ? 0 : 1;
    });
    child.wait(os::deadline::never());
    REQUIRE(child.exitcode() == 0);
}
