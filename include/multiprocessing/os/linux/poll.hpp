// Floor 1, os/poll on Linux: epoll and eventfd. The classes are described in os/poll.
#pragma once

#include <algorithm> // std::min
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility> // std::move
#include <vector>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h> // read, write

#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os::on_linux { // not `linux`, which is a macro where extensions are on

class poll_set {
public:
    poll_set() : set_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (!set_) throw_errno("cannot make a poll set");
    }

    void add(int fd, std::uint64_t key) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = key;
        if (::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &event) == -1)
            throw_errno("cannot add descriptor {} to a poll set", fd);
    }

    void remove(int fd) {
        if (::epoll_ctl(set_.get(), EPOLL_CTL_DEL, fd, nullptr) == -1)
            throw_errno("cannot remove descriptor {} from a poll set", fd);
    }

    [[nodiscard]] int fd() const noexcept { return set_.get(); }

    [[nodiscard]] std::size_t wait(std::span<std::uint64_t> ready_keys, const deadline& until) {
        std::array<epoll_event, 64> events;
        const int room = static_cast<int>(std::min(ready_keys.size(), events.size()));
        for (;;) {
            const int n = ::epoll_wait(set_.get(), events.data(), room, until.milliseconds_left());
            if (n == -1 && errno != EINTR) throw_errno("cannot wait for a poll set with room for {} keys", room);
            for (int i = 0; i < n; ++i) // the event is packed: its key is copied, never referred to
                ready_keys[static_cast<std::size_t>(i)] = events[static_cast<std::size_t>(i)].data.u64;
            if (n > 0) return static_cast<std::size_t>(n);
            if (until.passed()) return 0;
        }
    }

private:
    descriptor set_;
};

class doorbell {
public:
    doorbell() : bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (!bell_) throw_errno("cannot make a doorbell");
    }

    void ring() noexcept {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto n = ::write(bell_.get(), &one, sizeof one); // EAGAIN: it is full, so it rings
    }

    void silence() noexcept {
        std::uint64_t rings = 0;
        [[maybe_unused]] const auto n = ::read(bell_.get(), &rings, sizeof rings); // EAGAIN: it was silent
    }

    [[nodiscard]] int fd() const noexcept { return bell_.get(); }

    explicit doorbell(std::vector<descriptor>&& handed) : bell_(std::move(handed.at(0))) {}
    [[nodiscard]] std::vector<int> descriptors() const { return {bell_.get()}; }

private:
    descriptor bell_;
};

} // namespace multiprocessing::os::on_linux
