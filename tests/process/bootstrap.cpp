#include <multiprocessing/process/bootstrap.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib> // std::exit
#include <stdexcept>
#include <string>

#include <unistd.h>

#include <multiprocessing/process/fork.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
namespace process = multiprocessing::process;

namespace {

/// What a child that runs `body` writes to stderr; its exit code is put into `code`.
template <typename Body>
std::string stderr_of(Body body, int& code) {
    testing::story story;
    const auto child = process::start_by_fork({.name = "P"}, [&] {
        ::dup2(story.descriptor(), STDERR_FILENO);
        body();
        return 0;
    });
    const std::string text = story.hear_all();
    child.wait(os::deadline::never());
    code = child.exitcode().value_or(-99);
    return text;
}

struct odd {};

[[gnu::noinline]] void thrower_in_a_target() {
    throw std::runtime_error("out of order");
}

/// Without the lines that say where it was thrown.
std::string without_calls(std::string text) {
    for (std::size_t at = 0; (at = text.find("    at ")) != std::string::npos;) text.erase(at, text.find('\n', at) - at + 1);
    return text;
}

} // namespace

TEST_CASE("what is thrown is reported with its type and what it says, whatever it is", "[process][bootstrap]") {
    int code = 0;
    REQUIRE(without_calls(stderr_of([] { throw std::runtime_error("out of order"); }, code)) ==
            "Process P:\n  std::runtime_error: out of order\n");
    REQUIRE(code == 1);
    REQUIRE(without_calls(stderr_of([] { throw mp::ValueError("too small"); }, code)) ==
            "Process P:\n  multiprocessing::ValueError: too small\n");
    REQUIRE(without_calls(stderr_of([] { throw 42; }, code)) == "Process P:\n  int: 42\n");
    REQUIRE(without_calls(stderr_of([] { throw std::string("a string"); }, code)) == "Process P:\n  std::string: a string\n");
    REQUIRE(without_calls(stderr_of([] { throw "a literal"; }, code)) == "Process P:\n  char const*: a literal\n");
    REQUIRE(without_calls(stderr_of([] { throw odd(); }, code)) == "Process P:\n  (anonymous namespace)::odd\n");
    REQUIRE(code == 1);
    REQUIRE(stderr_of([] {}, code).empty());
    REQUIRE(code == 0);
}

TEST_CASE("what caused what is thrown is reported too", "[process][bootstrap]") {
    int code = 0;
    REQUIRE(without_calls(stderr_of(
                [] {
                    try {
                        throw std::out_of_range("no item 7");
                    } catch (...) {
                        std::throw_with_nested(std::runtime_error("cannot read the list"));
                    }
                },
                code))
                .ends_with("std::runtime_error>: cannot read the list\ncaused by:\n  std::out_of_range: no item 7\n"));
}

TEST_CASE("what is thrown is reported with the calls that led to it", "[process][bootstrap]") {
    int code = 0;
    const std::string text = stderr_of(
        [] {
            thrower_in_a_target();
            __asm__ volatile("");
        },
        code);
    REQUIRE_THAT(text, testing::contains("    at (anonymous namespace)::thrower_in_a_target()"));
    REQUIRE(text.find("__cxa_throw") == std::string::npos);
}

TEST_CASE("what failed in another process is reported with that process's backtrace", "[process][bootstrap]") {
    struct remote : std::runtime_error, mp::RemoteError {
        remote()
            : runtime_error("as seen here"),
              RemoteError("their::error", "as seen there", "    in f\n    in main\n", 1) {}
    };
    int code = 0;
    REQUIRE(stderr_of([] { throw remote(); }, code) ==
            "Process P:\n  their::error: as seen there\n    in f\n    in main\n");
    REQUIRE(stderr_of([] { throw mp::WorkerLostError("worker 3 is lost", 4711, -SIGSEGV, 17, "    in g"); }, code) ==
            "Process P:\n  multiprocessing::WorkerLostError: worker 3 is lost\n    in g\n");
}

