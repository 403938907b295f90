// The least there can be: a word and the system call, which know of no owner; an atomic number; a plain array.
#include "contender.hpp"

#include <array>
#include <climits>
#include <cstdint>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

using word = std::atomic<std::uint32_t>;

void sleep_on(word& w, std::uint32_t seen) { ::syscall(SYS_futex, &w, FUTEX_WAIT, seen, nullptr, nullptr, 0); }
void wake(word& w, int n) { ::syscall(SYS_futex, &w, FUTEX_WAKE, n, nullptr, nullptr, 0); }

/// 0: free, 1: held, 2: held, and somebody may sleep.
struct mutex {
    void lock() {
        std::uint32_t seen = 0;
        if (w.compare_exchange_strong(seen, 1, std::memory_order_acquire)) return;
        while (w.exchange(2, std::memory_order_acquire) != 0) sleep_on(w, 2);
    }
    void unlock() {
        if (w.exchange(0, std::memory_order_release) == 2) wake(w, 1);
    }
    word& w = in_shared_memory<word>(0u);
};

/// Sleeps at once, and is woken by a system call whether it sleeps or not.
struct bare_wake final : doorbell {
    void tell() override {
        w.store(1, std::memory_order_release);
        wake(w, INT_MAX);
    }
    void wait() override {
        while (w.exchange(0, std::memory_order_acquire) == 0) sleep_on(w, 0);
    }
    word& w = in_shared_memory<word>(0u);
};

constexpr long elements = 1024;

} // namespace

contenders futex() {
    auto& number = in_shared_memory<std::atomic<long>>(0);
    auto& plain = in_shared_memory<std::array<long, elements>>();
    return {.locks = {lock<mutex>("bare futex")},
            .doorbells = {waking<bare_wake>("bare futex", true)},
            .values = {{"std::atomic<long>: load",
                        [&number](long n) {
                            for (long i = 0; i < n; ++i) happened(number.load(std::memory_order_acquire));
                        }},
                       {"std::atomic<long>: +=",
                        [&number](long n) {
                            for (long i = 0; i < n; ++i) number += 1;
                        }},
                       {"std::array<long>: element", [&plain](long n) {
                            for (long i = 0; i < n; ++i) happened(plain[static_cast<std::size_t>(i % elements)]);
                        }}}};
}
