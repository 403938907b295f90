// A line of messages between processes, the same for every contender.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// One queue, made before the processes are forked that use it. Messages of one size.
struct line {
    virtual ~line() = default;
    virtual void send(const char* message, std::size_t size) = 0;
    virtual void receive(char* message, std::size_t size) = 0;
    /// The same for many of them, where there is such a thing.
    virtual void send_many(const char* message, std::size_t size, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) send(message, size);
    }
    virtual void receive_many(char* message, std::size_t size, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) receive(message, size);
    }
};

/// One row of the table.
struct contender {
    std::string name;
    std::function<std::unique_ptr<line>(std::size_t size)> make; ///< nullptr when it can't do messages of that size
    bool shared = true;                                          ///< several producers and consumers may use one
    std::size_t fewer = 1;                                       ///< it is so slow that so many times fewer messages are enough
};

// One function a file.
std::vector<contender> ours();
std::vector<contender> bare_rings();
std::vector<contender> boost_message_queue();
std::vector<contender> posix_queue();
std::vector<contender> sockets();
std::vector<contender> redis();
/// Nanoseconds a message through CPython's Queue, SimpleQueue or Pipe; 0 where there is no python3. `where`: two, unpinned, one.
double python(const std::string& kind, std::size_t size, std::size_t n, int pairs, const char* where);
