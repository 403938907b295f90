#include <multiprocessing/os/parent.hpp>

#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/os/child.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace os = multiprocessing::os;
using namespace std::chrono_literals;

TEST_CASE("a child sees its parent alive, and then dead", "[os][parent]") {
    testing::story story;
    os::child parent = os::fork_child();
    if (parent.pid() == 0) {
        const pid_t pid = os::pid();
        if (os::fork_child().pid() == 0) {
            const os::parent mine(pid);
            story.tell(mine.pid() == pid && mine.is_alive() && !mine.wait(os::deadline(0s)) ? "alive, " : "wrong, ");
            static_cast<void>(mine.wait(os::deadline::never()));
            story.tell(!mine.is_alive() && mine.wait(os::deadline(0s)) ? "dead, " : "wrong, ");
            story.tell(os::parent(pid).is_alive() ? "wrong" : "dead from the start");
            ::_exit(0);
        }
        for (;;) ::pause();
    }
    REQUIRE(story.hear(7) == "alive, ");
    parent.signal(SIGKILL);
    static_cast<void>(parent.wait(os::deadline::never()));
    REQUIRE(story.hear_all() == "dead, dead from the start");
}

TEST_CASE("whoever isn't the parent counts as dead", "[os][parent]") {
    REQUIRE_FALSE(os::parent(os::pid()).is_alive());
    REQUIRE(os::parent(::getppid()).is_alive());
}
