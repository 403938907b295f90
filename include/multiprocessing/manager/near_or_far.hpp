// Floor 10, manager/near_or_far: something that stands in shared memory, or in a server elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/type_name.hpp>

namespace multiprocessing::manager {

/// What a manager's locks, queues and so on are made of: a Near, which processes of one family work on directly, or a reference to
/// what does the same in a server, by calls whose names begin with '#', so that no registered method is one.
template <typename Near>
class near_or_far {
public:
    /// What a server is asked for that is to be had as one of these: manager.create<Near>("get_tasks").
    using stands_for = Near;

    [[nodiscard]] bool is_near() const noexcept { return !far_; }
    /// What it is within its family. NotPortableError where it is reached over a network.
    [[nodiscard]] const Near& near() const {
        if (!is_near())
            throw NotPortableError("what a manager has elsewhere can't be had as a " + std::string(serial::type_name<Near>()) +
                                   " of this machine: use what the manager returned");
        return near_;
    }
    operator const Near&() const { return near(); } // NOLINT: it is one, for who takes those
    [[nodiscard]] const remote& far() const noexcept { return far_; }

    /// The same one, not an equal one.
    friend bool operator==(const near_or_far& a, const near_or_far& b) noexcept {
        return a.far_ == b.far_ && memory::access::parts(const_cast<Near&>(a.near_)) == memory::access::parts(const_cast<Near&>(b.near_));
    }

protected:
    explicit near_or_far(memory::nothing_t) noexcept : near_(memory::access::empty<Near>()) {}
    explicit near_or_far(Near near) : near_(std::move(near)) {}
    explicit near_or_far(remote far) noexcept : near_(memory::access::empty<Near>()), far_(std::move(far)) {}

    [[nodiscard]] auto both() noexcept { return std::tuple_cat(memory::access::parts(near_), std::tie(far_)); }

    Near near_;

private:
    remote far_;
};

/// How long a call is to wait in the server, as it travels: nanoseconds, less than none for ever.
[[nodiscard]] inline std::int64_t time_to_send(const os::deadline& until) noexcept {
    return until.is_never() ? -1 : until.left().count();
}
[[nodiscard]] inline os::deadline received_time(std::int64_t sent) noexcept {
    return sent < 0 ? os::deadline::never() : os::deadline::after(std::chrono::nanoseconds(sent));
}
/// acquire() or wait() until then, of what takes durations.
template <typename F>
auto until_then(const os::deadline& until, F f) {
    return until.is_never() ? f() : f(until.left());
}

} // namespace multiprocessing::manager
