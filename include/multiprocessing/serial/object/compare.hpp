// Floor 5, serial/object/compare: what equals what, what comes before what, and what stands for it in a hash table.
#pragma once

#include <atomic>
#include <bit>
#include <cmath> // std::isnan, std::trunc
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <span>
#include <string>
#include <string_view>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/random.hpp>
#include <multiprocessing/serial/object/nesting.hpp>
#include <multiprocessing/serial/object/storage.hpp>
#include <multiprocessing/serial/object/value.hpp>

namespace multiprocessing::serial::dynamic {

inline bool is_number(const Object& x) noexcept { return x.is_int() || x.is_bool() || x.is_float(); }

/// To the last digit, which a conversion of either into the other's type could lose.
inline std::partial_ordering compare(std::int64_t a, double b) noexcept {
    if (std::isnan(b)) return std::partial_ordering::unordered;
    if (b >= 0x1p63) return std::partial_ordering::less;
    if (b < -0x1p63) return std::partial_ordering::greater;
    const double whole = std::trunc(b);
    if (const auto known = a <=> static_cast<std::int64_t>(whole); known != 0) return known;
    return whole <=> b;
}

inline std::partial_ordering compare_numbers(const Object& a, const Object& b) noexcept {
    if (a.is_float() && b.is_float()) return access::floating(a) <=> access::floating(b);
    if (b.is_float()) return compare(access::integer(a), access::floating(b));
    if (!a.is_float()) return access::integer(a) <=> access::integer(b);
    return 0 <=> compare(access::integer(b), access::floating(a));
}

/// What every hash begins with: nobody who sends keys can know which of them will collide.
struct hash_key {
    std::uint64_t k0, k1;
};
inline const hash_key& secret() {
    static const hash_key key = [] {
        hash_key made{};
        os::fill_random(std::as_writable_bytes(std::span(&made, 1)));
        return made;
    }();
    return key;
}

/// SipHash-1-3, as Python's own strings use it.
class siphash {
public:
    explicit siphash(const hash_key& key) noexcept
        : v0_(key.k0 ^ 0x736f6d6570736575), v1_(key.k1 ^ 0x646f72616e646f6d), v2_(key.k0 ^ 0x6c7967656e657261),
          v3_(key.k1 ^ 0x7465646279746573) {}

    [[nodiscard]] std::uint64_t operator()(std::string_view text) noexcept {
        std::uint64_t word = 0;
        std::size_t at = 0;
        for (; text.size() - at >= 8; at += 8) {
            std::memcpy(&word, text.data() + at, 8);
            take(word);
        }
        word = 0;
        if (at != text.size()) std::memcpy(&word, text.data() + at, text.size() - at);
        take(word | static_cast<std::uint64_t>(text.size()) << 56);
        v2_ ^= 0xff;
        for (int i = 0; i < 3; ++i) round();
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

private:
    void take(std::uint64_t word) noexcept {
        v3_ ^= word;
        round();
        v0_ ^= word;
    }
    void round() noexcept {
        v0_ += v1_, v2_ += v3_;
        v1_ = std::rotl(v1_, 13) ^ v0_, v3_ = std::rotl(v3_, 16) ^ v2_;
        v0_ = std::rotl(v0_, 32);
        v2_ += v1_, v0_ += v3_;
        v1_ = std::rotl(v1_, 17) ^ v2_, v3_ = std::rotl(v3_, 21) ^ v0_;
        v2_ = std::rotl(v2_, 32);
    }

    std::uint64_t v0_, v1_, v2_, v3_;
};

/// A word's hash: every bit of it counts for every bit of the result. `salt` keeps types apart.
inline std::size_t mix(std::uint64_t word, std::uint64_t salt) {
    word ^= secret().k0 + salt;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word ^= secret().k1;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return static_cast<std::size_t>(word ^ word >> 31);
}

inline std::size_t hash_of(double value) {
    if (value >= -0x1p63 && value < 0x1p63 && value == std::trunc(value))
        return mix(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)), 0); // as the int that it equals
    if (!std::isnan(value)) return mix(std::bit_cast<std::uint64_t>(value), 1);
    static std::atomic<std::uint64_t> how_many{0}; // a NaN equals nothing: were their hashes one, a dict of them would be slow
    return mix(how_many.fetch_add(1, std::memory_order_relaxed), 2);
}

} // namespace multiprocessing::serial::dynamic

namespace multiprocessing {

inline std::size_t Object::hash() const {
    using namespace serial::dynamic;
    switch (kind_) {
    case Kind::none: return mix(0, 3);
    case Kind::boolean:
    case Kind::integer: return mix(static_cast<std::uint64_t>(integer()), 0);
    case Kind::floating: return hash_of(floating());
    case Kind::text: return static_cast<std::size_t>(siphash(secret())(text()));
    case Kind::data: return static_cast<std::size_t>(siphash({secret().k1, secret().k0})(text()));
    case Kind::list:
    case Kind::dict: break;
    }
    throw TypeError("unhashable type: '" + std::string(type_name()) + "'");
}

inline bool Object::same(const Object& a, const Object& b) {
    using namespace serial::dynamic;
    if (is_number(a) && is_number(b)) return compare_numbers(a, b) == 0;
    if (a.kind_ != b.kind_) return false;
    switch (a.kind_) {
    case Kind::text:
    case Kind::data: return a.text() == b.text();
    case Kind::list: return access::items(a) == access::items(b);
    case Kind::dict: return access::entries(a) == access::entries(b);
    default: return true; // None
    }
}

inline bool list::same(const list& a, const list& b) {
    const serial::dynamic::nesting deeper;
    return a.items_ == b.items_;
}

inline bool Object::precedes(const Object& a, const Object& b, std::string_view sign, verdict good) {
    using namespace serial::dynamic;
    if (is_number(a) && is_number(b)) return good(compare_numbers(a, b));
    if (a.kind_ == b.kind_) {
        if (a.is_str() || a.is_bytes()) return good(a.text() <=> b.text()); // UTF-8 is in the order of its characters
        if (a.is_list()) {
            const nesting deeper;
            const list& one = access::items(a);
            const list& two = access::items(b);
            auto i = one.begin();
            auto j = two.begin();
            for (; i != one.end() && j != two.end(); ++i, ++j)
                if (*i != *j) return precedes(*i, *j, sign, good);
            return good(one.size() <=> two.size());
        }
    }
    std::string text = "'";
    text.append(sign).append("' not supported between instances of '").append(a.type_name()).append("' and '");
    throw TypeError(text.append(b.type_name()).append("'"));
}

} // namespace multiprocessing
