// Floor 10, manager/item: bytes on their way into a container or out of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <memory>  // std::addressof
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/manager/place.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

/// Bytes, and shares in the objects that they name; somebody else's.
struct item_view {
    std::span<const std::byte> bytes;
    std::span<const memory::holding> shares;
};

/// A packed value: short ones without memory of their own.
class item {
public:
    item() noexcept {} // nothing of short_ is touched
    item(const item&) = delete;
    item& operator=(const item&) = delete;

    /// x, packed.
    template <typename T>
    explicit item(const T& x) {
        static_assert(serial::detail::demand<T>);
        if constexpr (serial::bulk<T> && sizeof(T) <= place::most_in_arena) {
            size_ = sizeof(T);
            std::memcpy(short_, std::addressof(x), sizeof(T));
        } else {
            serial::writer out{std::span<std::byte>(short_)};
            out.carry(large_.shares);
            serial::write(out, x);
            out.finish();
            size_ = out.size();
            if (size_ <= sizeof short_) return;
            large_ = serial::pack_message(x);
            is_large_ = true;
        }
    }

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return is_large_ ? std::span<const std::byte>(large_.bytes) : std::span<const std::byte>(short_, size_);
    }
    [[nodiscard]] std::span<const memory::holding> shares() const noexcept { return large_.shares; }
    [[nodiscard]] item_view view() const noexcept { return {bytes(), shares()}; }

    template <typename T>
    [[nodiscard]] T unpack() const {
        return unpack_item<T>(view());
    }

    /// What was packed. ProcessError when it wasn't a T.
    template <typename T>
    [[nodiscard]] static T unpack_item(const item_view& from) {
        if constexpr (serial::bulk<T> && std::is_default_constructible_v<T>) {
            if (from.bytes.size() == sizeof(T)) {
                T x{};
                std::memcpy(static_cast<void*>(std::addressof(x)), from.bytes.data(), sizeof(T));
                return x;
            }
        }
        serial::reader in(from.bytes, serial::type_name<T>());
        in.claim_from(from.shares);
        T x = serial::take<T>(in);
        in.finish();
        return x;
    }

    /// For the container: room for n bytes of a short item.
    [[nodiscard]] std::byte* set_short(std::size_t n) noexcept {
        size_ = n;
        is_large_ = false;
        if (!large_.shares.empty()) large_.shares.clear();
        return short_;
    }
    [[nodiscard]] serial::message& set_large() noexcept {
        is_large_ = true;
        return large_;
    }

private:
    std::size_t size_ = 0;
    bool is_large_ = false;
    serial::message large_; // its shares are those of a short one too
    alignas(8) std::byte short_[place::most_in_arena];
};

/// x itself, or the T that is made of it.
template <typename T, typename U>
[[nodiscard]] decltype(auto) as_a(const U& x) {
    if constexpr (std::is_same_v<T, U>) return (x);
    else return T(x);
}

/// Packed values in a row, for whole containers: one piece of memory.
class items {
public:
    /// For so many, if they are short.
    void reserve(std::size_t n) {
        ends_.reserve(n);
        bytes_.reserve(n * 32);
    }
    void add(const item_view& x) {
        bytes_.insert(bytes_.end(), x.bytes.begin(), x.bytes.end());
        shares_.insert(shares_.end(), x.shares.begin(), x.shares.end());
        ends_.push_back({bytes_.size(), shares_.size()});
    }
    template <typename T>
    void pack(const T& x) {
        add(item(x).view());
    }
    void clear() noexcept {
        bytes_.clear();
        shares_.clear();
        ends_.clear();
    }

    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
    [[nodiscard]] bool empty() const noexcept { return ends_.empty(); }
    [[nodiscard]] item_view operator[](std::size_t i) const noexcept {
        const end from = i == 0 ? end{} : ends_[i - 1];
        return {std::span(bytes_).subspan(from.bytes, ends_[i].bytes - from.bytes),
                std::span(shares_).subspan(from.shares, ends_[i].shares - from.shares)};
    }
    template <typename T>
    [[nodiscard]] T unpack(std::size_t i) const {
        return item::unpack_item<T>((*this)[i]);
    }

private:
    struct end {
        std::size_t bytes = 0;
        std::size_t shares = 0;
    };
    std::vector<std::byte> bytes_;
    std::vector<memory::holding> shares_;
    std::vector<end> ends_;
};

} // namespace multiprocessing::manager
