// What starts a process that does nothing, and waits until it has ended.
#pragma once

#include <functional>
#include <string>
#include <vector>

struct contender {
    std::string name;
    /// Microseconds for one, by its own clock, from a parent that has touched so many GiB of private memory, as this one has; less than
    /// 0 when it has no such method. `method`: fork, spawn, forkserver.
    std::function<double(const std::string& method, int gib)> start_and_join;
};

// One function a file.
std::vector<contender> ours();
std::vector<contender> bare();
std::vector<contender> python();
