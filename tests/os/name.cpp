#include <multiprocessing/os/name.hpp>

#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

TEST_CASE("a process is the main one until it is given a name, which its children begin with", "[os][name]") {
    REQUIRE(os::name() == "MainProcess");
    os::name("Process-1");
    REQUIRE(os::name() == "Process-1");
    const pid_t child = ::fork();
    if (child == 0) {
        const bool inherited = os::name() == "Process-1";
        os::name("Process-1:1");
        ::_exit(inherited && os::name() == "Process-1:1" ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    REQUIRE(os::name() == "Process-1"); // the child's was the child's
    os::name("MainProcess");
}

TEST_CASE("a name that is being read stays valid while others are given", "[os][name]") {
    const char* const before = os::detail::name_or_default();
    const std::string text = before;
    std::vector<std::thread> namers;
    for (int i = 0; i < 3; ++i)
        namers.emplace_back([i] {
            for (int j = 0; j < 100; ++j) os::name("Process-" + std::to_string(i));
        });
    for (int j = 0; j < 100; ++j) CHECK_FALSE(os::name().empty());
    for (auto& namer : namers) namer.join();
    REQUIRE(before == text);
    REQUIRE(os::name().starts_with("Process-"));
    os::name("MainProcess");
}
