// Floor 6, channel/poller: the receiving side of a ring as a descriptor.
#pragma once

#include <algorithm> // std::min, std::find
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <multiprocessing/channel/link.hpp>
#include <multiprocessing/memory/doorbells.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/foreign_bell.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::channel {

/// A bell that senders ring, and the ends of the processes that are watched, as one descriptor.
///
/// - Threads: one at a time.
/// - Across fork(): the child makes its own; its copy of this one does nothing.
/// - Errors: std::system_error when there are no descriptors left.
class poller {
public:
    /// To be rung for by who looks at `where`, which lies in the object that is held.
    poller(memory::holding of, memory::doorbells& where) : kept_(std::move(of)), where_(&where), process_(os::pid()) {
        set_.add(bell_.fd(), 0);
        enter();
    }
    /// At that end of a pipe.
    poller(const memory::handle<link_state>& link, unsigned end) : poller(link, link->polling[end]) {}
    poller(const poller&) = delete;
    poller& operator=(const poller&) = delete;
    ~poller() {
        if (!is_ours() || entry_ == nullptr) return;
        std::uint64_t word = entry_->load();
        while (memory::doorbells::seat_of(word) == memory::doorbells::seat_of(mine_) &&
               !entry_->compare_exchange_weak(word, memory::doorbells::free)) {}
    }

    [[nodiscard]] bool is_ours() const noexcept { return process_ == os::pid(); }

    /// From now on who sends rings; what was sent before must be looked for after this.
    void arm() noexcept {
        bell_.silence();
        if (entry_ != nullptr) entry_->exchange((mine_ & ~std::uint64_t{3}) | memory::doorbells::armed);
        MULTIPROCESSING_STEP(poller_armed);
    }
    /// There is something already.
    void ring() noexcept { bell_.ring(); }

    /// Watches these processes from now on, and no others. A 0 stands for one that can't be watched.
    void watch(const std::vector<pid_t>& pids);

    /// Until somebody rings or dies; not longer than a few milliseconds where one of them couldn't tell.
    void wait(const os::deadline& until) {
        std::array<std::uint64_t, 8> keys;
        const auto soon = os::deadline::after(std::chrono::milliseconds(5));
        static_cast<void>(set_.wait(keys, is_blind() ? std::min(until, soon) : until));
    }
    [[nodiscard]] bool is_blind() const noexcept { return entry_ == nullptr || blind_; }
    /// Whether senders know of it. At most `doorbells::most` are known at a time.
    [[nodiscard]] bool is_known() const noexcept { return entry_ != nullptr; }

    /// To poll. In the portable back end deaths aren't seen in it.
    [[nodiscard]] int fd() const noexcept { return set_.fd() >= 0 ? set_.fd() : bell_.fd(); }

private:
    void enter();

    memory::holding kept_;
    memory::doorbells* where_;
    pid_t process_;
    os::foreign_bell bell_;
    os::poll_set set_;
    std::map<pid_t, os::descriptor> watched_;
    std::atomic<std::uint64_t>* entry_ = nullptr;
    std::uint64_t mine_ = 0;
    bool blind_ = false;
};

inline void poller::enter() {
    using memory::doorbells;
    auto& family = memory::family::here();
    mine_ = doorbells::encode(doorbells::registered, family.self(), bell_.fd());
    for (auto& entry : where_->entries) {
        std::uint64_t word = entry.load();
        if ((word & 3) != doorbells::free && !family.is_over(doorbells::seat_of(word), doorbells::generation_mask)) continue;
        if (!entry.compare_exchange_strong(word, mine_)) continue;
        MULTIPROCESSING_STEP(poller_entered);
        entry_ = &entry;
        return;
    }
}

inline void poller::watch(const std::vector<pid_t>& pids) {
    blind_ = false;
    for (auto at = watched_.begin(); at != watched_.end();) {
        if (std::find(pids.begin(), pids.end(), at->first) != pids.end()) {
            ++at;
            continue;
        }
        set_.remove(at->second.get());
        at = watched_.erase(at);
    }
    for (const pid_t pid : pids) {
        if (pid == process_ || watched_.count(pid) != 0) continue;
        os::descriptor end = pid == 0 ? os::descriptor() : os::watch_process(pid);
        if (!end) {
            blind_ = true;
            continue;
        }
        set_.add(end.get(), static_cast<std::uint64_t>(pid));
        watched_.emplace(pid, std::move(end));
    }
    if (pids.empty()) blind_ = true; // on its way in a message
}

} // namespace multiprocessing::channel
