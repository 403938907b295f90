// Floor 10, manager/transport: how a process reaches a server, whatever lies between them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include <multiprocessing/os/at_fork.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

/// One process's access to one server.
///
/// - Threads: any, at once. - Across fork: the child's copy makes connections of its own.
class transport {
public:
    transport() = default;
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;
    virtual ~transport() = default;

    /// Calls a method of an object, 0 being the server itself, and waits for the answer. Throws what was thrown there; EOFError when
    /// the server is gone.
    [[nodiscard]] virtual serial::message call(std::uint64_t object, std::string_view method, const serial::message& arguments) = 0;
    [[nodiscard]] virtual bool is_by_network() const noexcept = 0;
    [[nodiscard]] virtual std::string server_name() const = 0;
    [[nodiscard]] virtual std::uint64_t server_id() const noexcept = 0;
};

/// What can be asked of object 0.
namespace front {
inline constexpr std::string_view create = "create", shutdown = "shutdown", count = "count", info = "info", hold = "hold",
                                  drop = "drop", greet = "greet";
} // namespace front

namespace detail {

/// Around the lists of connections that wait for their next call, of all transports: for moments, and across every fork, so that
/// no child finds it taken.
inline constinit os::private_lock idle_lock;
inline const bool idle_lock_is_kept = (os::at_fork({.prepare = [] { idle_lock.lock(); },
                                                    .parent = [] { idle_lock.unlock(); },
                                                    .child = [] { idle_lock.unlock(); }}),
                                       true);

/// A number for the calling thread, among those of its process.
[[nodiscard]] inline std::uint64_t thread_number() noexcept {
    static constinit std::atomic<std::uint64_t> next{1};
    static thread_local const std::uint64_t mine = next.fetch_add(1, std::memory_order_relaxed);
    return mine;
}

} // namespace detail

} // namespace multiprocessing::manager
