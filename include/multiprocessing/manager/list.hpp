// Floor 10, manager/list: ListProxy, a list that processes share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional> // std::less, std::invoke
#include <initializer_list>
#include <iterator> // std::default_sentinel
#include <numeric>  // std::iota
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
#include <multiprocessing/manager/element.hpp>
#include <multiprocessing/manager/list_store.hpp>
#include <multiprocessing/manager/shown.hpp>
#include <multiprocessing/manager/snapshot.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/object.hpp>

namespace multiprocessing {

/// A list that any number of processes read and change; what manager.list() returns.
///
///     auto l = manager.list<int>({3, 1, 2});            // manager.list(): items of any type, as in Python
///     mp::Process p([](mp::ListProxy<int> l) { l.append(4); l.sort(); }, l);
///     p.start(); p.join();
///     fmt::print("{} {}\n", l, l[-1]);                  // [1, 2, 3, 4] 4
///
/// It stands in memory that the processes share, as a DictProxy does, whose notes hold here too.
///
/// - Python: the methods are Python's; what returns a list there returns one of this process alone here too (an mp::list, or a
///   std::vector of the type). Iteration and printing are of one moment. `sort`, `remove`, `index`, `count` compare in this
///   process, of what they have read, and begin again if somebody changed the list meanwhile.
/// - Threads and processes: all may use it at once; every call is atomic.
/// - When a process dies: in the middle of a call, the list is as before or as after; nobody waits.
/// - Errors: std::out_of_range for an index that isn't there; ValueError for a value that isn't.
/// - Growth: 16 bytes an item, and the item's where that has more than seven. append, pop and l[i] take constant time; insert,
///   remove, reverse, sort and slices copy those 16 bytes of each.
template <typename T>
class ListProxy {
    // Python's list where it can be one.
    static auto plain(std::vector<T> all) {
        if constexpr (std::is_same_v<T, Object>) return multiprocessing::list(std::move(all));
        else return all;
    }

public:
    using stands_for = ListProxy;
    using reference = manager::element<ListProxy, std::int64_t, T>;
    /// What Python's list is: an mp::list, or a std::vector.
    using plain_list = std::conditional_t<std::is_same_v<T, Object>, multiprocessing::list, std::vector<T>>;

    /// Negative indices count from the end.
    [[nodiscard]] reference operator[](std::int64_t index) const { return reference(*this, index); }
    [[nodiscard]] T at(std::int64_t index) const {
        manager::item out;
        if (!store_.get(index, out)) lacks("list index", index);
        return out.unpack<T>();
    }
    [[nodiscard]] T get(std::int64_t index) const { return at(index); }
    void set(std::int64_t index, const T& x) const {
        if (!store_.set(index, store_.pack(x).view())) lacks("list assignment index", index);
    }
    [[nodiscard]] std::size_t size() const { return store_.size(); }
    [[nodiscard]] std::size_t len() const { return size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }

    void append(const T& x) const { store_.insert(manager::row::end, store_.pack(x).view()); }
    void push_back(const T& x) const { append(x); }
    /// All at once.
    template <std::ranges::input_range R>
        requires std::convertible_to<std::ranges::range_reference_t<R>, T>
    void extend(R&& range) const {
        store_.splice(manager::row::end, manager::row::end, packed(range));
    }
    void extend(std::initializer_list<T> all) const { extend<std::initializer_list<T>>(std::move(all)); }
    void extend(const ListProxy& other) const { extend(other.to_vector()); }
    /// Before that index, or at the nearer end if there is no such index.
    void insert(std::int64_t before, const T& x) const { store_.insert(before, store_.pack(x).view()); }
    T pop(std::int64_t index = -1) const {
        manager::item out;
        if (!store_.take(index, out)) {
            if (empty()) throw std::out_of_range("pop from empty list");
            lacks("pop index", index);
        }
        return out.unpack<T>();
    }
    /// Removes the item with that index, or those from `first` up to `last`: `del l[i]`, `del l[first:last]`.
    void erase(std::int64_t index) const { static_cast<void>(pop(index)); }
    void erase(std::int64_t first, std::int64_t last) const { store_.splice(first, last, {}); }
    void clear() const { erase(0, manager::row::end); }

