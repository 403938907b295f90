// Floor 5, serial/object/run: text that never changes, shared by those who hold it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring> // std::memcpy
#include <new>
#include <string_view>

namespace multiprocessing::serial::dynamic {

/// The bytes of a long str or bytes, behind this header. One allocation, freed by the last holder.
class run {
public:
    [[nodiscard]] static run* make(std::string_view text) {
        void* const memory = ::operator new(sizeof(run) + text.size());
        auto* const made = new (memory) run(text.size());
        std::memcpy(static_cast<char*>(memory) + sizeof(run), text.data(), text.size());
        return made;
    }
    void hold() noexcept { holders_.fetch_add(1, std::memory_order_relaxed); } // whoever holds it lets it be held
    void let_go() noexcept {
        if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) ::operator delete(this);
    }
    [[nodiscard]] std::string_view view() const noexcept {
        return {reinterpret_cast<const char*>(this) + sizeof(run), size_};
    }

private:
    explicit run(std::size_t size) noexcept : size_(size) {}

    std::atomic<std::size_t> holders_{1};
    std::size_t size_;
};

} // namespace multiprocessing::serial::dynamic
