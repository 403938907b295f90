// Floor 9, pool/options: what a pool and a call on it can be told.
#pragma once

#include <algorithm> // std::min, std::max
#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/os/conditions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/process/start_method.hpp>

namespace multiprocessing {

namespace pool {

/// A number that any integer type gives without a cast, in designated initialisers too. Negative ones are kept, to be
/// refused by name.
class whole_number {
public:
    constexpr whole_number() noexcept = default;
    template <std::integral I>
    constexpr whole_number(I value) noexcept // NOLINT(google-explicit-constructor): that is what it is for
        : value_(std::is_unsigned_v<I> && static_cast<std::uint64_t>(value) > std::uint64_t{INT64_MAX}
                     ? INT64_MAX
                     : static_cast<std::int64_t>(value)) {}
    [[nodiscard]] constexpr std::int64_t value() const noexcept { return value_; }

private:
    std::int64_t value_ = 0;
};

/// A length of time that any duration gives, also where converting it would need a cast.
class time_span {
public:
    constexpr time_span() noexcept = default;
    template <typename Rep, typename Period>
    time_span(std::chrono::duration<Rep, Period> d) // NOLINT(google-explicit-constructor): that is what it is for
        : given_(true), value_(os::detail::in_nanoseconds(d)) {}
    [[nodiscard]] constexpr bool given() const noexcept { return given_; }
    [[nodiscard]] constexpr std::chrono::nanoseconds value() const noexcept { return value_; }

private:
    bool given_ = false;
    std::chrono::nanoseconds value_{};
};

} // namespace pool

/// How a pool is made. `mp::Pool pool({.processes = 4});`, or just the number: `mp::Pool pool(4);`
struct PoolOptions {
    /// How many workers. Not given: process_cpu_count(). Below 1: ValueError.
    std::optional<pool::whole_number> processes = {};
    /// How workers are started. None: what get_start_method() says.
    std::optional<StartMethod> start_method = {};
    /// The processors that the workers may run on; empty: those of this process.
    std::vector<int> affinity = {};
    /// What each worker may use: memory, processor time, open files.
    os::limits limits = {};
    /// A worker is replaced when it has done so many items (Python counts chunks); its successor stands before it leaves.
    /// Not given: never. Below 1: ValueError.
    std::optional<pool::whole_number> maxtasksperchild = {};
    /// Added to the niceness of each worker.
    int nice = 0;
    /// Environment variables of the workers, beside those they inherit.
    std::map<std::string, std::string> env = {};
    /// The directory they work in; empty: that of this process.
    std::string cwd = {};
    /// Keeps what each worker did when, for write_trace(): the last 4095 chunks of each, 200 KiB a worker, some nanoseconds a chunk.
    bool trace = false;
};

/// How one call on a pool is carried out. `mp::MapOptions{.chunksize = 100}`, or just the number.
struct MapOptions {
    /// Items that a worker takes at a time. 0: chosen as it runs, by what the items are seen to cost: up to about 50 us of
    /// work, and smaller towards the end. Negative: ValueError.
    pool::whole_number chunksize = 0;
    /// Shows on stderr how far the call has come: a bar on a terminal, a line now and then in a file. Of map_async and
    /// starmap_async the thread of the callbacks shows it, and the last line is written before get() returns; a single task
    /// shows nothing.
    bool progress = false;
    /// How often an item is tried again whose worker died. An item on which three workers died isn't, whatever this says.
    /// What an item throws is no reason to try again. Negative: ValueError.
    pool::whole_number retries = 0;
    /// How long an item may take, any duration. When it takes longer its worker is killed, also one that has stopped itself,
    /// and replaced; the call (of imap: the item) fails with TimeoutError. Not given: any time. Zero or less: ValueError.
    pool::time_span task_timeout = {};
    /// imap: how many items are taken from the input before their results have been asked for. 0: four for each worker, and at
    /// least 16. Negative: ValueError.
    pool::whole_number buffersize = 0;
};

namespace pool {

[[nodiscard]] inline std::uint64_t checked_chunksize(const MapOptions& options) {
    const std::int64_t given = options.chunksize.value();
    if (given < 0) throw ValueError(fmt::format("chunksize must be 0 (chosen as it runs) or more, not {}", given));
    return static_cast<std::uint64_t>(given);
}

[[nodiscard]] inline unsigned checked_retries(const MapOptions& options) {
    const std::int64_t given = options.retries.value();
    if (given < 0) throw ValueError(fmt::format("retries must be 0 or more, not {}", given));
    return given > 1'000'000 ? 1'000'000U : static_cast<unsigned>(given);
}

[[nodiscard]] inline std::chrono::nanoseconds checked_timeout(const MapOptions& options) {
    if (!options.task_timeout.given()) return {};
    if (options.task_timeout.value().count() <= 0) throw ValueError("a task_timeout must be longer than no time at all");
    // A year is as good as for ever, and can be added to any clock.
    return std::min<std::chrono::nanoseconds>(options.task_timeout.value(), std::chrono::hours(24 * 365));
}

[[nodiscard]] inline std::uint64_t checked_buffersize(const MapOptions& options, unsigned workers) {
    const std::int64_t given = options.buffersize.value();
    if (given < 0) throw ValueError(fmt::format("buffersize must be 0 (chosen) or more, not {}", given));
    return given != 0 ? static_cast<std::uint64_t>(given) : std::max<std::uint64_t>(16, 4 * std::uint64_t{workers});
}

} // namespace pool

} // namespace multiprocessing
