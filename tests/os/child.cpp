#include <multiprocessing/os/child.hpp>

#include <array>
#include <cstdlib> // std::atexit
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h> // pthread_atfork
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;
using namespace std::chrono_literals;

namespace {

template <typename Body>
os::child start(Body body) {
    os::child started = os::fork_child();
    if (started.pid() == 0) {
        body();
        ::_exit(0);
    }
    return started;
}

void sleep_for_ever() {
    for (;;) ::pause();
}

int exitcode_of(os::child child) {
    child.wait(os::deadline::never());
    return *child.exitcode();
}

/// Kills and reaps what a test has no more use for.
void finish(os::child& child) {
    child.signal(SIGKILL);
    child.wait(os::deadline::never());
}

std::chrono::nanoseconds monotonic_now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void say(const os::descriptor& to, char what) {
    os::write_all(to.get(), std::as_bytes(std::span(&what, 1)));
}

/// What comes next; 0 when nobody is left who could say something.
char hear(const os::descriptor& from) {
    char what = 0;
    return os::read_all(from.get(), std::as_writable_bytes(std::span(&what, 1))) == 1 ? what : '\0';
}

/// What `body` writes to stderr.
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

bool has_children() {
    return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD;
}

/// In the parent, right after each fork(): what another thread might do before the next line.
void (*meanwhile)() = nullptr;
void call_meanwhile() {
    if (meanwhile != nullptr) meanwhile();
}
const bool meanwhile_is_called = ::pthread_atfork(nullptr, call_meanwhile, nullptr) == 0;

} // namespace

TEST_CASE("an exit code is what the child left with, or the signal that killed it", "[os][child]") {
    CHECK(exitcode_of(start([] {})) == 0);
    CHECK(exitcode_of(start([] { os::leave(7); })) == 7);
    CHECK(exitcode_of(start([] { os::leave(255); })) == 255);
    CHECK(exitcode_of(start([] { os::leave(256 + 3); })) == 3); // the kernel keeps a byte
    for (const int number : {SIGKILL, SIGTERM, SIGUSR1, SIGQUIT, SIGRTMIN + 5})
        CHECK(exitcode_of(start([number] {
                  const rlimit no_core{0, 0};
                  ::setrlimit(RLIMIT_CORE, &no_core);
                  ::signal(number, SIG_DFL);
                  ::kill(::getpid(), number);
                  sleep_for_ever();
              })) == -number);
}

TEST_CASE("no child is no child", "[os][child]") {
    os::child none;
    REQUIRE_FALSE(none);
    REQUIRE(none.pid() == 0);
    REQUIRE(none.sentinel() == -1);
    REQUIRE_FALSE(none.exitcode().has_value());
    none.signal(SIGKILL); // reaches nobody, above all not this process's group
}

TEST_CASE("while it runs it has no exit code, and waiting ends at the deadline, never before", "[os][child]") {
    os::child child = start(sleep_for_ever);
    REQUIRE(child);
    REQUIRE(child.pid() > 0);
    REQUIRE_FALSE(child.exitcode().has_value());
    REQUIRE_FALSE(child.wait(os::deadline::after(0ns)));
    const auto begin = monotonic_now();
    REQUIRE_FALSE(child.wait(os::deadline::after(20ms)));
    REQUIRE(monotonic_now() - begin >= 20ms);
    REQUIRE_FALSE(os::wait_readable(child.sentinel(), os::deadline::after(0ns)));
    finish(child);
    REQUIRE(child.exitcode() == -SIGKILL);
}

TEST_CASE("the sentinel is readable from the end on, also after the child was reaped", "[os][child]") {
    os::child child = start([] {});
    REQUIRE(os::wait_readable(child.sentinel(), os::deadline::never()));
    REQUIRE(child.exitcode() == 0);
    REQUIRE(os::wait_readable(child.sentinel(), os::deadline::after(0ns)));
    REQUIRE(child.exitcode() == 0); // remembered
    REQUIRE(child.wait(os::deadline::after(0ns)));
    REQUIRE(child.pid() > 0);
    REQUIRE_FALSE(has_children());
}

TEST_CASE("a stopped child has not ended", "[os][child]") {
    os::child child = start(sleep_for_ever);
    child.signal(SIGSTOP);
    siginfo_t stopped{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child.pid()), &stopped, WSTOPPED | WNOWAIT) == 0);
    CHECK_FALSE(child.exitcode().has_value());
    CHECK_FALSE(child.wait(os::deadline::after(1ms)));
    child.signal(SIGCONT);
    CHECK_FALSE(child.exitcode().has_value());
    finish(child);
}

