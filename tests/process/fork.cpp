#include <multiprocessing/process/fork.hpp>

#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
namespace memory = multiprocessing::memory;
namespace process = multiprocessing::process;

TEST_CASE("a child runs the body, and its exit code is what that returns", "[process][fork]") {
    int here = 1;
    const auto child = process::start_by_fork({}, [&] {
        here = 2;
        return 7;
    });
    REQUIRE(child);
    REQUIRE(child.is_ours());
    child.wait(os::deadline::never());
    REQUIRE(child.exitcode() == 7);
    REQUIRE(here == 1);
}

TEST_CASE("a child is what its terms say", "[process][fork]") {
    testing::story story;
    const std::vector<std::byte> key{std::byte{7}};
    const auto child = process::start_by_fork(
        {.name = "worker",
         .daemon = true,
         .allow_children = false,
         .ignore_interrupts = true,
         .number = "12",
         .authkey = key},
        [&] {
            auto& me = process::lineage::here();
            struct sigaction interrupts {};
            ::sigaction(SIGINT, nullptr, &interrupts);
            story.tell(fmt::format("{} {} {} {} {} {}", os::name(), me.is_daemon(), me.next_number(),
                                   me.authkey() == key, interrupts.sa_handler == SIG_IGN,
                                   me.parent()->pid == ::getppid()));
            try {
                me.require_may_have_children();
            } catch (const mp::ValueError&) {
                story.tell(" childless");
            }
            return 0;
        });
    REQUIRE(child.name() == "worker");
    REQUIRE(child.daemon());
    REQUIRE(child.authkey() == key);
    REQUIRE(story.hear_all() == "worker true 12:1 true true true childless");
    child.wait(os::deadline::never());
}

TEST_CASE("a child has a seat in the family from its first line on, until its end is seen", "[process][fork]") {
    auto seen = memory::handle<memory::seat>::create();
    const auto child = process::start_by_fork({}, [&] {
        *seen = memory::family::here().self();
        return 0;
    });
    child.wait(os::deadline::never());
    REQUIRE(*seen == child.seat());
    REQUIRE(child.seat() != memory::family::here().self());
}

TEST_CASE("a child killed before it could do anything has been started, and has ended", "[process][fork]") {
    static bool armed = false;
    static const testing::gate* keeps_a_copy = nullptr;
    [[maybe_unused]] static const int hooked = ::pthread_atfork(nullptr, nullptr, [] {
        if (!armed) return;
        // A stranger with a copy of every descriptor, so that none closes with the child. A bare clone runs no hooks.
        if (keeps_a_copy != nullptr && ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr) == 0) {
            keeps_a_copy->wait();
            ::_exit(0);
        }
        ::kill(::getpid(), SIGKILL);
    });
    auto& family = memory::family::here();
    static_cast<void>(family.self());
    const auto members = family.members_alive();
    testing::gate gate;
    const int nice = GENERATE(0, 1); // with conditions the parent waits for them to be met
    keeps_a_copy = GENERATE(false, true) ? &gate : nullptr;
    armed = true;
    const auto child = process::start_by_fork({.conditions = {.nice = nice}}, [] { return 0; });
    armed = false;
    child.wait(os::deadline::never());
    gate.open();
    REQUIRE(child.exitcode() == -SIGKILL);
    REQUIRE(family.members_alive() == members);
}

TEST_CASE("a process forked meanwhile by others' means doesn't keep a start waiting", "[process][fork]") {
    testing::gate gate;
    pid_t other = 0;
    const auto child = process::start_by_fork({.conditions = {.nice = 1}}, [&] {
        gate.wait();
        return 0;
    });
    other = ::fork();
    if (other == 0) ::_exit(process::lineage::here().children().empty() ? 0 : 1); // they are its parent's
    int status = 0;
    REQUIRE(::waitpid(other, &status, 0) == other);
    REQUIRE(status == 0);
    REQUIRE(process::lineage::here().children().size() == 1);
    gate.open();
    child.wait(os::deadline::never());
}

TEST_CASE("a daemonic child started by a thread that has ended lives on", "[process][fork]") {
    testing::gate gate;
    process::running child;
    std::thread([&] {
        child = process::start_by_fork({.dies_with_parent = true}, [&] {
            gate.wait();
            return 3;
        });
    }).join();
    REQUIRE_FALSE(child.wait(os::deadline(std::chrono::milliseconds(20))));
    gate.open();
    child.wait(os::deadline::never());
    REQUIRE(child.exitcode() == 3);
}

TEST_CASE("children started by several threads at once are all there", "[process][fork]") {
    std::vector<std::thread> threads;
    std::vector<process::running> children(8);
    testing::gate gate;
    for (auto& child : children)
        threads.emplace_back([&] {
            child = process::start_by_fork({.conditions = {.nice = 1}}, [&] {
                gate.wait();
                return 0;
            });
        });
    for (auto& thread : threads) thread.join();
    REQUIRE(process::lineage::here().children().size() == children.size());
    gate.open();
    for (const auto& child : children) child.wait(os::deadline::never());
    REQUIRE(process::lineage::here().children().empty());
}
