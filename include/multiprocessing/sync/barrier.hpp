// Floor 3, sync/barrier: Barrier, where a number of processes wait for one another.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <tuple>   // std::tie
#include <utility> // std::move

#include <fmt/format.h>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/robust_mutex.hpp>
#include <multiprocessing/sync/action.hpp>
#include <multiprocessing/sync/places.hpp>
#include <multiprocessing/sync/shown.hpp>
#include <multiprocessing/sync/sleep.hpp>

namespace multiprocessing {

/// So many parties wait for one another; when the last one has come, all go on.
///
///     mp::Barrier barrier(3);
///     ...
///     if (barrier.wait() == 0) fmt::print("all three are here\n");   // one of them says so
///
/// With an action, the last one to come calls it before anybody goes on.
///
/// A barrier breaks when a party's time is over, when abort() is called, when the action throws, and when a party dies
/// while it waits. Then everybody who waits, and who comes later, gets a BrokenBarrierError, until reset().
///
/// - Copying shares the barrier. Constness is the handle's. The action isn't shared: it is the handle's own, copied
///   with it and inherited across fork; who comes last calls the one of the handle he came with.
/// - Start methods: by spawn and forkserver, and in a queue, it goes along where it can: a function, a captureless
///   lambda, mp::bind(f, args...). With another one the barrier is a NotPortableError (sync/action.hpp).
/// - Python: `multiprocessing.Barrier`; a party that dies is noticed, and fewer than one party is a ValueError. While
///   the action runs nobody's time is over, as there.
/// - Threads and processes: any, up to 2000 waiting at a time.
/// - When a process dies: while it waits, or in the action: the others get the BrokenBarrierError within 20 ms. Before
///   it comes: nobody knows that it would have come; give wait() a timeout.
/// - Errors: BrokenBarrierError; ValueError for less than one party.
/// - Growth: a page, and one for each 64 parties. A waiter that sleeps looks every 20 ms whether the others live.
class Barrier {
public:
    explicit Barrier(int parties, sync::action action = {})
        : Barrier(parties, std::move(action), no_timeout) {}
    /// With a timeout for each wait() that has none of its own.
    template <typename Rep, typename Period>
    Barrier(int parties, sync::action action, std::chrono::duration<Rep, Period> timeout)
        : Barrier(parties, std::move(action), os::detail::in_nanoseconds(timeout).count()) {}

    /// Until all are there. A number from 0 to parties - 1, another one for each of them.
    int wait() const {
        const std::int64_t timeout = state_->timeout;
        return wait(timeout == no_timeout ? os::deadline::never() : os::deadline(std::chrono::nanoseconds(timeout)));
    }
    /// So long at most; then the barrier is broken.
    template <typename Rep, typename Period>
    int wait(std::chrono::duration<Rep, Period> timeout) const {
        return wait(os::deadline(timeout));
    }

    /// As new: whoever waits gets the BrokenBarrierError, and the next ones don't.
    void reset() const;
    /// Breaks it.
    void abort() const;

    [[nodiscard]] int parties() const noexcept { return static_cast<int>(state_->parties); }
    [[nodiscard]] int n_waiting() const;
    [[nodiscard]] bool broken() const;

private:
    static constexpr std::int64_t no_timeout = -1;
    static constexpr std::chrono::milliseconds longest_sleep{20};

    // What a barrier is at. The middle ones are carried out by whoever has the mutex next, should he who began die.
    static constexpr std::uint32_t filling = 0;
    static constexpr std::uint32_t acting = 1; ///< all are there, and the last one calls the action, without the mutex
    static constexpr std::uint32_t releasing = 2; ///< who waits passes; then filling
    static constexpr std::uint32_t breaking = 3;  ///< who waits is told of it; then broken
    static constexpr std::uint32_t resetting = 4; ///< who waits is told of it; then filling
    static constexpr std::uint32_t is_broken = 5;

    // What a place is at, when somebody stands there.
    static constexpr std::uint32_t waiting = 1;
    static constexpr std::uint32_t passed = 2;
    static constexpr std::uint32_t told = 3; ///< its number is the reason

    enum reason : std::uint32_t { before, timeout_over, aborted, was_reset, action_threw, party_died };

