// A pipe and a pair of stream sockets; one producer and one consumer, for longer messages would mix.
#include "contender.hpp"

#include <cstdlib>

#include <sys/socket.h>
#include <unistd.h>

namespace {

struct descriptor_line final : line {
    explicit descriptor_line(bool socket) {
        if (socket ? ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : ::pipe(ends)) std::abort();
    }
    ~descriptor_line() override {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    void send(const char* message, std::size_t size) override {
        for (std::size_t done = 0; done < size;) {
            const ssize_t n = ::write(ends[1], message + done, size - done);
            if (n <= 0) std::abort();
            done += static_cast<std::size_t>(n);
        }
    }
    void receive(char* message, std::size_t size) override {
        for (std::size_t done = 0; done < size;) {
            const ssize_t n = ::read(ends[0], message + done, size - done);
            if (n <= 0) std::abort();
            done += static_cast<std::size_t>(n);
        }
    }
    int ends[2];
};

} // namespace

std::vector<contender> sockets() {
    return {{"pipe", [](std::size_t) { return std::make_unique<descriptor_line>(false); }, false},
            {"socketpair", [](std::size_t) { return std::make_unique<descriptor_line>(true); }, false}};
}
