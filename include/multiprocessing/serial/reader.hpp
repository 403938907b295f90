// Floor 5, serial/reader: bytes become values again, or an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/writer.hpp> // what both sides must agree on

namespace multiprocessing::serial {

class reader;

namespace detail {

template <typename T>
void get(reader& in, T& value); // codec.hpp

} // namespace detail

/// Turns bytes into values: the loading archive, for cereal's convention too.
///
///     serial::reader in(message, "a page");
///     in(name, sizes);
///     in.finish();      // nothing may be left
///
/// The bytes may come from anybody. Nothing is read past their end; memory is taken in proportion to what is there, never to
/// what a count says; and values can't nest deeper than the stack allows.
///
/// - Threads: one at a time; the bytes must stay as they are while it reads. What another process may still write is copied first.
/// - Errors: ProcessError that says what was wrong, where, and in what: "malformed std::vector<int>, byte 8 of 20: ...". What a
///   user's load() throws passes through. After any exception the value is valid, but unspecified.
class reader : public cereal::multiprocessing_archive {
public:
    using is_saving = std::false_type;
    using is_loading = std::true_type;

    /// `subject` is what errors call the bytes; it must outlive the reader.
    explicit reader(std::span<const std::byte> bytes, std::string_view subject = "message") noexcept
        : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()), subject_(subject) {}
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;

    /// Reads each in turn.
    template <typename... T>
    reader& operator()(T&&... values) {
        (detail::get(*this, values), ...);
        return *this;
    }
    template <typename T>
    reader& operator&(T&& value) {
        return (*this)(value);
    }
    template <typename T>
    reader& operator>>(T&& value) {
        return (*this)(value);
    }

    /// The shares that came beside the message.
    void claim_from(std::span<const memory::holding> shares) noexcept { shares_ = shares; }
    [[nodiscard]] bool has_shares() const noexcept { return !shares_.empty(); }
    /// None can have come, not even an empty one: the bytes are those of somebody who may share no memory with this process.
    void refuse_shares() noexcept { takes_shares_ = false; }

    /// Bytes not read yet.
    [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
    /// Bytes read.
    [[nodiscard]] std::size_t position() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

    /// Refuses a message that has more in it than was read.
    void finish() const {
        if (left() != 0) fail(std::to_string(left()) + " bytes too many");
    }

    /// The bytes are no such thing.
    [[noreturn]] void fail(std::string_view what) const;

    // For codecs ------------------------------------------------------------------------------------------------------------

    /// Copies `n` bytes, at least one.
    void bytes(void* to, std::size_t n) { std::memcpy(to, run(n), n); }

    /// Goes past `n` bytes and tells where they lie.
    const std::byte* run(std::size_t n) {
        if (n > left()) lacks(n);
        const auto* here = at_;
        at_ += n;
        return here;
    }

    /// A number as it lay in memory.
    template <typename Number>
    Number number() {
        Number value;
        bytes(&value, sizeof value);
        return value;
    }

    /// A byte that is 0 or 1.
    bool flag() {
        const auto value = number<std::uint8_t>();
        if (value > 1) fail("neither true nor false: " + std::to_string(value));
        return value == 1;
    }

    /// How many of something follow, each of at least `least` bytes; no more than there can be.
    std::size_t count(std::size_t least = 1) {
        const auto n = number<std::uint64_t>();
        if (n > left() / least) overstates(n);
        return static_cast<std::size_t>(n);
    }

    /// An object that was named by writer::share(); of `least` bytes, or else it isn't what it is taken for.
    memory::holding share(std::uint64_t least) {
        const auto which = number<std::uint32_t>();
        if (!takes_shares_) fail("a shared object, where none can come along");
        if (which == 0) return {};
        if (which > shares_.size()) fail("shared object " + std::to_string(which) + " where " + std::to_string(shares_.size()) + " came along");
        const memory::holding& object = shares_[which - 1];
        if (!object || object.size() < least) fail("a shared object that is none of this kind");
        return object;
    }

    /// Held while a value of a user's type is read.
    class level {
    public:
        explicit level(reader& in) : in_(in) {
            if (in_.depth_ == deepest_nesting)
                in_.fail("values more than " + std::to_string(deepest_nesting) + " deep in each other");
            ++in_.depth_;
        }
        ~level() { --in_.depth_; }
        level(const level&) = delete;
        level& operator=(const level&) = delete;

    private:
        reader& in_;
    };

    /// One message's notes; made when first asked for.
    template <typename Notes>
    Notes& remember() {
        if (!notes_) notes_ = std::make_unique<Notes>();
        return static_cast<Notes&>(*notes_); // as in writer
    }

private:
    [[noreturn]] void lacks(std::size_t n) const {
        fail(std::to_string(n) + " bytes wanted where " + std::to_string(left()) + " are left");
    }
    [[noreturn]] void overstates(std::uint64_t n) const {
        fail("a count of " + std::to_string(n) + " where " + std::to_string(left()) + " bytes are left");
    }

    const std::byte* begin_;
    const std::byte* at_;
    const std::byte* end_;
    std::string_view subject_;
    unsigned depth_ = 0;
    bool takes_shares_ = true;
    std::span<const memory::holding> shares_;
    std::unique_ptr<detail::notes> notes_;
};

inline void reader::fail(std::string_view what) const {
    std::string text = "malformed ";
    text.append(subject_).append(", byte ").append(std::to_string(position())).append(" of ");
    text.append(std::to_string(end_ - begin_)).append(": ").append(what);
    throw ProcessError(text);
}

} // namespace multiprocessing::serial