TEST_CASE("nobody is signalled in place of a child that has ended", "[os][child]") {
    os::child child = start([] {});
    os::wait_readable(child.sentinel(), os::deadline::never());
    child.signal(SIGKILL); // a zombie
    REQUIRE(child.exitcode() == 0);
    child.signal(SIGKILL); // reaped
    os::child other = start([] {});
    ::waitpid(other.pid(), nullptr, 0);
    other.signal(SIGKILL); // reaped by somebody else, and not known to be
    os::child third = start(sleep_for_ever);
    REQUIRE_THROWS_AS(third.signal(9999), std::system_error);
    finish(third);
}

TEST_CASE("when somebody else reaps it the exit code is 255, and the log says so", "[os][child]") {
    os::child child = start([] { os::leave(7); });
    ::waitpid(child.pid(), nullptr, 0);
    std::optional<int> code;
    const std::string log = on_stderr([&] { code = child.exitcode(); });
    REQUIRE(code == 255);
    REQUIRE_THAT(log, testing::contains("[WARNING/") && testing::contains(std::to_string(child.pid())));
    REQUIRE(on_stderr([&] { code = child.exitcode(); }).empty()); // once
    REQUIRE(child.wait(os::deadline::never()));
}

TEST_CASE("an ignored SIGCHLD reaps as well, and waiting still ends", "[os][child]") {
    struct sigaction ignore{}, before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGCHLD, &ignore, &before);
    std::optional<int> code;
    (void)on_stderr([&] { code = exitcode_of(start([] { os::leave(7); })); });
    ::sigaction(SIGCHLD, &before, nullptr);
    REQUIRE(code == 255);
}

TEST_CASE("a child that is over and reaped before it could be held on to is an ended child", "[os][child]") {
    os::child child;
    const std::string log = on_stderr([&] {
        meanwhile = [] { ::waitpid(-1, nullptr, 0); };
        child = start([] { os::leave(7); });
        meanwhile = nullptr;
    });
    REQUIRE(child.exitcode() == 255);
    child.signal(SIGKILL); // to nobody
    REQUIRE(os::wait_readable(child.sentinel(), os::deadline::never()));
    REQUIRE(child.wait(os::deadline::never()));
    REQUIRE_THAT(log, testing::contains("[WARNING/"));
}

TEST_CASE("a forked copy sees the end, but not before it", "[os][child]") {
    auto tell = os::make_pipe();
    os::child child = start(sleep_for_ever);
    os::child observer = start([&] {
        os::level(os::log_level::none);
        const bool ran = !child.exitcode().has_value() && !child.wait(os::deadline::after(1ms));
        say(tell.write, ran ? 'r' : '?');
        const bool ended = child.wait(os::deadline::never());
        os::leave(ended && child.exitcode() == 255 ? 0 : 1);
    });
    CHECK(hear(tell.read) == 'r');
    finish(child);
    CHECK(child.exitcode() == -SIGKILL); // the observer took nothing away
    CHECK(exitcode_of(std::move(observer)) == 0);
}

TEST_CASE("waiting outlasts a debugger that holds on to the dead", "[os][child]") {
    auto tell = os::make_pipe();
    os::child child = start(sleep_for_ever);
    os::child tracer = start([&] {
        say(tell.write, ::ptrace(PTRACE_SEIZE, child.pid(), nullptr, nullptr) == 0 ? 't' : 'f');
        sleep_for_ever();
    });
    if (hear(tell.read) == 't') { // it may be forbidden here
        child.signal(SIGKILL);
        CHECK_FALSE(child.wait(os::deadline::after(20ms)));
        finish(tracer);
        CHECK(child.wait(os::deadline::never()));
        CHECK(child.exitcode() == -SIGKILL);
    }
    finish(tracer);
    finish(child);
}

TEST_CASE("a child moves, and what it left is none", "[os][child]") {
    os::child child = start([] { os::leave(7); });
    const pid_t pid = child.pid();
    std::vector<os::child> children;
    children.push_back(std::move(child));
    REQUIRE_FALSE(child); // NOLINT: it says so itself
    REQUIRE(child.sentinel() == -1);
    REQUIRE(children[0].pid() == pid);
    children[0].wait(os::deadline::never());
    child = std::move(children[0]);
    REQUIRE(child.exitcode() == 7);
    REQUIRE_FALSE(children[0].exitcode().has_value());
}

