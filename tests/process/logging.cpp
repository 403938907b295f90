#include <multiprocessing/process/logging.hpp>

#include <string>

#include <unistd.h>

#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/process/exit.hpp>
#include <multiprocessing/process/process.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;

namespace {

/// What `body` and its children write to stderr.
template <typename Body>
std::string on_stderr(Body body) {
    const auto file = os::make_memory_file("stderr");
    const os::descriptor before(::dup(STDERR_FILENO));
    ::dup2(file.get(), STDERR_FILENO);
    body();
    ::dup2(before.get(), STDERR_FILENO);
    std::string text(1 << 16, '\0');
    ::lseek(file.get(), 0, SEEK_SET);
    text.resize(os::read_all(file.get(), std::as_writable_bytes(std::span(text))));
    return text;
}

void speak() {
    mp::get_logger().debug("a {}", 1);
    mp::get_logger().info("b {}", "two");
    mp::get_logger().warning("c");
    mp::get_logger().error("{}", 4.5);
}

} // namespace

TEST_CASE("the logger shows what is at its level or above", "[process][logging]") {
    mp::Logger& log = mp::get_logger();
    REQUIRE(&log == &mp::get_logger());
    const mp::LogLevel before = log.level();
    const std::string d = "[DEBUG/MainProcess] a 1\n", i = "[INFO/MainProcess] b two\n", w = "[WARNING/MainProcess] c\n",
                      e = "[ERROR/MainProcess] 4.5\n";
    REQUIRE(&mp::log_to_stderr() == &log);
    CHECK(on_stderr(speak) == w + e);
    REQUIRE(&mp::log_to_stderr(mp::LogLevel::debug) == &log);
    CHECK(on_stderr(speak) == d + i + w + e);
    mp::log_to_stderr("error");
    REQUIRE(log.level() == mp::LogLevel::error);
    REQUIRE_THROWS_AS(mp::log_to_stderr("loud"), mp::ValueError);
    mp::log_to_stderr(20);
    CHECK(on_stderr(speak) == i + w + e);
    CHECK(log.getEffectiveLevel() == 20);
    CHECK(log.isEnabledFor(mp::LogLevel::error));
    CHECK_FALSE(log.isEnabledFor(mp::LogLevel::debug));
    log.setLevel(40);
    CHECK(on_stderr(speak) == e);
    log.setLevel(mp::LogLevel::none);
    CHECK(on_stderr(speak).empty());
    log.setLevel(0);
    CHECK(log.level() == before);
}

TEST_CASE("a child begins with its parent's level, by every start method", "[process][logging]") { // T192
    for (const auto method : {mp::StartMethod::fork, mp::StartMethod::spawn, mp::StartMethod::forkserver}) {
        mp::log_to_stderr(mp::LogLevel::info);
        const std::string said = on_stderr([&] {
            mp::Process p({.name = "child", .start_method = method}, [] {
                mp::get_logger().debug("not this");
                mp::get_logger().info("but this");
            });
            p.start();
            p.join();
        });
        // The server was started with the stderr of its first moment.
        if (method != mp::StartMethod::forkserver) CHECK(said == "[INFO/child] but this\n");
        mp::log_to_stderr(mp::LogLevel::error);
        mp::Process p({.start_method = method}, [] { mp::exit(mp::get_logger().level() == mp::LogLevel::error ? 7 : 1); });
        p.start();
        p.join();
        CHECK(p.exitcode() == 7);
    }
    mp::get_logger().setLevel(0);
    testing::settle();
}
