// Floor 1, os/robust_mutex on Linux: a word with the holder's number, in a list the kernel reads when a thread ends.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef> // offsetof
#include <cstdint>

#include <linux/futex.h> // robust_list_head, FUTEX_OWNER_DIED
#include <sys/syscall.h>
#include <unistd.h> // syscall

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/linux/futex.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/taken.hpp>

namespace multiprocessing::os::on_linux {

namespace detail {

/// What a thread needs to know of itself to lock something.
struct robust_thread {
    std::uint32_t id = 0;
    std::uint32_t generation = ~std::uint32_t{0}; // of no process: nobody has asked yet
    robust_list_head* list = nullptr;             // of this thread; none in a thread that the C library didn't make
};

inline constinit thread_local robust_thread this_robust_thread;

[[gnu::cold]] inline void find_robust_thread(robust_thread& me, std::uint32_t generation) noexcept {
    robust_list_head* list = nullptr;
    std::size_t size = 0;
    // The word must stand where the C library's own mutexes have theirs: there is one distance for the whole list.
    constexpr long distance = -32;
    if (::syscall(SYS_get_robust_list, 0, &list, &size) != 0 || size != sizeof *list || list == nullptr ||
        list->futex_offset != distance)
        list = nullptr;
    me.list = list;
    me.generation = generation;
    me.id = static_cast<std::uint32_t>(::syscall(SYS_gettid));
}

/// Right after fork() too: the child's thread has another number than the one it was copied from.
inline const robust_thread& robust_thread_here() noexcept {
    robust_thread& me = this_robust_thread;
    const std::uint32_t generation = os::detail::generation.load(std::memory_order_relaxed);
    if (me.generation != generation) [[unlikely]]
        find_robust_thread(me, generation);
    return me;
}

} // namespace detail

/// The word is 0, or the number of the thread that holds it, with FUTEX_WAITERS when somebody may sleep; the kernel
/// makes it FUTEX_OWNER_DIED. The kernel finds the words of a thread that ends by a list that the C library keeps for
/// its own robust mutexes, a head in each thread and links beside the words; ours are links of that same list, laid out
/// and chained as glibc does it (since 2.5; it can't change, because its mutexes stand in memory shared with older
/// programs). So a thread may hold both kinds, in any order.
///
/// The order of stores, and what becomes of who is killed after each. The kernel looks at `pending` as well as at the
/// list, and acts only on a word that has the dead thread's number:
///
/// | step of locking     | killed after it                | step of unlocking    | killed after it                |
/// | ------------------- | ------------------------------ | -------------------- | ------------------------------ |
/// | pending = this      | nothing, or another is woken   | pending = this       | marked                         |
/// | word = number       | marked                         | taken off the list   | marked                         |
/// | put on the list     | marked                         | word = 0             | another is woken, if still 0   |
/// | pending = none      | marked                         | wake, pending = none | nothing                        |
///
/// A wake-up that is lost because its sender or its receiver dies while a third one already holds the word again is
/// made good by sleepers who look by themselves after 50 ms. Then they also look whether the holder lives, for a thread
/// without a list, and for more than 2048 mutexes held at once, where the kernel stops reading.
///
/// Nobody spins: two who alternate move the cache line at each turn, while one who runs on for a moment doesn't
/// (measured: 20 million pairs a second against 7 with 40 looks).
class robust_mutex {
public:
    [[nodiscard]] taken try_lock() noexcept;
    [[nodiscard]] taken lock(const deadline& until);
    void unlock() noexcept;

    [[nodiscard]] bool held_here() const noexcept {
        return (word_.load(std::memory_order_relaxed) & number) == detail::robust_thread_here().id;
    }
    [[nodiscard]] bool held() const noexcept { return (word_.load(std::memory_order_acquire) & number) != 0; }
    [[nodiscard]] bool held_in_this_process() const noexcept {
        const std::uint32_t thread = word_.load(std::memory_order_acquire) & number;
        return thread != 0 && ::syscall(SYS_tgkill, os::pid(), thread, 0) == 0;
    }
    void find_out() const noexcept {} // the kernel did

private:
    static constexpr std::uint32_t number = FUTEX_TID_MASK;
    static constexpr std::uint32_t waiters = FUTEX_WAITERS;
    static constexpr std::uint32_t died = FUTEX_OWNER_DIED;
    static constexpr auto patience = std::chrono::milliseconds(50);

