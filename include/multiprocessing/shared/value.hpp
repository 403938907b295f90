// Floor 4, shared/value: Value, one value that processes share.
#pragma once

#include <cstring>    // std::memcmp
#include <functional> // std::invoke
#include <tuple>      // std::tie
#include <type_traits>
#include <utility> // std::forward

#include <fmt/format.h>

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/shared/cell.hpp>
#include <multiprocessing/shared/shareable.hpp>
#include <multiprocessing/sync/recursive_lock.hpp>

namespace multiprocessing {

/// A value that processes share.
///
///     mp::Value<int> hits(0);
///     mp::Process p([hits] { hits += 10; });      // atomic
///     p.start();
///     p.join();
///     fmt::print("{}\n", hits);                   // 10
///
///     mp::Value<Particle> particle({1.0, 2.0});   // any plain struct
///     particle.with_lock([](Particle& p) { p.x += p.v; });
///
/// Every operation named here is atomic: of 1, 2, 4 or 8 bytes by one instruction or a loop around one, of any other
/// size under get_lock(), with a second copy: load() never waits for anybody, and never sees half a value, whoever is
/// killed while he writes.
///
/// - Copying shares the value: `a = b` makes `a` a handle to b's value; `a = 5` and `a.store(b)` change what is shared.
///   Constness is the handle's.
/// - value() is the memory itself, for use under get_lock(): what is written through it can be seen half done by
///   load(), and is left half done by who is killed. with_lock() has neither fault.
/// - A small value's operators don't wait for get_lock(): use either them or the lock for the same value.
/// - Python: `multiprocessing.Value`, where `v.value += 1` is *not* atomic. Its `value` is load() and store(), or
///   value() under the lock; its get_obj() is value().
/// - Threads and processes: any.
/// - When a process dies: the value is the old one or the new one. with_lock() and the operators take get_lock() from a
///   dead holder without a word; who takes it himself gets the OwnerDiedError.
/// - Errors: std::bad_alloc.
/// - Growth: the value (small), or twice the value, and an RLock.
template <typename T>
class Value {
    static_assert(shared::require_shareable<T>());

public:
    using value_type = T;

    Value() : Value(T{}) {}
    explicit Value(const T& initial) : Value(initial, RLock()) {}
    /// With somebody else's lock, to change several values under one.
    Value(const T& initial, const RLock& lock) : cell_(memory::handle<shared::cell<T>>::create(initial)), lock_(lock) {}

    /// The shared memory. A large value's stands elsewhere after the next store().
    [[nodiscard]] T& value() const noexcept { return cell_->in_place(); }

    [[nodiscard]] T load() const noexcept { return cell_->load(); }
    operator T() const noexcept { return load(); } // NOLINT: as std::atomic

    void store(const T& desired) const {
        if constexpr (small)
            cell_->store(desired);
        else
            locked([&] { cell_->store(desired); });
    }
    T operator=(const T& desired) const { // NOLINT: as std::atomic_ref
        store(desired);
        return desired;
    }

    /// The value before.
    T exchange(const T& desired) const {
        return change([&](const T&) { return desired; }).first;
    }
    /// Stores `desired` if the value is, byte for byte, `expected`; else puts the value into `expected`. Whether it
    /// did.
    bool compare_exchange(T& expected, const T& desired) const;
    /// Replaces the value by f(value), at once; f has no other effect, because it is called again when somebody else
    /// was faster. The value after.
    template <typename F>
    T update(F f) const {
        return change(f).second;
    }

    T fetch_add(const T& x) const { return add(x).first; }
    T fetch_sub(const T& x) const { return subtract(x).first; }
    T fetch_and(const T& x) const {
        return change([&](const T& v) { return static_cast<T>(v & x); }).first;
    }
    T fetch_or(const T& x) const {
        return change([&](const T& v) { return static_cast<T>(v | x); }).first;
    }
    T fetch_xor(const T& x) const {
        return change([&](const T& v) { return static_cast<T>(v ^ x); }).first;
    }
    T operator+=(const T& x) const { return add(x).second; }
    T operator-=(const T& x) const { return subtract(x).second; }
    T operator*=(const T& x) const {
        return change([&](const T& v) { return static_cast<T>(v * x); }).second;
    }
    T operator/=(const T& x) const {
        return change([&](const T& v) { return static_cast<T>(v / x); }).second;
    }
    T operator&=(const T& x) const { return static_cast<T>(fetch_and(x) & x); }
    T operator|=(const T& x) const { return static_cast<T>(fetch_or(x) | x); }
    T operator^=(const T& x) const { return static_cast<T>(fetch_xor(x) ^ x); }
    T operator++() const { return add(T(1)).second; }
    T operator++(int) const { return add(T(1)).first; }
    T operator--() const { return subtract(T(1)).second; }
    T operator--(int) const { return subtract(T(1)).first; }

    [[nodiscard]] const RLock& get_lock() const noexcept { return lock_; }

    /// Calls f(copy of the value) under the lock, stores the copy in one piece, and returns what f did. If f throws, or
    /// the process is killed in it, nothing has changed.
    template <typename F>
    std::invoke_result_t<F, T&> with_lock(F&& f) const;

private:
    static constexpr bool small = shared::is_one_piece<T>;
    static constexpr bool adds_at_once = small && std::is_integral_v<T> && !std::is_same_v<T, bool>;

