#include <multiprocessing/os/robust_mutex.hpp>

#include <array>
#include <csignal>
#include <new>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/steps.hpp"

namespace os = multiprocessing::os;
using os::taken;
using namespace std::chrono_literals;

namespace {

/// The back ends are tested all, wherever they compile.
using portable_mutex = os::portable::robust_mutex;
using native_mutex = os::robust_mutex;

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
    if (child == 0) {
        body();
        ::_exit(0);
    }
    return child;
}

int end_of(pid_t child) {
    int status = -1;
    while (::waitpid(child, &status, 0) < 0) {}
    return status;
}

const os::deadline never = os::deadline::never();

} // namespace

TEMPLATE_TEST_CASE("locking and unlocking", "[os][robust_mutex]", portable_mutex, native_mutex) {
    shared<TestType> m;
    REQUIRE_FALSE(m->held());
    REQUIRE_FALSE(m->held_here());
    REQUIRE(m->lock(never) == taken::yes);
    REQUIRE(m->held());
    REQUIRE(m->held_here());
    REQUIRE(m->try_lock() == taken::no);
    m->find_out();
    REQUIRE(m->held_here());
    m->unlock();
    REQUIRE_FALSE(m->held());
    REQUIRE(m->try_lock() == taken::yes);
    m->unlock();
    REQUIRE_FALSE(m->held());
}

TEMPLATE_TEST_CASE("waiting ends at its deadline, never before it", "[os][robust_mutex]", portable_mutex,
                   native_mutex) {
    shared<TestType> m;
    REQUIRE(m->lock(never) == taken::yes);
    for (const auto timeout : {0ns, 1ns, 30'000'000ns, 120'000'000ns}) {
        taken other = taken::yes;
        bool early = true;
        std::thread([&] {
            const auto until = os::deadline::after(timeout);
            other = m->lock(until);
            early = !until.passed();
        }).join();
        REQUIRE(other == taken::no);
        REQUIRE_FALSE(early);
    }
    m->unlock();
    REQUIRE(m->try_lock() == taken::yes);
    m->unlock();
}

TEMPLATE_TEST_CASE("threads of two processes exclude each other", "[os][robust_mutex]", portable_mutex, native_mutex) {
    struct state {
        TestType mutex;
        long sum = 0;
        int inside = 0;
        bool overlap = false;
    };
    shared<state> s;
    constexpr int rounds = 3000;
    const auto add = [&] {
        for (int i = 0; i < rounds; ++i) {
            static_cast<void>(s->mutex.lock(never));
            if (++s->inside != 1) s->overlap = true;
            ++s->sum;
            --s->inside;
            s->mutex.unlock();
        }
    };
    std::vector<pid_t> children;
    for (int i = 0; i < 2; ++i)
        children.push_back(in_child([&] {
            std::thread other(add);
            add();
            other.join();
        }));
    std::thread other(add);
    add();
    other.join();
    for (const pid_t child : children) REQUIRE(end_of(child) == 0);
    REQUIRE(s->sum == 6L * rounds);
    REQUIRE_FALSE(s->overlap);
}

TEMPLATE_TEST_CASE("a child doesn't hold what its parent holds", "[os][robust_mutex]", portable_mutex, native_mutex) {
    struct state {
        TestType mutex;
        bool mine = true;
        taken first = taken::yes;
    };
    shared<state> s;
    REQUIRE(s->mutex.lock(never) == taken::yes);
    REQUIRE(end_of(in_child([&] {
                s->mine = s->mutex.held_here();
                s->first = s->mutex.try_lock();
            })) == 0);
    REQUIRE_FALSE(s->mine);
    REQUIRE(s->first == taken::no);
    REQUIRE(s->mutex.held_here()); // and its end isn't ours
    s->mutex.unlock();
}

TEMPLATE_TEST_CASE("the next one learns of the holder's death once", "[os][robust_mutex]", portable_mutex,
                   native_mutex) {
    shared<TestType> m;
    end_of(in_child([&] {
        static_cast<void>(m->lock(never));
        ::raise(SIGKILL);
    }));
    m->find_out();
    REQUIRE_FALSE(m->held());
    REQUIRE(m->try_lock() == taken::from_the_dead);
    REQUIRE(m->held_here());
    m->unlock();
    REQUIRE(m->lock(never) == taken::yes);
    m->unlock();

    end_of(in_child([&] { static_cast<void>(m->lock(never)); })); // leaves in peace, and with it
    REQUIRE(m->lock(never) == taken::from_the_dead);
    m->unlock();
}

TEMPLATE_TEST_CASE("who sleeps for it wakes when its holder is killed, one after the other", "[os][robust_mutex]",
                   portable_mutex, native_mutex) {
    struct state {
        TestType mutex;
        std::atomic<int> waiting{0}, held{0}, told{0};
    };
    shared<state> s;
    const pid_t holder = in_child([&] {
        static_cast<void>(s->mutex.lock(never));
        ++s->held;
        for (;;) ::pause();
    });
    while (s->held == 0) ::sched_yield();
    std::array<pid_t, 4> others{};
    for (pid_t& other : others)
        other = in_child([&] {
            ++s->waiting;
            if (s->mutex.lock(never) == taken::from_the_dead) ++s->told;
            ++s->held;
            ::raise(SIGKILL);
        });
    while (s->waiting != 4) ::sched_yield();
    ::kill(holder, SIGKILL);
    end_of(holder);
    for (const pid_t other : others) end_of(other);
    REQUIRE(s->held == 5);
    REQUIRE(s->told == 4);
}

