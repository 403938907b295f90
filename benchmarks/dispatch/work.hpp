// What is asked of every contender.
#pragma once

#include <functional>
#include <string>
#include <vector>

/// One row of the table.
struct contender {
    std::string name;
    /// A task, and its result, one after the other, so many times.
    std::function<void(int times)> round_trip = {};
    /// So many tasks, all begun before the first result is asked for.
    std::function<void(int tasks)> outstanding = {};
    /// Before it is measured, and afterwards: for one that spins, which mustn't while others are.
    std::function<void(bool begins)> turn = {};
    /// Not in this program: nanoseconds a task by its own clock, or less than 0.
    std::function<double(bool outstanding, int tasks)> elsewhere = {};
    /// The most tasks and rounds that it is asked for: it is slow.
    int most_tasks = 1 << 30;
    int most_rounds = 1 << 30;
};

inline int next(int x) { return x + 1; }

// One function a file.
std::vector<contender> prototype();
std::vector<contender> ours();
std::vector<contender> onetbb();
std::vector<contender> standard();
std::vector<contender> python();
