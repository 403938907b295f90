#include <multiprocessing/os/futex.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/time.h> // setitimer
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/os/self.hpp> // which thread sleeps

#include "support/catch.hpp"

namespace os = multiprocessing::os;
using namespace std::chrono_literals;

namespace {

using word = std::atomic<std::uint32_t>;

/// The back ends are tested all, wherever they compile.
struct portable_back_end {
    static bool sleep_on(const word& w, std::uint32_t seen, const os::deadline& until) {
        return os::portable::sleep_on(w, seen, until);
    }
    static void wake_one(word& w) noexcept { os::portable::wake_one(w); }
    static void wake_all(word& w) noexcept { os::portable::wake_all(w); }
};
#if MULTIPROCESSING_PORTABLE()
using native_back_end = portable_back_end;
#else
struct native_back_end {
    static bool sleep_on(const word& w, std::uint32_t seen, const os::deadline& until) {
        return os::on_linux::sleep_on(w, seen, until);
    }
    static void wake_one(word& w) noexcept { os::on_linux::wake_one(w); }
    static void wake_all(word& w) noexcept { os::on_linux::wake_all(w); }
};
#endif

std::chrono::nanoseconds monotonic_now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// Memory that forked children share.
template <typename T>
class shared {
public:
    shared() : at_(new (::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) T()) {}
    ~shared() { ::munmap(at_, sizeof(T)); }
    shared(const shared&) = delete;
    shared& operator=(const shared&) = delete;
    T* operator->() { return at_; }
    T& operator*() { return *at_; }

private:
    T* at_;
};

template <typename Body>
pid_t in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body() ? 0 : 1);
    return child;
}

bool succeeded(pid_t child) {
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
}

} // namespace

TEMPLATE_TEST_CASE("nobody sleeps on a word that isn't what was seen", "[os][futex]", portable_back_end,
                   native_back_end) {
    const word w{1};
    REQUIRE(TestType::sleep_on(w, 0, os::deadline::never()));
    REQUIRE(TestType::sleep_on(w, 0, os::deadline::after(0ns)));
}

TEMPLATE_TEST_CASE("a sleep ends at its deadline, never before it", "[os][futex]", portable_back_end, native_back_end) {
    const word w{0};
    for (const auto timeout : {-1ns, 0ns, 1ns, 100'000ns, 30'000'000ns}) {
        const auto start = monotonic_now();
        const auto until = os::deadline::after(timeout);
        while (TestType::sleep_on(w, 0, until)) {} // true says nothing
        CHECK(monotonic_now() - start >= timeout);
        CHECK(until.passed());
    }
}

TEMPLATE_TEST_CASE("a signal doesn't pass for the deadline", "[os][futex]", portable_back_end, native_back_end) {
    struct sigaction action{}, before{};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, &before);
    const itimerval each_millisecond{{0, 1000}, {0, 1000}}, never{};
    ::setitimer(ITIMER_REAL, &each_millisecond, nullptr);
    const word w{0};
    const auto until = os::deadline::after(30ms);
    bool early = false;
    while (TestType::sleep_on(w, 0, until)) {}
    early = !until.passed();
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    REQUIRE_FALSE(early);
}

TEMPLATE_TEST_CASE("two processes wake each other, back and forth", "[os][futex]", portable_back_end, native_back_end) {
    shared<word> ball;
    constexpr std::uint32_t rounds = 300;
    // Even numbers are the parent's to raise, odd ones the child's.
    const auto play = [&](std::uint32_t parity) {
        for (;;) {
            const std::uint32_t seen = ball->load();
            if (seen >= rounds) return true;
            if (seen % 2 == parity) {
                ball->store(seen + 1);
                TestType::wake_one(*ball);
            } else {
                TestType::sleep_on(*ball, seen, os::deadline::never());
            }
        }
    };
    const pid_t child = in_child([&] { return play(1); });
    REQUIRE(play(0));
    REQUIRE(succeeded(child));
}