    /// | word           | who writes it                                       | a writer killed in between leaves     |
    /// | -------------- | --------------------------------------------------- | ------------------------------------- |
    /// | phase          | who holds the mutex: the one store that decides     | the old or the new                    |
    /// | places' states | a party, coming and going; who holds the mutex      | states that the phase sets again      |
    /// | why            | who holds the mutex, before the phase               | nothing                               |
    /// | changes        | who holds the mutex                                 | sleepers who look by themselves       |
    struct state {
        state(std::uint32_t n, std::int64_t t) noexcept : parties(n), timeout(t) {}

        os::robust_mutex mutex;
        std::atomic<std::uint32_t> phase{filling};
        std::atomic<std::uint32_t> changes{0}; ///< what one sleeps on
        std::uint32_t why = before;
        std::uint32_t parties;
        std::int64_t timeout;
        sync::places waiters;
    };

    Barrier(int parties, sync::action action, std::int64_t timeout);

    friend struct memory::access;
    explicit Barrier(memory::nothing_t) noexcept {}
    auto parts() noexcept { return std::tie(state_, action_); }

    /// Holds the mutex, with nothing left half done and no dead party unnoticed.
    class session {
    public:
        explicit session(state& s) : s_(s) {
            static_cast<void>(s.mutex.lock(os::deadline::never()));
            carry_out();
            look_for_the_dead();
        }
        session(const session&) = delete;
        session& operator=(const session&) = delete;
        ~session() { s_.mutex.unlock(); }

        [[nodiscard]] std::uint32_t phase() const noexcept { return s_.phase.load(std::memory_order_relaxed); }
        [[nodiscard]] std::uint32_t waiters() const noexcept;
        void begin(std::uint32_t phase, std::uint32_t why = before) noexcept;

    private:
        void carry_out() noexcept;
        void look_for_the_dead() noexcept;
        state& s_;
    };

    int wait(const os::deadline& until) const;
    void act(sync::place& mine) const;
    void wait_for_the_others(sync::place& mine, const os::deadline& until) const;
    [[noreturn]] static void throw_broken(std::uint32_t why);

