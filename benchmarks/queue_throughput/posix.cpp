// POSIX mq, as deep as an unprivileged process may make it.
#include "contender.hpp"

#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <mqueue.h>
#include <unistd.h>

namespace {

struct posix_line final : line {
    explicit posix_line(std::size_t size) {
        const std::string name = "/benchmark" + std::to_string(::getpid());
        ::mq_unlink(name.c_str());
        mq_attr about{};
        about.mq_maxmsg = 10;
        about.mq_msgsize = static_cast<long>(size);
        q = ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600, &about);
        ::mq_unlink(name.c_str());
    }
    ~posix_line() override { ::mq_close(q); }
    void send(const char* message, std::size_t size) override {
        if (::mq_send(q, message, size, 0) != 0) std::abort();
    }
    void receive(char* message, std::size_t size) override {
        if (::mq_receive(q, message, size, nullptr) < 0) std::abort();
    }
    mqd_t q = -1;
};

} // namespace

std::vector<contender> posix_queue() {
    return {{"POSIX mq", [](std::size_t size) -> std::unique_ptr<line> {
                 if (size > 8192) return nullptr;
                 auto made = std::make_unique<posix_line>(size);
                 if (made->q == -1) return nullptr; // not in this container
                 return made;
             }}};
}
