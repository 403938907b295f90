// Floor 10, manager/made_by_call: what a client lets a server make by a function of their program, within a family.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/callable.hpp>

namespace multiprocessing::manager {

/// What comes from a network is never taken for a function; who shares this family's memory could call what it likes anyway.
inline void demand_family(const caller& who, const char* what) {
    if (who.is_remote) throw ValueError(std::string(what) + " is taken from processes of the server's own family alone");
}

/// A servant of a kind that a server needn't know when it starts: of what only some who use a manager include.
///
/// The client asks for one with a call (serial/callable.hpp) of a function which put()s it here; the server runs that.
class made_by_call {
public:
    [[nodiscard]] static std::shared_ptr<servant> make(const serial::message& call, const caller& who) {
        demand_family(who, "a function");
        slot().reset();
        serial::run_call(call);
        if (!slot()) throw ValueError("a call that should have made something made nothing");
        return std::exchange(slot(), nullptr);
    }
    static void put(std::shared_ptr<servant> made) noexcept { slot() = std::move(made); }

private:
    [[nodiscard]] static std::shared_ptr<servant>& slot() noexcept {
        static thread_local std::shared_ptr<servant> made;
        return made;
    }
};

} // namespace multiprocessing::manager
