// Floor 9, pool/options: what a pool and a call on it can be told.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/os/conditions.hpp>
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

} // namespace pool

/// How a pool is made. `mp::Pool pool({.processes = 4});`, or just the number: `mp::Pool pool(4);`
struct PoolOptions {
    /// How many workers. Not given: process_cpu_count(). Below 1: ValueError.
    std::optional<pool::whole_number> processes = {};
    /// None: the default. Fork is the only one today; another is refused.
    std::optional<StartMethod> start_method = {};
    /// The processors that the workers may run on; empty: those of this process.
    std::vector<int> affinity = {};
    /// What each worker may use: memory, processor time, open files.
    os::limits limits = {};
};

/// How one call on a pool is carried out. `mp::MapOptions{.chunksize = 100}`, or just the number.
struct MapOptions {
    /// Items that a worker takes at a time. 0: chosen as it runs, by what the items are seen to cost: up to about 50 us of
    /// work, and smaller towards the end. Negative: ValueError.
    pool::whole_number chunksize = 0;
};

namespace pool {

[[nodiscard]] inline std::uint64_t checked_chunksize(const MapOptions& options) {
    const std::int64_t given = options.chunksize.value();
    if (given < 0) throw ValueError(fmt::format("chunksize must be 0 (chosen as it runs) or more, not {}", given));
    return static_cast<std::uint64_t>(given);
}

} // namespace pool

} // namespace multiprocessing
