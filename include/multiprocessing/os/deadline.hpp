// Floor 1, os/deadline: until when to wait.
#pragma once

#include <chrono>
#include <climits> // INT_MAX
#include <compare>
#include <cstdint>
#include <ctime> // clock_gettime, timespec

namespace multiprocessing::os {

namespace detail {

/// Any duration, rounded up; 0 for what is none, the longest there is for what doesn't fit.
template <class Rep, class Period>
std::chrono::nanoseconds in_nanoseconds(std::chrono::duration<Rep, Period> timeout) {
    // Compared as floating-point numbers: hours::max() has no value in nanoseconds, and a timeout may be infinite.
    const double seconds = std::chrono::duration<double>(timeout).count();
    if (!(seconds > 0)) return std::chrono::nanoseconds::zero();
    if (seconds > 9.2e9) return std::chrono::nanoseconds::max();
    return std::chrono::ceil<std::chrono::nanoseconds>(timeout);
}

} // namespace detail

/// A point on the monotonic clock, computed once from a timeout, so that neither interruptions nor a changed
/// wall clock move it.
///
///     const auto until = os::deadline::after(std::chrono::milliseconds(50));
///     while (!ready(word)) {
///         if (!os::sleep_on(word, seen, until)) return false;
///     }
///
/// A timeout that is negative, zero or not a number is over at once; one that the clock can't express (292 years) never
/// is. Fractions of a nanosecond are rounded up: a deadline is never early.
///
/// - Python: `time.monotonic() + timeout`, in each caller.
/// - Threads and processes: a value. The clock is the machine's, so a deadline means the same in every process.
class deadline {
public:
    template <class Rep, class Period>
    explicit deadline(std::chrono::duration<Rep, Period> timeout) : deadline(after(detail::in_nanoseconds(timeout))) {}

    [[nodiscard]] static deadline never() noexcept { return deadline(latest); }
    [[nodiscard]] static deadline after(std::chrono::nanoseconds timeout) noexcept;

    [[nodiscard]] bool is_never() const noexcept { return at_ == latest; }
    [[nodiscard]] bool passed() const noexcept { return !is_never() && now() >= at_; }

    /// Never negative; the longest there is for `never`.
    [[nodiscard]] std::chrono::nanoseconds left() const noexcept;

    /// On CLOCK_MONOTONIC, for calls that take it. `never` is a valid time too, 292 years after the machine started.
    [[nodiscard]] timespec absolute() const noexcept;

    /// For poll(): rounded up, -1 for never. What doesn't fit into an int (25 days) is cut, so the caller looks again.
    [[nodiscard]] int milliseconds_left() const noexcept;

    friend auto operator<=>(const deadline&, const deadline&) = default;

private:
    using count = std::int64_t; // nanoseconds since the clock's start
    static constexpr count latest = INT64_MAX;
    static constexpr count a_second = 1'000'000'000;

    explicit deadline(count at) noexcept : at_(at) {}

    static count now() noexcept;

    count at_;
};

inline deadline deadline::after(std::chrono::nanoseconds timeout) noexcept {
    const count start = now();
    if (timeout.count() <= 0) return deadline(start);
    return deadline(timeout.count() < latest - start ? start + timeout.count() : latest);
}

inline std::chrono::nanoseconds deadline::left() const noexcept {
    if (is_never()) return std::chrono::nanoseconds::max();
    const count rest = at_ - now();
    return std::chrono::nanoseconds(rest > 0 ? rest : 0);
}

inline timespec deadline::absolute() const noexcept {
    timespec time{};
    time.tv_sec = static_cast<decltype(time.tv_sec)>(at_ / a_second);
    time.tv_nsec = static_cast<decltype(time.tv_nsec)>(at_ % a_second);
    return time;
}

inline int deadline::milliseconds_left() const noexcept {
    if (is_never()) return -1;
    const count rest = left().count();
    const count rounded_up = rest / 1'000'000 + (rest % 1'000'000 != 0 ? 1 : 0);
    return rounded_up < INT_MAX ? static_cast<int>(rounded_up) : INT_MAX;
}

inline deadline::count deadline::now() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time); // can't fail: the clock exists and the address is ours
    return static_cast<count>(time.tv_sec) * a_second + time.tv_nsec;
}

} // namespace multiprocessing::os
