// What a manager makes, used by several processes: the same operations for every contender.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

enum class kind { get, set, half, update, append, lock, queue, call };

using pairs = std::vector<std::pair<std::string, std::string>>;

/// Made before the processes are forked that use it.
struct store {
    virtual ~store() = default;
    virtual void set(const std::string& key, const std::string& value) = 0;
    virtual std::string get(const std::string& key) = 0;
    virtual void update(const pairs& some) = 0;
    virtual void append(const std::string& value) = 0;
    virtual void clear_list() = 0;
    virtual void acquire() = 0;
    virtual void release() = 0;
    virtual void put(const std::string& value) = 0;
    virtual std::string take() = 0;
    /// Of a registered type's method, which adds one to a number.
    virtual void call() {}
};

/// One row of the table.
struct contender {
    std::string name;
    std::vector<kind> kinds;                          ///< what it has
    long fewer = 1;                                   ///< it is so slow that so many times fewer operations are enough
    std::function<std::unique_ptr<store>()> make;     ///< unless it times itself:
    std::function<double(kind, int clients, long n)> ask; ///< nanoseconds an operation; less than 0: it failed
};

// One function a file.
std::vector<contender> ours();
std::vector<contender> boost_interprocess();
std::vector<contender> redis();
std::vector<contender> python();
std::vector<contender> local();
