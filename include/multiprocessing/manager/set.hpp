// Floor 10, manager/set: SetProxy, a set that processes share.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <iterator> // std::default_sentinel
#include <memory>
#include <ranges>
#include <stdexcept> // std::out_of_range
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/dict_store.hpp>
#include <multiprocessing/manager/item.hpp>
#include <multiprocessing/manager/packed_key.hpp>
#include <multiprocessing/manager/plain_set.hpp>
#include <multiprocessing/manager/shown.hpp>
#include <multiprocessing/manager/snapshot.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/object.hpp>

namespace multiprocessing {

/// A set that any number of processes read and change; what manager.set() returns.
///
///     auto seen = manager.set<std::string>();           // manager.set(): elements of any type, as in Python
///     if (seen.add(url)) visit(url);                    // by one process alone
///     auto left = all - seen;                           // a set of this process: manager::plain_set
///     fmt::print("{}\n", seen);                         // {'a', 'b'}, or set()
///
/// It is a dict without values (see DictProxy): in memory that the processes share, or, where its manager was reached by connect(),
/// in the server.
///
/// - A handle: copying shares the set; constness is the handle's. == asks whether both are the same one, as Python's does:
///   a.copy() == b.copy() compares what is in them.
/// - Python: the methods are Python's (3.14 has `set`), but that add() and discard() say what they did, `union` is union_(), and a
///   KeyError is a std::out_of_range. Elements are equal when they are one key of a dict. Iteration, copy(), what two sets give and
///   printing are of one moment of each, in the order in which the elements came.
/// - Threads and processes: all may use it at once. Every call is atomic, but difference_update(), intersection_update(),
///   symmetric_difference_update() and their operators, which remove and add one element after the other.
/// - When a process dies: in the middle of a call, it has added or removed the element or hasn't; nobody waits.
/// - Start methods: travels by all, and in other proxies, queues, connections.
/// - Errors: std::out_of_range for an element that isn't there; TypeError "unhashable type: 'list'"; std::bad_alloc; ValueError,
///   NotPortableError for what can't be written; EOFError when its server is gone.
/// - Growth: about 50 bytes an element beside it, twice while it grows.
template <typename T>
class SetProxy : public manager::set_methods<SetProxy<T>, T> {
public:
    using stands_for = SetProxy;
    using value_type = T;
    using plain = manager::plain_set<T>;

    /// Says whether it is new.
    bool add(const T& x) const {
        manager::item out;
        return !store_.set_default(manager::packed_key<T>(x), {}, out);
    }
    /// Removes it. Says whether it was there.
    bool discard(const T& x) const { return store_.take(manager::packed_key<T>(x), nullptr); }
    /// The same; std::out_of_range if it isn't there.
    void remove(const T& x) const {
        if (!discard(x)) throw std::out_of_range("there is no element " + manager::shown(x));
    }
    /// Removes one, that which came last.
    T pop() const {
        manager::item x, none;
        if (!store_.take_last(x, none)) throw std::out_of_range("pop from an empty set");
        return manager::packed_key<T>::unpack(x.view());
    }
    void clear() const { store_.clear(); }
    [[nodiscard]] bool contains(const T& x) const { return store_.contains(manager::packed_key<T>(x)); }
    [[nodiscard]] std::size_t size() const { return store_.size(); }
    [[nodiscard]] std::size_t len() const { return size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }

    /// Adds all of them in one go.
    template <std::ranges::input_range R = std::initializer_list<T>>
        requires std::constructible_from<T, std::ranges::range_reference_t<R>>
    void update(R&& others) const {
        manager::items elements, none;
        std::vector<std::size_t> compared;
        for (auto&& each : others) {
            const manager::packed_key<T> packed(manager::as_a<T>(each));
            compared.push_back(packed.compared());
            elements.add(manager::table_key(packed).stored);
            none.add({});
        }
        store_.set_all(compared, elements, none);
    }
    template <manager::elements_of<T> R = std::initializer_list<T>>
    void difference_update(const R& others) const {
        for (const T& each : plain(others)) discard(each);
    }
    template <manager::elements_of<T> R = std::initializer_list<T>>
    void intersection_update(const R& others) const {
        for (const T& each : this->difference(others)) discard(each);
    }
    template <manager::elements_of<T> R = std::initializer_list<T>>
    void symmetric_difference_update(const R& others) const {
        for (const T& each : plain(others))
            if (!discard(each)) add(each);
    }
    template <manager::any_set S>
    const SetProxy& operator|=(const S& other) const {
        update(other);
        return *this;
    }
    template <manager::any_set S>
    const SetProxy& operator-=(const S& other) const {
        difference_update(other);
        return *this;
    }
    template <manager::any_set S>
    const SetProxy& operator&=(const S& other) const {
        intersection_update(other);
        return *this;
    }
    template <manager::any_set S>
    const SetProxy& operator^=(const S& other) const {
        symmetric_difference_update(other);
        return *this;
    }

    /// A set of this process alone.
    [[nodiscard]] plain copy() const { return plain(elements()); }
    /// As they are at one moment: for (const auto& x : s).
    [[nodiscard]] manager::snapshot<T> begin() const { return manager::snapshot<T>(elements()); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// How it is shown in another container: `<SetProxy object, typeid 'set' at 0x12>`.
    [[nodiscard]] std::string nested_repr() const { return manager::proxy_repr("SetProxy", "set", store_.name()); }

    /// Whether both are the same set.
    friend bool operator==(const SetProxy& a, const SetProxy& b) noexcept { return a.store_ == b.store_; }

    /// For managers.
    explicit SetProxy(manager::dict_store store) noexcept : store_(std::move(store)) {}
    explicit SetProxy(manager::remote far) noexcept : store_(std::move(far)) {}
    [[nodiscard]] const manager::dict_store& store() const noexcept { return store_; }

private:
    friend struct memory::access;
    explicit SetProxy(memory::nothing_t) noexcept {}
    auto parts() noexcept { return store_.parts(); }

    [[nodiscard]] std::vector<T> elements() const {
        manager::items found;
        store_.read_all(&found, nullptr);
        std::vector<T> all;
        all.reserve(found.size());
        for (std::size_t i = 0; i < found.size(); ++i) all.push_back(manager::packed_key<T>::unpack(found[i]));
        return all;
    }

    manager::dict_store store_;
};

template <typename T>
struct manager::served<SetProxy<T>> {
    static std::shared_ptr<servant> by(SetProxy<T>& x) { return std::make_shared<dict_servant>(x.store()); }
};

} // namespace multiprocessing

template <typename T>
struct fmt::is_range<multiprocessing::SetProxy<T>, char> : std::false_type {};
template <typename T>
struct fmt::formatter<multiprocessing::SetProxy<T>> : multiprocessing::manager::repr_formatter<multiprocessing::SetProxy<T>> {};
