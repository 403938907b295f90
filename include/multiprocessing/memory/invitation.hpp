// Floor 2, memory/invitation: a place in the family for a program that is about to be started.
#pragma once

#include <map>
#include <string>
#include <utility> // std::exchange
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/memory/handle.hpp>

namespace multiprocessing::memory {

/// A seat in the process table for a program that isn't there yet, and what it shall hold when it is. Unlike one that is forked
/// (birth), it gets nothing but what it is given.
///
///     memory::invitation place;
///     const auto names = place.give(shares);
///     os::child c = os::start_program({path, arguments, {{memory::commons::variable, place.word(3)}}, {memory::commons::here().descriptor()}});
///     place.sent();                                        // whoever reaps the child buries place.slot()
///
///     const auto shares = memory::accept(slot, names);     // there
///
/// - Threads: one at a time.
/// - When the inviting process is killed before the program has accepted: the seat is buried with it, and accepting fails.
/// - Errors: ProcessError when the family is full. If no program was started, the destructor gives everything back.
class invitation {
public:
    invitation() : place_(family::here().reserve()) {}
    invitation(const invitation&) = delete;
    invitation& operator=(const invitation&) = delete;
    ~invitation() {
        if (!sent_) family::here().bury(place_, true); // never born
    }

    /// It shall hold these; returns what they are called there.
    [[nodiscard]] std::vector<object_name> give(const std::vector<holding>& shares) const {
        std::vector<object_name> names;
        for (const holding& share : shares) {
            share.give(place_);
            names.push_back(share.name());
        }
        return names;
    }

    /// What the program must find in its environment as commons::variable, when it has the commons as this descriptor.
    [[nodiscard]] std::string word(int descriptor) const {
        return fmt::format("{} {} {}", descriptor, place_.slot, place_.generation);
    }

    void sent() noexcept { sent_ = true; }
    [[nodiscard]] seat slot() const noexcept { return place_; }

private:
    seat place_;
    bool sent_ = false;
};

/// In the program: it is a member from now on, and has what it was given. ProcessError when the invitation isn't good any more.
inline std::vector<holding> accept(seat place, const std::vector<object_name>& names) {
    if (!family::here().take_seat(place))
        throw ProcessError("cannot join the family of processes: who invited this one has died");
    std::vector<holding> shares;
    for (const object_name name : names) shares.push_back(holding::receive(name));
    return shares;
}

} // namespace multiprocessing::memory
