// Floor 3, sync/semaphore: Semaphore, a number of tokens to take and give back.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <tuple> // std::tie

#include <fmt/format.h>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/robust_mutex.hpp>
#include <multiprocessing/sync/acquirable.hpp>
#include <multiprocessing/sync/seat.hpp>
#include <multiprocessing/sync/shown.hpp>
#include <multiprocessing/sync/sleep.hpp>

namespace multiprocessing {

/// A number of tokens. acquire() takes one, and waits where there is none; release() gives back, in any process.
///
///     mp::Semaphore licences(3);
///     std::unique_lock one(licences);             // or licences.acquire(), licences.release()
///
/// A token belongs to nobody: what one process takes another may give, which is how one signals with it. So when a
/// process dies, what it took stays taken, as if it still worked. Where tokens are things that one has (licences,
/// connections), whoever learns of the death calls
///
///     const unsigned back = licences.recover();
///
/// and the tokens that dead processes had taken and not released are there again: each process's are counted, in the
/// same step in which they are taken, so that none is lost or doubled, whenever a process is killed.
///
/// - Copying shares the semaphore. Constness is the handle's.
/// - Python: `multiprocessing.Semaphore`; recover() is new. A negative number is a ValueError, release(n) as in
///   `threading`.
/// - Threads and processes: any. No order among those who wait.
/// - When a process dies: as above. A waiter is simply gone. Who dies in release() has released or hasn't; when he
///   could wake nobody any more, waiters find out within 50 ms.
/// - recover(): what one process took and *another* released still counts as had by the first. Don't call it where
///   tokens are signals.
/// - Errors: ValueError from release(), when there would be more than 2147483647, or n is less than 1.
/// - Growth: a page, and one more for each 256 processes that take tokens at a time.
class Semaphore : public sync::acquirable<Semaphore> {
public:
    explicit Semaphore(int tokens = 1) : Semaphore(tokens, most) {}

    void release(int n = 1) const;

    /// As of a moment ago.
    [[nodiscard]] int get_value() const;
    [[nodiscard]] bool locked() const { return get_value() == 0; }

    /// Gives back what dead processes had; how many that was.
    unsigned recover() const;

protected:
    static constexpr std::uint32_t most = 2147483647;

    Semaphore(int tokens, std::uint32_t bound);
    explicit Semaphore(memory::nothing_t) noexcept {}

private:
    /// What one process has taken and not released. Counts when the stamp is this semaphore's: the memory isn't zero.
    struct account {
        std::uint64_t stamp;
        std::uint32_t generation; ///< of the member in that slot
        std::uint32_t tokens;
    };

    /// | word                 | who writes it           | a writer killed in between leaves                       |
    /// | -------------------- | ----------------------- | ------------------------------------------------------- |
    /// | next_...             | who holds the mutex     | what nobody looks at                                    |
    /// | armed = 1            | the same: this commits  | a change that the next one to hold the mutex carries out |
    /// | value, lost, account | who carries it out      | numbers that are written again, and are the same         |
    /// | armed = 0            | the same                | as before                                               |
    /// | sleepers             | each sleeper, +1 and -1 | one too many: a system call for each release            |
    struct state {
        explicit state(std::uint32_t tokens, std::uint32_t bound_) noexcept : value(tokens), bound(bound_) {}

        os::robust_mutex mutex;
        std::atomic<std::uint32_t> value;
        std::atomic<std::uint32_t> sleepers{0};
        std::uint32_t bound;
        std::uint32_t lost = 0; ///< had by dead processes whose slots others have now
        std::atomic<std::uint32_t> armed{0};
        std::uint32_t next_value = 0;
        std::uint32_t next_lost = 0;
        std::uint32_t next_slot = 0;
        account next_account{};
        std::array<account, memory::layout::max_members> accounts; // not initialised: only those used are touched
    };

    friend class sync::acquirable<Semaphore>;
    friend struct memory::access;
    auto parts() noexcept { return std::tie(state_); }

    /// Holds the mutex, with nothing left half done.
    class session {
    public:
        explicit session(const Semaphore& of) : of_(of) {
            static_cast<void>(of.state_->mutex.lock(os::deadline::never()));
            carry_out();
        }
        session(const session&) = delete;
        session& operator=(const session&) = delete;
        ~session() { of_.state_->mutex.unlock(); }

        [[nodiscard]] account account_of(std::uint32_t slot) const noexcept;
        void change(std::uint32_t value, std::uint32_t lost, std::uint32_t slot, const account& changed) noexcept;

    private:
        void carry_out() noexcept;
        const Semaphore& of_;
    };

    [[nodiscard]] std::uint64_t stamp() const noexcept { return state_.name(); }
    bool take_now() const;
    bool take(const os::deadline& until) const;
    void wake(std::uint32_t n) const noexcept;

