#include <multiprocessing/os/thread.hpp>

#include <atomic>
#include <csignal>

#include <multiprocessing/os/child.hpp>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

TEST_CASE("a thread does what it was given, and joining waits for that", "[os][thread]") {
    std::atomic<int> done{0};
    bool was_current = false;
    os::thread helper;
    REQUIRE_FALSE(helper);
    std::atomic<bool> go{false};
    helper = os::thread([&] {
        while (!go) {}
        was_current = helper.is_current();
        ++done;
    });
    REQUIRE(helper);
    REQUIRE_FALSE(helper.is_current());
    go = true;
    helper.join();
    REQUIRE(done == 1);
    REQUIRE(was_current);
    REQUIRE_FALSE(helper);
    helper.join(); // nothing is left to wait for
}

TEST_CASE("signals stay with the threads of the program", "[os][thread]") {
    bool blocked = false;
    os::thread([&] {
        sigset_t now;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
        blocked = sigismember(&now, SIGINT) == 1 && sigismember(&now, SIGTERM) == 1;
    }).join();
    REQUIRE(blocked);
}

TEST_CASE("a forked child's copy of a thread waits for nothing", "[os][thread]") {
    std::atomic<bool> go{false};
    os::thread helper([&] {
        while (!go) {}
    });
    os::child child = os::fork_child();
    if (child.pid() == 0) {
        helper.join();
        os::leave(7);
    }
    child.wait(os::deadline::never());
    go = true;
    REQUIRE(child.exitcode() == 7);
}
