// Floor 5, serial/object/value: mp::Object, mp::list and mp::dict, as they are seen.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <initializer_list>
#include <iosfwd>
#include <iterator> // std::forward_iterator_tag
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/serial/object/likeness.hpp>
#include <multiprocessing/serial/object/run.hpp>

namespace multiprocessing::serial::dynamic {

struct access; // to what is inside an Object, for the rooms of this folder

} // namespace multiprocessing::serial::dynamic

namespace multiprocessing {

/// A value whose type is known when the program runs: None, bool, int, float, str, bytes, list or dict, as in Python.
///
///     mp::Object row = {42, nullptr, "hello"};                   // braces make a list
///     mp::Object page = mp::dict{{"title", "Home"}, {"size", 3}};
///     row.append(page);
///     fmt::print("{}", row);          // [42, None, 'hello', {'title': 'Home', 'size': 3}]
///     int size = row[-1]["size"].as<int>();
///
/// It is made of any ConvertibleToObject without a word, and turned into a ConvertibleFromObject by as<T>() or a cast. An int
/// has 64 bits; a char is a str of one character, signed char and unsigned char are ints. A str is UTF-8.
///
/// Braces always make a list, {{"a", 1}} too, a list of a list: a dict says so, as above. One Object in braces is copied by
/// some compilers and made a list of one by others; `mp::list::of(x)` is that list everywhere. Empty braces are None.
///
/// 16 bytes. Numbers and texts of up to 14 bytes need no memory beside it. It is moved in no time and leaves None behind.
///
/// - Python: names there share one list, here a copy is another list (str and bytes, which nobody can change, are shared
///   inside). NaN equals nothing, also where it is the same NaN. An int outside 64 bits is a ValueError. KeyError and
///   IndexError are std::out_of_range.
/// - Threads: as an int. Processes: it travels; each has its own.
/// - Errors: TypeError where Python has one, and where what is there isn't what is wanted: it says both. ValueError for
///   numbers that don't fit and for lists more than serial::deepest_nesting deep in each other.
class Object {
public:
    enum class Kind : std::uint8_t { none, boolean, integer, floating, text, data, list, dict }; // text: str, data: bytes

    // Making one ------------------------------------------------------------------------------------------------------------

    Object() noexcept {} // None
    Object(std::initializer_list<Object> items);
    template <ConvertibleToObject T>
        requires(!std::is_same_v<std::remove_cvref_t<T>, Object>)
    Object(T&& x);
    /// What can't be converted is a compile error of one sentence; a pointer at once, before it is taken for a bool.
    template <typename T>
        requires(!ConvertibleToObject<T>)
    explicit(serial::dynamic::likeness_of<std::remove_cvref_t<T>> != serial::dynamic::likeness::pointer) Object(T&& x);

    Object(const Object& other);
    Object(Object&& other) noexcept : Object(bits{}, other) { other.forget(); }
    Object& operator=(const Object& other) { return *this = Object(other); }
    Object& operator=(Object&& other) noexcept;
    ~Object() {
        if (owns()) release();
    }

    // What it is ------------------------------------------------------------------------------------------------------------

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] bool is_none() const noexcept { return kind_ == Kind::none; }
    [[nodiscard]] bool is_bool() const noexcept { return kind_ == Kind::boolean; }
    [[nodiscard]] bool is_int() const noexcept { return kind_ == Kind::integer; }
    [[nodiscard]] bool is_float() const noexcept { return kind_ == Kind::floating; }
    [[nodiscard]] bool is_str() const noexcept { return kind_ == Kind::text; }
    [[nodiscard]] bool is_bytes() const noexcept { return kind_ == Kind::data; }
    [[nodiscard]] bool is_list() const noexcept { return kind_ == Kind::list; }
    [[nodiscard]] bool is_dict() const noexcept { return kind_ == Kind::dict; }
    /// Whether this is what a T is made into: is<std::string>() is is_str(). A bool is no int here, nor an int a float.
    template <ConvertibleFromObject T>
    [[nodiscard]] bool is() const noexcept;
    /// type(x).__name__: "NoneType", "bool", "int", "float", "str", "bytes", "list", "dict".
    [[nodiscard]] std::string_view type_name() const noexcept;

    // Getting it out --------------------------------------------------------------------------------------------------------