    memory::handle<state> state_;
};

/// A Semaphore that never has more tokens than it began with: release() beyond that is a ValueError.
class BoundedSemaphore : public Semaphore {
public:
    explicit BoundedSemaphore(int tokens = 1) : Semaphore(tokens, static_cast<std::uint32_t>(tokens)) {}

private:
    friend struct memory::access;
    explicit BoundedSemaphore(memory::nothing_t nothing) noexcept : Semaphore(nothing) {}
};

inline Semaphore::Semaphore(int tokens, std::uint32_t bound) {
    if (tokens < 0) throw ValueError(fmt::format("a semaphore can't have {} tokens", tokens));
    state_ = memory::handle<state>::create(static_cast<std::uint32_t>(tokens), bound);
}

inline Semaphore::account Semaphore::session::account_of(std::uint32_t slot) const noexcept {
    const account& noted = of_.state_->accounts[slot];
    return noted.stamp == of_.stamp() ? noted : account{of_.stamp(), 0, 0};
}

inline void Semaphore::session::change(std::uint32_t value, std::uint32_t lost, std::uint32_t slot,
                                       const account& changed) noexcept {
    state& s = *of_.state_;
    s.next_value = value;
    s.next_lost = lost;
    s.next_slot = slot;
    s.next_account = changed;
    MULTIPROCESSING_STEP(semaphore_change_written);
    s.armed.store(1, std::memory_order_release);
    MULTIPROCESSING_STEP(semaphore_change_armed);
    carry_out();
}

inline void Semaphore::session::carry_out() noexcept {
    state& s = *of_.state_;
    if (s.armed.load(std::memory_order_acquire) == 0) return;
    if (s.next_slot < s.accounts.size()) s.accounts[s.next_slot] = s.next_account;
    MULTIPROCESSING_STEP(semaphore_account_changed);
    s.lost = s.next_lost;
    s.value.store(s.next_value, std::memory_order_seq_cst);
    MULTIPROCESSING_STEP(semaphore_value_changed);
    s.armed.store(0, std::memory_order_release);
    MULTIPROCESSING_STEP(semaphore_change_done);
}

inline void Semaphore::wake(std::uint32_t n) const noexcept {
    state& s = *state_;
    const std::uint32_t asleep = s.sleepers.load(std::memory_order_seq_cst);
    if (asleep == 0) return;
    if (n >= asleep) return os::wake_all(s.value);
    for (std::uint32_t i = 0; i < n; ++i) os::wake_one(s.value);
}

inline bool Semaphore::take_now() const {
    const memory::seat me = sync::seat_here();
    session now(*this);
    const state& s = *state_;
    const std::uint32_t value = s.value.load(std::memory_order_relaxed);
    if (value == 0) return false;
    account mine = now.account_of(me.slot);
    std::uint32_t lost = s.lost;
    if (mine.generation != me.generation) { // who had this slot before is dead
        lost += mine.tokens;
        mine = {stamp(), me.generation, 0};
    }
    ++mine.tokens;
    now.change(value - 1, lost, me.slot, mine);
    return true;
}

inline bool Semaphore::take(const os::deadline& until) const {
    state& s = *state_;
    for (;;) {
        if (take_now()) return true;
        if (until.passed()) return false;
        if (os::spin_for([&] { return s.value.load(std::memory_order_acquire) != 0; })) continue;
        s.sleepers.fetch_add(1, std::memory_order_seq_cst);
        MULTIPROCESSING_STEP(semaphore_sleeper_counted);
        sync::sleep_on(s.value, 0, until);
        s.sleepers.fetch_sub(1, std::memory_order_relaxed);
        MULTIPROCESSING_STEP(semaphore_sleeper_gone);
    }
}

inline void Semaphore::release(int n) const {
    if (n < 1) throw ValueError(fmt::format("cannot release {} tokens", n));
    const auto more = static_cast<std::uint32_t>(n);
    const memory::seat me = sync::seat_here();
    {
        session now(*this);
        const state& s = *state_;
        const std::uint32_t value = s.value.load(std::memory_order_relaxed);
        if (value > s.bound || more > s.bound - value)
            throw ValueError(
                fmt::format("cannot release {} tokens: there are {} already, and {} at most", n, value, s.bound));
        account mine = now.account_of(me.slot);
        std::uint32_t lost = s.lost;
        if (mine.generation != me.generation) {
            lost += mine.tokens;
            mine = {stamp(), me.generation, 0};
        }
        mine.tokens = mine.tokens > more ? mine.tokens - more : 0; // the rest was somebody else's, or is new
        now.change(value + more, lost, me.slot, mine);
    }
    wake(more);
    MULTIPROCESSING_STEP(semaphore_sleepers_woken);
}

inline int Semaphore::get_value() const {
    session now(*this);
    return static_cast<int>(state_->value.load(std::memory_order_relaxed));
}

inline unsigned Semaphore::recover() const {
    memory::family::here().bury_the_dead();
    const memory::members members(memory::commons::here());
    const std::uint32_t slots = members.used();
    std::uint32_t back = 0;
    {
        session now(*this);
        const state& s = *state_;
        const auto give = [&](std::uint32_t tokens, std::uint32_t lost, std::uint32_t slot, const account& changed) {
            const std::uint32_t value = s.value.load(std::memory_order_relaxed);
            const std::uint32_t room = value < s.bound ? s.bound - value : 0;
            const std::uint32_t given = tokens < room ? tokens : room;
            now.change(value + given, lost, slot, changed);
            back += given;
        };
        if (s.lost != 0) give(s.lost, 0, 0, now.account_of(0));
        for (std::uint32_t slot = 0; slot < slots; ++slot) {
            const account noted = now.account_of(slot);
            if (noted.tokens == 0 || members.occupant(slot) == memory::seat{slot, noted.generation}) continue;
            give(noted.tokens, 0, slot, account{stamp(), noted.generation, 0});
        }
    }
    if (back != 0) wake(back);
    return back;
}

} // namespace multiprocessing
