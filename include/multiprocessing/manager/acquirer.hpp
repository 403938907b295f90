// Floor 10, manager/acquirer: AcquirerProxy, a lock of a manager.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/near_or_far.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/shared_lock.hpp>
#include <multiprocessing/manager/waiting.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/sync/acquirable.hpp>

namespace multiprocessing {

/// What manager.Lock() and manager.RLock() return.
///
///     auto lock = manager.Lock();
///     std::scoped_lock guard(lock);
///
/// - Python: `AcquirerProxy`. As `threading.Lock`, a Lock has no owner: any process may release what another one has acquired. An
///   RLock belongs to the thread that took it, which may take it again and must release it as often.
/// - Threads and processes: any, through any copy of the handle. No order among those who wait.
/// - When a process dies that has it: it is free again. (mp::Lock tells the next one to take it that its holder died.) Over a
///   network: when the connections of that process end. A *thread* that ends with it has it on.
/// - When the server dies: one that is reached over a network throws EOFError, whoever waits for it at once.
/// - Errors: ValueError from release() of what nobody holds, or of an RLock that another thread holds.
/// - Growth: 64 bytes. A free one is taken and released without a system call; over a network each is a message and its answer.
class AcquirerProxy : public manager::near_or_far<manager::shared_lock>, public sync::acquirable<AcquirerProxy> {
public:
    void release() const {
        if (is_near()) return near_.release();
        far().ask<void>("#release", std::uint8_t{});
    }
    [[nodiscard]] bool locked() const { return is_near() ? near_.locked() : far().ask<bool>("#locked", std::uint8_t{}); }

    /// For managers.
    [[nodiscard]] static AcquirerProxy make(bool nests) { return AcquirerProxy(manager::shared_lock::make(nests)); }
    explicit AcquirerProxy(manager::remote far) noexcept : near_or_far(std::move(far)) {}

private:
    friend class sync::acquirable<AcquirerProxy>;
    friend struct memory::access;
    explicit AcquirerProxy(memory::nothing_t nothing) noexcept : near_or_far(nothing) {}
    explicit AcquirerProxy(manager::shared_lock near) : near_or_far(std::move(near)) {}
    auto parts() noexcept { return both(); }

    bool take_now() const { return is_near() ? near_.take_now() : far().ask<bool>("#acquire", std::int64_t{0}); }
    bool take(const os::deadline& until) const {
        return is_near() ? near_.take(until) : far().ask<bool>("#acquire", manager::time_to_send(until));
    }
};

namespace manager {

/// A lock in a server, for clients who can't reach its memory. Its owner is a client, and the thread of it that calls.
///
/// - When a client dies: what it holds is free.
class lock_servant : public servant {
public:
    explicit lock_servant(bool nests) noexcept : nests_(nests) {}

    serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override {
        if (method == "#acquire") {
            const os::deadline until = received_time(serial::unpack_message<std::int64_t>(arguments));
            auto held = room_.enter();
            return serial::pack_message(take(held, until, who));
        }
        if (method == "#release") {
            const auto held = room_.enter();
            release(who);
            return {};
        }
        if (method == "#locked") {
            const auto held = room_.enter();
            return serial::pack_message(depth_ != 0);
        }
        refuse(nests_ ? "RLock" : "Lock", method);
    }
    void client_gone(std::uint64_t client) noexcept override {
        const auto held = room_.enter();
        if (depth_ == 0 || client_ != client) return;
        depth_ = 0;
        room_.changed();
    }

protected:
    // Under the lock of the room:

    [[nodiscard]] bool is_held_by(const caller& who) const noexcept {
        return depth_ != 0 && client_ == who.client && thread_ == who.thread;
    }
    bool take(waiting_room::hold& held, const os::deadline& until, const caller& who) {
        if (nests_ && is_held_by(who)) return ++depth_, true;
        if (!room_.await(held, until, who, [&] { return depth_ == 0; })) return false;
        give_to(who, 1);
        return true;
    }
    void give_to(const caller& who, std::uint64_t depth) noexcept {
        depth_ = depth;
        client_ = who.client;
        thread_ = who.thread;
    }
    void release(const caller& who) {
        if (depth_ == 0) throw ValueError("cannot release a lock that nobody holds");
        if (nests_ && !is_held_by(who)) throw ValueError("cannot release an RLock that another thread holds: who takes it releases it");
        if (--depth_ == 0) room_.changed();
    }
    /// However often it is held; how often that was.
    [[nodiscard]] std::uint64_t release_all() noexcept {
        room_.changed();
        return std::exchange(depth_, 0);
    }

    waiting_room room_;

private:
    const bool nests_;
    std::uint64_t depth_ = 0; ///< 0: free
    std::uint64_t client_ = 0;
    std::uint64_t thread_ = 0;
};

} // namespace manager
} // namespace multiprocessing
