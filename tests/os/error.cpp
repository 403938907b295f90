#include <multiprocessing/os/error.hpp>

#include <atomic>
#include <csignal>
#include <string>

#include <sys/time.h> // setitimer
#include <unistd.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

TEST_CASE("a failed call says what was being done, to what, and why", "[os][error]") {
    errno = ENOMEM;
    try {
        os::throw_errno("cannot map segment {} of {} bytes", "/mp-7", 4096);
    } catch (const std::system_error& error) {
        REQUIRE(error.what() == std::string("cannot map segment /mp-7 of 4096 bytes: Cannot allocate memory"));
        REQUIRE(error.code() == std::errc::not_enough_memory);
        REQUIRE(error.code().category() == std::generic_category());
    }
}

namespace {

struct careless {
    int value;
};

} // namespace

template <>
struct fmt::formatter<careless> : fmt::formatter<int> {
    auto format(const careless& argument, fmt::format_context& context) const {
        errno = EBADF; // as allocating might
        return fmt::formatter<int>::format(argument.value, context);
    }
};

TEST_CASE("errno is read before the message is made", "[os][error]") {
    errno = ENOSPC;
    try {
        os::throw_errno("cannot write {}", careless{7});
    } catch (const std::system_error& error) {
        REQUIRE(error.code().value() == ENOSPC);
    }
}

TEST_CASE("a call that returns its error number is reported in the same way", "[os][error]") {
    errno = 0;
    try {
        os::throw_error(EOWNERDEAD, "cannot take lock {}", 3);
    } catch (const std::system_error& error) {
        REQUIRE(error.code().value() == EOWNERDEAD);
        REQUIRE(std::string(error.what()).starts_with("cannot take lock 3: "));
    }
}

TEST_CASE("retry repeats a call while it is interrupted, and no longer", "[os][error]") {
    int calls = 0;
    const auto interrupted_twice = [&] {
        errno = EINTR;
        return ++calls < 3 ? -1L : 42L;
    };
    REQUIRE(os::retry(interrupted_twice) == 42);
    REQUIRE(calls == 3);

    calls = 0;
    const auto failing = [&] {
        ++calls;
        errno = EAGAIN;
        return -1;
    };
    REQUIRE(os::retry(failing) == -1);
    REQUIRE(errno == EAGAIN);
    REQUIRE(calls == 1);

    calls = 0;
    errno = EINTR; // left over from before
    REQUIRE(os::retry([&] { return calls++; }) == 0);
    REQUIRE(calls == 1);
}

namespace {

std::atomic<int> reads_begun{0};
int wake_up = -1;

// Ends the read below only when it was begun again.
void interrupt(int) {
    if (reads_begun.load() >= 2) {
        const char byte = 'x';
        [[maybe_unused]] const auto n = ::write(wake_up, &byte, 1);
    }
}

} // namespace

TEST_CASE("a real signal without SA_RESTART is invisible through retry", "[os][error]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    wake_up = ends[1];
    struct sigaction action{}, before{};
    action.sa_handler = interrupt; // no SA_RESTART
    REQUIRE(::sigaction(SIGALRM, &action, &before) == 0);
    const itimerval each_millisecond{{0, 1000}, {0, 1000}}, never{};
    REQUIRE(::setitimer(ITIMER_REAL, &each_millisecond, nullptr) == 0);

    char byte = 0;
    const auto n = os::retry([&] {
        ++reads_begun;
        return ::read(ends[0], &byte, 1);
    });

    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    ::close(ends[0]);
    ::close(ends[1]);
    REQUIRE(n == 1);
    REQUIRE(byte == 'x');
    REQUIRE(reads_begun >= 2);
}
