// Floor 10, manager/dict: DictProxy, a dict that processes share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional> // std::invoke
#include <initializer_list>
#include <iterator> // std::default_sentinel
#include <map>
#include <memory>
#include <optional>
#include <ostream> // operator<<
#include <ranges>
#include <stdexcept> // std::out_of_range
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h> // takes whatever has begin() and end(): it is told that this isn't for it

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/dict_store.hpp>
#include <multiprocessing/manager/element.hpp>
#include <multiprocessing/manager/packed_key.hpp>
#include <multiprocessing/manager/shown.hpp>
#include <multiprocessing/manager/snapshot.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/object.hpp>

namespace multiprocessing {

/// A dict that any number of processes read and change; what manager.dict() returns.
///
///     auto d = manager.dict<std::string, int>();        // manager.dict(): keys and values of any type, as in Python
///     mp::Process p([](mp::DictProxy<std::string, int> d) { d["a"] = 1; }, d);
///     p.start(); p.join();
///     d["b"] = 2;
///     fmt::print("{} {}\n", d, d.get("c", 3));          // {'a': 1, 'b': 2} 3
///
/// It stands in memory that the processes share, which they work on directly: no server is asked, and who reads takes no lock.
/// (Only where its manager was reached by connect() is each call a message.)
///
/// - A handle: copying shares the dict; constness is the handle's. It ends with its last handle in the last process, whether the
///   manager still runs or not. One that is stored in itself ends with the program.
/// - Python: the methods are Python's. Keys are equal when they are so in Python (1, 1.0, True), for other types when their
///   serialised bytes are. Iteration, keys(), values(), items(), printing are of one moment. d[k] += 1 reads, then writes, and
///   others may write in between: update(k, f) doesn't let them.
/// - Threads and processes: all may use it at once. Every call is atomic, but update() of several keys, which sets one after the
///   other with nobody in between who writes.
/// - When a process dies: in the middle of a call, it has set the value or hasn't; nobody waits.
/// - Start methods: travels by all, and in other proxies, queues, connections.
/// - Errors: std::out_of_range for a key that isn't there; TypeError "unhashable type: 'list'"; std::bad_alloc; ValueError,
///   NotPortableError for what can't be written; EOFError when its server is gone.
/// - Growth: about 50 bytes a key beside key and value, twice while it grows.
template <typename K, typename V>
class DictProxy {
public:
    using stands_for = DictProxy;
    using reference = manager::element<DictProxy, K, V>;
    using item_type = std::pair<K, V>;

    /// Reads and writes: see manager::element.
    [[nodiscard]] reference operator[](const K& key) const { return reference(*this, key); }
    [[nodiscard]] V at(const K& key) const {
        manager::item out;
        if (!store_.get(manager::packed_key<K>(key), out)) lacks(key);
        return out.unpack<V>();
    }
    [[nodiscard]] V get(const K& key, const V& otherwise) const {
        manager::item out;
        return store_.get(manager::packed_key<K>(key), out) ? out.unpack<V>() : otherwise;
    }
    /// None, or what V() is, for what isn't there.
    [[nodiscard]] V get(const K& key) const
        requires std::default_initializable<V>
    {
        return get(key, V());
    }
    [[nodiscard]] std::optional<V> try_get(const K& key) const {
        manager::item out;
        if (!store_.get(manager::packed_key<K>(key), out)) return std::nullopt;
        return out.unpack<V>();
    }
    [[nodiscard]] bool contains(const K& key) const { return store_.contains(manager::packed_key<K>(key)); }
    [[nodiscard]] std::size_t size() const { return store_.size(); }
    [[nodiscard]] std::size_t len() const { return size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }

    void set(const K& key, const V& value) const { store_.set(manager::packed_key<K>(key), store_.pack(value).view()); }
    /// The value that is there, or else this one, which is there then.
    V setdefault(const K& key, const V& value = V()) const {
        manager::item out;
        return store_.set_default(manager::packed_key<K>(key), store_.pack(value).view(), out) ? out.unpack<V>() : value;
    }
    /// Replaces the value by f(value), while nobody else does: f may be called again with what another one has set meanwhile.
    /// A key that isn't there has `otherwise`. Returns the new value.
    ///
    ///     counts.update("a", [](int n) { return n + 1; });
    template <std::invocable<V> F>
    V update(const K& key, F f, const V& otherwise = V()) const {
        const manager::packed_key<K> packed(key);
        for (;;) {
            manager::item before;
            const bool is = store_.get(packed, before);
            V next = std::invoke(f, is ? before.unpack<V>() : otherwise);
            if (store_.exchange(packed, is ? &before : nullptr, store_.pack(next).view())) return next;
        }
    }
    /// Sets all of them in one go: a map, a range of pairs, {{k, v}, ...}, an mp::dict, another proxy.
    template <std::ranges::input_range R>
        requires requires(std::ranges::range_reference_t<R> each) {
            K(each.first);
            V(each.second);
        }
    void update(R&& pairs) const {
        manager::items keys, values;
        std::vector<std::size_t> compared;
        if constexpr (std::ranges::sized_range<R>) {
            const auto n = static_cast<std::size_t>(std::ranges::size(pairs));
            keys.reserve(n);
            values.reserve(n);
            compared.reserve(n);
        }
        for (auto&& each : pairs) {
            const manager::packed_key<K> key(manager::as_a<K>(each.first));
            compared.push_back(key.compared());
            keys.add(manager::table_key(key).stored);
            values.add(store_.pack(manager::as_a<V>(each.second)).view());
        }
        store_.set_all(compared, keys, values);
    }
    void update(std::initializer_list<item_type> pairs) const { update<std::initializer_list<item_type>>(std::move(pairs)); }
    void update(const DictProxy& other) const { update(other.items()); }
    void update(const dict& other) const
        requires std::is_same_v<K, Object> && std::is_same_v<V, Object>
    {
        std::vector<item_type> all;
        for (const auto& [key, value] : other.items()) all.emplace_back(key, value);
        update(all);
    }

