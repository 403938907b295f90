// Floor 10, manager/semaphore: SemaphoreProxy and BoundedSemaphoreProxy, tokens of a manager.
#pragma once

#include <algorithm> // std::min
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/near_or_far.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/waiting.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/sync/acquirable.hpp>
#include <multiprocessing/sync/semaphore.hpp>

namespace multiprocessing {

namespace manager {

/// What manager.Semaphore() and manager.BoundedSemaphore() return: within a family an mp::Semaphore or mp::BoundedSemaphore, which it
/// is for whoever takes one of those; over a network the same in the server.
///
/// - Python: there `AcquirerProxy`.
/// - When a process dies: what it took stays taken until somebody calls recover(), as mp::Semaphore says. One that dies while it
///   waits takes nothing.
/// - When the server dies: over a network EOFError, for whoever waits at once.
/// - Errors: ValueError from release().
template <typename Near>
class semaphore_proxy : public near_or_far<Near>, public sync::acquirable<semaphore_proxy<Near>> {
public:
    void release(int n = 1) const {
        if (this->is_near()) return this->near_.release(n);
        this->far().template ask<void>("#release", std::int64_t{n});
    }
    [[nodiscard]] int get_value() const {
        return this->is_near() ? this->near_.get_value() : static_cast<int>(ask("#value"));
    }
    [[nodiscard]] bool locked() const { return get_value() == 0; }
    unsigned recover() const { return this->is_near() ? this->near_.recover() : static_cast<unsigned>(ask("#recover")); }

    /// For managers.
    explicit semaphore_proxy(Near near) : near_or_far<Near>(std::move(near)) {}
    explicit semaphore_proxy(remote far) noexcept : near_or_far<Near>(std::move(far)) {}

private:
    friend class sync::acquirable<semaphore_proxy>;
    friend struct memory::access;
    explicit semaphore_proxy(memory::nothing_t nothing) noexcept : near_or_far<Near>(nothing) {}
    auto parts() noexcept { return this->both(); }

    [[nodiscard]] std::uint32_t ask(std::string_view what) const {
        return this->far().template ask<std::uint32_t>(what, std::uint8_t{});
    }
    bool take_now() const {
        return this->is_near() ? this->near_.acquire(false) : this->far().template ask<bool>("#acquire", std::int64_t{0});
    }
    bool take(const os::deadline& until) const {
        if (!this->is_near()) return this->far().template ask<bool>("#acquire", time_to_send(until));
        return until_then(until, [&](auto... timeout) { return this->near_.acquire(timeout...); });
    }
};

/// Tokens in a server, for clients who can't reach its memory.
///
/// - When a client dies: what it has taken and not released is lost, until recover().
class semaphore_servant final : public servant {
public:
    static constexpr std::uint32_t most = std::numeric_limits<std::int32_t>::max();

    explicit semaphore_servant(std::int64_t tokens, bool is_bounded) {
        if (tokens < 0 || tokens > most) throw ValueError("a semaphore can't have " + std::to_string(tokens) + " tokens");
        value_ = static_cast<std::uint32_t>(tokens);
        bound_ = is_bounded ? value_ : most;
    }

    serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override {
        auto held = room_.enter();
        if (method == "#acquire") {
            const os::deadline until = received_time(serial::unpack_message<std::int64_t>(arguments));
            if (!room_.await(held, until, who, [&] { return value_ != 0; })) return serial::pack_message(false);
            ++had_[who.client];
            --value_;
            return serial::pack_message(true);
        }
        if (method == "#release") return release(serial::unpack_message<std::int64_t>(arguments), who), serial::message();
        if (method == "#value") return serial::pack_message(value_);
        if (method == "#recover") {
            const std::uint32_t back = std::min(std::exchange(lost_, 0), bound_ - value_);
            value_ += back;
            room_.changed();
            return serial::pack_message(back);
        }
        refuse("Semaphore", method);
    }
    void client_gone(std::uint64_t client) noexcept override {
        const auto held = room_.enter();
        const auto at = had_.find(client);
        if (at == had_.end()) return;
        lost_ += std::min(at->second, most - lost_);
        had_.erase(at);
    }

private:
    void release(std::int64_t n, const caller& who) {
        if (n < 1) throw ValueError("a semaphore is released at least once");
        if (n > bound_ - value_) throw ValueError("a semaphore was released more often than it may be");
        value_ += static_cast<std::uint32_t>(n);
        room_.changed();
        const auto at = had_.find(who.client);
        if (at == had_.end()) return;
        at->second -= std::min(at->second, static_cast<std::uint32_t>(n));
        if (at->second == 0) had_.erase(at);
    }

    waiting_room room_; // all else under its lock
    std::uint32_t value_ = 0;
    std::uint32_t bound_ = 0;
    std::uint32_t lost_ = 0;
    std::map<std::uint64_t, std::uint32_t> had_; ///< by clients: taken and not released
};

} // namespace manager

using SemaphoreProxy = manager::semaphore_proxy<Semaphore>;
using BoundedSemaphoreProxy = manager::semaphore_proxy<BoundedSemaphore>;

} // namespace multiprocessing
