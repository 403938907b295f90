// Floor 10, manager/place: where a container's bytes lie, in one word.
#pragma once

#include <bit> // std::endian
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy

#include <multiprocessing/memory/records.hpp>

namespace multiprocessing::manager {

/// Fewer than eight bytes, as the lowest of a word.
[[nodiscard]] inline std::uint64_t few_bytes(const std::byte* from, std::size_t n) noexcept {
    std::uint64_t word = 0;
    if (n >= 4) { // both halves, which overlap
        std::uint32_t low = 0, high = 0;
        std::memcpy(&low, from, 4);
        std::memcpy(&high, from + n - 4, 4);
        word = low | std::uint64_t{high} << (n - 4) * 8;
    } else {
        for (std::size_t i = 0; i < n; ++i) word |= static_cast<std::uint64_t>(from[i]) << i * 8;
    }
    return word;
}

/// Few bytes stand in the word itself; some in the container's arena; many, and those that name shared objects, in an object of
/// their own, which the container keeps. A word is stored at once, so a value is the old one or the new one.
///
/// | lowest two bits | the rest                                                          |
/// | --------------- | ----------------------------------------------------------------- |
/// | none            | 0: there is nothing                                               |
/// | here            | 3 bits of size, then a byte, then up to seven                     |
/// | arena           | 32 bits of offset, in units of 8 bytes; 30 bits of size           |
/// | own             | 30 bits of an object's number, plus one; 32 bits of its generation |
class place {
public:
    enum class kind : std::uint64_t { none, here, arena, own };

    static constexpr std::size_t most_here = 7;
    /// In the arena lies what is no longer than this.
    static constexpr std::size_t most_in_arena = 1024;

    constexpr place() noexcept = default;
    constexpr explicit place(std::uint64_t word) noexcept : word_(word) {}

    [[nodiscard]] static place here(const std::byte* bytes, std::size_t n) noexcept {
        return place(few_bytes(bytes, n) << 8 | static_cast<std::uint64_t>(kind::here) | n << 2);
    }
    [[nodiscard]] static constexpr place arena(std::uint64_t offset, std::size_t size) noexcept {
        return place(static_cast<std::uint64_t>(kind::arena) | offset / 8 << 2 | std::uint64_t{size} << 34);
    }
    [[nodiscard]] static constexpr place own(memory::object_name name) noexcept {
        return place(static_cast<std::uint64_t>(kind::own) | (name & 0x3fff'ffff) << 2 | name >> 32 << 32);
    }

    [[nodiscard]] constexpr std::uint64_t word() const noexcept { return word_; }
    [[nodiscard]] constexpr kind is() const noexcept { return static_cast<kind>(word_ & 3); }
    [[nodiscard]] constexpr bool is_own() const noexcept { return is() == kind::own; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return word_ != 0; }

    /// Of what stands here.
    [[nodiscard]] constexpr std::size_t size_here() const noexcept { return word_ >> 2 & 7; }
    /// As few_bytes() has them; those behind them are 0.
    [[nodiscard]] constexpr std::uint64_t bytes_here() const noexcept { return word_ >> 8; }
    /// To a place with room for a word.
    void copy_here(std::byte* to) const noexcept {
        const std::uint64_t bytes = bytes_here();
        std::memcpy(to, &bytes, sizeof bytes);
    }
    /// In the arena: not to be believed before it was compared with what there is.
    [[nodiscard]] constexpr std::uint64_t offset() const noexcept { return (word_ >> 2 & 0xffff'ffff) * 8; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return static_cast<std::size_t>(word_ >> 34); }
    [[nodiscard]] constexpr memory::object_name name() const noexcept {
        return (word_ >> 2 & 0x3fff'ffff) | word_ >> 32 << 32;
    }

    friend constexpr bool operator==(place, place) noexcept = default;

private:
    std::uint64_t word_ = 0;
};

static_assert(std::endian::native == std::endian::little, "the lowest byte of a word says what it is, and is the first in memory");

/// Bytes of a container are written and read in words, since a reader may look while a writer writes: he sees rubbish at most,
/// and finds out by the container's version. Each word with release or acquire order, so that nobody sees a word of what is
/// written after the version was counted up without seeing it counted up.
struct words {
    /// Of n bytes, fewer than eight.
    [[nodiscard]] static constexpr std::uint64_t lowest(std::size_t n) noexcept { return (std::uint64_t{1} << n * 8) - 1; }
    using word [[gnu::may_alias]] = std::uint64_t;

    [[nodiscard]] static constexpr std::size_t room_for(std::size_t n) noexcept { return (n + 7) / 8 * 8; }

    static void write(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        auto* out = reinterpret_cast<word*>(to);
        for (; n >= 8; n -= 8, from += 8, ++out) {
            std::uint64_t next = 0;
            std::memcpy(&next, from, 8);
            __atomic_store_n(out, next, __ATOMIC_RELEASE);
        }
        if (n == 0) return;
        __atomic_store_n(out, few_bytes(from, n), __ATOMIC_RELEASE);
    }
    /// To a place with room_for(n) bytes.
    static void read(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        const auto* in = reinterpret_cast<const word*>(from);
        for (std::size_t at = 0; at < n; at += 8, ++in) {
            const std::uint64_t next = __atomic_load_n(in, __ATOMIC_ACQUIRE);
            std::memcpy(to + at, &next, 8);
        }
    }
    [[nodiscard]] static bool equal(const std::byte* a, const std::byte* b, std::size_t n) noexcept {
        const auto* in = reinterpret_cast<const word*>(a);
        for (; n >= 8; n -= 8, b += 8, ++in) {
            std::uint64_t other = 0;
            std::memcpy(&other, b, 8);
            if (__atomic_load_n(in, __ATOMIC_ACQUIRE) != other) return false;
        }
        if (n == 0) return true;
        return ((__atomic_load_n(in, __ATOMIC_ACQUIRE) ^ few_bytes(b, n)) & lowest(n)) == 0;
    }
};

} // namespace multiprocessing::manager