    /// The first that equals x; ValueError if none does.
    void remove(const T& x) const {
        for (;;) {
            const auto [all, seen] = read();
            const auto at = std::find(all.begin(), all.end(), x);
            if (at == all.end()) throw ValueError("list.remove(x): x not in list");
            if (store_.take_if(static_cast<std::uint64_t>(at - all.begin()), seen)) return;
        }
    }
    [[nodiscard]] std::size_t index(const T& x) const {
        const std::vector<T> all = to_vector();
        const auto at = std::find(all.begin(), all.end(), x);
        if (at == all.end()) throw ValueError(manager::shown(x) + " is not in list");
        return static_cast<std::size_t>(at - all.begin());
    }
    [[nodiscard]] std::size_t count(const T& x) const {
        const std::vector<T> all = to_vector();
        return static_cast<std::size_t>(std::count(all.begin(), all.end(), x));
    }
    [[nodiscard]] bool contains(const T& x) const {
        const std::vector<T> all = to_vector();
        return std::find(all.begin(), all.end(), x) != all.end();
    }
    void reverse() const { store_.reverse(); }
    /// Stable. If two items can't be compared, TypeError, and the list is as it was.
    void sort(bool reverse = false) const {
        if (reverse) sort([](const T& a, const T& b) { return b < a; });
        else sort(std::less<T>());
    }
    template <typename Before>
        requires std::predicate<Before, const T&, const T&>
    void sort(Before before) const {
        for (;;) {
            const auto now = read();
            const std::vector<T>& all = now.first;
            std::vector<std::uint32_t> order(all.size());
            std::iota(order.begin(), order.end(), 0U);
            std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return before(all[a], all[b]); });
            if (store_.arrange(order, now.second)) return;
        }
    }
    /// By what key(item) is: l.sort_by([](const auto& x) { return x.size(); })
    template <std::invocable<const T&> Key>
    void sort_by(Key key, bool reverse = false) const {
        sort([&](const T& a, const T& b) { return reverse ? key(b) < key(a) : key(a) < key(b); });
    }

    /// Python's l[first:last:step], where std::nullopt is what is left out there. Of one moment.
    [[nodiscard]] plain_list slice(std::optional<std::int64_t> first = {}, std::optional<std::int64_t> last = {},
                                   std::int64_t step = 1) const {
        if (step == 0) throw ValueError("slice step cannot be zero");
        if (step == 1) return plain(read(first.value_or(0), last.value_or(manager::row::end)).first);
        std::vector<T> all = to_vector(), some;
        const auto n = static_cast<std::int64_t>(all.size());
        const auto clamp = [&](std::int64_t i) { return std::clamp<std::int64_t>(i < 0 ? i + n : i, step < 0 ? -1 : 0, step < 0 ? n - 1 : n); };
        const std::int64_t begin = first ? clamp(*first) : step < 0 ? n - 1 : 0;
        const std::int64_t end = last ? clamp(*last) : step < 0 ? -1 : n;
        for (std::int64_t i = begin; step < 0 ? i > end : i < end; i += step) some.push_back(all[static_cast<std::size_t>(i)]);
        return plain(std::move(some));
    }
    /// l[first:last] = all, at once.
    template <std::ranges::input_range R>
        requires std::convertible_to<std::ranges::range_reference_t<R>, T>
    void set_slice(std::int64_t first, std::int64_t last, R&& all) const {
        store_.splice(first, last, packed(all));
    }
    void set_slice(std::int64_t first, std::int64_t last, std::initializer_list<T> all) const {
        set_slice<std::initializer_list<T>>(first, last, std::move(all));
    }

    template <std::ranges::input_range R>
        requires std::convertible_to<std::ranges::range_reference_t<R>, T>
    const ListProxy& operator+=(R&& all) const {
        extend(std::forward<R>(all));
        return *this;
    }
    const ListProxy& operator+=(const ListProxy& other) const {
        extend(other);
        return *this;
    }
    const ListProxy& operator+=(std::initializer_list<T> all) const {
        extend(all);
        return *this;
    }
    /// So often what it is now.
    const ListProxy& operator*=(std::int64_t times) const {
        if (times <= 0) {
            clear();
            return *this;
        }
        const std::vector<T> all = to_vector();
        std::vector<T> more;
        for (std::int64_t i = 1; i < times; ++i) more.insert(more.end(), all.begin(), all.end());
        extend(more);
        return *this;
    }
    /// Lists of this process alone.
    [[nodiscard]] friend plain_list operator+(const ListProxy& a, const ListProxy& b) { return a + b.to_vector(); }
    [[nodiscard]] friend plain_list operator+(const ListProxy& a, const std::vector<T>& b) {
        std::vector<T> all = a.to_vector();
        all.insert(all.end(), b.begin(), b.end());
        return plain(std::move(all));
    }
    [[nodiscard]] friend plain_list operator+(const ListProxy& a, const multiprocessing::list& b)
        requires std::is_same_v<T, Object>
    {
        return a + b.vector();
    }
    [[nodiscard]] friend plain_list operator*(const ListProxy& a, std::int64_t times) {
        const std::vector<T> one = a.to_vector();
        std::vector<T> all;
        for (std::int64_t i = 0; i < times; ++i) all.insert(all.end(), one.begin(), one.end());
        return plain(std::move(all));
    }
    [[nodiscard]] friend plain_list operator*(std::int64_t times, const ListProxy& a) { return a * times; }

    [[nodiscard]] std::vector<T> to_vector() const { return read().first; }
    [[nodiscard]] plain_list copy() const { return plain(to_vector()); }
    /// Of one moment: for (const auto& x : l).
    [[nodiscard]] manager::snapshot<T> begin() const { return manager::snapshot<T>(to_vector()); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// What Python's str(l) is: `[1, 'a']`. A proxy in it is shown as Python shows it.
    [[nodiscard]] std::string repr() const {
        std::string text = "[";
        for (const T& each : to_vector()) {
            if (text.size() > 1) text += ", ";
            text += manager::shown(each);
        }
        return text + "]";
    }
    [[nodiscard]] std::string str() const { return repr(); }
    [[nodiscard]] std::string nested_repr() const { return manager::proxy_repr("ListProxy", "list", store_.name()); }

    /// Whether both are the same list.
    friend bool operator==(const ListProxy& a, const ListProxy& b) noexcept { return a.store_ == b.store_; }
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const ListProxy& x) {
        return out << x.repr();
    }

    /// For managers.
    explicit ListProxy(manager::list_store store) noexcept : store_(std::move(store)) {}
    explicit ListProxy(manager::remote far) noexcept : store_(std::move(far)) {}
    [[nodiscard]] const manager::list_store& store() const noexcept { return store_; }

