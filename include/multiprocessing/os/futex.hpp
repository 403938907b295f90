// Floor 1, os/futex: sleeping on a word of shared memory.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <chrono>
#include <cstdint>

#include <sched.h> // sched_yield

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/cpu.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/portable/futex.hpp>
#if !MULTIPROCESSING_PORTABLE()
#    include <multiprocessing/os/linux/futex.hpp>
#endif

namespace multiprocessing::os {

#if MULTIPROCESSING_PORTABLE()
namespace futex_back_end = portable;
#else
namespace futex_back_end = on_linux;
#endif

/// Sleeps while the word is what was seen, until somebody wakes it.
///
///     std::uint32_t seen = word.load();
///     while (!good(seen)) {
///         if (!os::sleep_on(word, seen, until)) return false;
///         seen = word.load();
///     }
///
///     bool sleep_on(const std::atomic<std::uint32_t>& word, std::uint32_t seen, const deadline& until);
///
/// False only when the deadline passed. True says nothing: woken, interrupted, or the word had changed already; look
/// again.
///
/// - Python: none; semaphores of the C library do this inside.
/// - Threads and processes: any that have mapped the memory, at whatever address.
/// - When a process dies: a dead sleeper is simply gone. A waker that dies between its change and its wake leaves the
///   sleepers asleep: who must notice that waits for its end as well.
/// - Errors: std::system_error when the word isn't mapped.
using futex_back_end::sleep_on;

/// Wakes one sleeper, if there is one: a system call in either case, so count the sleepers first.
using futex_back_end::wake_one;

/// Wakes all.
using futex_back_end::wake_all;

/// One look apart from the next: tells the core that this is a spinning loop. About 10 ns.
inline void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory"); // `yield` does nothing on most of these cores
#endif
}

namespace detail {

/// 0: nobody has counted yet. No lock around it: a fork() in the middle hurts nobody.
inline constinit std::atomic<unsigned> cpus_to_spin_on{0};

} // namespace detail

/// How many can look out for something at once, without being in each other's way. Where this process itself may run doesn't matter.
inline unsigned most_spinners() {
    unsigned cpus = detail::cpus_to_spin_on.load(std::memory_order_relaxed);
    if (cpus == 0) detail::cpus_to_spin_on.store(cpus = std::min(cpu_count(), cpu_quota()), std::memory_order_relaxed);
    return cpus;
}

namespace detail {

/// Whether another core could be doing what a spinner waits for: the other one may be elsewhere, or on the same core, and then it is
/// its turn at the next yield.
inline bool spinning_pays() { return most_spinners() > 1; }

} // namespace detail

/// Looks for about 20 us whether `ready()`, which is less than a wake-up across cores costs; true when it said so. What
/// isn't ready then is worth sleeping for.
///
///     if (os::spin_for([&] { return word.load(std::memory_order_acquire) != seen; })) return;
///
/// Yields every 20 looks, and measures time rather than looks: with more runnable processes than cores a plain spin
/// takes the core from the one it waits for. Looks once where there is one cpu.
template <class Ready>
bool spin_for(Ready ready) {
    if (ready()) return true;
    if (!detail::spinning_pays()) return false;
    const deadline until = deadline::after(std::chrono::microseconds(20));
    do {
        for (int looks = 0; looks < 20; ++looks) {
            relax();
            if (ready()) return true;
        }
        ::sched_yield();
    } while (!until.passed());
    return ready(); // the yield may have taken long
}

} // namespace multiprocessing::os
