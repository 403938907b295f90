// Floor 4, shared/block: elements side by side in shared memory; what Array and RawArray have in common.
#pragma once

#include <algorithm> // std::copy
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory> // std::construct_at
#include <ostream>
#include <ranges>
#include <span>
#include <stdexcept> // std::out_of_range
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/shared/shareable.hpp>

namespace multiprocessing::shared {

/// What an array can be made from.
template <typename R, typename T>
concept RangeOf = std::ranges::input_range<R> && std::convertible_to<std::ranges::range_reference_t<R>, T>;

/// A handle to a number of elements, which never changes. A contiguous range, as the memory that it is.
template <typename T>
class block {
    static_assert(require_shareable<T>());

public:
    using value_type = T;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using iterator = T*;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T* data() const noexcept { return elements_.get(); }
    [[nodiscard]] T* begin() const noexcept { return data(); }
    [[nodiscard]] T* end() const noexcept { return data() + size_; }
    [[nodiscard]] std::span<T> span() const noexcept { return {data(), size_}; }
    operator std::span<T>() const noexcept { return span(); } // NOLINT: a view of it is what functions take

    /// The element itself; the index isn't checked.
    [[nodiscard]] T& operator[](std::size_t i) const noexcept { return data()[i]; }
    /// As [], but std::out_of_range for an index that there isn't.
    [[nodiscard]] T& at(std::size_t i) const {
        if (i >= size_) throw std::out_of_range(fmt::format("index {} of an array of {} elements", i, size_));
        return data()[i];
    }
    /// Of an array that isn't empty.
    [[nodiscard]] T& front() const noexcept { return data()[0]; }
    [[nodiscard]] T& back() const noexcept { return data()[size_ - 1]; }

    /// "[1, 2, 3]", as fmt prints it.
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const block& x) {
        out << '[';
        for (std::size_t i = 0; i < x.size(); ++i) (i == 0 ? out : out << ", ") << x[i];
        return out << ']';
    }

protected:
    explicit block(memory::nothing_t) noexcept {}

    /// Zeros.
    explicit block(std::size_t n) : elements_(memory::handle<T[]>::create(checked(n))), size_(n) {}

    template <RangeOf<T> R>
    static block of(R&& range) {
        if constexpr (std::ranges::forward_range<R>) {
            const auto n = static_cast<std::size_t>(std::ranges::distance(range));
            block made(memory::handle<T[]>::create_for_overwrite(checked(n)), n);
            std::size_t i = 0;
            for (auto&& each : range) {
                if (i == n) break; // it said that there are fewer
                std::construct_at(made.data() + i++, static_cast<T>(each));
            }
            return made;
        } else {
            std::vector<T> all;
            for (auto&& each : range) all.push_back(static_cast<T>(each));
            return of(all);
        }
    }

    memory::handle<T[]> elements_;
    std::size_t size_ = 0;

private:
    block(memory::handle<T[]> elements, std::size_t n) : elements_(std::move(elements)), size_(n) {}

    static std::size_t checked(std::size_t n) {
        if (n > static_cast<std::size_t>(PTRDIFF_MAX) / sizeof(T))
            throw ValueError(fmt::format("an array can't have {} elements of {} bytes", n, sizeof(T)));
        return n;
    }
};

} // namespace multiprocessing::shared
