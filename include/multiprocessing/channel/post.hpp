// Floor 6, channel/post: values through a ring.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <iterator>
#include <memory> // std::addressof
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/channel/ring.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::channel {

/// When to give up.
class patience {
public:
    [[nodiscard]] static patience none() noexcept { return patience(std::nullopt); }
    [[nodiscard]] static patience for_ever() noexcept { return patience(os::deadline::never()); }
    [[nodiscard]] static patience unless(bool block) noexcept { return block ? for_ever() : none(); }
    template <typename Rep, typename Period>
    explicit patience(std::chrono::duration<Rep, Period> timeout) : until_(os::deadline(timeout)) {}

    [[nodiscard]] bool waits() const noexcept { return until_.has_value(); }
    [[nodiscard]] const os::deadline& until() const noexcept { return *until_; }

private:
    explicit patience(std::optional<os::deadline> until) noexcept : until_(until) {}
    std::optional<os::deadline> until_;
};

/// What goes into a cell of a ring for messages that aren't all of one size.
inline constexpr std::size_t longest_short_message = 1072;
inline constexpr std::size_t typical_message = 112;

/// A T whose own bytes are the message, and few enough to lie in a cell.
template <typename T>
inline constexpr bool lies_in_cells = serial::bulk<T> && sizeof(T) <= 4096;

/// Bytes of a typical T.
template <typename T>
inline constexpr std::size_t typical_size = lies_in_cells<T> ? sizeof(T) : typical_message;

/// A message ready to be sent: short, or a parcel.
class outgoing {
public:
    /// write_all(serial::writer&) writes it; it is called twice for what is long.
    template <typename F>
    outgoing(ring& to, F write_all, bool marked = false);

    [[nodiscard]] ring::result try_send(ring& to) {
        return to.try_send(0, parcel_ ? sizeof(memory::object_name) : size_, [this, &to](std::uint64_t, std::byte* body) {
            if (parcel_) {
                cell_header header = to.enclose(parcel_, body);
                header.marked = marked_;
                return header;
            }
            std::memcpy(body, short_.data(), size_);
            return cell_header{size_, 0, false, marked_};
        });
    }

private:
    std::size_t size_ = 0;
    bool marked_ = false;
    parcel parcel_;
    std::array<std::byte, longest_short_message> short_; // written as far as size_
};

/// A message that was received: short, or a parcel; with what it names.
class incoming {
public:
    incoming() noexcept {} // nothing of short_ is touched
    incoming(const incoming&) = delete;
    incoming& operator=(const incoming&) = delete;

    /// For ring::try_receive().
    [[nodiscard]] auto reads_from(ring& from) noexcept {
        return [this, &from](const cell_header& header, const std::byte* body) {
            marked_ = header.marked;
            if (header.block) {
                parcel_ = from.adopt(header, body);
                return;
            }
            size_ = std::min<std::size_t>(header.size, short_.size());
            std::memcpy(short_.data(), body, size_);
        };
    }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return parcel_ ? std::span<const std::byte>(parcel_.bytes()) : std::span(short_).first(size_);
    }
    [[nodiscard]] std::vector<memory::holding> shares() const {
        return parcel_ && parcel_.shares() != 0 ? parcel_.enclosed() : std::vector<memory::holding>();
    }
    [[nodiscard]] bool is_marked() const noexcept { return marked_; }
    void put_away(ring& to) noexcept { to.put_away(std::move(parcel_)); }

private:
    std::size_t size_ = 0;
    bool marked_ = false;
    parcel parcel_;
    std::array<std::byte, longest_short_message> short_;
};

template <typename F>
outgoing::outgoing(ring& to, F write_all, bool marked) : marked_(marked) {
    std::vector<memory::holding> shares;
    serial::writer first{std::span<std::byte>(short_)};
    first.carry(shares);
    write_all(first);
    first.finish();
    size_ = first.size();
    if (shares.empty()) {
        if (size_ <= to.longest()) return;
        to.note_oversized(size_);
        if (size_ <= to.longest()) return;
    }
    if (size_ > cell_header::largest || shares.size() > cell_header::most_shares)
        throw ValueError("a message can have 2^48 bytes and 16383 shared objects at most");
    parcel_ = to.make_parcel(size_, shares.size());
    shares.clear();
    serial::writer second{parcel_.bytes()};
    second.carry(shares);
    write_all(second);
    second.finish();
    if (second.size() != size_ || shares.size() != parcel_.shares())
        throw ValueError("a value was written twice and came out differently: it changes, or its save() does");
    parcel_.enclose(shares);
}

/// Sends; false when that isn't possible in time.
template <typename T>
[[nodiscard]] bool send_value(ring& to, const T& x, const patience& how_long) {
    const auto with = [&](auto attempt) {
        if (attempt() == ring::result::done) return true;
        return how_long.waits() && to.wait_for_room(attempt, how_long.until());
    };
    if constexpr (!serial::detail::demand<T>) { // which has said why
        return false;
    } else if constexpr (lies_in_cells<T>) {
        return with([&] {
            return to.try_send(0, sizeof(T), [&](std::uint64_t, std::byte* body) {
                std::memcpy(body, std::addressof(x), sizeof(T));
                return cell_header{sizeof(T)};
            });
        });
    } else {
        outgoing message(to, [&](serial::writer& out) { serial::write(out, x); });
        return with([&] { return message.try_send(to); });
    }
}

/// attempt(bool look_closer) until it is done, as long as that may take.
template <typename Attempt>
[[nodiscard]] bool receive_with(ring& from, Attempt attempt, const patience& how_long) {
    if (attempt(false) == ring::result::done) return true;
    if (how_long.waits()) return from.wait_for_message(attempt, how_long.until());
    if (const ring::result closer = attempt(true); closer != ring::result::busy) return closer == ring::result::done;
    // Behind somebody who is sending just now there may be messages whose senders have returned.
    const auto a_moment = os::deadline::after(std::chrono::milliseconds(1));
    return from.wait_for_message(attempt, a_moment);
}

template <typename T>
[[nodiscard]] T read_value(std::span<const std::byte> bytes, std::span<const memory::holding> shares) {
    serial::reader in(bytes, serial::type_name<T>());
    in.claim_from(shares);
    T x = serial::take<T>(in);
    in.finish();
    return x;
}

/// Receives; nothing when that isn't possible in time.
template <typename T, typename Watch = ring::unwatched>
[[nodiscard]] std::optional<T> receive_value(ring& from, const patience& how_long, Watch watch = {}) {
    if constexpr (!serial::detail::demand<T>) {
        return {};
    } else if constexpr (lies_in_cells<T>) {
        std::optional<T> x(std::in_place);
        bool good = true;
        const auto read = [&](const cell_header& header, const std::byte* body) {
            good = !header.block && header.size == sizeof(T);
            if (good) std::memcpy(static_cast<void*>(std::addressof(*x)), body, sizeof(T));
        };
        if (!receive_with(from, [&](bool closer) { return from.try_receive(read, closer, 1, watch); }, how_long)) return {};
        if (!good) return read_value<T>({}, {}); // says what is wrong
        return x;
    } else {
        incoming message;
        if (!receive_with(
                from, [&](bool closer) { return from.try_receive(message.reads_from(from), closer, 1, watch); }, how_long))
            return {};
        const auto shares = message.shares();
        std::optional<T> x(read_value<T>(message.bytes(), shares));
        message.put_away(from);
        return x;
    }
}

} // namespace multiprocessing::channel
