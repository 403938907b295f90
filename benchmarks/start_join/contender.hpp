// What starts a process that does nothing, and waits until it has ended.
#pragma once

#include <functional>
#include <string>
#include <vector>

struct contender {
    std::string name;
    std::function<void()> start_and_join;
};

std::vector<contender> ours();
std::vector<contender> bare();

/// CPython's, by itself: microseconds for each of `rounds` starts, by each method, with `gib` GiB touched. Empty without a python3.
struct python_result {
    std::string name;
    std::vector<double> microseconds;
};
std::vector<python_result> python(int rounds, int gib);