TEMPLATE_TEST_CASE("killed at any step of locking and unlocking, a process leaves a mutex that works",
                   "[os][robust_mutex]", portable_mutex, native_mutex) {
    struct state {
        TestType mutex;
        std::atomic<bool> waiting{false};
        std::atomic<int> through{0};
    };
    const int crowd = GENERATE(0, 3);
    unsigned k = 1;
    for (;; ++k) {
        shared<state> s;
        // Others want it all the time.
        std::vector<pid_t> others;
        for (int i = 0; i < crowd; ++i)
            others.push_back(in_child([&] {
                for (int n = 0; n < 200; ++n) {
                    static_cast<void>(s->mutex.lock(never));
                    s->through.fetch_add(1);
                    s->mutex.unlock();
                }
            }));
        while (crowd != 0 && s->through == 0) ::sched_yield();
        const int status = end_of(in_child([&] {
            testing::arm(k);
            for (int n = 0; n < 2; ++n) {
                static_cast<void>(s->mutex.lock(never));
                s->mutex.unlock();
                if (s->mutex.try_lock() != taken::no) s->mutex.unlock();
            }
            testing::disarm();
        }));
        for (const pid_t other : others) REQUIRE(end_of(other) == 0);
        INFO("killed at step " << k);
        REQUIRE(s->mutex.lock(never) != taken::no);
        s->mutex.unlock();
        REQUIRE(s->mutex.lock(never) == taken::yes);
        s->mutex.unlock();
        if (status == 0) break;
    }
    REQUIRE(k > 6);
}

#if !MULTIPROCESSING_PORTABLE()
TEST_CASE("a thread that ends with it is noticed as well", "[os][robust_mutex]") {
    shared<os::robust_mutex> m;
    std::thread([&] { static_cast<void>(m->lock(never)); }).join();
    REQUIRE(m->lock(never) == taken::from_the_dead);
    m->unlock();
}

TEST_CASE("it stands beside the C library's robust mutexes, locked and unlocked in any order", "[os][robust_mutex]") {
    if (MULTIPROCESSING_THREAD_SANITIZER()) return; // it reports that the order changes, which is the point
    struct state {
        std::array<os::robust_mutex, 3> ours;
        std::array<pthread_mutex_t, 3> theirs;
    };
    shared<state> s;
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    ::pthread_mutex_init(&s->theirs[0], &attributes);
    ::pthread_mutex_init(&s->theirs[1], &attributes);
    ::pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT); // these are marked in the list
    ::pthread_mutex_init(&s->theirs[2], &attributes);

    // Each order of taking six locks in which a child leaves some of them.
    unsigned random = 1;
    const auto next = [&] { return random = random * 1664525 + 1013904223, random >> 16; };
    for (int round = 0; round < 200; ++round) {
        const unsigned seed = next();
        const auto play = [&](unsigned start, auto lock, auto unlock) {
            unsigned r = start;
            std::array<bool, 6> held{};
            for (int move = 0; move < 40; ++move) {
                r = r * 1664525 + 1013904223;
                const unsigned which = (r >> 16) % 6;
                if (held[which])
                    unlock(which);
                else
                    lock(which);
                held[which] = !held[which];
            }
            return held;
        };
        const auto lock = [&](unsigned which) {
            if (which < 3)
                static_cast<void>(s->ours[which].lock(never));
            else
                ::pthread_mutex_lock(&s->theirs[which - 3]);
        };
        const auto unlock = [&](unsigned which) {
            if (which < 3)
                s->ours[which].unlock();
            else
                ::pthread_mutex_unlock(&s->theirs[which - 3]);
        };
        end_of(in_child([&] {
            play(seed, lock, unlock);
            ::raise(SIGKILL);
        }));
        const auto left = play(
            seed, [](unsigned) {}, [](unsigned) {});
        for (unsigned i = 0; i < 3; ++i) {
            REQUIRE(s->ours[i].lock(os::deadline::after(0ns)) == (left[i] ? taken::from_the_dead : taken::yes));
            const int result = ::pthread_mutex_lock(&s->theirs[i]);
            REQUIRE(result == (left[i + 3] ? EOWNERDEAD : 0));
            if (result != 0) ::pthread_mutex_consistent(&s->theirs[i]);
        }
        for (unsigned i = 0; i < 3; ++i) {
            s->ours[i].unlock();
            ::pthread_mutex_unlock(&s->theirs[i]);
        }
    }
    // In a thread other than the first its list has another head.
    std::thread([&] {
        for (auto& m : s->ours) static_cast<void>(m.lock(never));
        ::pthread_mutex_lock(&s->theirs[0]);
    }).join();
    for (auto& m : s->ours) {
        REQUIRE(m.lock(never) == taken::from_the_dead);
        m.unlock();
    }
    REQUIRE(::pthread_mutex_lock(&s->theirs[0]) == EOWNERDEAD);
    ::pthread_mutex_consistent(&s->theirs[0]);
    ::pthread_mutex_unlock(&s->theirs[0]);
}

TEST_CASE("more of them at once than the kernel counts are found out by who waits", "[os][robust_mutex]") {
    struct state {
        std::array<os::robust_mutex, 2100> many;
    };
    shared<state> s;
    end_of(in_child([&] {
        for (auto& m : s->many) static_cast<void>(m.lock(never));
        ::raise(SIGKILL);
    }));
    for (auto& m : s->many) REQUIRE(m.lock(never) == taken::from_the_dead);
    for (auto& m : s->many) m.unlock();
}
#endif