    friend struct memory::access;
    explicit Value(memory::nothing_t nothing) noexcept : lock_(memory::access::empty<RLock>()) {
        static_cast<void>(nothing);
    }
    auto parts() noexcept { return std::tie(cell_, lock_); }

    template <typename F>
    decltype(auto) locked(F&& f) const {
        lock_.acquire(ignore); // the value is whole, whoever died
        struct guard {
            const RLock& lock;
            ~guard() { lock.release(); }
        } const held{lock_};
        return f();
    }
    template <typename F>
    std::pair<T, T> change(F f) const {
        if constexpr (small)
            return cell_->replace(f);
        else
            return locked([&] { return cell_->replace(f); });
    }
    std::pair<T, T> add(const T& x) const {
        if constexpr (adds_at_once) {
            const T before = cell_->whole().fetch_add(x);
            return {before, static_cast<T>(static_cast<std::make_unsigned_t<T>>(before) +
                                           static_cast<std::make_unsigned_t<T>>(x))};
        } else {
            return change([&](const T& v) { return static_cast<T>(v + x); });
        }
    }
    std::pair<T, T> subtract(const T& x) const {
        if constexpr (adds_at_once) {
            const T before = cell_->whole().fetch_add(static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(x)));
            return {before, static_cast<T>(static_cast<std::make_unsigned_t<T>>(before) -
                                           static_cast<std::make_unsigned_t<T>>(x))};
        } else {
            return change([&](const T& v) { return static_cast<T>(v - x); });
        }
    }

    memory::handle<shared::cell<T>> cell_;
    RLock lock_;
};

template <typename T>
Value(T) -> Value<T>;
template <typename T>
Value(T, RLock) -> Value<T>;

/// A Value without a lock.
///
///     mp::RawValue<double> mean;
///     mean = 0.5;
///
/// load() and store() are atomic where the machine does that in one piece; a larger value can be seen half written.
///
/// - Python: `multiprocessing.sharedctypes.RawValue`, or `Value(..., lock=False)`.
template <typename T>
class RawValue {
    static_assert(shared::require_shareable<T>());

public:
    using value_type = T;

    RawValue() : RawValue(T{}) {}
    explicit RawValue(const T& initial) : value_(memory::handle<held>::create(initial)) {}

    [[nodiscard]] T& value() const noexcept { return value_->value; }
    [[nodiscard]] T load() const noexcept {
        if constexpr (shared::is_one_piece<T>)
            return shared::one_piece<T>(value_->value).load();
        else
            return value_->value;
    }
    operator T() const noexcept { return load(); } // NOLINT: as Value
    void store(const T& desired) const noexcept {
        if constexpr (shared::is_one_piece<T>)
            shared::one_piece<T>(value_->value).store(desired);
        else
            value_->value = desired;
    }
    T operator=(const T& desired) const noexcept { // NOLINT: as Value
        store(desired);
        return desired;
    }

private:
    struct held {
        explicit held(const T& initial) : value(initial) {}
        alignas(shared::alignment<T>) T value;
    };

    friend struct memory::access;
    explicit RawValue(memory::nothing_t nothing) noexcept { static_cast<void>(nothing); }
    auto parts() noexcept { return std::tie(value_); }

    memory::handle<held> value_;
};

template <typename T>
RawValue(T) -> RawValue<T>;

template <typename T>
bool Value<T>::compare_exchange(T& expected, const T& desired) const {
    if constexpr (small) {
        return cell_->whole().compare_exchange(expected, desired);
    } else {
        return locked([&] {
            const T now = cell_->load();
            const bool same = std::memcmp(&now, &expected, sizeof(T)) == 0;
            if (same)
                cell_->store(desired);
            else
                expected = now;
            return same;
        });
    }
}

template <typename T>
template <typename F>
std::invoke_result_t<F, T&> Value<T>::with_lock(F&& f) const {
    return locked([&]() -> std::invoke_result_t<F, T&> {
        T copy = cell_->load();
        if constexpr (std::is_void_v<std::invoke_result_t<F, T&>>) {
            std::invoke(std::forward<F>(f), copy);
            cell_->store(copy);
        } else {
            std::invoke_result_t<F, T&> result = std::invoke(std::forward<F>(f), copy);
            static_assert(!std::is_reference_v<decltype(result)>,
                          "what with_lock returns must not refer to the value: the lock is "
                          "released by then");
            cell_->store(copy);
            return result;
        }
    });
}

} // namespace multiprocessing

/// As what is in it.
template <typename T>
struct fmt::formatter<multiprocessing::Value<T>> : fmt::formatter<T> {
    template <typename Context>
    auto format(const multiprocessing::Value<T>& value, Context& context) const {
        return fmt::formatter<T>::format(value.load(), context);
    }
};
template <typename T>
struct fmt::formatter<multiprocessing::RawValue<T>> : fmt::formatter<T> {
    template <typename Context>
    auto format(const multiprocessing::RawValue<T>& value, Context& context) const {
        return fmt::formatter<T>::format(value.load(), context);
    }
};