    /// The value as a T, and what is in it as what is in T: as<std::vector<int>>(), as<std::map<std::string, double>>().
    /// As in Python an int does for a float, and a bool for an int; nothing else is taken for what it isn't. Views of a text
    /// or of bytes hold until this Object changes, moves or dies.
    ///
    /// - Errors: TypeError, ValueError for a number that T can't hold and for a list of another length than T's.
    template <ConvertibleFromObject T>
    [[nodiscard]] T as() const;
    template <ConvertibleFromObject T>
        requires(!std::is_same_v<T, Object> && !std::is_same_v<T, bool>)
    [[nodiscard]] explicit operator T() const {
        return as<T>();
    }
    /// Python's truth: None, 0, and what is empty are false. as<bool>() takes a bool alone.
    [[nodiscard]] explicit operator bool() const noexcept;

    /// The list itself, to be read or changed in place. TypeError if it is something else.
    [[nodiscard]] list& as_list();
    [[nodiscard]] const list& as_list() const;
    /// The dict itself.
    [[nodiscard]] dict& as_dict();
    [[nodiscard]] const dict& as_dict() const;

    // Of lists, dicts, str, bytes: the methods of Python's types. What the type doesn't have is a TypeError ------------------

    /// Items, keys, characters (not bytes) of a str, or bytes.
    [[nodiscard]] std::size_t len() const;
    [[nodiscard]] std::size_t size() const { return len(); }
    [[nodiscard]] bool empty() const { return len() == 0; }

    /// An item by its index, negative ones from the end; or a value by its key.
    /// A key that isn't there is added with None, as std::map does, where the Object can change; else it is std::out_of_range.
    [[nodiscard]] Object& operator[](const Object& index);
    [[nodiscard]] const Object& operator[](const Object& index) const { return at(index); }
    /// The same, and never adds.
    [[nodiscard]] Object& at(const Object& index);
    [[nodiscard]] const Object& at(const Object& index) const;

    /// `x in object`: an item of a list, a key of a dict, part of a str.
    [[nodiscard]] bool contains(const Object& x) const;

    // Lists
    void append(Object x);
    void push_back(Object x);
    void extend(const Object& items);
    void insert(std::int64_t before, Object x);
    void remove(const Object& x);
    [[nodiscard]] std::size_t index(const Object& x) const;
    [[nodiscard]] std::size_t count(const Object& x) const;
    void reverse();
    void sort(bool reverse = false);
    Object pop(); // the last item

    // Lists and dicts
    Object pop(const Object& index); // an item by its index, a value by its key
    void clear();

    // Dicts
    Object pop(const Object& key, Object otherwise);
    [[nodiscard]] Object get(const Object& key, Object otherwise = {}) const;
    Object& setdefault(const Object& key, Object value = {});
    void update(const Object& other);
    [[nodiscard]] list keys() const;
    [[nodiscard]] list values() const;
    /// For `for (const auto& [key, value] : page.items())`.
    [[nodiscard]] auto items();
    [[nodiscard]] auto items() const;

    /// The items of a list, the keys of a dict.
    class iterator;
    [[nodiscard]] iterator begin() const;
    [[nodiscard]] iterator end() const;

    // Comparing and printing ------------------------------------------------------------------------------------------------

    /// As in Python: 1 == 1.0 == True, lists by their items, dicts whatever the order of their keys. What has different
    /// types is different.
    friend bool operator==(const Object& a, const Object& b) { return same(a, b); }
    /// Numbers, texts, bytes, and lists of what can be compared; all else is a TypeError, as in Python.
    friend bool operator<(const Object& a, const Object& b) { return precedes(a, b, "<", is_less); }
    friend bool operator<=(const Object& a, const Object& b) { return precedes(a, b, "<=", is_less_or_equal); }
    friend bool operator>(const Object& a, const Object& b) { return precedes(a, b, ">", is_greater); }
    friend bool operator>=(const Object& a, const Object& b) { return precedes(a, b, ">=", is_greater_or_equal); }

    /// Equal for what is equal, another in each run of a program. TypeError: "unhashable type: 'list'".
    [[nodiscard]] std::size_t hash() const;

    /// What Python's repr(x) is: ``[1, 'it', b'\x00', 1e+16, None]``. Bytes of a str that are no UTF-8 are shown as Python shows
    /// those of a file's name, ``'\udcff'``.
    [[nodiscard]] std::string repr() const;
    /// What Python's str(x) is: repr(), but for a str its text.
    [[nodiscard]] std::string str() const;
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Object& x) {
        return out << x.repr();
    }

