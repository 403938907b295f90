// A dict of texts that processes share, the same for every contender.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

/// Made before the processes are forked that use it.
struct store {
    virtual ~store() = default;
    virtual void set(const std::string& key, const std::string& value) = 0;
    virtual std::string get(const std::string& key) = 0;
};

/// One row of the table.
struct contender {
    std::string name;
    std::function<std::unique_ptr<store>()> make;
    bool shared = true; ///< what one process sets another one gets
};

// One function a file.
std::vector<contender> ours();
std::vector<contender> boost_map();
std::vector<contender> local_map();
