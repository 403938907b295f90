// Floor 1, os/poll anywhere: poll() and a pipe. Functions and classes are described in os/poll.
#pragma once

#include <algorithm> // std::find_if
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory> // std::unique_ptr
#include <mutex>  // std::lock_guard
#include <span>
#include <utility> // std::move
#include <vector>

#include <fcntl.h> // fcntl, O_NONBLOCK
#include <poll.h>
#include <unistd.h> // read, write

#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>
#include <multiprocessing/os/private_lock.hpp>

namespace multiprocessing::os::portable {

inline bool wait_readable(int fd, const deadline& until) {
    pollfd waited{fd, POLLIN, 0};
    for (;;) {
        const int n = ::poll(&waited, 1, until.milliseconds_left());
        if (n == -1 && errno != EINTR) throw_errno("cannot wait for descriptor {}", fd);
        if (n == 1 && (waited.revents & POLLNVAL) != 0) throw_error(EBADF, "cannot wait for descriptor {}", fd);
        if (n == 1) return true;
        if (until.passed()) return false;
    }
}

class poll_set {
public:
    void add(int fd, std::uint64_t key) {
        if (::fcntl(fd, F_GETFD) == -1) throw_errno("cannot add descriptor {} to a poll set", fd);
        const std::lock_guard held(*lock_);
        if (position(fd) != waited_.size()) throw_error(EEXIST, "cannot add descriptor {} to a poll set", fd);
        keys_.reserve(keys_.size() + 1); // both grow or none
        waited_.push_back({fd, POLLIN, 0});
        keys_.push_back(key);
    }

    void remove(int fd) {
        const std::lock_guard held(*lock_);
        const std::size_t i = position(fd);
        if (i == waited_.size()) throw_error(ENOENT, "cannot remove descriptor {} from a poll set", fd);
        waited_.erase(waited_.begin() + static_cast<std::ptrdiff_t>(i));
        keys_.erase(keys_.begin() + static_cast<std::ptrdiff_t>(i));
    }

    [[nodiscard]] int fd() const noexcept { return -1; }

    /// On a copy, for meanwhile others may add and remove; made anew so often that what they add is seen soon.
    [[nodiscard]] std::size_t wait(std::span<std::uint64_t> ready_keys, const deadline& until) {
        for (;;) {
            {
                const std::lock_guard held(*lock_);
                looked_at_ = waited_;
                their_keys_ = keys_;
            }
            const deadline glance = std::min(until, deadline::after(std::chrono::milliseconds(20)));
            const int n = ::poll(looked_at_.data(), static_cast<nfds_t>(looked_at_.size()), glance.milliseconds_left());
            if (n == -1 && errno != EINTR) throw_errno("cannot wait for a poll set of {} descriptors", looked_at_.size());
            if (n > 0) return take(ready_keys);
            if (until.passed()) return 0;
        }
    }

private:
    std::size_t position(int fd) const noexcept {
        const auto found = std::find_if(waited_.begin(), waited_.end(), [fd](const pollfd& w) { return w.fd == fd; });
        return static_cast<std::size_t>(found - waited_.begin());
    }

    /// Begins where it ended the last time, so that a busy descriptor doesn't hide those behind it.
    std::size_t take(std::span<std::uint64_t> ready_keys) noexcept {
        std::size_t taken = 0;
        const std::size_t start = next_;
        for (std::size_t step = 0; step < looked_at_.size() && taken < ready_keys.size(); ++step) {
            const std::size_t i = (start + step) % looked_at_.size();
            if (looked_at_[i].revents == 0) continue;
            ready_keys[taken++] = their_keys_[i];
            next_ = i + 1;
        }
        return taken;
    }

    std::unique_ptr<private_lock> lock_ = std::make_unique<private_lock>(); // around the first two
    std::vector<pollfd> waited_;
    std::vector<std::uint64_t> keys_; // of the same index
    std::vector<pollfd> looked_at_;
    std::vector<std::uint64_t> their_keys_;
    std::size_t next_ = 0;
};

class doorbell {
public:
    doorbell() : ends_(make_pipe()) {
        for (const int fd : {ends_.read.get(), ends_.write.get()})
            if (::fcntl(fd, F_SETFL, O_NONBLOCK) == -1) throw_errno("cannot make a doorbell of descriptor {}", fd);
    }

    void ring() noexcept {
        const std::byte one{};
        [[maybe_unused]] const auto n = ::write(ends_.write.get(), &one, 1); // EAGAIN: the pipe is full, so it rings
    }

    void silence() noexcept {
        std::array<std::byte, 4096> rings;
        // Until a read comes back short: then the pipe was empty once since we began, and who rang later rings still.
        while (::read(ends_.read.get(), rings.data(), rings.size()) == static_cast<ssize_t>(rings.size())) {}
    }

    [[nodiscard]] int fd() const noexcept { return ends_.read.get(); }

    explicit doorbell(std::vector<descriptor>&& handed) : ends_{std::move(handed.at(0)), std::move(handed.at(1))} {}
    [[nodiscard]] std::vector<int> descriptors() const { return {ends_.read.get(), ends_.write.get()}; }

private:
    pipe_ends ends_;
};

} // namespace multiprocessing::os::portable