    /// Removes the key. Says whether it was there.
    bool erase(const K& key) const { return store_.take(manager::packed_key<K>(key), nullptr); }
    /// Removes it and returns its value; std::out_of_range, or `otherwise`, if it isn't there.
    V pop(const K& key) const {
        manager::item out;
        if (!store_.take(manager::packed_key<K>(key), &out)) lacks(key);
        return out.unpack<V>();
    }
    V pop(const K& key, const V& otherwise) const {
        manager::item out;
        return store_.take(manager::packed_key<K>(key), &out) ? out.unpack<V>() : otherwise;
    }
    /// Removes the one that came last.
    item_type popitem() const {
        manager::item key, value;
        if (!store_.take_last(key, value)) throw std::out_of_range("popitem(): dictionary is empty");
        return {manager::packed_key<K>::unpack(key.view()), value.unpack<V>()};
    }
    void clear() const { store_.clear(); }

    // Of one moment, in the order in which the keys came --------------------------------------------------------------------

    [[nodiscard]] std::vector<K> keys() const {
        manager::items found;
        store_.read_all(&found, nullptr);
        return unpack_keys(found);
    }
    [[nodiscard]] std::vector<V> values() const {
        manager::items found;
        store_.read_all(nullptr, &found);
        return unpack_values(found);
    }
    [[nodiscard]] std::vector<item_type> items() const {
        manager::items found_keys, found_values;
        store_.read_all(&found_keys, &found_values);
        std::vector<item_type> all;
        all.reserve(found_keys.size());
        for (std::size_t i = 0; i < found_keys.size(); ++i)
            all.emplace_back(manager::packed_key<K>::unpack(found_keys[i]), found_values.template unpack<V>(i));
        return all;
    }
    /// A dict of this process alone: an mp::dict, or a std::map where the types are given.
    [[nodiscard]] auto copy() const {
        if constexpr (std::is_same_v<K, Object> && std::is_same_v<V, Object>) {
            dict all;
            for (auto& [key, value] : items()) all.insert(std::move(key), std::move(value));
            return all;
        } else {
            std::map<K, V> all;
            for (auto& [key, value] : items()) all.insert_or_assign(std::move(key), std::move(value));
            return all;
        }
    }
    /// The keys, as in Python: for (const auto& key : d).
    [[nodiscard]] manager::snapshot<K> begin() const { return manager::snapshot<K>(keys()); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// What Python's str(d) is: `{'a': 1}`. A proxy in it is shown as Python shows it.
    [[nodiscard]] std::string repr() const {
        std::string text = "{";
        for (const auto& [key, value] : items()) {
            if (text.size() > 1) text += ", ";
            text.append(manager::shown(key)).append(": ").append(manager::shown(value));
        }
        return text + "}";
    }
    [[nodiscard]] std::string str() const { return repr(); }
    /// How it is shown in another container: `<DictProxy object, typeid 'dict' at 0x12>`.
    [[nodiscard]] std::string nested_repr() const { return manager::proxy_repr("DictProxy", "dict", store_.name()); }

    /// Whether both are the same dict.
    friend bool operator==(const DictProxy& a, const DictProxy& b) noexcept { return a.store_ == b.store_; }
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const DictProxy& x) {
        return out << x.repr();
    }

    /// For managers.
    explicit DictProxy(manager::dict_store store) noexcept : store_(std::move(store)) {}
    explicit DictProxy(manager::remote far) noexcept : store_(std::move(far)) {}
    [[nodiscard]] const manager::dict_store& store() const noexcept { return store_; }

private:
    friend struct memory::access;
    explicit DictProxy(memory::nothing_t) noexcept {}
    auto parts() noexcept { return store_.parts(); }

    [[noreturn]] static void lacks(const K& key) { throw std::out_of_range("there is no key " + manager::shown(key)); }
    static std::vector<K> unpack_keys(const manager::items& found) {
        std::vector<K> all;
        all.reserve(found.size());
        for (std::size_t i = 0; i < found.size(); ++i) all.push_back(manager::packed_key<K>::unpack(found[i]));
        return all;
    }
    static std::vector<V> unpack_values(const manager::items& found) {
        std::vector<V> all;
        all.reserve(found.size());
        for (std::size_t i = 0; i < found.size(); ++i) all.push_back(found.template unpack<V>(i));
        return all;
    }

    manager::dict_store store_;
};

template <typename K, typename V>
struct manager::served<DictProxy<K, V>> {
    static std::shared_ptr<servant> by(DictProxy<K, V>& x) { return std::make_shared<dict_servant>(x.store()); }
};

} // namespace multiprocessing

template <typename K, typename V>
struct fmt::is_range<multiprocessing::DictProxy<K, V>, char> : std::false_type {};
template <typename K, typename V>
struct fmt::formatter<multiprocessing::DictProxy<K, V>>
    : multiprocessing::manager::repr_formatter<multiprocessing::DictProxy<K, V>> {};
