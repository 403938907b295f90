// Floor 5, serial/object: mp::Object, the dynamic value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional> // std::hash
#include <numeric>    // std::iota
#include <ostream>    // operator<<
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/object/codec.hpp> // here, so that no file sees an Object that doesn't travel
#include <multiprocessing/serial/object/compare.hpp>
#include <multiprocessing/serial/object/convert.hpp>
#include <multiprocessing/serial/object/dict.hpp>
#include <multiprocessing/serial/object/print.hpp>
#include <multiprocessing/serial/object/storage.hpp>
#include <multiprocessing/serial/object/value.hpp>

namespace multiprocessing {

/// The bytes of a text, for a literal: mp::to_bytes("GIF89a").
[[nodiscard]] inline bytes to_bytes(std::string_view text) {
    const auto* const first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
}

// Object: making and asking ---------------------------------------------------------------------------------------------------

inline Object::Object(std::initializer_list<Object> items) { serial::dynamic::access::put(*this, list(items)); }

template <ConvertibleToObject T>
    requires(!std::is_same_v<std::remove_cvref_t<T>, Object>)
Object::Object(T&& x) {
    serial::dynamic::fill(*this, std::forward<T>(x));
}

template <typename T>
    requires(!ConvertibleToObject<T>)
Object::Object(T&&) {
    using namespace serial::dynamic;
    constexpr likeness like = likeness_of<std::remove_cvref_t<T>>;
    static_assert(like != likeness::pointer,
                  "multiprocessing: an mp::Object can't be made of a pointer: give the value it points to");
    static_assert(like == likeness::pointer,
                  "multiprocessing: an mp::Object can't be made of this type: give numbers, strings, nullptr, mp::bytes, or "
                  "containers of such");
}

inline std::string_view Object::type_name() const noexcept {
    switch (kind_) {
    case Kind::none: return "NoneType";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::floating: return "float";
    case Kind::text: return "str";
    case Kind::data: return "bytes";
    case Kind::list: return "list";
    case Kind::dict: return "dict";
    }
    return {};
}

template <ConvertibleFromObject T>
bool Object::is() const noexcept {
    using enum serial::dynamic::likeness;
    constexpr auto like = serial::dynamic::likeness_of<std::remove_cv_t<T>>;
    if constexpr (like == object) return true;
    else if constexpr (like == none) return is_none();
    else if constexpr (like == boolean) return is_bool();
    else if constexpr (like == integer || like == enumeration) return is_int();
    else if constexpr (like == floating) return is_float();
    else if constexpr (like == character || like == text || like == path) return is_str();
    else if constexpr (like == serial::dynamic::likeness::bytes) return is_bytes();
    else if constexpr (like == serial::dynamic::likeness::dict || like == map) return is_dict();
    else if constexpr (like == optional) return is_none() || is<typename T::value_type>();
    else return is_list();
}

template <ConvertibleFromObject T>
T Object::as() const {
    return serial::dynamic::get<std::remove_cv_t<T>>(*this);
}

inline Object::operator bool() const noexcept {
    switch (kind_) {
    case Kind::none: return false;
    case Kind::boolean:
    case Kind::integer: return integer() != 0;
    case Kind::floating: return floating() != 0;
    case Kind::text:
    case Kind::data: return !text().empty();
    case Kind::list: return !serial::dynamic::access::items(*this).empty();
    case Kind::dict: return !serial::dynamic::access::entries(*this).empty();
    }
    return false;
}

inline const list& Object::as_list() const {
    if (!is_list()) serial::dynamic::refuse_type(*this, "a list");
    return serial::dynamic::access::items(*this);
}
inline list& Object::as_list() { return const_cast<list&>(std::as_const(*this).as_list()); }
inline const dict& Object::as_dict() const {
    if (!is_dict()) serial::dynamic::refuse_type(*this, "a dict");
    return serial::dynamic::access::entries(*this);
}
inline dict& Object::as_dict() { return const_cast<dict&>(std::as_const(*this).as_dict()); }

class Object::iterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Object;
    using difference_type = std::ptrdiff_t;
    using pointer = const Object*;
    using reference = const Object&;

