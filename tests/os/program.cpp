#include <multiprocessing/os/program.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <multiprocessing/os/deadline.hpp>

#include <support/catch.hpp>

namespace os = multiprocessing::os;

namespace {

/// What a shell says that runs this, with these descriptors from 4 on; its own output is 3.
std::string said_by(const std::string& script, std::map<std::string, std::string> env = {}, std::vector<int> more = {}) {
    auto ends = os::make_pipe();
    std::vector<int> descriptors{ends.write.get()};
    descriptors.insert(descriptors.end(), more.begin(), more.end());
    os::child shell = os::start_program({"/bin/sh", {"sh", "-c", script}, std::move(env), descriptors});
    ends.write.reset();
    std::string text(4096, '\0');
    text.resize(os::read_all(ends.read.get(), std::as_writable_bytes(std::span(text))));
    shell.wait(os::deadline::never());
    return text;
}

} // namespace

TEST_CASE("a program is started with its arguments, and its exit code is learnt", "[os][program]") {
    os::child ended = os::start_program({"/bin/sh", {"sh", "-c", "exit $(($1 + $2))", "sh", "3", "4"}, {}, {}});
    REQUIRE(ended.pid() > 0);
    REQUIRE(ended.wait(os::deadline::never()));
    REQUIRE(ended.exitcode() == 7);
    os::child killed = os::start_program({"/bin/sh", {"sh", "-c", "kill -KILL $$"}, {}, {}});
    killed.wait(os::deadline::never());
    REQUIRE(killed.exitcode() == -SIGKILL);
}

TEST_CASE("why a program can't be run is said where it was to be started", "[os][program]") {
    try {
        os::start_program({"/nowhere/at/all", {"x"}, {}, {}});
        FAIL("it was started");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == ENOENT);
        CHECK_THAT(error.what(), testing::contains("/nowhere/at/all"));
    }
    CHECK_THROWS_AS(os::start_program({"/etc/passwd", {"x"}, {}, {}}), std::system_error);
}

TEST_CASE("it has the descriptors it was given, in their order, and no others", "[os][program]") {
    auto one = os::make_pipe();
    auto other = os::make_pipe();
    const std::string first = "first", second = "second";
    os::write_all(one.write.get(), std::as_bytes(std::span(first)));
    os::write_all(other.write.get(), std::as_bytes(std::span(second)));
    one.write.reset();
    other.write.reset();
    // Given so that each has a number that another one is to have.
    CHECK(said_by("cat <&4 >&3; cat <&5 >&3", {}, {other.read.get(), one.read.get()}) == "secondfirst");
    const int stray = ::fcntl(0, F_DUPFD, 100); // not close-on-exec
    CHECK(said_by("[ -e /proc/$$/fd/" + std::to_string(stray) + " ] && echo leaked >&3 || echo clean >&3") == "clean\n");
    ::close(stray);
}

TEST_CASE("its environment is this one's, with what was asked for", "[os][program]") {
    ::setenv("MULTIPROCESSING_TEST_A", "a", 1);
    ::setenv("MULTIPROCESSING_TEST_B", "b", 1);
    CHECK(said_by("echo $MULTIPROCESSING_TEST_A $MULTIPROCESSING_TEST_B $MULTIPROCESSING_TEST_C >&3",
                  {{"MULTIPROCESSING_TEST_B", "B"}, {"MULTIPROCESSING_TEST_C", "c=c"}}) == "a B c=c\n");
    CHECK(os::take_variable("MULTIPROCESSING_TEST_A") == "a");
    CHECK(os::take_variable("MULTIPROCESSING_TEST_A") == std::nullopt);
    CHECK(said_by("echo \"[$MULTIPROCESSING_TEST_A]\" >&3") == "[]\n");
    ::unsetenv("MULTIPROCESSING_TEST_B");
}

TEST_CASE("signals that this thread has blocked aren't blocked there", "[os][program]") {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    os::child sleeper = os::start_program({"/bin/sh", {"sh", "-c", "exec sleep 100"}, {}, {}});
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    sleeper.signal(SIGTERM);
    REQUIRE(sleeper.wait(os::deadline::never()));
    REQUIRE(sleeper.exitcode() == -SIGTERM);
}
