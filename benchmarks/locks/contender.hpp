// What is taken and released, what somebody is woken by, and what is read and added to: the same for every contender.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <sys/mman.h>

/// A T that forked processes share, and that is never destroyed.
template <typename T, typename... Args>
T& in_shared_memory(Args&&... args) {
    void* const place = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) throw std::bad_alloc();
    return *new (place) T(std::forward<Args>(args)...);
}

/// Keeps the compiler from leaving out, or taking out of a loop, what stands before it.
inline void happened() { asm volatile("" ::: "memory"); }
template <typename T>
void happened(const T& read) {
    asm volatile("" : : "r"(read) : "memory");
}

/// What processes fight over.
struct arena {
    std::atomic<bool> over{false};
    alignas(64) std::atomic<long> counter{0}; ///< changed in two steps, by who has the lock
};

/// Made before the processes are forked that use it, as all that follows. The loops are the contender's: no call is in between.
struct exclusion {
    virtual ~exclusion() = default;
    virtual void pairs(long n) = 0;
    /// Until it is over, with so many steps of private work in between. How often it had the lock.
    virtual long take_turns(arena& a, int private_work) = 0;
};

/// Lock: what std::unique_lock takes.
template <typename Lock>
struct exclusion_by final : exclusion {
    void pairs(long n) override {
        for (long i = 0; i < n; ++i) {
            one.lock();
            happened();
            one.unlock();
        }
    }
    long take_turns(arena& a, int private_work) override {
        long turns = 0;
        for (; !a.over.load(std::memory_order_relaxed); ++turns) {
            one.lock();
            a.counter.store(a.counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
            one.unlock();
            for (int i = 0; i < private_work; ++i) happened(i);
        }
        return turns;
    }
    Lock one;
};

/// What one process waits for and another one tells.
struct doorbell {
    virtual ~doorbell() = default;
    virtual void tell() = 0;
    virtual void wait() = 0;
    /// By who has waited, before he waits again.
    virtual void rearm() {}
};

/// What one row of a table says of one round; some say only the first.
using numbers = std::pair<double, double>;
/// Of a contender that isn't of this program: asked in words, it measures by itself.
using answers = std::function<numbers(const std::string& question)>;

struct lock_contender {
    std::string name;
    std::function<std::unique_ptr<exclusion>()> make;
    answers elsewhere = {};
};
struct doorbell_contender {
    std::string name;
    std::function<std::unique_ptr<doorbell>()> make;
    bool hands_over = false; ///< a semaphore, or what does as one: also in the round trip
    answers elsewhere = {};
};
/// So many times the same.
struct value_contender {
    std::string name;
    std::function<void(long n)> repeat;
    answers elsewhere = {};
};

struct contenders {
    std::vector<lock_contender> locks = {};
    std::vector<doorbell_contender> doorbells = {};
    std::vector<value_contender> values = {};
};

template <typename Lock>
lock_contender lock(const char* name) {
    return {name, [] { return std::make_unique<exclusion_by<Lock>>(); }};
}
template <typename Doorbell>
doorbell_contender waking(const char* name, bool hands_over = false) {
    return {name, [] { return std::make_unique<Doorbell>(); }, hands_over};
}

// One function a file.
contenders ours();
contenders pthreads();
contenders posix_semaphore();
contenders boost_interprocess();
contenders futex();
contenders python();
