// Floor 4, shared/one_piece: values that the machine reads and writes in one piece.
#pragma once

#include <bit> // std::bit_cast
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <multiprocessing/shared/shareable.hpp>

namespace multiprocessing::shared {

namespace detail {

template <std::size_t Bytes>
struct word_of_size {};
template <>
struct word_of_size<1> {
    using type = std::uint8_t;
};
template <>
struct word_of_size<2> {
    using type = std::uint16_t;
};
template <>
struct word_of_size<4> {
    using type = std::uint32_t;
};
template <>
struct word_of_size<8> {
    using type = std::uint64_t;
};

} // namespace detail

/// Whether the machine changes a T in one piece: 1, 2, 4 or 8 bytes.
template <Shareable T>
inline constexpr bool is_one_piece = (sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8) &&
                                     __atomic_always_lock_free(sizeof(T), nullptr);

template <typename T>
concept OnePiece = Shareable<T> && is_one_piece<T>;

/// What a T must be aligned to, whatever its members ask for.
template <Shareable T>
inline constexpr std::size_t alignment = is_one_piece<T> ? sizeof(T) : alignof(T);

/// std::atomic_ref as far as it is needed here, and for structs too: that of libstdc++ 12 calls a library function for
/// a struct of two floats under clang++, since the struct by itself is aligned to one.
template <OnePiece T>
class one_piece {
public:
    explicit one_piece(T& at) noexcept : at_(reinterpret_cast<word*>(&at)) {}

    [[nodiscard]] T load() const noexcept { return std::bit_cast<T>(__atomic_load_n(at_, __ATOMIC_ACQUIRE)); }
    void store(const T& desired) const noexcept {
        __atomic_store_n(at_, std::bit_cast<plain>(desired), __ATOMIC_RELEASE);
    }

    /// Compares bytes. `expected` becomes what is there.
    bool compare_exchange(T& expected, const T& desired) const noexcept {
        plain seen = std::bit_cast<plain>(expected);
        const bool done = __atomic_compare_exchange_n(at_, &seen, std::bit_cast<plain>(desired), false,
                                                      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        if (!done) expected = std::bit_cast<T>(seen);
        return done;
    }
    /// Wraps around, as unsigned numbers do. The value before.
    T fetch_add(T x) const noexcept requires std::is_integral_v<T> {
        return static_cast<T>(__atomic_fetch_add(at_, static_cast<plain>(x), __ATOMIC_ACQ_REL));
    }

private:
    using plain = typename detail::word_of_size<sizeof(T)>::type;
    using word [[gnu::may_alias]] = plain;

    word* at_;
};

} // namespace multiprocessing::shared