    memory::handle<state> state_;
    sync::action action_;
};

inline Barrier::Barrier(int parties, sync::action action, std::int64_t timeout) : action_(std::move(action)) {
    if (parties < 1) throw ValueError(fmt::format("a barrier can't have {} parties", parties));
    state_ = memory::handle<state>::create(static_cast<std::uint32_t>(parties), timeout);
}

inline void Barrier::throw_broken(std::uint32_t why) {
    switch (why) {
    case timeout_over:
        throw BrokenBarrierError("the barrier is broken: the time of one who waited was over");
    case aborted:
        throw BrokenBarrierError("the barrier is broken: it was aborted");
    case was_reset:
        throw BrokenBarrierError("the barrier was reset while this one waited");
    case action_threw:
        throw BrokenBarrierError("the barrier is broken: its action threw");
    case party_died:
        throw BrokenBarrierError("the barrier is broken: one who waited there died");
    default:
        throw BrokenBarrierError("the barrier is broken");
    }
}

inline std::uint32_t Barrier::session::waiters() const noexcept {
    std::uint32_t n = 0;
    for (std::uint32_t i = 0; i < s_.waiters.used(); ++i)
        n += s_.waiters[i].state.load(std::memory_order_relaxed) == waiting;
    return n;
}

inline void Barrier::session::begin(std::uint32_t phase, std::uint32_t why) noexcept {
    s_.why = why;
    s_.phase.store(phase, std::memory_order_release);
    MULTIPROCESSING_STEP(barrier_decided);
    carry_out();
}

inline void Barrier::session::carry_out() noexcept {
    const std::uint32_t now = phase();
    if (now != releasing && now != breaking && now != resetting) return;
    for (std::uint32_t i = 0; i < s_.waiters.used(); ++i) {
        sync::place& one = s_.waiters[i];
        if (one.state.load(std::memory_order_relaxed) != waiting) continue;
        if (now != releasing) one.number = s_.why;
        one.state.store(now == releasing ? passed : told, std::memory_order_release);
        MULTIPROCESSING_STEP(barrier_party_told);
    }
    s_.changes.fetch_add(1, std::memory_order_release);
    os::wake_all(s_.changes);
    MULTIPROCESSING_STEP(barrier_parties_woken);
    s_.phase.store(now == breaking ? is_broken : filling, std::memory_order_release);
    MULTIPROCESSING_STEP(barrier_carried_out);
}

inline void Barrier::session::look_for_the_dead() noexcept {
    bool one_waited = false;
    for (std::uint32_t i = 0; i < s_.waiters.used(); ++i) {
        sync::place& one = s_.waiters[i];
        const std::uint32_t was = one.state.load(std::memory_order_relaxed);
        if (was == 0 || !one.is_abandoned()) continue;
        // Its place stays taken until the barrier is broken, lest this one die in between and nobody know.
        if (was == waiting)
            one_waited = true;
        else if (one.mine.try_lock() != os::taken::no)
            sync::places::leave(one);
    }
    if (!one_waited) return;
    begin(breaking, party_died);
    look_for_the_dead();
}

inline int Barrier::wait(const os::deadline& until) const {
    state& s = *state_;
    sync::place* mine = nullptr;
    std::uint32_t number = 0;
    while (mine == nullptr) {
        std::uint32_t seen = 0;
        {
            session now(s);
            if (now.phase() == is_broken) throw_broken(s.why);
            seen = s.changes.load(std::memory_order_acquire);
            if (now.phase() == filling) {
                number = now.waiters();
                mine = &s.waiters.take();
                mine->state.store(waiting, std::memory_order_release);
                MULTIPROCESSING_STEP(barrier_entered);
                if (number + 1 >= s.parties) now.begin(action_ ? acting : releasing);
            }
        }
        if (mine != nullptr) break;
        // All parties are there and one of them acts: this one is of the next round.
        if (until.passed()) throw_broken(timeout_over);
        sync::sleep_on(s.changes, seen, until, longest_sleep);
    }
    if (action_ && number + 1 >= s.parties) act(*mine);
    wait_for_the_others(*mine, until);
    const bool good = mine->state.load(std::memory_order_acquire) == passed;
    const std::uint32_t why = mine->number;
    sync::places::leave(*mine);
    if (!good) throw_broken(why);
    return static_cast<int>(number);
}

/// The last one's part. The others see by its place whether it lives.
inline void Barrier::act(sync::place& mine) const {
    const auto finish = [&](std::uint32_t phase, std::uint32_t why) {
        session now(*state_);
        if (mine.state.load(std::memory_order_relaxed) == waiting)
            now.begin(phase, why); // else it was aborted or reset
    };
    try {
        action_();
    } catch (...) {
        finish(breaking, action_threw);
        sync::places::leave(mine);
        throw;
    }
    finish(releasing, before);
}

inline void Barrier::wait_for_the_others(sync::place& mine, const os::deadline& until) const {
    state& s = *state_;
    const auto is_over = [&] { return mine.state.load(std::memory_order_acquire) != waiting; };
    if (is_over() || os::spin_for(is_over)) return;
    while (!is_over()) {
        const std::uint32_t seen = s.changes.load(std::memory_order_acquire);
        if (is_over()) return;
        if (until.passed()) {
            session now(s);
            if (!is_over() && now.phase() == filling) now.begin(breaking, timeout_over);
            if (is_over()) return;
        }
        MULTIPROCESSING_STEP(barrier_sleeps);
        const bool acts = s.phase.load(std::memory_order_relaxed) == acting; // then time doesn't count
        sync::sleep_on(s.changes, seen, acts ? os::deadline::never() : until, longest_sleep);
        if (!is_over()) const session look(s);
    }
}

inline void Barrier::reset() const {
    session now(*state_);
    if (now.phase() == is_broken && now.waiters() == 0)
        state_->phase.store(filling, std::memory_order_release);
    else if (now.waiters() != 0)
        now.begin(resetting, was_reset);
    MULTIPROCESSING_STEP(barrier_reset);
}

inline void Barrier::abort() const {
    session now(*state_);
    now.begin(breaking, aborted);
}

inline int Barrier::n_waiting() const {
    const session now(*state_);
    return static_cast<int>(now.waiters());
}

inline bool Barrier::broken() const {
    const session now(*state_);
    return now.phase() == is_broken;
}

} // namespace multiprocessing
