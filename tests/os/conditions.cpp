#include <multiprocessing/os/conditions.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

namespace {

/// The status of a child that applies `wanted` and then returns what `body` does; 100 and its errno when it couldn't.
template <typename Body>
int status_under(const os::conditions& wanted, Body body) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        try {
            os::apply(wanted);
            ::_exit(body());
        } catch (const std::system_error& error) {
            ::_exit(100 + error.code().value());
        } catch (...) {
            ::_exit(99);
        }
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {}
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

rlim_t limit_of(decltype(RLIMIT_CPU) resource) {
    rlimit limit{};
    ::getrlimit(resource, &limit);
    return limit.rlim_cur;
}

} // namespace

TEST_CASE("no conditions change nothing", "[os][conditions]") {
    REQUIRE(os::conditions{}.empty());
    REQUIRE(os::limits{}.empty());
    REQUIRE_FALSE(os::conditions{.limits = {.core_size = 0}}.empty());
    REQUIRE(status_under({}, [] { return 0; }) == 0);
}

TEST_CASE("limits are set, and can't be raised again", "[os][conditions]") {
    const os::limits few{.memory = 1'000'000'000,
                         .cpu_time = std::chrono::minutes(1),
                         .open_files = 50,
                         .file_size = 4096,
                         .core_size = 0};
    REQUIRE(status_under({.limits = few}, [] {
                if (limit_of(RLIMIT_DATA) != 1'000'000'000) return 1;
                if (limit_of(RLIMIT_CPU) != 60) return 2;
                if (limit_of(RLIMIT_NOFILE) != 50) return 3;
                if (limit_of(RLIMIT_FSIZE) != 4096) return 4;
                if (limit_of(RLIMIT_CORE) != 0) return 5;
                rlimit files{};
                ::getrlimit(RLIMIT_NOFILE, &files);
                return files.rlim_max == 50 ? 0 : 6;
            }) == 0);
}

TEST_CASE("a file larger than allowed ends the process", "[os][conditions]") {
    REQUIRE(status_under({.limits = {.file_size = 10, .core_size = 0}}, [] {
                std::FILE* const file = std::tmpfile();
                for (int i = 0; i < 3; ++i) static_cast<void>(!::write(::fileno(file), "12345", 5));
                return 0;
            }) == -SIGXFSZ);
}

TEST_CASE("a negative time to compute is refused", "[os][conditions]") {
    REQUIRE(status_under({.limits = {.cpu_time = std::chrono::seconds(-1)}}, [] { return 0; }) == 99);
}

TEST_CASE("a process runs on the processors it is given, and on no others", "[os][conditions]") {
    REQUIRE(status_under({.affinity = {0}}, [] {
                cpu_set_t all;
                ::sched_getaffinity(0, sizeof all, &all);
                return CPU_COUNT(&all) == 1 && CPU_ISSET(0, &all) ? 0 : 1;
            }) == 0);
    REQUIRE(status_under({.affinity = {0, 5000}}, [] { return 0; }) == 100 + EINVAL);
    REQUIRE(status_under({.affinity = {1'000'000}}, [] { return 0; }) == 100 + EINVAL);
    REQUIRE(status_under({.affinity = {0, -1}}, [] { return 0; }) == 99);
}

TEST_CASE("niceness, environment and directory", "[os][conditions]") {
    const int before = ::getpriority(PRIO_PROCESS, 0);
    REQUIRE(status_under({.nice = 2, .env = {{"MULTIPROCESSING_TEST_SHAPE", "round"}}, .cwd = "/"}, [before] {
                char here[64];
                if (::getcwd(here, sizeof here) == nullptr || here != std::string("/")) return 1;
                if (::getpriority(PRIO_PROCESS, 0) != std::min(before + 2, 19)) return 2;
                const char* shape = std::getenv("MULTIPROCESSING_TEST_SHAPE");
                return shape != nullptr && shape == std::string("round") ? 0 : 3;
            }) == 0);
    REQUIRE(status_under({.cwd = "/no/such/place"}, [] { return 0; }) == 100 + ENOENT);
    REQUIRE(status_under({.env = {{"", "no name"}}}, [] { return 0; }) == 100 + EINVAL);
}

TEST_CASE("a detached stdin is empty, also in stdio's buffer", "[os][conditions]") {
    REQUIRE(status_under({}, [] {
                std::FILE* const input = std::tmpfile();
                std::fputs("one\ntwo\n", input);
                std::rewind(input);
                ::dup2(::fileno(input), STDIN_FILENO);
                if (std::getchar() != 'o') return 1; // stdio has read the rest by now
                const off_t position = ::lseek(::fileno(input), 0, SEEK_CUR);
                os::detach_stdin();
                char c;
                if (std::getchar() != EOF || ::read(STDIN_FILENO, &c, 1) != 0) return 2;
                return ::lseek(::fileno(input), 0, SEEK_CUR) == position ? 0 : 3; // it is shared with the parent
            }) == 0);
}

TEST_CASE("a closed stdin that something else took the number of is left alone", "[os][conditions]") {
    REQUIRE(status_under({}, [] {
                ::close(STDIN_FILENO);
                int ends[2];
                if (::pipe2(ends, O_CLOEXEC) != 0 || ends[0] != STDIN_FILENO || ::write(ends[1], "x", 1) != 1) return 1;
                os::detach_stdin();
                char c = 0;
                return ::read(STDIN_FILENO, &c, 1) == 1 && c == 'x' ? 0 : 2;
            }) == 0);
    REQUIRE(status_under({}, [] {
                ::close(STDIN_FILENO);
                os::detach_stdin();
                char c = 0;
                return ::read(STDIN_FILENO, &c, 1) == 0 && (::fcntl(STDIN_FILENO, F_GETFD) & FD_CLOEXEC) == 0 ? 0 : 1;
            }) == 0);
}
