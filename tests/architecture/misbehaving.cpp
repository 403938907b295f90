// Cases that break the rules of test cases, each in one way. Not a test: support.cpp runs them, and wants them red.
#include "support/catch.hpp"

#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/census.hpp"

namespace {

// Not std::system: what it starts isn't a relative of its parent's parent.
pid_t fork_sleeper() {
    const pid_t child = ::fork();
    if (child == 0) {
        for (;;) ::pause();
    }
    return child;
}

} // namespace

TEST_CASE("leaves a child") {
    fork_sleeper();
}

TEST_CASE("leaves a zombie") {
    if (::fork() == 0) ::_exit(0);
}

TEST_CASE("leaves an orphan") {
    int told[2];
    REQUIRE(::pipe2(told, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        fork_sleeper();
        ::_exit(0);
    }
    ::close(told[0]);
    ::close(told[1]);
    ::waitpid(child, nullptr, 0);
}

TEST_CASE("leaves a descriptor") {
    REQUIRE(::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
}

TEST_CASE("leaves a thread") {
    std::thread([] { ::pause(); }).detach();
}

TEST_CASE("leaves a shared mapping") {
    REQUIRE(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

TEST_CASE("leaves a name in /dev/shm") {
    const std::string name = "/multiprocessing-test-" + std::to_string(::getpid());
    const int fd = ::shm_open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    ::close(fd);
}

TEST_CASE("keeps something on purpose") {
    REQUIRE(::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
    testing::settle();
}

TEST_CASE("leaves a descriptor in its second section only") {
    SECTION("first") {}
    SECTION("second") { REQUIRE(::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0); }
}

TEST_CASE("lets a child return") {
    const pid_t child = ::fork();
    if (child == 0) return;
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 99);
}

TEST_CASE("lets a child fail an assertion") {
    const pid_t child = ::fork();
    if (child == 0) REQUIRE(1 == 2);
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WEXITSTATUS(status) == 99);
}

TEST_CASE("hangs") {
    ::pause();
}

TEST_CASE("hangs in a child") {
    ::waitpid(fork_sleeper(), nullptr, 0);
}

TEST_CASE("passes") {}
