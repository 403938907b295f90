// Floor 10, manager/barrier: BarrierProxy, a barrier of a manager.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
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
#include <multiprocessing/sync/action.hpp>
#include <multiprocessing/sync/barrier.hpp>

namespace multiprocessing {

/// What manager.Barrier() returns: within a family an mp::Barrier, which it is for whoever takes one; over a network the same in
/// the server.
///
/// The action is the handle's own and isn't shared, as that of an mp::Barrier; who comes last calls the one of the handle he came
/// with.
///
/// - Python: `BarrierProxy`; there the action runs in the server.
/// - When a process dies: while it waits, or in the action: the others get the BrokenBarrierError.
/// - When the server dies: over a network EOFError, for whoever waits at once.
/// - Errors: BrokenBarrierError; ValueError for less than one party.
class BarrierProxy : public manager::near_or_far<Barrier> {
public:
    /// Until all are there. A number from 0 to parties - 1, another one for each of them.
    int wait() const { return is_near() ? near_.wait() : wait_far(usual_time, os::deadline::never()); }
    /// So long at most; then the barrier is broken.
    template <typename Rep, typename Period>
    int wait(std::chrono::duration<Rep, Period> timeout) const {
        return is_near() ? near_.wait(timeout) : wait_far(this_time, os::deadline(timeout));
    }

    void reset() const { is_near() ? near_.reset() : void(ask("#reset")); }
    void abort() const { is_near() ? near_.abort() : void(ask("#abort")); }
    [[nodiscard]] int parties() const { return is_near() ? near_.parties() : static_cast<int>(ask("#parties")); }
    [[nodiscard]] int n_waiting() const { return is_near() ? near_.n_waiting() : static_cast<int>(ask("#n_waiting")); }
    [[nodiscard]] bool broken() const { return is_near() ? near_.broken() : ask("#broken") != 0; }

    /// For managers.
    explicit BarrierProxy(Barrier near) : near_or_far(std::move(near)) {}
    explicit BarrierProxy(manager::remote far, sync::action action = {})
        : near_or_far(std::move(far)), action_(std::move(action)) {}

private:
    friend struct memory::access;
    explicit BarrierProxy(memory::nothing_t nothing) noexcept : near_or_far(nothing) {}
    auto parts() noexcept { return both(); }

    static constexpr bool usual_time = true, this_time = false;
    [[nodiscard]] std::uint32_t ask(std::string_view what) const { return far().ask<std::uint32_t>(what, std::uint8_t{}); }
    int wait_far(bool as_usual, const os::deadline& until) const {
        const auto [number, is_to_act] = far().ask<std::pair<std::uint32_t, bool>>(
            "#wait", std::tuple(as_usual, manager::time_to_send(until), static_cast<bool>(action_)));
        if (is_to_act) act();
        return static_cast<int>(number);
    }
    void act() const {
        try {
            action_();
        } catch (...) {
            far().ask<void>("#acted", false);
            throw;
        }
        far().ask<void>("#acted", true);
    }

    sync::action action_; // of one that is far; a near one has its own
};

namespace manager {

/// A barrier in a server, for clients who can't reach its memory.
///
/// | phase   | begins when                                    | ends                                                          |
/// | ------- | ---------------------------------------------- | ------------------------------------------------------------- |
/// | filling | all is as new                                  | all are there; somebody's time is over, or he is dead         |
/// | acting  | all are there, and the last one has an action  | he says that he has acted; he is dead; it is reset or aborted |
/// | broken  |                                                | reset                                                         |
class barrier_servant final : public servant {
public:
    barrier_servant(std::int64_t parties, std::int64_t usual_time) : usual_time_(usual_time) {
        if (parties < 1 || parties > 1'000'000) throw ValueError("a barrier can't have " + std::to_string(parties) + " parties");
        parties_ = static_cast<std::uint32_t>(parties);
    }

    serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override {
        auto held = room_.enter();
        if (method == "#wait") {
            const auto [as_usual, time, can_act] = serial::unpack_message<std::tuple<bool, std::int64_t, bool>>(arguments);
            return serial::pack_message(wait(held, received_time(as_usual ? usual_time_ : time), can_act, who));
        }
        if (method == "#acted") {
            const bool is_well = serial::unpack_message<bool>(arguments);
            if (phase_ != phase::acting || actor_ != std::pair(who.client, who.thread)) return {}; // it was aborted or reset
            is_well ? begin_round(nullptr) : break_it("the barrier is broken: its action threw");
            return {};
        }
        if (method == "#reset") {
            if (waiting_ != 0) begin_round("the barrier was reset while this one waited");
            phase_ = phase::filling;
        } else if (method == "#abort") {
            break_it("the barrier is broken: it was aborted");
        } else if (method == "#parties") {
            return serial::pack_message(parties_);
        } else if (method == "#n_waiting") {
            return serial::pack_message(waiting_);
        } else if (method == "#broken") {
            return serial::pack_message(std::uint32_t{phase_ == phase::broken});
        } else {
            refuse("Barrier", method);
        }
        return serial::pack_message(std::uint32_t{0});
    }
    void client_gone(std::uint64_t client) noexcept override {
        const auto held = room_.enter();
        if (phase_ == phase::acting && actor_.first == client) break_it(one_died);
    }

private:
    struct round;
    enum class phase { filling, acting, broken };
    static constexpr const char* one_died = "the barrier is broken: one who waited there died";

    std::pair<std::uint32_t, bool> wait(waiting_room::hold& held, const os::deadline& until, bool can_act, const caller& who) {
        static_cast<void>(room_.await(held, until, who, [&] { return phase_ != phase::acting; })); // else it is of the next round
        if (phase_ == phase::broken) throw BrokenBarrierError(why_);
        if (phase_ == phase::acting) throw BrokenBarrierError("the barrier is broken: the time of one who waited was over");
        const std::uint32_t number = waiting_++;
        if (waiting_ == parties_) {
            if (!can_act) return begin_round(nullptr), std::pair(number, false);
            phase_ = phase::acting;
            actor_ = {who.client, who.thread};
            return {number, true};
        }
        const auto mine = round_;
        const auto is_over = [&] { return mine->is_over; };
        try {
            while (!room_.await(held, until, who, is_over)) {
                if (phase_ == phase::filling) break_it("the barrier is broken: the time of one who waited was over");
                else static_cast<void>(room_.await(held, os::deadline::never(), who, is_over)); // in the action time doesn't count
            }
        } catch (const EOFError&) {
            if (!mine->is_over) break_it(one_died);
            throw;
        }
        if (mine->why != nullptr) throw BrokenBarrierError(mine->why);
        return {number, false};
    }
    /// Who waits goes on, or is told why not.
    void begin_round(const char* why) {
        auto next = std::make_shared<round>();
        round_->is_over = true;
        round_->why = why;
        round_ = std::move(next);
        waiting_ = 0;
        phase_ = phase::filling;
        room_.changed();
    }
    void break_it(const char* why) {
        begin_round(why);
        phase_ = phase::broken;
        why_ = why;
    }

    /// Of those who pass together.
    struct round {
        bool is_over = false;
        const char* why = nullptr; ///< it ended otherwise than it should
    };

    waiting_room room_; // all else under its lock
    const std::int64_t usual_time_;
    std::uint32_t parties_ = 0;
    std::uint32_t waiting_ = 0;
    phase phase_ = phase::filling;
    std::shared_ptr<round> round_ = std::make_shared<round>();
    std::pair<std::uint64_t, std::uint64_t> actor_; ///< a client and its thread
    const char* why_ = "the barrier is broken";     ///< once it is
};

} // namespace manager
} // namespace multiprocessing
