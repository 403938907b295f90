#include <multiprocessing/process/exit.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/process/fork.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
namespace process = multiprocessing::process;

TEST_CASE("exit ends a child from any depth, after what it registered", "[process][exit]") {
    testing::story story;
    struct never_destroyed {
        const testing::story& story;
        ~never_destroyed() { story.tell("destroyed"); }
    };
    const auto child = process::start_by_fork({}, [&]() -> int {
        mp::at_exit([&] { story.tell("one, "); });
        mp::at_exit([&] { throw "logged"; });
        mp::at_exit([&] { story.tell("two, "); });
        const never_destroyed local{story};
        mp::exit(300);
    });
    REQUIRE(story.hear_all() == "two, one, ");
    child.wait(os::deadline::never());
    REQUIRE(child.exitcode() == 300 % 256); // the kernel keeps one byte
}

TEST_CASE("a process that this library didn't start ends like any program", "[process][exit]") {
    testing::story story;
    const pid_t stranger = ::fork();
    if (stranger == 0) {
        static const testing::story* told = nullptr;
        struct destroyed_at_exit {
            ~destroyed_at_exit() { told->tell("static, "); }
        };
        told = &story;
        static const destroyed_at_exit before;
        mp::at_exit([&] { story.tell("registered, "); });
        static const destroyed_at_exit after;
        mp::exit(3);
    }
    REQUIRE(story.hear_all() == "static, registered, static, ");
    int status = 0;
    REQUIRE(::waitpid(stranger, &status, 0) == stranger);
    REQUIRE(WEXITSTATUS(status) == 3);
}