TEMPLATE_TEST_CASE("wake_all wakes all, in whatever process they sleep", "[os][futex]", portable_back_end,
                   native_back_end) {
    struct state {
        word go, about_to_sleep;
    };
    shared<state> s;
    std::array<pid_t, 4> children{};
    for (pid_t& child : children)
        child = in_child([&] {
            ++s->about_to_sleep;
            while (s->go.load() == 0) TestType::sleep_on(s->go, 0, os::deadline::never());
            return true;
        });
    while (s->about_to_sleep.load() < children.size()) ::sched_yield();
    s->go.store(1);
    TestType::wake_all(s->go);
    for (const pid_t child : children) CHECK(succeeded(child));
}

#if !MULTIPROCESSING_PORTABLE()
TEST_CASE("wake_one wakes one: the others sleep on", "[os][futex]") {
    word w{0}, awake{0};
    std::array<std::atomic<pid_t>, 3> ids{};
    std::vector<std::thread> sleepers;
    for (auto& id : ids)
        sleepers.emplace_back([&] {
            id = ::gettid();
            os::on_linux::sleep_on(w, 0, os::deadline::never());
            ++awake;
        });
    for (auto& id : ids) {
        os::detail::process_status status;
        while (id == 0 || os::detail::read_status(id, status) != 0 || status.state != 'S') ::sched_yield();
    }
    os::on_linux::wake_one(w);
    while (awake == 0) ::sched_yield();
    const long others = ::syscall(SYS_futex, &w, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); // how many it woke
    for (auto& sleeper : sleepers) sleeper.join();
    REQUIRE(others == 2);
}

TEST_CASE("a word that isn't mapped is an error for the sleeper and nothing for the waker", "[os][futex]") {
    void* const page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    auto& gone = *static_cast<word*>(page);
    ::munmap(page, 4096);
    os::on_linux::wake_one(gone);
    os::on_linux::wake_all(gone);
    REQUIRE_THROWS_AS(os::on_linux::sleep_on(gone, 0, os::deadline::never()), std::system_error);
}

TEST_CASE("one may sleep on memory that one may only read", "[os][futex]") {
    auto* const page = static_cast<word*>(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    CHECK_FALSE(os::on_linux::sleep_on(*page, 0, os::deadline::after(1ms)));
    CHECK(os::on_linux::sleep_on(*page, 1, os::deadline::never()));
    ::munmap(page, 4096);
}
#endif

TEST_CASE("spinning ends when it is ready", "[os][futex]") {
    int looks = 0;
    REQUIRE(os::spin_for([&] { return ++looks == 1; }));
    REQUIRE(looks == 1);
}

TEST_CASE("a spinner with another cpu beside it looks often, and for 20 us at least", "[os][futex]") {
    REQUIRE(succeeded(in_child([] {
        os::detail::cpus_to_spin_on = 2;
        int looks = 0;
        const auto start = monotonic_now();
        const bool ready = os::spin_for([&] {
            ++looks;
            return false;
        });
        const bool found = os::spin_for([&] { return ++looks > 30; });
        return !ready && found && monotonic_now() - start >= 20us && looks > 20;
    })));
}

TEST_CASE("on the only cpu nobody spins", "[os][futex]") {
    REQUIRE(succeeded(in_child([] {
        os::detail::cpus_to_spin_on = 1;
        int looks = 0;
        return !os::spin_for([&] { return ++looks > 1; }) && looks == 1;
    })));
}

TEST_CASE("who is bound to one cpu of several spins, for the other may be elsewhere", "[os][futex]") {
    if (std::min(os::cpu_count(), os::cpu_quota()) < 2) return;
    REQUIRE(succeeded(in_child([] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
        if (::sched_setaffinity(0, sizeof one, &one) != 0) return false;
        os::detail::cpus_to_spin_on = 0; // to be counted anew
        int looks = 0;
        return os::spin_for([&] { return ++looks > 1; });
    })));
}

TEST_CASE("a spinner sees what another process writes", "[os][futex]") {
    shared<word> w;
    const pid_t child = in_child([&] {
        while (!os::spin_for([&] { return w->load() != 0; })) {}
        return true;
    });
    os::relax();
    w->store(1);
    REQUIRE(succeeded(child));
}
