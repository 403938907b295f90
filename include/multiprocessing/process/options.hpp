// Floor 8, process/options: what a process can be told before it starts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/os/conditions.hpp>
#include <multiprocessing/process/start_method.hpp>

namespace multiprocessing {

/// What can be said about a process before it starts. Everything may be left out.
///
///     mp::Process p({.name = "w1", .daemon = true}, work, 1);
///
/// - Python: keyword arguments of `Process` down to `daemon`; the others aren't there.
struct ProcessOptions {
    /// Empty: "Process-1", "Process-2", and in the children of the second "Process-2:1".
    std::string name = {};
    /// Whether it ends with its maker. None: as its maker itself.
    std::optional<bool> daemon = {};
    /// None: the one that set_start_method() chose, else fork.
    std::optional<StartMethod> start_method = {};
    /// The processors that it may run on; empty: those of its maker.
    std::vector<int> affinity = {};
    /// What it may use: memory, processor time, files.
    os::limits limits = {};
    /// Added to its niceness.
    int nice = 0;
    /// Environment variables, beside those it inherits.
    std::map<std::string, std::string> env = {};
    /// The directory it works in; empty: that of its maker.
    std::string cwd = {};
    /// A daemonic process may start others. One that isn't always may.
    bool allow_children = false;
};

} // namespace multiprocessing
