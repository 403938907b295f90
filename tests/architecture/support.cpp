// The watchdog, the census and the steps, tried on cases that break the rules.
#include "support/census.hpp"
#include "support/run_program.hpp"
#include "support/steps.hpp"
#include "support/watchdog.hpp"

#include <csignal>
#include <cstdlib>
#include <string>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace {

testing::program_result misbehave(const std::string& test_case) {
    return testing::run_program({MISBEHAVING, test_case});
}

void goes_red(const std::string& test_case, const std::string& because) {
    const auto result = misbehave(test_case);
    INFO(result.out << result.err);
    CHECK(result.exit_code == 1);
    const std::string verdict = '"' + test_case + "\" left behind:";
    const auto said = result.out.find(verdict);
    REQUIRE(said != std::string::npos);
    const auto thing = result.out.find_first_not_of(" \n", said + verdict.size());
    CHECK(result.out.compare(thing, because.size(), because) == 0);
}

} // namespace

TEST_CASE("a case that leaves something behind fails, and says what", "[support][census]") {
    goes_red("leaves a child", "process ");
    goes_red("leaves a zombie", "zombie ");
    goes_red("leaves an orphan", "process ");
    goes_red("leaves a descriptor", "descriptor ");
    goes_red("leaves a thread", "thread ");
    goes_red("leaves a shared mapping", "shared mapping of ");
    goes_red("leaves a descriptor in its second section only", "descriptor ");
}

TEST_CASE("a name left in /dev/shm fails its case", "[support][census]") {
    const auto result = misbehave("leaves a name in /dev/shm");
    const auto name = result.out.find("/multiprocessing-test-");
    REQUIRE(name != std::string::npos);
    ::shm_unlink(result.out.substr(name, result.out.find_first_of(" \n", name) - name).c_str());
    CHECK(result.exit_code == 1);
}

TEST_CASE("what a case settles is its own business", "[support][census]") {
    CHECK(misbehave("keeps something on purpose").exit_code == 0);
}

TEST_CASE("a child that comes back into the runner is sent off", "[support][census]") {
    for (const char* test_case : {"lets a child return", "lets a child fail an assertion"}) {
        const auto result = misbehave(test_case);
        INFO(result.out << result.err);
        CHECK(result.exit_code == 0); // the parent saw the exit code that says so
        CHECK_THAT(result.err, testing::contains("came back into the test runner"));
    }
}

TEST_CASE("a case that hangs is ended by name, with its children", "[support][watchdog]") {
    ::setenv("MULTIPROCESSING_TEST_TIMEOUT", "1", 1);
    for (const char* test_case : {"hangs", "hangs in a child"}) {
        const auto result = misbehave(test_case); // which ends when nobody holds its stderr any more
        INFO(result.err);
        CHECK(result.signal == SIGKILL);
        CHECK_FALSE(result.timed_out);
        CHECK_THAT(result.err, testing::contains('"' + std::string(test_case) + "\" still runs after 1 seconds"));
        CHECK_THAT(result.err, testing::contains("thread "));
    }
    ::unsetenv("MULTIPROCESSING_TEST_TIMEOUT");
}

TEST_CASE("a run in which no case matches isn't green", "[support]") {
    CHECK(misbehave("no such case").exit_code != 0);
}

TEST_CASE("an armed child dies at its step, and the parent knows at which", "[support][steps]") {
    const auto run = [](unsigned k) {
        const pid_t child = ::fork();
        if (child == 0) {
            testing::arm(k);
            MULTIPROCESSING_STEP(first);
            MULTIPROCESSING_STEP(second);
            MULTIPROCESSING_STEP(third);
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return status;
    };
    int status = run(2);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
    REQUIRE(testing::steps_seen() == 2);
    REQUIRE(testing::last_step() == std::string("second"));

    for (const unsigned never : {0u, 4u}) {
        status = run(never);
        REQUIRE(WIFEXITED(status));
        REQUIRE(testing::steps_seen() == 3);
        REQUIRE(testing::last_step() == std::string("third"));
    }
}

TEST_CASE("a step is nothing to who isn't armed, the child of an armed process included", "[support][steps]") {
    testing::arm(1);
    const pid_t child = ::fork();
    if (child == 0) {
        MULTIPROCESSING_STEP(inherited);
        ::_exit(0);
    }
    testing::disarm();
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status));
    MULTIPROCESSING_STEP(disarmed);
    REQUIRE(testing::steps_seen() == 0);
}

TEST_CASE("a program's output, exit code and end are told", "[support]") {
    const auto result = testing::run_program({"sh", "-c", "echo out; echo err >&2; exit 3"});
    CHECK(result.out == "out\n");
    CHECK(result.err == "err\n");
    CHECK(result.exit_code == 3);
    CHECK(testing::run_program({"sh", "-c", "kill -9 $$"}).signal == SIGKILL);
    CHECK(testing::run_program({"/does/not/exist"}).exit_code == 127);
    CHECK(testing::run_program({"sh", "-c", "exec sleep 60"}, std::chrono::milliseconds(1)).timed_out);
}
