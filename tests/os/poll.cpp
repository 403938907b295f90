#include <multiprocessing/os/poll.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/time.h> // setitimer
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;
using namespace std::chrono_literals;

namespace {

/// The back ends are tested all, wherever they compile; which one the library uses is the switchboard's affair.
struct portable_back_end {
    using poll_set = os::portable::poll_set;
    using doorbell = os::portable::doorbell;
};
#if MULTIPROCESSING_PORTABLE()
using native_back_end = portable_back_end;
#else
struct native_back_end {
    using poll_set = os::on_linux::poll_set;
    using doorbell = os::on_linux::doorbell;
};
#endif

const auto now = [] { return os::deadline::after(0ns); };

std::chrono::nanoseconds monotonic_now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void put_byte(const os::descriptor& fd) {
    const std::byte byte{};
    os::write_all(fd.get(), {&byte, 1});
}

template <typename Set>
std::vector<std::uint64_t> ready(Set& set, const os::deadline& until, std::size_t room = 16) {
    std::vector<std::uint64_t> keys(room);
    keys.resize(set.wait(keys, until));
    return keys;
}

template <typename Call>
int error_of(Call call) {
    try {
        call();
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

volatile std::sig_atomic_t alarms = 0;

/// A signal each millisecond that interrupts system calls.
class interruptions {
public:
    interruptions() {
        alarms = 0;
        struct sigaction action{};
        action.sa_handler = [](int) { alarms = alarms + 1; };
        ::sigaction(SIGALRM, &action, &before_);
        const itimerval each_millisecond{{0, 1000}, {0, 1000}};
        ::setitimer(ITIMER_REAL, &each_millisecond, nullptr);
    }
    ~interruptions() {
        const itimerval never{};
        ::setitimer(ITIMER_REAL, &never, nullptr);
        ::sigaction(SIGALRM, &before_, nullptr);
    }

private:
    struct sigaction before_{};
};

} // namespace

TEST_CASE("a descriptor is readable when something is there, and when nothing more can come", "[os][poll]") {
    auto pipe = os::make_pipe();
    REQUIRE_FALSE(os::wait_readable(pipe.read.get(), now()));
    put_byte(pipe.write);
    REQUIRE(os::wait_readable(pipe.read.get(), now()));
    REQUIRE(os::wait_readable(pipe.read.get(), os::deadline::never()));
    std::byte byte{};
    os::read_all(pipe.read.get(), {&byte, 1});
    REQUIRE_FALSE(os::wait_readable(pipe.read.get(), now()));
    pipe.write.reset();
    REQUIRE(os::wait_readable(pipe.read.get(), os::deadline::never()));
}

TEST_CASE("waiting for what is no descriptor is an error", "[os][poll]") {
    int number = -1;
    {
        const os::descriptor closed_soon(::dup(0));
        number = closed_soon.get();
    }
    REQUIRE(error_of([&] { (void)os::wait_readable(number, os::deadline::never()); }) == EBADF);
}

TEST_CASE("a wait ends after its deadline, never before it, whatever signals come", "[os][poll]") {
    const auto pipe = os::make_pipe();
    for (const auto timeout : {1ns, 1'000'001ns, 20'000'000ns}) {
        const auto start = monotonic_now();
        CHECK_FALSE(os::wait_readable(pipe.read.get(), os::deadline::after(timeout)));
        CHECK(monotonic_now() - start >= timeout);
    }
    const interruptions signals;
    const auto start = monotonic_now();
    CHECK_FALSE(os::wait_readable(pipe.read.get(), os::deadline::after(50ms)));
    CHECK(monotonic_now() - start >= 50ms);
    CHECK(alarms > 0);
}

TEMPLATE_TEST_CASE("a poll set tells by their keys which descriptors are ready", "[os][poll]", portable_back_end,
                   native_back_end) {
    typename TestType::poll_set set;
    const auto a = os::make_pipe(), b = os::make_pipe();
    set.add(a.read.get(), 7);
    set.add(b.read.get(), ~std::uint64_t{0});
    REQUIRE(ready(set, now()).empty());
    put_byte(b.write);
    REQUIRE(ready(set, os::deadline::never()) == std::vector{~std::uint64_t{0}});
    REQUIRE(ready(set, now()) == std::vector{~std::uint64_t{0}}); // still
    put_byte(a.write);
    const auto both = ready(set, os::deadline::never());
    REQUIRE(std::set(both.begin(), both.end()) == std::set{std::uint64_t{7}, ~std::uint64_t{0}});
}

TEMPLATE_TEST_CASE("the end of the other side is something to read", "[os][poll]", portable_back_end, native_back_end) {
    typename TestType::poll_set set;
    auto pipe = os::make_pipe();
    set.add(pipe.read.get(), 1);
    pipe.write.reset();
    REQUIRE(ready(set, os::deadline::never()) == std::vector{std::uint64_t{1}});
    set.remove(pipe.read.get());
}

TEMPLATE_TEST_CASE("a removed descriptor is waited for no more, and can come back under another key", "[os][poll]",
                   portable_back_end, native_back_end) {
    typename TestType::poll_set set;
    const auto a = os::make_pipe(), b = os::make_pipe();
    set.add(a.read.get(), 1);
    set.add(b.read.get(), 2);
    put_byte(a.write);
    put_byte(b.write);
    set.remove(a.read.get());
    REQUIRE(ready(set, now()) == std::vector{std::uint64_t{2}});
    set.remove(b.read.get());
    REQUIRE(ready(set, now()).empty());
    set.add(a.read.get(), 3);
    REQUIRE(ready(set, now()) == std::vector{std::uint64_t{3}});
}

TEMPLATE_TEST_CASE("where more is ready than there is room for, each gets its turn", "[os][poll]", portable_back_end,
                   native_back_end) {
    typename TestType::poll_set set;
    std::vector<os::pipe_ends> pipes;
    for (std::uint64_t key = 0; key < 10; ++key) {
        pipes.push_back(os::make_pipe());
        put_byte(pipes.back().write);
        set.add(pipes.back().read.get(), key);
    }
    std::set<std::uint64_t> seen;
    for (int round = 0; round < 5; ++round) {
        const auto keys = ready(set, os::deadline::never(), 3);
        REQUIRE(keys.size() == 3);
        seen.insert(keys.begin(), keys.end());
    }
    REQUIRE(seen.size() == 10);
}

TEMPLATE_TEST_CASE("a wait for a set ends after its deadline, never before it, whatever signals come", "[os][poll]",
                   portable_back_end, native_back_end) {
    typename TestType::poll_set set;
    const auto pipe = os::make_pipe();
    set.add(pipe.read.get(), 1);
    const interruptions signals;
    const auto start = monotonic_now();
    CHECK(ready(set, os::deadline::after(50ms)).empty());
    CHECK(monotonic_now() - start >= 50ms);
    CHECK(alarms > 0);
}

TEMPLATE_TEST_CASE("a second add, and a remove of what isn't there, are errors", "[os][poll]", portable_back_end,
                   native_back_end) {
    typename TestType::poll_set set;
    const auto pipe = os::make_pipe();
    set.add(pipe.read.get(), 1);
    REQUIRE(error_of([&] { set.add(pipe.read.get(), 2); }) == EEXIST);
    set.remove(pipe.read.get());
    REQUIRE(error_of([&] { set.remove(pipe.read.get()); }) == ENOENT);
    REQUIRE(error_of([&] { set.add(-1, 1); }) == EBADF);
}

TEST_CASE("a poll set can be polled itself, where the kernel keeps it", "[os][poll]") {
    os::poll_set set;
    const auto pipe = os::make_pipe();
    set.add(pipe.read.get(), 1);
    if (set.fd() == -1) {
        STATIC_REQUIRE((MULTIPROCESSING_PORTABLE() || !std::is_same_v<os::poll_set, os::portable::poll_set>));
    } else {
        REQUIRE_FALSE(os::wait_readable(set.fd(), now()));
        put_byte(pipe.write);
        REQUIRE(os::wait_readable(set.fd(), os::deadline::never()));
    }
}

TEMPLATE_TEST_CASE("a doorbell rings until it is silenced, however often it was rung", "[os][poll]", portable_back_end,
                   native_back_end) {
    typename TestType::doorbell bell;
    REQUIRE_FALSE(os::wait_readable(bell.fd(), now()));
    bell.silence(); // of a silent one: nothing happens, and nothing blocks
    for (const int rings : {1, 2, 5000, 200'000}) { // the last more than a pipe holds
        for (int i = 0; i < rings; ++i) bell.ring();
        CHECK(os::wait_readable(bell.fd(), os::deadline::never()));
        bell.silence();
        CHECK_FALSE(os::wait_readable(bell.fd(), now()));
    }
    bell.ring();
    REQUIRE(os::wait_readable(bell.fd(), now()));
}

TEMPLATE_TEST_CASE("a doorbell is heard in another process", "[os][poll]", portable_back_end, native_back_end) {
    typename TestType::doorbell call, answer;
    const pid_t child = ::fork();
    if (child == 0) {
        const bool heard = os::wait_readable(call.fd(), os::deadline::never());
        answer.ring();
        ::_exit(heard ? 0 : 1);
    }
    call.ring();
    REQUIRE(os::wait_readable(answer.fd(), os::deadline::never()));
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    call.silence();
    REQUIRE_FALSE(os::wait_readable(call.fd(), now()));
}

TEMPLATE_TEST_CASE("a moved doorbell is the same bell", "[os][poll]", portable_back_end, native_back_end) {
    typename TestType::doorbell bell;
    const int number = bell.fd();
    typename TestType::doorbell moved(std::move(bell));
    REQUIRE(moved.fd() == number);
    moved.ring();
    REQUIRE(os::wait_readable(number, now()));
}

TEMPLATE_TEST_CASE("a doorbell can be made again of its descriptors", "[os][poll]", portable_back_end, native_back_end) {
    typename TestType::doorbell bell;
    std::vector<os::descriptor> handed;
    for (const int fd : bell.descriptors()) handed.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    typename TestType::doorbell same(std::move(handed));
    same.ring();
    CHECK(os::wait_readable(bell.fd(), os::deadline::after(0ns)));
    bell.silence();
    CHECK_FALSE(os::wait_readable(same.fd(), os::deadline::after(0ns)));
}
