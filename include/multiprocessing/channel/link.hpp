// Floor 6, channel/link: the two ends of a pipe: whether the other one is still there, and who there wants to be rung for.
#pragma once

#include <array>
#include <cstdint>

#include <multiprocessing/memory/doorbells.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/memory/handle.hpp>

namespace multiprocessing::channel {

/// An end is an object of its own: it is there as long as somebody holds it, or a message names it.
struct end_state {
    std::uint64_t unused = 0;
};

/// What both ends know.
struct link_state {
    std::array<memory::object_name, 2> ends{};
    std::array<memory::doorbells, 2> polling; ///< at each end
};

/// Whether the end of that name is still there. `look_closer`: also finds out whether all who hold it have died.
inline bool is_there(memory::object_name end, bool look_closer) {
    auto& family = memory::family::here();
    const memory::object_id id = family.find(end);
    if (id == memory::no_object) return false;
    if (!look_closer || !family.living_holders(id).empty()) return true;
    return family.find(end) != memory::no_object; // a message on its way may hold it
}

} // namespace multiprocessing::channel
