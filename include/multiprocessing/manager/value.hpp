// Floor 10, manager/value: ValueProxy and ArrayProxy, a value and a row of values that processes share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator> // std::default_sentinel
#include <ostream>  // operator<<
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h> // as in dict.hpp

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/element.hpp>
#include <multiprocessing/manager/list_store.hpp>
#include <multiprocessing/manager/shown.hpp>
#include <multiprocessing/manager/snapshot.hpp>
#include <multiprocessing/memory/handle.hpp>

namespace multiprocessing {

/// A value of any type that travels; what manager.Value<T>() returns.
///
///     auto v = manager.Value<std::string>("red");
///     v.value() = "green";                     // or v.set("green"), v = "green"
///     fmt::print("{}\n", v.get());
///
/// - Python: `manager.Value('i', 0)`; the type stands for the typecode. It has no lock, and `v.value() += 1` reads, then writes;
///   update(f) does both at once. (mp::Value is for plain numbers, and faster.)
/// - Everything else as for a DictProxy.
template <typename T>
class ValueProxy {
public:
    using stands_for = ValueProxy;
    using reference = manager::element<ValueProxy, std::int64_t, T>;

    [[nodiscard]] T get() const { return at(0); }
    void set(const T& x) const { set(0, x); }
    [[nodiscard]] reference value() const { return reference(*this, 0); }
    operator T() const { return get(); } // NOLINT: as mp::Value
    const ValueProxy& operator=(const T& x) const {
        set(x);
        return *this;
    }
    /// Replaces the value by f(value), while nobody else changes it: f may be called again. Returns the new value.
    template <typename F>
    T update(F f) const {
        for (;;) {
            manager::items before;
            const std::uint64_t seen = store_.read_some(0, 1, before);
            T next = f(before.template unpack<T>(0));
            if (store_.exchange(0, seen, store_.pack(next).view())) return next;
        }
    }

    /// `Value('i', 5)`, as in Python.
    [[nodiscard]] std::string repr() const { return fmt::format("Value('{}', {})", manager::typecode<T>(), manager::shown(get())); }
    [[nodiscard]] std::string nested_repr() const { return manager::proxy_repr("ValueProxy", "Value", store_.name()); }
    friend bool operator==(const ValueProxy& a, const ValueProxy& b) noexcept { return a.store_ == b.store_; }
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const ValueProxy& x) {
        return out << x.repr();
    }

    /// For managers.
    explicit ValueProxy(manager::list_store store) noexcept : store_(std::move(store)) {}
    explicit ValueProxy(manager::remote far) noexcept : store_(std::move(far)) {}
    [[nodiscard]] const manager::list_store& store() const noexcept { return store_; }
    /// For element.
    [[nodiscard]] T at(std::int64_t index) const {
        manager::item out;
        if (!store_.get(index, out)) throw ProcessError("a manager's Value has no value");
        return out.unpack<T>();
    }
    void set(std::int64_t index, const T& x) const { static_cast<void>(store_.set(index, store_.pack(x).view())); }

private:
    friend struct memory::access;
    explicit ValueProxy(memory::nothing_t) noexcept {}
    auto parts() noexcept { return store_.parts(); }

    manager::list_store store_;
};

/// So many values of a type; what manager.Array<T>() returns.
///
/// - Python: `manager.Array('i', [1, 2, 3])`: items are read and written, none are added or removed. (mp::Array is for plain
///   numbers, and faster.)
/// - Everything else as for a ListProxy.
template <typename T>
class ArrayProxy {
public:
    using stands_for = ArrayProxy;
    using reference = manager::element<ArrayProxy, std::int64_t, T>;

    /// Negative indices count from the end.
    [[nodiscard]] reference operator[](std::int64_t index) const { return reference(*this, index); }
    [[nodiscard]] T at(std::int64_t index) const {
        manager::item out;
        if (!store_.get(index, out)) throw std::out_of_range("array index out of range");
        return out.unpack<T>();
    }
    [[nodiscard]] T get(std::int64_t index) const { return at(index); }
    void set(std::int64_t index, const T& x) const {
        if (!store_.set(index, store_.pack(x).view())) throw std::out_of_range("array assignment index out of range");
    }
    [[nodiscard]] std::size_t size() const { return store_.size(); }
    [[nodiscard]] std::size_t len() const { return size(); }
    /// Those from `first` up to `last`, of one moment.
    [[nodiscard]] std::vector<T> slice(std::int64_t first = 0, std::int64_t last = manager::row::end) const {
        manager::items found;
        store_.read_some(first, last, found);
        std::vector<T> all;
        for (std::size_t i = 0; i < found.size(); ++i) all.push_back(found.template unpack<T>(i));
        return all;
    }
    [[nodiscard]] std::vector<T> to_vector() const { return slice(); }
    [[nodiscard]] manager::snapshot<T> begin() const { return manager::snapshot<T>(to_vector()); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// `array('i', [1, 2, 3])`, as in Python.
    [[nodiscard]] std::string repr() const {
        std::string text;
        for (const T& each : to_vector()) {
            if (!text.empty()) text += ", ";
            text += manager::shown(each);
        }
        return fmt::format("array('{}', [{}])", manager::typecode<T>(), text);
    }
    [[nodiscard]] std::string nested_repr() const { return manager::proxy_repr("ArrayProxy", "Array", store_.name()); }
    friend bool operator==(const ArrayProxy& a, const ArrayProxy& b) noexcept { return a.store_ == b.store_; }
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const ArrayProxy& x) {
        return out << x.repr();
    }

    /// For managers.
    explicit ArrayProxy(manager::list_store store) noexcept : store_(std::move(store)) {}
    explicit ArrayProxy(manager::remote far) noexcept : store_(std::move(far)) {}
    [[nodiscard]] const manager::list_store& store() const noexcept { return store_; }

private:
    friend struct memory::access;
    explicit ArrayProxy(memory::nothing_t) noexcept {}
    auto parts() noexcept { return store_.parts(); }

    manager::list_store store_;
};

template <typename T>
struct manager::served<ValueProxy<T>> {
    static std::shared_ptr<servant> by(ValueProxy<T>& x) { return std::make_shared<list_servant>(x.store()); }
};
template <typename T>
struct manager::served<ArrayProxy<T>> {
    static std::shared_ptr<servant> by(ArrayProxy<T>& x) { return std::make_shared<list_servant>(x.store()); }
};

} // namespace multiprocessing

template <typename T>
struct fmt::formatter<multiprocessing::ValueProxy<T>> : multiprocessing::manager::repr_formatter<multiprocessing::ValueProxy<T>> {};
template <typename T>
struct fmt::is_range<multiprocessing::ArrayProxy<T>, char> : std::false_type {};
template <typename T>
struct fmt::formatter<multiprocessing::ArrayProxy<T>> : multiprocessing::manager::repr_formatter<multiprocessing::ArrayProxy<T>> {};