private:
    friend class list;
    friend class dict;
    friend struct serial::dynamic::access;

    struct box;
    struct list_box;
    struct dict_box;
    struct bits {};

    /// As it lies, owning what the other owns: one of them must forget it.
    Object(bits, const Object& other) noexcept : kind_(other.kind_), size_(other.size_) {
        std::memcpy(place_, other.place_, sizeof place_);
    }
    void forget() noexcept {
        kind_ = Kind::none;
        size_ = 0;
    }

    static constexpr std::uint8_t elsewhere = 255;
    using run = serial::dynamic::run;

    [[nodiscard]] bool owns() const noexcept {
        return kind_ >= Kind::text && size_ == elsewhere;
    }
    template <typename Word>
    [[nodiscard]] Word word() const noexcept {
        Word value;
        std::memcpy(&value, place_ + 6, sizeof value);
        return value;
    }
    template <typename Word>
    void set(Kind kind, Word value, std::uint8_t size = 0) noexcept {
        kind_ = kind;
        size_ = size;
        std::memcpy(place_ + 6, &value, sizeof value);
    }
    void set_run(Kind kind, std::string_view text);

    [[nodiscard]] std::int64_t integer() const noexcept { // a bool's too
        return word<std::int64_t>();
    }
    [[nodiscard]] double floating() const noexcept { return word<double>(); }
    [[nodiscard]] std::string_view text() const noexcept { // of str and bytes
        return owns() ? word<run*>()->view() : std::string_view(place_, size_);
    }
    [[nodiscard]] box* boxed() const noexcept;
    void release() noexcept;

    [[noreturn]] void lacks(std::string_view method) const;
    [[nodiscard]] static bool same(const Object& a, const Object& b);
    using verdict = bool (*)(std::partial_ordering);
    [[nodiscard]] static bool precedes(const Object& a, const Object& b, std::string_view sign, verdict good);
    static bool is_less(std::partial_ordering it) noexcept { return it < 0; }
    static bool is_less_or_equal(std::partial_ordering it) noexcept { return it <= 0; }
    static bool is_greater(std::partial_ordering it) noexcept { return it > 0; }
    static bool is_greater_or_equal(std::partial_ordering it) noexcept { return it >= 0; }

    // A short text fills place_; of everything else the word is in its last 8 bytes, at a multiple of 8.
    alignas(8) Kind kind_ = Kind::none;
    std::uint8_t size_ = 0; // of a short text; `elsewhere` for a long one and for a list or dict
    char place_[14] = {};
};

/// Python's list: Objects in a row.
///
///     mp::list row = {3, 1, 2};
///     row.append("x");
///     int last = row[-2].as<int>();
///
/// Its methods are Python's, its iterators a std::vector's. It becomes an Object by a move.
///
/// - Errors: std::out_of_range for an index that isn't there, ValueError for a value that isn't.
class list {
public:
    using value_type = Object;
    using iterator = std::vector<Object>::iterator;
    using const_iterator = std::vector<Object>::const_iterator;

    list() = default;
    list(std::initializer_list<Object> items) : items_(items) {}
    explicit list(std::vector<Object> items) noexcept : items_(std::move(items)) {}
    /// The list of these, also where there is only one: `mp::list{x}` with a list x is x to some compilers.
    template <ConvertibleToObject... T>
    [[nodiscard]] static list of(T&&... x);

    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    [[nodiscard]] std::size_t len() const noexcept { return items_.size(); }
    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    void reserve(std::size_t n) { items_.reserve(n); }

    /// Negative ones count from the end.
    [[nodiscard]] Object& operator[](std::int64_t index) { return items_[place_of(index)]; }
    [[nodiscard]] const Object& operator[](std::int64_t index) const { return items_[place_of(index)]; }
    [[nodiscard]] Object& at(std::int64_t index) { return items_[place_of(index)]; }
    [[nodiscard]] const Object& at(std::int64_t index) const { return items_[place_of(index)]; }

    [[nodiscard]] iterator begin() noexcept { return items_.begin(); }
    [[nodiscard]] iterator end() noexcept { return items_.end(); }
    [[nodiscard]] const_iterator begin() const noexcept { return items_.begin(); }
    [[nodiscard]] const_iterator end() const noexcept { return items_.end(); }

    void append(Object x) { items_.push_back(std::move(x)); }
    void push_back(Object x) { items_.push_back(std::move(x)); }
    void extend(const list& other);
    /// Before that index, or at the nearer end if there is no such index.
    void insert(std::int64_t before, Object x);
    Object pop(std::int64_t index = -1);
    /// The first that equals x; ValueError if none does.
    void remove(const Object& x);
    [[nodiscard]] std::size_t index(const Object& x) const;
    [[nodiscard]] std::size_t count(const Object& x) const;
    [[nodiscard]] bool contains(const Object& x) const;
    void reverse() noexcept;
    /// Stable. If two items can't be compared, TypeError, and the list is as it was.
    void sort(bool reverse = false);
    void clear() noexcept { items_.clear(); }

