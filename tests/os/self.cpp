#include <multiprocessing/os/self.hpp>

#include <climits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

namespace {

/// Runs `body` in a forked process; true when it returned true.
template <typename Body>
bool in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
        bool good = false;
        try {
            good = body();
        } catch (...) {
        }
        ::_exit(good ? 0 : 1);
    }
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
}

/// A forked process that sleeps until it is killed.
pid_t sleeping_child() {
    const pid_t child = ::fork();
    if (child == 0)
        for (;;) ::pause();
    return child;
}

void kill_and_reap(pid_t child) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

/// Ended, and waits to be reaped.
pid_t zombie() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    siginfo_t ended{};
    ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
    return child;
}

} // namespace

TEST_CASE("the pid is right at every depth of forks, and in threads", "[os][self]") {
    REQUIRE(os::pid() == ::getpid());
    REQUIRE(in_child([] {
        if (os::pid() != ::getpid()) return false;
        return in_child([] { return os::pid() == ::getpid(); }) && os::pid() == ::getpid();
    }));
    bool in_thread = false;
    std::thread([&] { in_thread = in_child([] { return os::pid() == ::getpid(); }); }).join();
    REQUIRE(in_thread);
    REQUIRE(os::pid() == ::getpid());
}

namespace {

const pid_t pid_before_main = os::pid();

} // namespace

TEST_CASE("the pid is known before main()", "[os][self]") {
    REQUIRE(pid_before_main == ::getpid());
}

TEST_CASE("the executable is the program that runs", "[os][self]") {
    char path[PATH_MAX] = {};
    REQUIRE(::readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    REQUIRE(os::executable() == path);
    REQUIRE(&os::executable() == &os::executable());
}

TEST_CASE("threads are counted", "[os][self]") {
    const std::size_t before = os::thread_count();
    REQUIRE(before >= 1);
    std::atomic<bool> end{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            while (!end) ::sched_yield();
        });
    const std::size_t with_three = os::thread_count();
    end = true;
    for (auto& thread : threads) thread.join();
    REQUIRE(with_three == before + 3);
}

TEST_CASE("pid and start time name a process, until it ends", "[os][self]") {
    const std::uint64_t own = os::start_time(os::pid());
    REQUIRE(own > 0);
    REQUIRE(os::start_time(os::pid()) == own);
    REQUIRE(os::is_alive(os::pid(), own));
    REQUIRE_FALSE(os::is_alive(os::pid(), own + 1)); // the number is somebody else's now

    const pid_t child = sleeping_child();
    const std::uint64_t started = os::start_time(child);
    CHECK(started >= own);
    CHECK(os::is_alive(child, started));
    CHECK(os::is_alive(child, 0));
    kill_and_reap(child);
    CHECK(os::start_time(child) == 0);
    CHECK_FALSE(os::is_alive(child, started));
    CHECK_FALSE(os::is_alive(child, 0));
}

TEST_CASE("who has a number at a moment is told from who gets it later", "[os][self]") {
    const std::uint64_t before = os::moment();
    REQUIRE(os::start_time(os::pid()) <= before); // on one clock
    REQUIRE(os::still_runs(os::pid(), before));
    REQUIRE_FALSE(os::still_runs(os::pid(), os::start_time(os::pid()) - 1)); // had by another then
    while (os::moment() == before) ::sched_yield();

    const pid_t child = sleeping_child();
    const std::uint64_t since = os::moment();
    CHECK(os::start_time(child) > before);
    CHECK(os::still_runs(child, since));
    CHECK(os::still_runs(child, 0));
    CHECK_FALSE(os::still_runs(child, before));
    kill_and_reap(child);
    CHECK_FALSE(os::still_runs(child, since));
    CHECK_FALSE(os::still_runs(child, 0));
}

TEST_CASE("who has ended isn't alive, also while nobody has reaped him", "[os][self]") {
    const pid_t child = zombie();
    CHECK(os::start_time(child) == 0);
    CHECK_FALSE(os::is_alive(child, 1));
    CHECK_FALSE(os::is_alive(child, 0));
    ::waitpid(child, nullptr, 0);
}

