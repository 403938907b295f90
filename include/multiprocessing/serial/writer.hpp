// Floor 5, serial/writer: values become bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>

// A function that serialises somebody else's type may stand in cereal's own namespace. Bases are looked up too, so this one
// has it found for our archives as it is for cereal's.
namespace cereal {
struct multiprocessing_archive {};
} // namespace cereal

namespace multiprocessing::serial {

class writer;

/// Values of user types may lie this deep in each other: the stack is finite, and so is the reader's. As deep as Python goes.
inline constexpr unsigned deepest_nesting = 1000;

namespace detail {

template <typename T>
void put(writer& out, const T& value); // codec.hpp

/// What a codec remembers while one message is written or read.
struct notes {
    virtual ~notes() = default;
};

} // namespace detail

/// Turns values into contiguous bytes: the saving archive, for cereal's convention too.
///
///     serial::writer out;                     // into bytes of its own, which grow
///     out(name, sizes, cereal::make_size_tag(n));
///     std::vector<std::byte> message = std::move(out).take();
///
/// Made over a place, it fills that: shared memory is written without a copy. What doesn't fit is counted instead, so that
/// `size()` tells what the message takes, whether it is there or not. Over no place at all it measures.
///
/// A value never takes less than one byte, so that a count of values can be checked against the bytes that are there.
///
/// - Threads: one at a time.
/// - Errors: ValueError for what can't be written; after any exception the bytes are no message.
class writer : public cereal::multiprocessing_archive {
public:
    using is_saving = std::true_type;
    using is_loading = std::false_type;

    writer() noexcept : begin_(stage_), at_(stage_), end_(stage_ + sizeof stage_) {}
    explicit writer(std::span<std::byte> place) noexcept
        : begin_(place.data()), at_(begin_), end_(begin_ + place.size()) {}
    writer(const writer&) = delete;
    writer& operator=(const writer&) = delete;

    /// Writes each in turn. What doesn't travel is a compile error of one sentence.
    template <typename... T>
    writer& operator()(const T&... values) {
        (detail::put(*this, values), ...);
        return *this;
    }
    template <typename T>
    writer& operator&(const T& value) {
        return (*this)(value);
    }
    template <typename T>
    writer& operator<<(const T& value) {
        return (*this)(value);
    }

    /// Bytes written up to now, and those that didn't fit.
    [[nodiscard]] std::size_t size() const noexcept { return elsewhere_ + static_cast<std::size_t>(at_ - begin_); }

    /// Makes room for a message of `n` bytes of its own.
    void reserve(std::size_t n) { own_.reserve(n); }

    /// Shares in objects that the message names go there, for whoever sends it to hand over beside the bytes. Without, what has
    /// such in it can't be written: bytes alone keep nothing alive.
    void carry(std::vector<memory::holding>& shares) noexcept { shares_ = &shares; }

    /// Ends a message that went into bytes of its own.
    [[nodiscard]] std::vector<std::byte> take() &&;

    // For codecs ------------------------------------------------------------------------------------------------------------

    /// Copies `n` bytes, at least one.
    void bytes(const void* from, std::size_t n) {
        if (n > static_cast<std::size_t>(end_ - at_)) return spill(from, n);
        std::memcpy(at_, from, n);
        at_ += n;
    }

    /// A number as it lies in memory.
    template <typename Number>
    void number(Number value) {
        bytes(&value, sizeof value);
    }

    /// How many of something follow.
    void count(std::size_t n) { number(static_cast<std::uint64_t>(n)); }

    /// A count that a user's save() announces: the reader takes it only if as many bytes follow, so the writer sees to that.
    void announce(std::size_t n) {
        count(n);
        if (announced_ < size() + n) announced_ = size() + n;
    }

    /// Names an object; its share travels beside the message.
    void share(const memory::holding& object) {
        if (shares_ == nullptr)
            throw NotPortableError("a shared object (a Lock, a Queue, a Value, ...) can't be written into bytes that anybody may "
                                   "keep: hand it to a process, a pool, a queue or a connection");
        number(static_cast<std::uint32_t>(object ? shares_->size() + 1 : 0));
        if (object) shares_->push_back(object);
    }

    /// Ends the message.
    void finish() const {
        if (announced_ <= size()) return;
        throw ValueError("a cereal::make_size_tag() counts more things than bytes follow it, and no reader would believe it: "
                         "write a number that counts something else without the tag");
    }

    /// Held while a value of a user's type is written.
    class level {
    public:
        explicit level(writer& out) : out_(out) {
            if (out_.depth_ == deepest_nesting)
                throw ValueError("values lie more than " + std::to_string(deepest_nesting) +
                                 " deep in each other: send them side by side, in a vector");
            ++out_.depth_;
        }
        ~level() { --out_.depth_; }
        level(const level&) = delete;
        level& operator=(const level&) = delete;

    private:
        writer& out_;
    };

    /// One message's notes; made when first asked for.
    template <typename Notes>
    Notes& remember() {
        if (!notes_) notes_ = std::make_unique<Notes>();
        return static_cast<Notes&>(*notes_); // one codec alone keeps notes, that of shared_ptr
    }

private:
    [[nodiscard]] bool grows() const noexcept { return begin_ == stage_; }
    void spill(const void* from, std::size_t n);
    void append(const std::byte* from, std::size_t n);

    std::byte* begin_; // the place, or the stage
    std::byte* at_;
    std::byte* end_;
    std::size_t elsewhere_ = 0; // what went past the stage, or past the end of the place
    std::size_t announced_ = 0; // the message must reach as far
    unsigned depth_ = 0;
    std::vector<memory::holding>* shares_ = nullptr;
    std::unique_ptr<detail::notes> notes_;
    std::vector<std::byte> own_;
    // Small things gather here. Written straight into own_, each would pay a vector's bookkeeping; and own_.resize() would
    // clear what is then overwritten. As it is, a large array is copied once and a small thing twice.
    std::byte stage_[256];
};

inline std::vector<std::byte> writer::take() && {
    finish();
    append(stage_, static_cast<std::size_t>(at_ - begin_));
    at_ = begin_;
    elsewhere_ = 0;
    return std::move(own_);
}

// Out of line: an inlined bytes() is a comparison, a copy and an addition.
inline void writer::spill(const void* from, std::size_t n) {
    if (!grows()) {
        elsewhere_ += n;
        return;
    }
    append(stage_, static_cast<std::size_t>(at_ - begin_));
    at_ = stage_;
    if (n < sizeof stage_) {
        std::memcpy(at_, from, n);
        at_ += n;
    } else {
        append(static_cast<const std::byte*>(from), n);
    }
    elsewhere_ = own_.size();
}

inline void writer::append(const std::byte* from, std::size_t n) {
    own_.insert(own_.end(), from, from + n); // doubles when full; the new bytes are copied, not cleared first
}

} // namespace multiprocessing::serial