    iterator() = default;
    [[nodiscard]] reference operator*() const noexcept { return item_ != nullptr ? *item_ : *key_; }
    [[nodiscard]] pointer operator->() const noexcept { return &**this; }
    iterator& operator++() noexcept {
        if (item_ != nullptr) ++item_;
        else ++key_;
        return *this;
    }
    iterator operator++(int) noexcept {
        iterator before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept = default;

private:
    friend class Object;
    explicit iterator(const Object* item) noexcept : item_(item) {}
    explicit iterator(dict::iterator key) noexcept : key_(key) {}
    const Object* item_ = nullptr; // null in a dict, and in a list that has no items and never had
    dict::iterator key_;
};

inline auto Object::begin() const -> iterator {
    if (is_list()) return iterator(as_list().vector().data());
    if (is_dict()) return iterator(as_dict().begin());
    lacks("items to go through");
}
inline auto Object::end() const -> iterator {
    if (is_list()) return iterator(as_list().vector().data() + as_list().size());
    return iterator(as_dict().end());
}

// Object: the methods of lists and dicts ---------------------------------------------------------------------------------------

inline void Object::lacks(std::string_view method) const {
    throw TypeError(fmt::format("'{}' object has no {}: {}", type_name(), method, serial::dynamic::shown(*this)));
}

inline std::size_t Object::len() const {
    switch (kind_) {
    case Kind::text: return serial::dynamic::count_characters(text());
    case Kind::data: return text().size();
    case Kind::list: return as_list().size();
    case Kind::dict: return as_dict().size();
    default: lacks("len()");
    }
}

inline const Object& Object::at(const Object& index) const {
    if (is_dict()) return as_dict().at(index);
    if (is_list()) return as_list().at(index.as<std::int64_t>());
    lacks("items");
}
inline Object& Object::at(const Object& index) { return const_cast<Object&>(std::as_const(*this).at(index)); }

inline Object& Object::operator[](const Object& index) { return is_dict() ? as_dict()[index] : at(index); }

inline bool Object::contains(const Object& x) const {
    if (is_dict()) return as_dict().contains(x);
    if (is_list()) return as_list().contains(x);
    if (is_str()) return text().find(serial::dynamic::get_text(x)) != std::string_view::npos;
    lacks("items");
}

inline void Object::append(Object x) { is_list() ? as_list().append(std::move(x)) : lacks("append()"); }
inline void Object::push_back(Object x) { append(std::move(x)); }
inline void Object::extend(const Object& items) {
    if (!is_list()) lacks("extend()");
    list all;
    for (const Object& each : items) all.append(each);
    as_list().extend(all);
}
inline void Object::insert(std::int64_t before, Object x) {
    is_list() ? as_list().insert(before, std::move(x)) : lacks("insert()");
}
inline void Object::remove(const Object& x) { is_list() ? as_list().remove(x) : lacks("remove()"); }
inline std::size_t Object::index(const Object& x) const { return is_list() ? as_list().index(x) : (lacks("index()"), 0); }
inline std::size_t Object::count(const Object& x) const { return is_list() ? as_list().count(x) : (lacks("count()"), 0); }
inline void Object::reverse() { is_list() ? as_list().reverse() : lacks("reverse()"); }
inline void Object::sort(bool reverse) { is_list() ? as_list().sort(reverse) : lacks("sort()"); }

inline Object Object::pop() { return is_list() ? as_list().pop() : (lacks("pop() of a last item"), Object()); }
inline Object Object::pop(const Object& index) {
    if (is_dict()) return as_dict().pop(index);
    if (is_list()) return as_list().pop(index.as<std::int64_t>());
    lacks("pop()");
}
inline void Object::clear() {
    if (is_dict()) as_dict().clear();
    else if (is_list()) as_list().clear();
    else lacks("clear()");
}

inline Object Object::pop(const Object& key, Object otherwise) {
    if (!is_dict()) lacks("pop() of a key");
    return as_dict().pop(key, std::move(otherwise));
}
inline Object Object::get(const Object& key, Object otherwise) const {
    if (!is_dict()) lacks("get()");
    return as_dict().get(key, std::move(otherwise));
}
inline Object& Object::setdefault(const Object& key, Object value) {
    if (!is_dict()) lacks("setdefault()");
    return as_dict().setdefault(key, std::move(value));
}
inline void Object::update(const Object& other) {
    if (!is_dict()) lacks("update()");
    as_dict().update(other.as_dict());
}
inline list Object::keys() const { return is_dict() ? as_dict().keys() : (lacks("keys()"), list()); }
inline list Object::values() const { return is_dict() ? as_dict().values() : (lacks("values()"), list()); }
inline auto Object::items() { return as_dict().items(); }
inline auto Object::items() const { return as_dict().items(); }

// list ------------------------------------------------------------------------------------------------------------------------

template <ConvertibleToObject... T>
list list::of(T&&... x) {
    list all;
    all.reserve(sizeof...(x));
    (all.append(Object(std::forward<T>(x))), ...);
    return all;
}

inline std::size_t list::place_of(std::int64_t index) const {
    const auto n = static_cast<std::int64_t>(items_.size());
    if (index < -n || index >= n)
        throw std::out_of_range(fmt::format("list index {} out of range: there are {} items", index, n));
    return static_cast<std::size_t>(index < 0 ? index + n : index);
}

inline void list::extend(const list& other) {
    if (&other == this) return extend(list(other));
    items_.insert(items_.end(), other.items_.begin(), other.items_.end());
}

inline void list::insert(std::int64_t before, Object x) {
    const auto n = static_cast<std::int64_t>(items_.size());
    items_.insert(items_.begin() + std::clamp<std::int64_t>(before < 0 ? before + n : before, 0, n), std::move(x));
}

inline Object list::pop(std::int64_t index) {
    if (items_.empty()) throw std::out_of_range("pop from empty list");
    const auto at = items_.begin() + static_cast<std::ptrdiff_t>(place_of(index));
    Object taken = std::move(*at);
    items_.erase(at);
    return taken;
}

inline std::size_t list::index(const Object& x) const {
    const auto found = std::find(items_.begin(), items_.end(), x);
    if (found == items_.end()) throw ValueError(serial::dynamic::shown(x) + " is not in list");
    return static_cast<std::size_t>(found - items_.begin());
}

inline void list::remove(const Object& x) { items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(index(x))); }