TEST_CASE("what stdio holds is written once, by the parent, and the child's own by the child", "[os][child]") {
    const auto file = os::make_memory_file("out");
    std::FILE* const out = ::fdopen(file.duplicate().release(), "w");
    std::fputs("before ", out);
    os::child child = start([&] {
        std::fputs("child ", out);
        os::leave(0);
    });
    child.wait(os::deadline::never());
    std::fputs("after", out);
    std::fclose(out);
    std::string text(100, '\0');
    ::lseek(file.get(), 0, SEEK_SET);
    text.resize(os::read_all(file.get(), std::as_writable_bytes(std::span(text))));
    REQUIRE(text == "before child after");
}

TEST_CASE("leaving runs nothing that the parent registered with atexit()", "[os][child]") {
    REQUIRE(exitcode_of(start([] {
        std::atexit([] { ::_exit(99); });
        os::leave(3);
    })) == 3);
}

TEST_CASE("without room for its descriptor no child is started", "[os][child]") {
    os::descriptor lowest_free(::dup(0));
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    static rlimit full;
    full = {static_cast<rlim_t>(lowest_free.get() + 1), before.rlim_max};
    const auto error_of_start = [&] {
        std::exception_ptr failure; // looked at when there are descriptors again: sanitizers need one for that
        try {
            start(sleep_for_ever);
        } catch (...) {
            failure = std::current_exception();
        }
        ::setrlimit(RLIMIT_NOFILE, &before);
        try {
            if (failure) std::rethrow_exception(failure);
        } catch (const std::system_error& error) {
            return error.code().value();
        }
        return 0;
    };

    (void)fmt::format("{}", 1); // a sanitizer opens a pipe when it first sees a type, and those of messages come now
    ::setrlimit(RLIMIT_NOFILE, &full);
    CHECK(error_of_start() == EMFILE);
    CHECK_FALSE(has_children());

    meanwhile = [] { ::setrlimit(RLIMIT_NOFILE, &full); };
    CHECK(error_of_start() == EMFILE);
    meanwhile = nullptr;
    CHECK_FALSE(has_children());

    lowest_free.reset(); // one is enough
    ::setrlimit(RLIMIT_NOFILE, &full);
    os::child child = start([] {});
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK(exitcode_of(std::move(child)) == 0);
}

TEST_CASE("a program with threads is warned, once", "[os][child]") {
    REQUIRE(exitcode_of(start([] {
        os::detail::threads_warned_of = false;
        const auto fork_and_wait = [] { start([] {}).wait(os::deadline::never()); };
        const bool silent_without = on_stderr(fork_and_wait).empty();
        std::atomic<bool> end{false};
        std::thread other([&] {
            while (!end) ::sched_yield();
        });
        os::level(os::log_level::error);
        const bool silent_below_level = on_stderr(fork_and_wait).empty();
        os::level(os::log_level::warning);
        const std::string first = on_stderr(fork_and_wait), second = on_stderr(fork_and_wait);
        end = true;
        other.join();
        const bool warned = first.starts_with("[WARNING/") && first.find("threads") != std::string::npos;
        os::leave(silent_without && silent_below_level && warned && second.empty() ? 0 : 1);
    })) == 0);
}

TEST_CASE("signals have names", "[os][child]") {
    CHECK(os::signal_name(SIGSEGV) == "SIGSEGV");
    CHECK(os::signal_name(SIGRTMIN + 3) == "SIGRTMIN+3");
}

// ---- Dying with the parent ----
//
// This program is a grandparent here. It learns of its grandchild's end by the end of a pipe that nobody else holds.

namespace {

void compute_for_ever() {
    for (volatile unsigned i = 0;;) i = i + 1;
}

void read_for_ever() {
    const auto pipe = os::make_pipe();
    hear(pipe.read);
}

void sleep_in_naps() {
    for (;;) ::usleep(1'000'000);
}

void compute_with_threads() {
    std::thread other(sleep_in_naps);
    compute_for_ever();
}

} // namespace

TEST_CASE("a child dies with its parent, whatever it is doing", "[os][child]") {
    for (auto* const life :
         {compute_for_ever, read_for_ever, sleep_in_naps, sleep_for_ever, compute_with_threads}) {
        auto tell = os::make_pipe();
        os::child parent = start([&] {
            const pid_t self = os::pid();
            (void)start([&] {
                os::die_with(self);
                say(tell.write, 'r');
                life();
            });
            tell.write.reset();
            sleep_for_ever();
        });
        tell.write.reset();
        CHECK(hear(tell.read) == 'r');
        parent.signal(SIGKILL);
        CHECK(hear(tell.read) == '\0'); // or the watchdog
        finish(parent);
    }
}

