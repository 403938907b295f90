// Floor 8, process/launch: what a process that is about to be started is told.
#pragma once

#include <cstddef> // std::byte
#include <optional>
#include <string>
#include <vector>

#include <multiprocessing/os/conditions.hpp>

namespace multiprocessing::process {

/// The terms of a start, the same for every start method.
struct launch {
    std::string name = {};          ///< empty: "Process-" and its number
    bool daemon = false;            ///< ends with its parent, however that ends
    bool dies_with_parent = false;  ///< ends when its parent is killed; but if that ends by itself, it waits
    bool allow_children = true;     ///< whether it may start processes itself
    bool ignore_interrupts = false; ///< SIGINT, which a terminal sends to the whole family, is left to the parent

    std::string number = {};                            ///< empty: the next one (lineage::next_number)
    std::optional<std::vector<std::byte>> authkey = {}; ///< none: its parent's
    os::conditions conditions = {};                     ///< if one can't be met the start fails
};

} // namespace multiprocessing::process
