// boost::interprocess::message_queue, 1000 messages deep, or as many as 64 MiB hold.
#include "contender.hpp"

#include <algorithm>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <unistd.h>

namespace ipc = boost::interprocess;

namespace {

struct boost_line final : line {
    explicit boost_line(std::size_t size)
        : name("benchmark" + std::to_string(::getpid())), owner(::getpid()), removed(ipc::message_queue::remove(name.c_str())),
          q(ipc::create_only, name.c_str(), std::clamp<std::size_t>((std::size_t{64} << 20) / size, 2, 1000), size) {}
    ~boost_line() override {
        if (owner == ::getpid()) ipc::message_queue::remove(name.c_str());
    }
    void send(const char* message, std::size_t size) override { q.send(message, size, 0); }
    void receive(char* message, std::size_t size) override {
        ipc::message_queue::size_type n = 0;
        unsigned priority = 0;
        q.receive(message, size, n, priority);
    }
    std::string name;
    pid_t owner;
    bool removed;
    ipc::message_queue q;
};

} // namespace

std::vector<contender> boost_message_queue() {
    return {{"Boost message_queue", [](std::size_t size) { return std::make_unique<boost_line>(size); }}};
}
