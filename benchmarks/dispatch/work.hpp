// What is asked of every contender.
#pragma once

#include <functional>
#include <string>
#include <vector>

/// One row of the table.
struct contender {
    std::string name;
    /// A task, and its result, one after the other, so many times.
    std::function<void(int times)> round_trip;
    /// So many tasks, all begun before the first result is asked for.
    std::function<void(int tasks)> outstanding;
};

inline int next(int x) { return x + 1; }

// One function a file.
std::vector<contender> ours();
std::vector<contender> standard();
