// boost::interprocess::message_queue.
#include "contender.hpp"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <unistd.h>

namespace ipc = boost::interprocess;

namespace {

struct boost_line final : line {
    boost_line()
        : name("benchmark" + std::to_string(::getpid()) + "." + std::to_string(reinterpret_cast<std::uintptr_t>(this))),
          owner(::getpid()), q(ipc::create_only, name.c_str(), 100, sizeof(long)) {}
    ~boost_line() override {
        if (owner == ::getpid()) ipc::message_queue::remove(name.c_str());
    }
    void send(long message) override { q.send(&message, sizeof message, 0); }
    long receive() override {
        long message = 0;
        ipc::message_queue::size_type n = 0;
        unsigned priority = 0;
        q.receive(&message, sizeof message, n, priority);
        return message;
    }
    std::string name;
    pid_t owner;
    ipc::message_queue q;
};

} // namespace

std::vector<contender> boost_message_queue() {
    return {{"Boost message_queue", [] { return std::make_unique<boost_line>(); }}};
}