    // The list is read by the kernel on behalf of the thread itself: what counts is the order of the instructions.
    static void in_this_order() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }
    void announce(robust_list_head* list) noexcept {
        if (list != nullptr) list->list_op_pending = &next_;
        in_this_order();
    }
    static void announce_nothing(robust_list_head* list) noexcept {
        in_this_order();
        if (list != nullptr) list->list_op_pending = nullptr;
    }
    // The lowest bit of a link says that the mutex it leads to inherits priorities; ours don't, the C library's may.
    static robust_list* plain(robust_list* link) noexcept {
        return reinterpret_cast<robust_list*>(reinterpret_cast<std::uintptr_t>(link) & ~std::uintptr_t{1});
    }
    static robust_list*& link_before(robust_list* link) noexcept {
        return *(reinterpret_cast<robust_list**>(plain(link)) - 1);
    }
    void put_on(robust_list_head* list) noexcept;
    void take_off(robust_list_head* list) noexcept;

    taken took(std::uint32_t seen, robust_list_head* list) noexcept {
        MULTIPROCESSING_STEP(mutex_taken);
        put_on(list);
        MULTIPROCESSING_STEP(mutex_on_list);
        announce_nothing(list);
        return (seen & died) != 0 ? taken::from_the_dead : taken::yes;
    }
    [[gnu::cold]] taken lock_slowly(const deadline& until, const detail::robust_thread& me);

    std::atomic<std::uint32_t> word_{0};
    [[maybe_unused]] std::uint32_t unused_[5]{};
    robust_list* before_ = nullptr; // of the holder's list: addresses in its memory, which mean nothing to others
    robust_list next_{};
    // 32: see find_robust_thread; 8: where glibc looks for the link back.
    friend struct robust_mutex_layout;
};

struct robust_mutex_layout {
    static_assert(offsetof(robust_mutex, next_) - offsetof(robust_mutex, word_) == 32);
    static_assert(offsetof(robust_mutex, next_) - offsetof(robust_mutex, before_) == 8);
};

inline void robust_mutex::put_on(robust_list_head* list) noexcept {
    if (list == nullptr) return;
    robust_list* const first = list->list.next;
    next_.next = first;
    before_ = &list->list;
    if (plain(first) != &list->list) link_before(first) = &next_;
    in_this_order();
    list->list.next = &next_;
    in_this_order();
}

inline void robust_mutex::take_off(robust_list_head* list) noexcept {
    if (list == nullptr) return;
    robust_list* const next = next_.next;
    if (plain(next) != &list->list) link_before(next) = before_;
    in_this_order();
    plain(before_)->next = next;
    in_this_order();
}

inline taken robust_mutex::try_lock() noexcept {
    const detail::robust_thread& me = detail::robust_thread_here();
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    if ((seen & number) != 0) return taken::no;
    announce(me.list);
    MULTIPROCESSING_STEP(mutex_announced);
    do {
        if (word_.compare_exchange_weak(seen, me.id | (seen & waiters), std::memory_order_acquire,
                                        std::memory_order_relaxed))
            return took(seen, me.list);
    } while ((seen & number) == 0);
    announce_nothing(me.list);
    return taken::no;
}

inline taken robust_mutex::lock(const deadline& until) {
    const detail::robust_thread& me = detail::robust_thread_here();
    announce(me.list);
    MULTIPROCESSING_STEP(mutex_announced);
    std::uint32_t seen = 0;
    if (word_.compare_exchange_strong(seen, me.id, std::memory_order_acquire, std::memory_order_relaxed)) [[likely]]
        return took(seen, me.list);
    return lock_slowly(until, me);
}

inline taken robust_mutex::lock_slowly(const deadline& until, const detail::robust_thread& me) {
    std::uint32_t others = 0; // who has slept can't know whether it was the only one
    for (;;) {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        if ((seen & number) == 0) {
            if (word_.compare_exchange_weak(seen, me.id | others | (seen & waiters), std::memory_order_acquire,
                                            std::memory_order_relaxed))
                return took(seen, me.list);
            continue;
        }
        // Before giving up too: the wake-up that this one has had was perhaps meant for all.
        if ((seen & waiters) == 0 && !word_.compare_exchange_weak(seen, seen | waiters, std::memory_order_relaxed))
            continue;
        MULTIPROCESSING_STEP(mutex_waiter_noted);
        if (until.passed()) {
            announce_nothing(me.list);
            return taken::no;
        }
        seen |= waiters;
        others = waiters;
        const deadline soon = deadline::after(patience);
        if (on_linux::sleep_on(word_, seen, soon < until ? soon : until)) continue;
        if (!is_alive(static_cast<pid_t>(seen & number), 0))
            word_.compare_exchange_strong(seen, waiters | died, std::memory_order_relaxed);
    }
}

inline void robust_mutex::unlock() noexcept {
    robust_list_head* const list = detail::robust_thread_here().list;
    announce(list);
    take_off(list);
    MULTIPROCESSING_STEP(mutex_off_list);
    const std::uint32_t seen = word_.exchange(0, std::memory_order_release);
    MULTIPROCESSING_STEP(mutex_free);
    if ((seen & waiters) != 0) wake_one(word_);
    MULTIPROCESSING_STEP(mutex_waiter_woken);
    announce_nothing(list);
}

} // namespace multiprocessing::os::on_linux
