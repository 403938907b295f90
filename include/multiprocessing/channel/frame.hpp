// Floor 6, channel/frame: where a message ends in a stream of bytes.
#pragma once

#include <algorithm> // std::min
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility> // std::exchange
#include <vector>

#include <multiprocessing/exceptions.hpp>

namespace multiprocessing::channel {

// CPython's, big-endian:
//
//     n <= 0x7fffffff      int32 n | n bytes
//     larger               ff ff ff ff | uint64 n | n bytes

/// What stands before a message of so many bytes.
class frame_header {
public:
    explicit frame_header(std::uint64_t size) noexcept {
        const bool is_short = size <= 0x7fffffff;
        put(is_short ? size : 0xffffffff, 4);
        if (!is_short) put(size, 8);
    }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return std::span(bytes_).first(size_); }

private:
    void put(std::uint64_t number, unsigned n) noexcept {
        while (n-- > 0) bytes_[size_++] = static_cast<std::byte>(number >> (8 * n));
    }
    std::array<std::byte, 12> bytes_{};
    std::size_t size_ = 0;
};

/// Takes frames from a stream, as its bytes come; never more of them than belong to this frame.
///
/// | stage  | room() is                                   | arrived() leads to                                           |
/// | ------ | ------------------------------------------- | ------------------------------------------------------------ |
/// | short_ | the rest of 4 bytes                         | long_ (they are -1), body, or an error (another negative one) |
/// | long_  | the rest of 8 bytes                         | body, or an error (beyond 2^63)                              |
/// | body   | the rest of the message, or a part of it    | body until nothing is missing, then whole                    |
/// | whole  | empty                                       | -; take() leads to short_                                    |
///
/// What is announced is believed only as it arrives: memory grows with what is there, to twice as much (64 KiB at first).
class frame_reader {
public:
    /// Where the next bytes of this frame go. Empty when none are missing.
    [[nodiscard]] std::span<std::byte> room();
    /// So many of them are there. ProcessError for a size that no frame has.
    void arrived(std::size_t n);

    [[nodiscard]] bool has_begun() const noexcept { return stage_ != stage::short_size || have_ != 0; }
    [[nodiscard]] bool is_whole() const noexcept { return stage_ == stage::body && have_ == size_; }
    /// How long the message is, once that is known.
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept {
        return stage_ == stage::body ? std::optional(size_) : std::nullopt;
    }
    /// The message, which is whole. The next frame begins.
    [[nodiscard]] std::vector<std::byte> take();

private:
    enum class stage { short_size, long_size, body };
    static constexpr std::size_t at_first = 64 << 10;

    void begin_body(std::uint64_t size) {
        size_ = size;
        have_ = 0;
        stage_ = stage::body;
    }
    [[nodiscard]] std::uint64_t number(std::size_t n) const noexcept {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n; ++i) value = value << 8 | std::to_integer<std::uint64_t>(header_[i]);
        return value;
    }

    stage stage_ = stage::short_size;
    std::array<std::byte, 8> header_{};
    std::uint64_t have_ = 0; // of this stage's bytes
    std::uint64_t size_ = 0;
    std::vector<std::byte> body_;
};

inline std::span<std::byte> frame_reader::room() {
    const auto have = static_cast<std::size_t>(have_);
    if (stage_ != stage::body) return std::span(header_).first(stage_ == stage::short_size ? 4 : 8).subspan(have);
    if (have == body_.size() && have < size_)
        body_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size_, std::max(at_first, 2 * have))));
    return std::span(body_).subspan(have);
}

inline void frame_reader::arrived(std::size_t n) {
    have_ += n;
    if (stage_ == stage::short_size && have_ == 4) {
        const std::uint64_t size = number(4);
        if (size <= 0x7fffffff) return begin_body(size);
        if (size != 0xffffffff) throw ProcessError("a frame of negative size: whoever is at the other end speaks another language");
        stage_ = stage::long_size;
        have_ = 0;
    } else if (stage_ == stage::long_size && have_ == 8) {
        const std::uint64_t size = number(8);
        if (size >> 63 != 0) throw ProcessError("a frame of " + std::to_string(size) + " bytes, which nobody can have sent");
        begin_body(size);
    }
}

inline std::vector<std::byte> frame_reader::take() {
    stage_ = stage::short_size;
    have_ = 0;
    size_ = 0;
    return std::exchange(body_, {});
}

} // namespace multiprocessing::channel
