#include <multiprocessing/process/running.hpp>

#include <csignal>

#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/process/fork.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
namespace memory = multiprocessing::memory;
namespace process = multiprocessing::process;

namespace {

int wait_for_ever() {
    for (;;) ::pause();
}

} // namespace

TEST_CASE("copies of a running are one process", "[process][running]") {
    const auto child = process::start_by_fork({.daemon = true}, wait_for_ever);
    const process::running copy = child;
    REQUIRE(copy.pid() == child.pid());
    REQUIRE(copy.exitcode() == std::nullopt);
    copy.signal(SIGKILL);
    REQUIRE(child.wait(os::deadline::never()));
    REQUIRE(copy.exitcode() == -SIGKILL);
    REQUIRE(os::wait_readable(copy.sentinel(), os::deadline(std::chrono::seconds(0))));
    copy.signal(SIGKILL); // nothing happens
}

TEST_CASE("whoever sees the end first, by whichever function, buries the dead", "[process][running]") {
    auto& family = memory::family::here();
    static_cast<void>(family.self());
    const auto members = family.members_alive();
    const int how = GENERATE(0, 1, 2);
    const auto child = process::start_by_fork({}, [] { return 0; });
    REQUIRE(os::wait_readable(child.sentinel(), os::deadline::never()));
    switch (how) {
    case 0:
        REQUIRE(child.exitcode() == 0);
        break;
    case 1:
        REQUIRE(child.wait(os::deadline(std::chrono::seconds(0))));
        break;
    default:
        REQUIRE(process::lineage::here().children().empty());
        break;
    }
    REQUIRE(family.members_alive() == members);
    REQUIRE(process::lineage::here().children().empty());
}

TEST_CASE("only the process that started it can ask how it is", "[process][running]") {
    const auto child = process::start_by_fork({.daemon = true}, wait_for_ever);
    const auto sibling = process::start_by_fork({}, [&] {
        int refused = child.is_ours() ? 10 : 0;
        try {
            static_cast<void>(child.exitcode());
        } catch (const mp::ValueError&) {
            ++refused;
        }
        try {
            child.signal(SIGKILL);
        } catch (const mp::ValueError&) {
            ++refused;
        }
        return refused;
    });
    sibling.wait(os::deadline::never());
    REQUIRE(sibling.exitcode() == 2);
    REQUIRE_FALSE(child.exitcode());
    child.signal(SIGKILL);
    child.wait(os::deadline::never());
}
