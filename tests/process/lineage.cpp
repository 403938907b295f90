#include <multiprocessing/process/lineage.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/process/fork.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace os = multiprocessing::os;
namespace process = multiprocessing::process;

TEST_CASE("the first process of a family is nobody's child", "[process][lineage]") {
    auto& mine = process::lineage::here();
    REQUIRE_FALSE(mine.parent());
    REQUIRE_FALSE(mine.is_daemon());
    REQUIRE_NOTHROW(mine.require_may_have_children());
    REQUIRE(mine.children().empty());
}

TEST_CASE("the family's key is 32 random bytes, the same each time", "[process][lineage]") {
    auto& mine = process::lineage::here();
    const auto key = mine.authkey();
    REQUIRE(key.size() == 32);
    REQUIRE(std::count(key.begin(), key.end(), key.front()) < 32);
    REQUIRE(mine.authkey() == key);
    mine.authkey({std::byte{1}});
    REQUIRE(mine.authkey() == std::vector<std::byte>{std::byte{1}});
    mine.authkey(key);
}

TEST_CASE("numbers go on by one", "[process][lineage]") {
    auto& mine = process::lineage::here();
    const int number = std::stoi(mine.next_number());
    REQUIRE(mine.next_number() == std::to_string(number + 1));
}

TEST_CASE("children are listed in the order of their start, and forgotten when they have ended", "[process][lineage]") {
    testing::gate gate;
    const auto wait = [&] {
        gate.wait();
        return 0;
    };
    const auto first = process::start_by_fork({}, wait);
    const auto dead = process::start_by_fork({}, [] { return 0; });
    const auto second = process::start_by_fork({}, wait);
    dead.wait(os::deadline::never());
    const auto all = process::lineage::here().children();
    REQUIRE(all.size() == 2);
    REQUIRE(all[0].pid() == first.pid());
    REQUIRE(all[1].pid() == second.pid());
    gate.open();
    first.wait(os::deadline::never());
    second.wait(os::deadline::never());
    REQUIRE(process::lineage::here().children().empty());
}

TEST_CASE("a process forked by others' means is nobody's child and has none", "[process][lineage]") {
    testing::let_signals_kill();
    const auto middle = process::start_by_fork({.number = "5"}, [] {
        const auto sibling = process::start_by_fork({.daemon = true}, []() -> int {
            for (;;) ::pause();
        });
        const pid_t stranger = ::fork();
        if (stranger == 0) {
            auto& mine = process::lineage::here();
            const bool right = !mine.parent() && mine.children().empty() && !sibling.is_ours();
            const auto own = process::start_by_fork({}, [] { return 4; });
            own.wait(os::deadline::never());
            ::_exit(right && own.exitcode() == 4 ? 0 : 1);
        }
        int status = 0;
        ::waitpid(stranger, &status, 0);
        return process::lineage::here().parent() && !sibling.exitcode() && status == 0 ? 0 : 1;
    });
    middle.wait(os::deadline::never());
    REQUIRE(middle.exitcode() == 0);
}

TEST_CASE("a forked child finds everything whole, whatever other threads were doing", "[process][lineage]") {
    auto& mine = process::lineage::here();
    const auto key = mine.authkey();
    const auto is_whole = [](const std::vector<std::byte>& one) {
        return (one.size() == 10 || one.size() == 1000) &&
               std::count(one.begin(), one.end(), one.front()) == std::ssize(one);
    };
    mine.authkey(std::vector<std::byte>(10));
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        while (!stop) {
            mine.authkey(std::vector<std::byte>(1000, std::byte{1}));
            mine.authkey(std::vector<std::byte>(10, std::byte{2}));
        }
    });
    int wrong = 0;
    constexpr bool sanitized = MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER();
    for (int i = 0; i < (sanitized ? 100 : 500); ++i) {
        const pid_t stranger = ::fork();
        if (stranger == 0) ::_exit(is_whole(mine.authkey()) ? 0 : 1);
        int status = 0;
        ::waitpid(stranger, &status, 0);
        wrong += status != 0;
    }
    stop = true;
    busy.join();
    mine.authkey(key);
    REQUIRE(wrong == 0);
}