inline std::size_t list::count(const Object& x) const {
    return static_cast<std::size_t>(std::count(items_.begin(), items_.end(), x));
}
inline bool list::contains(const Object& x) const { return std::find(items_.begin(), items_.end(), x) != items_.end(); }
inline void list::reverse() noexcept { std::reverse(items_.begin(), items_.end()); }

inline void list::sort(bool reverse) {
    std::vector<const Object*> order(items_.size()); // sorted instead of the items, since a comparison may throw
    std::transform(items_.begin(), items_.end(), order.begin(), [](const Object& each) { return &each; });
    if (reverse) std::stable_sort(order.begin(), order.end(), [](const Object* a, const Object* b) { return *b < *a; });
    else std::stable_sort(order.begin(), order.end(), [](const Object* a, const Object* b) { return *a < *b; });
    std::vector<Object> sorted;
    sorted.reserve(items_.size());
    for (const Object* each : order) sorted.push_back(std::move(const_cast<Object&>(*each)));
    items_ = std::move(sorted);
}

// dict ------------------------------------------------------------------------------------------------------------------------

inline const Object& dict::at(const Object& key) const {
    const Object* const found = find(key);
    if (found == nullptr) throw std::out_of_range("there is no key " + serial::dynamic::shown(key));
    return *found;
}
inline Object& dict::at(const Object& key) { return const_cast<Object&>(std::as_const(*this).at(key)); }

inline Object dict::pop(const Object& key) {
    entry* const found = lookup(key, hash_of(key));
    if (found == nullptr) throw std::out_of_range("there is no key " + serial::dynamic::shown(key));
    return take(*found);
}

inline std::pair<Object, Object> dict::popitem() {
    if (empty()) throw std::out_of_range("popitem(): dictionary is empty");
    std::pair<Object, Object> last(entries_.back().key, Object());
    last.second = take(entries_.back());
    return last;
}

} // namespace multiprocessing

/// Throws TypeError for what is unhashable.
template <>
struct std::hash<multiprocessing::Object> {
    [[nodiscard]] std::size_t operator()(const multiprocessing::Object& x) const { return x.hash(); }
};

/// send(5) and recv() understand each other: what Python code would mean by it.
template <>
struct multiprocessing::serial::also_received_from<multiprocessing::Object>
    : types_of_messages<std::nullptr_t, bool, char, short, int, long, long long, unsigned short, unsigned, unsigned long,
                        unsigned long long, float, double, std::string, bytes, list, dict, std::vector<int>, std::vector<long>,
                        std::vector<double>, std::vector<std::string>, std::vector<Object>> {};
