// Floor 1, os/robust_mutex anywhere: a word that names the holder, whose waiters look whether it lives.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime> // nanosleep

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/taken.hpp>

namespace multiprocessing::os::portable {

namespace detail {

/// A thread as one number that is never 0: its process's pid (24 bits), something of when that started (20), and the
/// thread's own number (20).
struct thread_word {
    static constexpr unsigned thread_bits = 20;
    static constexpr unsigned start_bits = 20;
    static constexpr std::uint64_t start_mask = (1U << start_bits) - 1;

    static pid_t pid(std::uint64_t word) noexcept { return static_cast<pid_t>(word >> (start_bits + thread_bits)); }
    static std::uint64_t start(std::uint64_t word) noexcept { return word >> thread_bits & start_mask; }
};

struct thread_number {
    std::uint64_t word = 0;
    std::uint32_t generation = 0;
};
inline constinit thread_local thread_number this_thread_number;
inline constinit std::atomic<std::uint32_t> threads_numbered{0};

inline std::uint64_t thread_here() noexcept {
    thread_number& me = this_thread_number;
    const std::uint32_t generation = os::detail::generation.load(std::memory_order_relaxed);
    if (me.word == 0 || me.generation != generation) [[unlikely]] {
        const std::uint64_t pid = static_cast<std::uint64_t>(os::pid()) & 0xff'ffff;
        const std::uint64_t start = os::start_time(os::pid()) & thread_word::start_mask;
        const std::uint64_t thread = threads_numbered.fetch_add(1, std::memory_order_relaxed) & 0xf'ffff;
        me.word = (pid << thread_word::start_bits | start) << thread_word::thread_bits | thread;
        me.generation = generation;
    }
    return me.word;
}

inline bool thread_may_live(std::uint64_t word) noexcept {
    const pid_t pid = thread_word::pid(word);
    if (pid == os::pid()) return true;
    const std::uint64_t started = os::start_time(pid);
    if (started == 0) return is_alive(pid, 0); // in doubt it lives
    return (started & thread_word::start_mask) == thread_word::start(word);
}

} // namespace detail

/// One word: 0, `died`, or who holds it. Nobody is woken: who waits naps, and looks every 4 ms whether the holder's
/// process lives. A single thread that ends while it holds one isn't noticed.
class robust_mutex {
public:
    [[nodiscard]] taken try_lock() noexcept {
        std::uint64_t seen = word_.load(std::memory_order_relaxed);
        while (seen == 0 || seen == died) {
            if (!word_.compare_exchange_weak(seen, detail::thread_here(), std::memory_order_acquire)) continue;
            MULTIPROCESSING_STEP(mutex_taken);
            return seen == died ? taken::from_the_dead : taken::yes;
        }
        return taken::no;
    }

    [[nodiscard]] taken lock(const deadline& until) {
        using std::chrono::nanoseconds;
        constexpr nanoseconds longest = std::chrono::milliseconds(4);
        for (nanoseconds nap = std::chrono::microseconds(32);; nap = std::min(2 * nap, longest)) {
            if (const taken result = try_lock(); result != taken::no) return result;
            if (nap == longest) {
                find_out();
                if (const taken result = try_lock(); result != taken::no) return result;
            }
            if (until.passed()) return taken::no;
            const timespec time{0, static_cast<long>(std::min(nap, until.left()).count())};
            ::nanosleep(&time, nullptr); // interrupted: one nap was shorter
        }
    }

    void unlock() noexcept {
        word_.store(0, std::memory_order_release);
        MULTIPROCESSING_STEP(mutex_free);
    }

    [[nodiscard]] bool held_here() const noexcept {
        return word_.load(std::memory_order_relaxed) == detail::thread_here();
    }
    [[nodiscard]] bool held_in_this_process() const noexcept {
        return held() && detail::thread_word::pid(word_.load(std::memory_order_relaxed)) == os::pid();
    }
    [[nodiscard]] bool held() const noexcept {
        const std::uint64_t seen = word_.load(std::memory_order_acquire);
        return seen != 0 && seen != died;
    }
    void find_out() noexcept {
        std::uint64_t seen = word_.load(std::memory_order_relaxed);
        if (seen != 0 && seen != died && !detail::thread_may_live(seen))
            word_.compare_exchange_strong(seen, died, std::memory_order_relaxed);
    }

private:
    static constexpr std::uint64_t died = 1; // no process has pid 0

    std::atomic<std::uint64_t> word_{0};
};

} // namespace multiprocessing::os::portable
