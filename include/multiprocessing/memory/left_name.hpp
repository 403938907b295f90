// Floor 2, memory/left_name: a name that the operating system keeps for an object, and that goes with it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring> // std::memcpy
#include <exception>
#include <string>

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/named_memory.hpp>

namespace multiprocessing::memory {

/// Stands first in an object that has given something a name outside (family::leaves_name). Whoever frees the object, which is an
/// undertaker when its holders were killed, takes the name away, unless it is gone already.
///
/// `gone` is the only word that changes. It is set before the name is taken away: who is killed in between leaves a name. To
/// take it away twice would be worse, for it may be somebody else's by then; therefore its number is compared too.
struct left_name {
    left_name(const std::string& full_name, std::uint64_t which) noexcept
        : number(which), length(static_cast<std::uint32_t>(full_name.size())) {
        std::memcpy(text.data(), full_name.data(), full_name.size());
    }

    std::uint64_t number; ///< tells what has the name from another thing of the same name
    std::atomic<std::uint32_t> gone{0}; ///< 1: by remove(); 2: by whom the name belongs to, knowingly
    std::uint32_t length;
    std::array<char, os::longest_memory_name + 2> text{};

    [[nodiscard]] std::string name() const { return std::string(text.data(), length < text.size() ? length : 0); }

    void remove() noexcept {
        if (gone.exchange(1) != 0) return;
        MULTIPROCESSING_STEP(name_given_up);
        try {
            os::unlink_named_memory(name(), number);
        } catch (const std::exception& error) {
            os::log(os::log_level::warning, "a shared memory is left behind: {}", error.what());
        }
    }
};

} // namespace multiprocessing::memory
