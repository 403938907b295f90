// Floor 4, shared/array: Array, elements that processes share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>    // std::memcpy
#include <functional> // std::invoke
#include <initializer_list>
#include <span>
#include <tuple> // std::tie
#include <type_traits>
#include <utility> // std::forward
#include <vector>

#include <fmt/ranges.h> // prints whatever is a range: [1, 2, 3]

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/shared/block.hpp>
#include <multiprocessing/shared/one_piece.hpp>
#include <multiprocessing/sync/recursive_lock.hpp>

namespace multiprocessing {

/// Elements that processes share, and no lock: an element is a load.
///
///     mp::RawArray<double> field(1'000'000);      // zeros
///     std::sort(field.begin(), field.end());
///     fmt::print("{}\n", mp::RawArray{3, 1, 2});  // [3, 1, 2]
///
/// - Copying shares the elements. Constness is the handle's.
/// - Python: `multiprocessing.sharedctypes.RawArray`, or `Array(..., lock=False)`. No negative indices; a slice is a
///   std::span. at() throws std::out_of_range where Python has IndexError.
/// - Threads and processes: as plain memory.
/// - Errors: ValueError for a size that can't be, std::bad_alloc for one that there isn't.
/// - Growth: pages that are touched. 64 GiB of which three elements are used take three pages.
template <typename T>
class RawArray : public shared::block<T> {
    using block = shared::block<T>;

public:
    /// Zeros.
    explicit RawArray(std::size_t n) : block(n) {}
    RawArray(std::initializer_list<T> elements) : block(block::of(elements)) {}
    template <shared::RangeOf<T> R>
    requires(!std::is_base_of_v<block, std::remove_cvref_t<R>>) explicit RawArray(R&& elements)
        : block(block::of(std::forward<R>(elements))) {}

    [[nodiscard]] std::vector<T> to_vector() const { return {this->begin(), this->end()}; }

private:
    friend struct memory::access;
    explicit RawArray(memory::nothing_t nothing) noexcept : block(nothing) {}
    auto parts() noexcept { return std::tie(this->elements_, this->size_); }
};

template <std::ranges::input_range R>
RawArray(R&&) -> RawArray<std::ranges::range_value_t<R>>;

/// Elements that processes share, with a lock to change several of them.
///
///     mp::Array<int> counts(100);                 // zeros
///     counts.set(3, 7);                           // atomic
///     counts.with_lock([](std::span<int> all) { std::sort(all.begin(), all.end()); });
///
/// get() and set() are never torn: elements of 1, 2, 4 or 8 bytes go in one piece, larger ones under get_lock(), and
/// what a process was setting when it was killed is set by the next one. [], at(), iterators, data() and spans are the
/// memory itself, for use under the lock or where nobody else writes.
///
/// - Python: `multiprocessing.Array`. Everything else as RawArray.
/// - When a process dies with the lock: who takes it next gets the OwnerDiedError; with_lock() then gives the lock
///   back, throws it and can be called again. get() and set() don't mind.
template <typename T>
class Array : public shared::block<T> {
    using block = shared::block<T>;

public:
    /// Zeros.
    explicit Array(std::size_t n) : block(n) {}
    Array(std::size_t n, const RLock& lock) : block(n), lock_(lock) {}
    Array(std::initializer_list<T> elements) : block(block::of(elements)) {}
    Array(std::initializer_list<T> elements, const RLock& lock) : block(block::of(elements)), lock_(lock) {}
    template <shared::RangeOf<T> R>
    requires(!std::is_base_of_v<block, std::remove_cvref_t<R>>) explicit Array(R&& elements,
                                                                               const RLock& lock = RLock())
        : block(block::of(std::forward<R>(elements))), lock_(lock) {}

    /// One element, whole. std::out_of_range for an index that there isn't.
    [[nodiscard]] T get(std::size_t i) const;
    void set(std::size_t i, const T& desired) const;

