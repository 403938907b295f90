// Floor 5, serial/object/nesting: how deep a walk through lists in lists may go.
#pragma once

#include <string>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/writer.hpp> // deepest_nesting

namespace multiprocessing::serial::dynamic {

/// Held while the items of a list or dict are looked at. The stack is finite, and nothing keeps a program from putting lists in
/// each other for ever. As Python's RecursionError, but a ValueError.
class nesting {
public:
    nesting() {
        if (depth_ == deepest_nesting)
            throw ValueError("lists or dicts more than " + std::to_string(deepest_nesting) + " deep in each other");
        ++depth_;
    }
    ~nesting() { --depth_; }
    nesting(const nesting&) = delete;
    nesting& operator=(const nesting&) = delete;

private:
    static inline thread_local unsigned depth_ = 0;
};

} // namespace multiprocessing::serial::dynamic