TEST_CASE("a child leaves in order: its functions last first, then its streams, and nobody's static objects",
          "[process][bootstrap]") {
    testing::story story;
    static const testing::story* told = nullptr;
    told = &story;
    struct destroyed_at_exit {
        ~destroyed_at_exit() {
            if (told != nullptr) told->tell("a static object");
        }
    };
    static destroyed_at_exit object;
    os::at_exit([] {
        if (told != nullptr) told->tell("its parent's");
    });
    const auto child = process::start_by_fork({}, [&] {
        ::dup2(story.descriptor(), STDOUT_FILENO);
        os::at_exit([] { std::fputs("first, ", stdout); });
        os::at_exit([] { std::fputs("second, ", stdout); });
        std::fputs("body, ", stdout);
        return 5;
    });
    told = nullptr;
    REQUIRE(story.hear_all() == "body, second, first, ");
    child.wait(os::deadline::never());
    REQUIRE(child.exitcode() == 5);
}

TEST_CASE("a child that leaves by std::exit() tidies up too, after itself alone", "[process][bootstrap]") {
    testing::let_signals_kill();
    testing::story story;
    static const testing::story* told = nullptr;
    os::at_exit([] {
        if (told != nullptr) told->tell("its parent's, ");
    });
    told = &story;
    const auto child = process::start_by_fork({}, [&]() -> int {
        os::at_exit([&] { story.tell("its own, "); });
        static_cast<void>(process::start_by_fork({.daemon = true}, [&]() -> int {
            os::at_exit([&] { story.tell("never"); });
            for (;;) ::pause();
        }));
        std::exit(3);
    });
    told = nullptr;
    REQUIRE(story.hear_all() == "its own, "); // at the end of which the grandchild has ended as well
    child.wait(os::deadline::never());
    REQUIRE(child.exitcode() == 3);
}

TEST_CASE("at its end a child terminates its daemonic children and waits for the others", "[process][bootstrap]") {
    testing::let_signals_kill();
    testing::story story;
    testing::gate gate;
    const auto child = process::start_by_fork({}, [&] {
        static_cast<void>(process::start_by_fork({.daemon = true}, [&]() -> int {
            for (;;) ::pause();
        }));
        static_cast<void>(process::start_by_fork({}, [&] {
            gate.wait();
            story.tell("the other is done");
            return 0;
        }));
        return 0;
    });
    REQUIRE_FALSE(child.wait(os::deadline(std::chrono::milliseconds(20))));
    gate.open();
    child.wait(os::deadline::never());
    REQUIRE(story.hear_all() == "the other is done");
    REQUIRE(child.exitcode() == 0);
}

TEST_CASE("a daemonic child that ignores SIGTERM is killed after a second", "[process][bootstrap][slow]") {
    testing::story story;
    const auto begin = std::chrono::steady_clock::now();
    const auto child = process::start_by_fork({}, [&] {
        static_cast<void>(process::start_by_fork({.daemon = true}, [&]() -> int {
            std::signal(SIGTERM, SIG_IGN);
            story.tell("!");
            for (;;) ::pause();
        }));
        static_cast<void>(story.hear(1)); // it ignores it by now
        return 0;
    });
    child.wait(os::deadline::never());
    REQUIRE(child.exitcode() == 0);
    REQUIRE(std::chrono::steady_clock::now() - begin >= std::chrono::seconds(1));
}

TEST_CASE("a function registered with at_exit may start processes and end the process", "[process][bootstrap]") {
    testing::story story;
    const auto child = process::start_by_fork({}, [&] {
        os::at_exit([&] { story.tell("never before, "); });
        os::at_exit([&] {
            static_cast<void>(process::start_by_fork({}, [&] {
                story.tell("child, ");
                return 0;
            }));
            process::lineage::here().children().front().wait(os::deadline::never());
            process::leave(6);
        });
        return 0;
    });
    REQUIRE(story.hear_all() == "child, never before, ");
    child.wait(os::deadline::never());
    REQUIRE(child.exitcode() == 6);
}