TEST_CASE("a process whose first thread has ended lives as long as the others", "[os][self]") {
    int told[2], end[2];
    REQUIRE(::pipe(told) == 0);
    REQUIRE(::pipe(end) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(end[1]);
        std::thread([&] {
            // The first thread is a zombie when its state says so.
            os::detail::process_status status;
            while (os::detail::read_status(::getpid(), status) != 0 || status.state != 'Z') ::sched_yield();
            char byte = 0;
            [[maybe_unused]] auto n = ::write(told[1], &byte, 1);
            n = ::read(end[0], &byte, 1);
            ::_exit(0);
        }).detach();
        ::syscall(SYS_exit, 0); // of this thread alone
    }
    char byte = 0;
    REQUIRE(::read(told[0], &byte, 1) == 1);
    const std::uint64_t started = os::start_time(child);
    CHECK(started != 0);
    CHECK(os::is_alive(child, started));
    for (const int fd : {told[0], told[1], end[0], end[1]}) ::close(fd);
    ::waitpid(child, nullptr, 0);
    CHECK_FALSE(os::is_alive(child, started));
}

TEST_CASE("a process may be called whatever it likes", "[os][self]") {
    const std::uint64_t own = os::start_time(os::pid());
    char before[16] = {};
    ::prctl(PR_GET_NAME, before);
    for (const char* const name : {") Z 1 2 3", "a b c", "))))", "", ") X "}) {
        ::prctl(PR_SET_NAME, name);
        CHECK(os::start_time(os::pid()) == own);
    }
    ::prctl(PR_SET_NAME, before);
}

TEST_CASE("where nothing can be opened a living process isn't taken for dead", "[os][self]") {
    const pid_t child = sleeping_child();
    const std::uint64_t started = os::start_time(child);
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit none = before;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
    const bool alive = os::is_alive(child, started);
    kill_and_reap(child);
    const bool alive_after_its_end = os::is_alive(child, started);
    ::setrlimit(RLIMIT_NOFILE, &before);
    REQUIRE(alive);
    REQUIRE_FALSE(alive_after_its_end);
}

TEST_CASE("there is no process 0 or -1", "[os][self]") {
    CHECK(os::start_time(0) == 0);
    CHECK(os::start_time(-1) == 0);
    CHECK_FALSE(os::is_alive(-4711, 1));
}

// In children, so that the test program itself registers nothing.

TEST_CASE("what is registered is run once, last in first out", "[os][self]") {
    REQUIRE(in_child([] {
        std::string order;
        for (const char c : {'a', 'b', 'c'}) os::at_exit([&order, c] { order += c; });
        os::run_at_exit();
        os::run_at_exit();
        return order == "cba";
    }));
}

TEST_CASE("what an action registers comes next", "[os][self]") {
    REQUIRE(in_child([] {
        std::string order;
        os::at_exit([&] { order += 'a'; });
        os::at_exit([&] {
            os::at_exit([&] { order += 'n'; });
            order += 'b';
        });
        os::run_at_exit();
        return order == "bna";
    }));
}

TEST_CASE("an action that throws keeps none of the others from running", "[os][self]") {
    REQUIRE(in_child([] {
        os::level(os::log_level::none);
        std::string order;
        os::at_exit([&] { order += 'a'; });
        os::at_exit([] { throw std::runtime_error("failed"); });
        os::at_exit([] { throw 42; });
        os::at_exit([&] { order += 'b'; });
        os::run_at_exit();
        return order == "ba";
    }));
}

TEST_CASE("a child begins with nothing registered, and leaves its parent's alone", "[os][self]") {
    REQUIRE(in_child([] {
        std::string order;
        os::at_exit([&] { order += 'p'; });
        const bool child_ran_its_own = in_child([&] {
            os::at_exit([&] { order += 'c'; });
            const bool grandchild_ran_none = in_child([&] {
                os::run_at_exit();
                return order.empty();
            });
            os::run_at_exit();
            return grandchild_ran_none && order == "c";
        });
        os::run_at_exit();
        return child_ran_its_own && order == "p";
    }));
}

TEST_CASE("what is forgotten isn't run, what comes after is", "[os][self]") {
    REQUIRE(in_child([] {
        std::string order;
        os::at_exit([&] { order += 'a'; });
        os::forget_at_exit();
        os::at_exit([&] { order += 'b'; });
        os::run_at_exit();
        return order == "b";
    }));
}

TEST_CASE("threads may register at the same time", "[os][self]") {
    REQUIRE(in_child([] {
        std::atomic<int> ran{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int j = 0; j < 250; ++j) os::at_exit([&] { ++ran; });
            });
        for (auto& thread : threads) thread.join();
        os::run_at_exit();
        return ran == 1000;
    }));
}