TEST_CASE("a child dies with a parent that just leaves, too", "[os][child]") {
    auto tell = os::make_pipe(), ask = os::make_pipe();
    os::child parent = start([&] {
        const pid_t self = os::pid();
        (void)start([&] {
            os::die_with(self);
            say(tell.write, 'r');
            compute_for_ever();
        });
        hear(ask.read);
    });
    tell.write.reset();
    CHECK(hear(tell.read) == 'r');
    say(ask.write, 'x');
    CHECK(hear(tell.read) == '\0');
    CHECK(exitcode_of(std::move(parent)) == 0);
}

TEST_CASE("a parent that dies before the child could arm itself is noticed", "[os][child]") {
    auto tell = os::make_pipe();
    os::child parent = start([&] {
        const pid_t self = os::pid();
        (void)start([&] {
            say(tell.write, 'r');
            while (::getppid() == self) ::sched_yield();
            os::die_with(self);
            say(tell.write, 'x');
        });
        tell.write.reset();
        sleep_for_ever();
    });
    tell.write.reset();
    CHECK(hear(tell.read) == 'r');
    finish(parent);
    CHECK(hear(tell.read) == '\0');
}

TEST_CASE("a signal mask inherited from the forking thread doesn't shield a child", "[os][child]") {
    auto tell = os::make_pipe();
    os::child parent = start([&] {
        sigset_t all;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
        const pid_t self = os::pid();
        (void)start([&] {
            os::die_with(self);
            say(tell.write, 'r');
            compute_for_ever();
        });
        tell.write.reset();
        sleep_for_ever();
    });
    tell.write.reset();
    CHECK(hear(tell.read) == 'r');
    finish(parent);
    CHECK(hear(tell.read) == '\0');
}

namespace {

/// The kernel has let go of this thread, and so has sent whatever it sends at its end.
void wait_until_gone(pid_t thread) {
    const std::string path = "/proc/self/task/" + std::to_string(thread);
    while (::access(path.c_str(), F_OK) == 0) ::sched_yield();
}

} // namespace

TEST_CASE("a child outlives the thread that forked it, and dies with the process", "[os][child]") {
    auto tell = os::make_pipe(), ask = os::make_pipe();
    os::child parent = start([&] {
        os::level(os::log_level::error); // it forks beside a thread, and would be told
        const pid_t self = os::pid();
        std::atomic<pid_t> forker{0};
        auto armed = os::make_pipe();
        std::thread([&] {
            const os::child child = start([&] {
                os::die_with(self);
                say(armed.write, 'a');
                // Asleep in a system call when the thread ends: the call must go on as if nothing had happened.
                char what = 0;
                const auto n = ::read(ask.read.get(), &what, 1);
                say(tell.write, n == 1 ? what : '?');
                compute_for_ever();
            });
            hear(armed.read);
            os::detail::process_status status;
            while (os::detail::read_status(child.pid(), status) != 0 || status.state != 'S') ::sched_yield();
            forker = ::gettid();
        }).join();
        wait_until_gone(forker);
        say(tell.write, 'e');
        tell.write.reset();
        sleep_for_ever();
    });
    tell.write.reset();
    CHECK(hear(tell.read) == 'e');
    say(ask.write, 's');
    CHECK(hear(tell.read) == 's'); // it lives
    parent.signal(SIGKILL);
    CHECK(hear(tell.read) == '\0');
    finish(parent);
}

TEST_CASE("a child outlives its parent's first thread, and dies with the last", "[os][child]") {
    auto tell = os::make_pipe(), ask = os::make_pipe(), end = os::make_pipe();
    os::child parent = start([&] {
        const pid_t self = os::pid();
        auto armed = os::make_pipe();
        (void)start([&] {
            os::die_with(self);
            say(armed.write, 'a');
            say(tell.write, hear(ask.read));
            compute_for_ever();
        });
        hear(armed.read);
        std::thread([&] {
            os::detail::process_status status;
            while (os::detail::read_status(self, status) != 0 || status.state != 'Z') ::sched_yield();
            say(tell.write, 'e');
            hear(end.read);
            ::_exit(0);
        }).detach();
        ::syscall(SYS_exit, 0); // this thread alone
    });
    tell.write.reset();
    CHECK(hear(tell.read) == 'e');
    say(ask.write, 's');
    CHECK(hear(tell.read) == 's');
    CHECK_FALSE(parent.exitcode().has_value());
    say(end.write, 'x');
    CHECK(hear(tell.read) == '\0');
    CHECK(exitcode_of(std::move(parent)) == 0);
}

TEST_CASE("the signal alone ends nobody whose parent lives", "[os][child]") {
    REQUIRE(exitcode_of(start([parent = os::pid()] {
        os::die_with(parent);
        ::raise(MULTIPROCESSING_PARENT_DEATH_SIGNAL());
        os::leave(3);
    })) == 3);
}
