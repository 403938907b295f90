// Floor 4, shared/cell: room for one value that nobody sees torn.
#pragma once

#include <algorithm> // std::max
#include <array>
#include <atomic>
#include <bit> // std::bit_cast
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <utility> // std::pair

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/futex.hpp> // relax
#include <multiprocessing/shared/one_piece.hpp>
#include <multiprocessing/shared/shareable.hpp>

namespace multiprocessing::shared {

template <Shareable T, bool IsOnePiece = is_one_piece<T>>
class cell;

/// A value that the machine changes in one piece. Needs no lock for anything.
template <Shareable T>
class cell<T, true> {
public:
    explicit cell(const T& initial) noexcept : value_(initial) {}

    [[nodiscard]] T& in_place() noexcept { return value_; }
    [[nodiscard]] one_piece<T> whole() noexcept { return one_piece<T>(value_); }
    [[nodiscard]] T load() noexcept { return whole().load(); }
    void store(const T& desired) noexcept { whole().store(desired); }

    /// Replaces the value by f(value); f is called again when another was faster. The values before and after.
    template <typename F>
    std::pair<T, T> replace(F f) {
        T before = load();
        for (;;) {
            const T after = f(before);
            if (whole().compare_exchange(before, after)) return {before, after};
        }
    }

private:
    alignas(alignment<T>) T value_;
};

/// A larger value, twice: the even or the odd copy counts, as the version is. Who writes (one at a time: a lock is kept
/// around this) fills the other copy and then counts the version up, so a writer who is killed in between has changed
/// nothing. Who reads takes the copy that counts, and begins again if the version has moved on meanwhile: only then can
/// that copy have been written to.
///
/// | word         | who writes it                | a writer killed in between leaves |
/// | ------------ | ---------------------------- | --------------------------------- |
/// | other copy   | the writer                   | rubbish that nobody looks at      |
/// | version      | the writer, last, one store  | the old value or the new          |
///
/// The copies are moved in words, each with acquire or release order, so that no reader sees a word of the version
/// after the next without seeing the next version.
template <Shareable T>
class cell<T, false> {
public:
    explicit cell(const T& initial) noexcept { std::memcpy(copies_[0], &initial, sizeof(T)); }

    /// The copy that counts; until the next store.
    [[nodiscard]] T& in_place() noexcept {
        return *reinterpret_cast<T*>(copies_[version_.load(std::memory_order_acquire) % 2]);
    }

    [[nodiscard]] T load() noexcept {
        for (;;) {
            const std::uint64_t version = version_.load(std::memory_order_acquire);
            const word* const from = words_of(version);
            buffer seen;
            for (std::size_t i = 0; i < words; ++i) seen[i] = __atomic_load_n(from + i, __ATOMIC_ACQUIRE);
            if (version_.load(std::memory_order_relaxed) == version) {
                std::array<std::byte, sizeof(T)> bytes;
                std::memcpy(bytes.data(), seen.data(), sizeof(T));
                return std::bit_cast<T>(bytes);
            }
            os::relax();
        }
    }

    void store(const T& desired) noexcept {
        const std::uint64_t version = version_.load(std::memory_order_relaxed);
        word* const to = words_of(version + 1);
        buffer whole{};
        std::memcpy(whole.data(), &desired, sizeof(T));
        for (std::size_t i = 0; i < words; ++i) {
            __atomic_store_n(to + i, whole[i], __ATOMIC_RELEASE);
            if (i == 0) MULTIPROCESSING_STEP(cell_half_written);
        }
        MULTIPROCESSING_STEP(cell_written);
        version_.store(version + 1, std::memory_order_release);
        MULTIPROCESSING_STEP(cell_committed);
    }

    template <typename F>
    std::pair<T, T> replace(F f) {
        const T before = load();
        const T after = f(before);
        store(after);
        return {before, after};
    }

private:
    using word [[gnu::may_alias]] = std::uint64_t;
    static constexpr std::size_t words = (sizeof(T) + 7) / 8;
    using buffer = std::array<std::uint64_t, words>;

    [[nodiscard]] word* words_of(std::uint64_t version) noexcept {
        return reinterpret_cast<word*>(copies_[version % 2]);
    }

    std::atomic<std::uint64_t> version_{0};
    alignas(std::max(alignof(T), alignof(std::uint64_t))) std::byte copies_[2][words * 8]{};
};

} // namespace multiprocessing::shared
