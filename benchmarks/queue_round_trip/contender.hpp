// A question and its answer between two processes, the same for every contender.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

/// One way from process to process, made before the other one is forked. Messages of 8 bytes.
struct line {
    virtual ~line() = default;
    virtual void send(long message) = 0;
    virtual long receive() = 0;
};

/// One row of the table.
struct contender {
    std::string name;
    std::function<std::unique_ptr<line>()> make;
};

// One function a file.
std::vector<contender> ours();
std::vector<contender> boost_message_queue();
std::vector<contender> descriptors();