private:
    friend struct memory::access;
    explicit ListProxy(memory::nothing_t) noexcept {}
    auto parts() noexcept { return store_.parts(); }

    [[noreturn]] void lacks(const char* what, std::int64_t index) const {
        throw std::out_of_range(fmt::format("{} {} out of range: there are {} items", what, index, size()));
    }
    template <typename R>
    manager::items packed(R&& range) const {
        manager::items all;
        if constexpr (std::ranges::sized_range<R>) all.reserve(static_cast<std::size_t>(std::ranges::size(range)));
        for (auto&& each : range) all.add(store_.pack(manager::as_a<T>(each)).view());
        return all;
    }
    /// Some, and a number that another change changes.
    std::pair<std::vector<T>, std::uint64_t> read(std::int64_t first = 0, std::int64_t last = manager::row::end) const {
        manager::items found;
        const std::uint64_t seen = store_.read_some(first, last, found);
        std::vector<T> all;
        all.reserve(found.size());
        for (std::size_t i = 0; i < found.size(); ++i) all.push_back(found.template unpack<T>(i));
        return {std::move(all), seen};
    }

    manager::list_store store_;
};

template <typename T>
struct manager::served<ListProxy<T>> {
    static std::shared_ptr<servant> by(ListProxy<T>& x) { return std::make_shared<list_servant>(x.store()); }
};

} // namespace multiprocessing

template <typename T>
struct fmt::is_range<multiprocessing::ListProxy<T>, char> : std::false_type {};
template <typename T>
struct fmt::formatter<multiprocessing::ListProxy<T>> : multiprocessing::manager::repr_formatter<multiprocessing::ListProxy<T>> {};