    /// The items, to be had as a vector.
    [[nodiscard]] const std::vector<Object>& vector() const& noexcept { return items_; }
    [[nodiscard]] std::vector<Object> vector() && noexcept { return std::move(items_); }

    [[nodiscard]] std::string repr() const;
    friend bool operator==(const list& a, const list& b) { return same(a, b); }
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const list& x) {
        return out << x.repr();
    }

private:
    friend class Object;
    [[nodiscard]] std::size_t place_of(std::int64_t index) const;
    [[nodiscard]] static bool same(const list& a, const list& b);

    std::vector<Object> items_;
};

/// Python's dict: values by key, in the order in which the keys came.
///
///     mp::dict page = {{"title", "Home"}, {"size", 3}};
///     page["lang"] = "en";
///     for (const auto& [key, value] : page.items()) ...
///     for (const mp::Object& key : page) ...
///
/// A key is anything hashable: None, a number, a str, bytes. References to values and iterators hold until a key is added or
/// removed.
///
/// - Python: the methods are Python's. page[key] = value is as there; page[key] of a key that isn't there adds it with None,
///   and where the dict is const it is std::out_of_range, as at() always is.
/// - Errors: TypeError "unhashable type: 'list'" for such a key.
class dict {
    struct entry {
        std::size_t hash; // 0: was removed
        Object key;
        Object value;
    };

    template <typename Entry>
    class cursor; // over the entries that weren't removed
    template <typename Entry>
    class item_range;

public:
    using key_type = Object;
    using mapped_type = Object;
    class iterator; // over the keys, as in Python

    dict() = default;
    dict(std::initializer_list<std::pair<Object, Object>> items);

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size() - removed_; }
    [[nodiscard]] std::size_t len() const noexcept { return size(); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    [[nodiscard]] Object& operator[](const Object& key);
    [[nodiscard]] const Object& operator[](const Object& key) const { return at(key); }
    [[nodiscard]] Object& at(const Object& key);
    [[nodiscard]] const Object& at(const Object& key) const;
    [[nodiscard]] Object get(const Object& key, Object otherwise = {}) const;
    /// Null if it isn't there.
    [[nodiscard]] Object* find(const Object& key);
    [[nodiscard]] const Object* find(const Object& key) const;
    [[nodiscard]] bool contains(const Object& key) const { return find(key) != nullptr; }

    /// The value that was there, or this one from now on.
    Object& setdefault(const Object& key, Object value = {});
    /// Adds the key, unless it is there. Says whether it did.
    bool insert(Object key, Object value);
    void update(const dict& other);
    /// Removes the key and returns its value; std::out_of_range, or `otherwise`, if it isn't there.
    Object pop(const Object& key);
    Object pop(const Object& key, Object otherwise);
    /// Removes the item that came last.
    std::pair<Object, Object> popitem();
    /// Says whether it was there.
    bool erase(const Object& key);
    void clear() noexcept;

    [[nodiscard]] iterator begin() const noexcept;
    [[nodiscard]] iterator end() const noexcept;
    [[nodiscard]] list keys() const;
    [[nodiscard]] list values() const;
    /// Pairs of references: for (auto [key, value] : d.items()) value = 0;
    [[nodiscard]] auto items() noexcept;
    [[nodiscard]] auto items() const noexcept;

    [[nodiscard]] std::string repr() const;
    friend bool operator==(const dict& a, const dict& b) { return same(a, b); }
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const dict& x) {
        return out << x.repr();
    }

private:
    friend class Object;
    friend struct Object::dict_box;
    [[nodiscard]] static bool same(const dict& a, const dict& b);
    [[nodiscard]] entry* lookup(const Object& key, std::size_t hash) const;
    [[nodiscard]] static std::size_t hash_of(const Object& key);
    Object& add(Object key, std::size_t hash, Object value);
    Object take(entry& from) noexcept;
    void rebuild();
    void enter(std::size_t which) noexcept;

    // A few entries are looked through; for more there is a table of places in entries_, plus one, probed one by one from the
    // hash on. What is removed leaves an entry of hash 0 behind, and its place in the table, until the table is made anew; it
    // is when half of it is taken. Entries at the end go at once, so a place may lead past them, or to another key.
    std::vector<entry> entries_;
    std::vector<std::uint32_t> table_;
    std::size_t removed_ = 0; // entries of hash 0
    std::size_t taken_ = 0;   // places in the table
};

} // namespace multiprocessing
