// Floor 1, os/handover: descriptors that go along with the start of a process.
#pragma once

#include <algorithm> // std::find
#include <cstddef>
#include <cstdint>
#include <utility> // std::exchange
#include <vector>

#include <multiprocessing/os/descriptor.hpp>

namespace multiprocessing::os {

/// While one exists, what this thread writes may have descriptors in it, which a process is then started with. They aren't owned.
///
/// - Threads: each has its own.
class handover {
public:
    handover() noexcept : outer_(std::exchange(current(), this)) {}
    handover(const handover&) = delete;
    handover& operator=(const handover&) = delete;
    ~handover() { current() = outer_; }

    /// Null where nothing can be handed over.
    [[nodiscard]] static handover* here() noexcept { return current(); }

    /// Its number where it arrives; the same one for the same descriptor.
    [[nodiscard]] std::uint32_t add(int fd) {
        const auto found = std::find(all_.begin(), all_.end(), fd);
        const auto number = static_cast<std::uint32_t>(found - all_.begin());
        if (found == all_.end()) all_.push_back(fd);
        return number;
    }
    [[nodiscard]] const std::vector<int>& descriptors() const noexcept { return all_; }

private:
    static handover*& current() noexcept {
        static thread_local handover* innermost = nullptr;
        return innermost;
    }
    handover* outer_;
    std::vector<int> all_;
};

/// What this process was started with, by the same numbers, for whoever reads of them to take.
[[nodiscard]] inline std::vector<descriptor>& handed_descriptors() noexcept {
    static auto& descriptors = *new std::vector<descriptor>;
    return descriptors;
}

} // namespace multiprocessing::os
