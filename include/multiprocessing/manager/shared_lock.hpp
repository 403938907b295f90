// Floor 10, manager/shared_lock: the lock of a manager within a family: free when its holder dies.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef> // offsetof
#include <cstdint>
#include <tuple> // std::tie

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/bell.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/sync/seat.hpp>

namespace multiprocessing::manager {

/// What an AcquirerProxy (acquirer.hpp) is where every process that uses it is of one family.
///
/// - Threads and processes: any, through any copy of the handle. No order among those who wait.
/// - When a process dies that has it: it is free again. A *thread* that ends with it has it on.
/// - Errors: ValueError from release() of what nobody holds, or of one that nests and that another thread holds.
/// - Growth: 64 bytes. A free one is taken and released without a system call.
class shared_lock {
public:
    bool take_now() const { return take_now(me()); }
    /// False when the time is over.
    bool take(const os::deadline& until) const;
    void release() const;
    [[nodiscard]] bool locked() const { return state_->holder.load(std::memory_order_acquire) != 0; }

    [[nodiscard]] static shared_lock make(bool nests) {
        shared_lock made{memory::nothing};
        made.state_ = memory::handle<state>::create(nests);
        memory::family::here().has_bells(made.state_.id(), offsetof(state, free), 1);
        return made;
    }

private:
    friend struct memory::access;
    explicit shared_lock(memory::nothing_t) noexcept {}
    auto parts() noexcept { return std::tie(state_); }

    /// | word   | who writes it                                                                    | a writer killed in between leaves |
    /// | ------ | -------------------------------------------------------------------------------- | --------------------------------- |
    /// | holder | from 0, who takes it; to 0, who releases it, or finds that the holder is dead; by compare-and-swap | it is taken, or isn't |
    /// | depth  | the holder of one that nests                                                      | what the next holder sets anew    |
    /// | free   | memory/bell                                                                       | -                                 |
    struct state {
        explicit state(bool can_nest) noexcept : nests(can_nest) {}
        std::atomic<std::uint64_t> holder{0}; ///< slot + 1, generation, number of a thread
        std::atomic<std::uint32_t> depth{0};
        std::uint32_t nests;
        memory::bell free;
    };
    static constexpr unsigned slot_bits = 13, generation_bits = 31;
    static_assert(memory::layout::max_members < 1U << slot_bits);
    static constexpr std::uint32_t generation_mask = (std::uint32_t{1} << generation_bits) - 1;

    [[nodiscard]] static std::uint64_t me() {
        static std::atomic<std::uint32_t> threads{0};
        static thread_local const std::uint32_t thread = threads.fetch_add(1, std::memory_order_relaxed) & 0xf'ffff;
        const memory::seat seat = sync::seat_here();
        return (seat.slot + std::uint64_t{1}) | std::uint64_t{seat.generation & generation_mask} << slot_bits |
               std::uint64_t{thread} << (slot_bits + generation_bits);
    }
    [[nodiscard]] static bool is_dead(std::uint64_t holder) {
        const memory::seat seat{static_cast<std::uint32_t>(holder & ((1U << slot_bits) - 1)) - 1,
                                static_cast<std::uint32_t>(holder >> slot_bits) & generation_mask};
        return memory::family::here().is_over(seat, generation_mask);
    }
    bool take_now(std::uint64_t mine) const;

    memory::handle<state> state_;
};

inline bool shared_lock::take_now(std::uint64_t mine) const {
    state& s = *state_;
    std::uint64_t seen = 0;
    if (s.holder.compare_exchange_strong(seen, mine)) {
        MULTIPROCESSING_STEP(acquirer_taken);
        s.depth.store(1, std::memory_order_relaxed);
        return true;
    }
    if (s.nests == 0 || seen != mine) return false;
    s.depth.fetch_add(1, std::memory_order_relaxed);
    return true;
}

inline bool shared_lock::take(const os::deadline& until) const {
    const std::uint64_t mine = me();
    if (take_now(mine)) return true;
    state& s = *state_;
    const auto look_every = std::chrono::milliseconds(10); // whether the holder lives costs a call of the system
    os::deadline next_look = os::deadline::after(std::chrono::nanoseconds::zero());
    const auto try_it = [&] {
        if (take_now(mine)) return true;
        if (!next_look.passed()) return false;
        next_look = os::deadline::after(look_every);
        std::uint64_t holder = s.holder.load();
        if (holder != 0 && is_dead(holder) && s.holder.compare_exchange_strong(holder, 0)) MULTIPROCESSING_STEP(acquirer_freed);
        return take_now(mine);
    };
    if (try_it()) return true;
    return s.free.await(try_it, until, std::chrono::nanoseconds(look_every));
}

inline void shared_lock::release() const {
    state& s = *state_;
    std::uint64_t holder = s.holder.load();
    if (holder == 0) throw ValueError("cannot release a lock that nobody holds");
    if (s.nests != 0) {
        if (holder != me()) throw ValueError("cannot release an RLock that another thread holds: who takes it releases it");
        if (s.depth.load(std::memory_order_relaxed) > 1) {
            s.depth.fetch_sub(1, std::memory_order_relaxed);
            return;
        }
    }
    if (!s.holder.compare_exchange_strong(holder, 0)) throw ValueError("cannot release a lock that somebody else releases just now");
    MULTIPROCESSING_STEP(acquirer_released);
    s.free.ring_one();
}

} // namespace multiprocessing::manager