    /// All of them, under the lock.
    [[nodiscard]] std::vector<T> to_vector() const;

    [[nodiscard]] const RLock& get_lock() const noexcept { return lock_; }

    /// Calls f(span of all elements) under the lock, and returns what it does.
    template <typename F>
    std::invoke_result_t<F, std::span<T>> with_lock(F&& f) const;

private:
    /// What is to be set, until it is. `armed` commits: from then on whoever takes the lock next can finish it.
    struct large_journal {
        explicit large_journal(std::uint64_t nowhere) : index(nowhere) {}
        std::atomic<std::uint32_t> armed{0};
        std::uint64_t index;
        alignas(T) std::byte value[sizeof(T)];
    };
    static constexpr bool small = shared::is_one_piece<T>;
    struct no_journal {};
    using journal = std::conditional_t<small, no_journal, memory::handle<large_journal>>;

    static journal make_journal() {
        if constexpr (small)
            return {};
        else
            return journal::create(0);
    }

    friend struct memory::access;
    explicit Array(memory::nothing_t nothing) noexcept
        : block(nothing), lock_(memory::access::empty<RLock>()), journal_() {}
    auto parts() noexcept {
        if constexpr (small)
            return std::tie(this->elements_, this->size_, lock_);
        else
            return std::tie(this->elements_, this->size_, lock_, journal_);
    }

    struct held {
        const RLock& lock;
        ~held() { lock.release(); }
    };
    void finish() const noexcept;

    RLock lock_;
    [[no_unique_address]] journal journal_ = make_journal();
};

template <std::ranges::input_range R>
Array(R&&) -> Array<std::ranges::range_value_t<R>>;
template <std::ranges::input_range R>
Array(R&&, RLock) -> Array<std::ranges::range_value_t<R>>;

// Under the lock.
template <typename T>
void Array<T>::finish() const noexcept {
    if constexpr (!small) {
        large_journal& note = *journal_;
        if (note.armed.load(std::memory_order_acquire) == 0) return;
        if (note.index < this->size()) std::memcpy(&(*this)[note.index], note.value, sizeof(T));
        MULTIPROCESSING_STEP(array_element_set);
        note.armed.store(0, std::memory_order_release);
        MULTIPROCESSING_STEP(array_journal_empty);
    }
}

template <typename T>
T Array<T>::get(std::size_t i) const {
    T& element = this->at(i);
    if constexpr (small) {
        return shared::one_piece<T>(element).load();
    } else {
        lock_.acquire(ignore);
        const held guard{lock_};
        finish();
        return element;
    }
}

template <typename T>
void Array<T>::set(std::size_t i, const T& desired) const {
    T& element = this->at(i);
    if constexpr (small) {
        shared::one_piece<T>(element).store(desired);
    } else {
        lock_.acquire(ignore);
        const held guard{lock_};
        finish();
        large_journal& note = *journal_;
        std::memcpy(note.value, &desired, sizeof(T));
        note.index = i;
        MULTIPROCESSING_STEP(array_journal_written);
        note.armed.store(1, std::memory_order_release);
        MULTIPROCESSING_STEP(array_journal_armed);
        finish();
    }
}

template <typename T>
std::vector<T> Array<T>::to_vector() const {
    lock_.acquire(ignore);
    const held guard{lock_};
    finish();
    std::vector<T> all;
    all.reserve(this->size());
    for (std::size_t i = 0; i < this->size(); ++i) {
        if constexpr (small)
            all.push_back(get(i));
        else
            all.push_back((*this)[i]);
    }
    return all;
}

template <typename T>
template <typename F>
std::invoke_result_t<F, std::span<T>> Array<T>::with_lock(F&& f) const {
    try {
        lock_.acquire();
    } catch (const OwnerDiedError&) {
        finish();
        lock_.release();
        throw;
    }
    const held guard{lock_};
    finish();
    return std::invoke(std::forward<F>(f), this->span());
}

} // namespace multiprocessing
