// Floor 3, sync/acquirable: the forms in which something can be acquired, Python's and the standard library's.
#pragma once

#include <chrono>
#include <concepts>

#include <multiprocessing/os/deadline.hpp>

namespace multiprocessing::sync {

/// Until when somebody is willing to wait for what a point of any clock says. A clock that is set while one waits
/// doesn't change it.
template <typename Clock, typename Duration>
os::deadline deadline_at(std::chrono::time_point<Clock, Duration> when) {
    return os::deadline(when - Clock::now());
}

/// Gives a class both sets of names. The class has
///
///     bool take_now() const;                        // without waiting
///     bool take(const os::deadline& until) const;   // false: the deadline passed
///     void release() const;
///
/// - Python: acquire(block=True, timeout=None), release. A timeout that is negative or zero is over at once, and it is
///   a duration: `acquire(5)` doesn't compile.
/// - The standard library: with it the class is a TimedLockable, for std::unique_lock, std::scoped_lock and
///   std::condition_variable_any.
template <typename Derived>
class acquirable {
public:
    /// Waits as long as it takes. True.
    bool acquire() const { return self().take(os::deadline::never()); }
    /// false: takes it now or not at all.
    template <std::same_as<bool> Bool>
    bool acquire(Bool block) const {
        return block ? acquire() : self().take_now();
    }
    /// False when it couldn't be had in that time.
    template <typename Rep, typename Period>
    bool acquire(std::chrono::duration<Rep, Period> timeout) const {
        return self().take(os::deadline(timeout));
    }
    /// As Python's, where a call that doesn't block ignores its timeout.
    template <std::same_as<bool> Bool, typename Rep, typename Period>
    bool acquire(Bool block, std::chrono::duration<Rep, Period> timeout) const {
        return block ? acquire(timeout) : self().take_now();
    }

    void lock() const { acquire(); }
    [[nodiscard]] bool try_lock() const { return self().take_now(); }
    template <typename Rep, typename Period>
    [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> timeout) const {
        return acquire(timeout);
    }
    template <typename Clock, typename Duration>
    [[nodiscard]] bool try_lock_until(std::chrono::time_point<Clock, Duration> when) const {
        return self().take(deadline_at(when));
    }
    void unlock() const { self().release(); }

private:
    [[nodiscard]] const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }
};

} // namespace multiprocessing::sync
