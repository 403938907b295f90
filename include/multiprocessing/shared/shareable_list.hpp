// Floor 4, shared/shareable_list: ShareableList, a list of simple things in named memory, laid out as CPython's.
#pragma once

#include <algorithm> // std::min
#include <charconv>  // std::from_chars
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <initializer_list>
#include <iterator>
#include <span>
#include <stdexcept> // std::out_of_range
#include <string>
#include <string_view>
#include <tuple>   // std::tie
#include <utility> // std::move
#include <variant>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/shared/named.hpp>

namespace multiprocessing::shared_memory {

/// What a ShareableList can hold: Python's None, bool, int (64 bits), float, str (UTF-8) and bytes.
using ListItem = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, std::vector<std::byte>>;

struct ShareableListOptions {
    std::string name = {}; ///< of its memory
};

/// A list of a fixed number of items in a SharedMemory, which python3 can open, as can be opened here what python3
/// made.
///
///     mp::shared_memory::ShareableList list({1, 2.5, "three", true, nullptr});
///     list[0] = "one";
///     fmt::print("{}\n", std::get<std::string>(list[0]));
///     mp::shared_memory::ShareableList same({.name = list.shm().name()});    // in another program
///
/// Each item keeps the room it was made with: 8 bytes, or for a text of n bytes n / 8 + 1 times 8. The type of an item
/// may change; what doesn't fit is a ValueError, and changes nothing.
///
/// - Python: `multiprocessing.shared_memory.ShareableList`. Room for a text is reckoned in bytes, not in characters. A
///   text that ends in null characters keeps them here; Python doesn't write down how long a text is and loses them, in
///   what it reads as in what it writes. (Ours has its length in the item's format, "5s " instead of "8s", which
///   python3 understands; for texts of a million bytes and more there is no room for that, and null characters at the
///   end are lost here too.)
/// - Copying shares the list. Constness is the handle's.
/// - Threads and processes: as Python's, no lock: an item that is set while it is read may be read half. Use one.
/// - When a process dies while it sets an item: that item may be half set, the others aren't touched.
/// - Errors: std::out_of_range for an index; ValueError; those of SharedMemory. What isn't such a list, or is a damaged
///   one, is a ValueError, at the latest when the item is read.
class ShareableList {
public:
    class iterator;
    class place;
    using value_type = ListItem;

    /// Empty.
    ShareableList() : ShareableList(std::span<const ListItem>{}) {}
    ShareableList(std::initializer_list<ListItem> items, const ShareableListOptions& options = {})
        : ShareableList(std::span(items.begin(), items.size()), options) {}
    explicit ShareableList(std::span<const ListItem> items, const ShareableListOptions& options = {});
    /// The one that stands in the memory of that name.
    explicit ShareableList(const ShareableListOptions& options);

    [[nodiscard]] std::size_t size() const { return count(); }
    [[nodiscard]] bool empty() const { return size() == 0; }

    /// -1 is the last one. What is assigned to it is set.
    [[nodiscard]] place operator[](std::ptrdiff_t i) const;
    [[nodiscard]] ListItem get(std::ptrdiff_t i) const { return read(place_of(i)); }
    void set(std::ptrdiff_t i, const ListItem& item) const;

    [[nodiscard]] iterator begin() const;
    [[nodiscard]] iterator end() const;
    [[nodiscard]] std::vector<ListItem> to_vector() const;

    /// How often it is there.
    [[nodiscard]] std::size_t count(const ListItem& item) const;
    /// Where it is first. ValueError when it isn't.
    [[nodiscard]] std::size_t index(const ListItem& item) const;

    /// Of all items, in the language of Python's struct: "qd8sxxxxxxx?".
    [[nodiscard]] std::string format() const;

    [[nodiscard]] SharedMemory& shm() noexcept { return memory_; }
    [[nodiscard]] const SharedMemory& shm() const noexcept { return memory_; }

private:
    // CPython's layout, of 64-bit integers as the machine has them:
    //
    //     N | offsets of N items and of the end, from `data` | data | N formats of 8 characters | N codes of 1 byte
    //
    // A format is q, d, xxxxxxx? (bool), xxxxxx?x (None) or <bytes>s. What stands there may have been written by
    // anybody: nothing is believed before it was seen to lie within the memory.
    static constexpr std::size_t word = 8;
    enum code : std::int8_t { plain = 0, text = 1, bytes = 2, none = 3 };

    struct slot {
        std::size_t number;
        std::span<std::byte> data;
        std::span<std::byte> format;
        std::byte* code;
    };

    friend struct memory::access;
    explicit ShareableList(memory::nothing_t nothing) noexcept : memory_(memory::access::empty<SharedMemory>()) {
        static_cast<void>(nothing);
    }
    auto parts() noexcept { return std::tie(memory_); }

    static std::size_t room_for(const ListItem& item);
    static std::span<const std::byte> bytes_of(const ListItem& item);
    static SharedMemory make_memory(std::span<const ListItem> items, const ShareableListOptions& options);
    static std::size_t require_name(const ShareableListOptions& options);
    [[noreturn]] void throw_damaged(const char* what) const;

    [[nodiscard]] std::size_t count() const;
    [[nodiscard]] std::uint64_t number_at(std::size_t offset) const;
    [[nodiscard]] slot slot_at(std::size_t i) const;
    [[nodiscard]] slot place_of(std::ptrdiff_t i) const;
    [[nodiscard]] ListItem read(const slot& from) const;
    static void write(const slot& to, const ListItem& item);

    SharedMemory memory_;
};

/// An item as it was when it was asked for, and where it stands.
class ShareableList::place : public ListItem {
public:
    place(const ShareableList& of, std::ptrdiff_t at) : ListItem(of.get(at)), of_(&of), at_(at) {}
    place(const place&) = default;

    template <typename T>
        requires std::constructible_from<ListItem, T>
    const place& operator=(T&& item) {
        static_cast<ListItem&>(*this) = ListItem(std::forward<T>(item));
        of_->set(at_, *this);
        return *this;
    }
    const place& operator=(const place& other) { return *this = static_cast<const ListItem&>(other); }

    template <typename T>
        requires(std::constructible_from<ListItem, const T&> && !std::derived_from<T, ListItem>)
    friend bool operator==(const place& a, const T& b) {
        return static_cast<const ListItem&>(a) == ListItem(b);
    }

private:
    const ShareableList* of_;
    std::ptrdiff_t at_;
};

inline ShareableList::place ShareableList::operator[](std::ptrdiff_t i) const {
    return {*this, i};
}

/// Reads each item when it is asked for.
class ShareableList::iterator {
public:
    using value_type = ListItem;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    iterator(const ShareableList* of, std::ptrdiff_t at) : of_(of), at_(at) {}

    ListItem operator*() const { return of_->get(at_); }
    iterator& operator++() {
        ++at_;
        return *this;
    }
    iterator operator++(int) { return {of_, at_++}; }
    friend bool operator==(const iterator&, const iterator&) = default;

private:
    const ShareableList* of_ = nullptr;
    std::ptrdiff_t at_ = 0;
};

inline std::span<const std::byte> ShareableList::bytes_of(const ListItem& item) {
    if (const auto* s = std::get_if<std::string>(&item)) return std::as_bytes(std::span(*s));
    if (const auto* b = std::get_if<std::vector<std::byte>>(&item)) return std::span(*b);
    return {};
}

inline std::size_t ShareableList::room_for(const ListItem& item) {
    const bool is_text =
        std::holds_alternative<std::string>(item) || std::holds_alternative<std::vector<std::byte>>(item);
    return is_text ? word * (bytes_of(item).size() / word + 1) : word;
}

inline SharedMemory ShareableList::make_memory(std::span<const ListItem> items, const ShareableListOptions& options) {
    std::size_t data = 0;
    for (const ListItem& item : items) {
        if (bytes_of(item).size() >= 10'000'000 - word) // CPython's format has 8 characters
            throw ValueError(fmt::format("an item of a ShareableList can't have {} bytes", bytes_of(item).size()));
        data += room_for(item);
    }
    return SharedMemory(
        {.name = options.name, .create = true, .size = (items.size() + 2) * word + data + items.size() * (word + 1)});
}

inline ShareableList::ShareableList(std::span<const ListItem> items, const ShareableListOptions& options)
    : memory_(make_memory(items, options)) {
    const auto put = [at = memory_.buf().data()](std::size_t where, std::uint64_t number) {
        std::memcpy(at + where * word, &number, word);
    };
    put(0, items.size());
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
        put(i + 1, offset);
        offset += room_for(items[i]);
    }
    put(items.size() + 1, offset);
    for (std::size_t i = 0; i < items.size(); ++i) write(slot_at(i), items[i]);
}

inline ShareableList::ShareableList(const ShareableListOptions& options) : memory_({.name = options.name}) {
    for (std::size_t i = 0, n = count(); i < n; ++i) static_cast<void>(slot_at(i));
}

inline void ShareableList::throw_damaged(const char* what) const {
    throw ValueError(
        fmt::format("the shared memory {} isn't a ShareableList, or is damaged: {}", memory_.name(), what));
}

inline std::uint64_t ShareableList::number_at(std::size_t offset) const {
    const auto all = memory_.buf();
    if (offset > all.size() || all.size() - offset < word) throw_damaged("it is too short");
    std::uint64_t number = 0;
    std::memcpy(&number, all.data() + offset, word);
    return number;
}

inline std::size_t ShareableList::count() const {
    const std::uint64_t n = number_at(0);
    if (n > memory_.buf().size() / word) throw_damaged("it can't have so many items");
    return static_cast<std::size_t>(n);
}

inline ShareableList::slot ShareableList::slot_at(std::size_t i) const {
    const auto all = memory_.buf();
    const std::size_t n = count();
    const std::size_t data = (n + 2) * word;
    const std::uint64_t begin = number_at((i + 1) * word);
    const std::uint64_t end = number_at((i + 2) * word);
    const std::uint64_t last = number_at((n + 1) * word);
    if (data > all.size() || last > all.size() - data || n * (word + 1) > all.size() - data - last)
        throw_damaged("it is too short for its items");
    if (begin > end || end > last || end - begin < word) throw_damaged("its items overlap");
    const std::size_t formats = data + static_cast<std::size_t>(last);
    return {i, all.subspan(data + static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
            all.subspan(formats + i * word, word), all.data() + formats + n * word + i};
}

inline ShareableList::slot ShareableList::place_of(std::ptrdiff_t i) const {
    const auto n = static_cast<std::ptrdiff_t>(count());
    const std::ptrdiff_t at = i < 0 ? i + n : i;
    if (at < 0 || at >= n) throw std::out_of_range(fmt::format("index {} of a list of {} items", i, n));
    return slot_at(static_cast<std::size_t>(at));
}

inline ListItem ShareableList::read(const slot& from) const {
    std::string_view format(reinterpret_cast<const char*>(from.format.data()), word);
    format = format.substr(0, std::min(format.find('\0'), format.size()));
    std::int64_t number = 0;
    std::memcpy(&number, from.data.data(), word);
    if (format == "q") return number;
    if (format == "d") {
        double real = 0;
        std::memcpy(&real, from.data.data(), sizeof real);
        return real;
    }
    if (format == "xxxxxxx?") return from.data[7] != std::byte{0};
    if (format == "xxxxxx?x") return nullptr;

    std::size_t length = 0;
    const auto [stop, error] = std::from_chars(format.data(), format.data() + format.size(), length);
    const std::string_view rest(stop, static_cast<std::size_t>(format.data() + format.size() - stop));
    if (error != std::errc{} || (rest != "s" && rest != "s ")) throw_damaged("an item has a format that isn't known");
    auto content = from.data.first(std::min(length, from.data.size()));
    if (rest == "s") // Python's: the whole room, with null characters where there was no more
        while (!content.empty() && content.back() == std::byte{0}) content = content.first(content.size() - 1);
    if (*from.code == std::byte{text})
        return std::string(reinterpret_cast<const char*>(content.data()), content.size());
    return std::vector<std::byte>(content.begin(), content.end());
}

inline void ShareableList::write(const slot& to, const ListItem& item) {
    std::string format;
    code kind = plain;
    const auto content = bytes_of(item);
    if (content.size() > to.data.size())
        throw ValueError(
            fmt::format("item {} has room for {} bytes, not {}", to.number, to.data.size(), content.size()));
    const auto put = [&](const auto& number) { std::memcpy(to.data.data(), &number, sizeof number); };
    if (const auto* i = std::get_if<std::int64_t>(&item)) {
        put(*i);
        format = "q";
    } else if (const auto* d = std::get_if<double>(&item)) {
        put(*d);
        format = "d";
    } else if (const auto* b = std::get_if<bool>(&item)) {
        put(std::uint64_t{0});
        to.data[7] = std::byte{*b};
        format = "xxxxxxx?";
    } else if (std::holds_alternative<std::nullptr_t>(item)) {
        put(std::uint64_t{0});
        kind = none;
        format = "xxxxxx?x";
    } else {
        std::memset(to.data.data(), 0, to.data.size());
        if (!content.empty()) std::memcpy(to.data.data(), content.data(), content.size());
        kind = std::holds_alternative<std::string>(item) ? text : bytes;
        // A blank at the end says that this is the length, and keeps Python from taking it for the room when it sets a
        // longer text: it looks for an s at the end.
        format = content.size() < 1'000'000 ? fmt::format("{}s ", content.size()) : fmt::format("{}s", to.data.size());
    }
    format.resize(word, '\0');
    std::memcpy(to.format.data(), format.data(), word);
    *to.code = std::byte{static_cast<std::uint8_t>(kind)};
}

inline void ShareableList::set(std::ptrdiff_t i, const ListItem& item) const { write(place_of(i), item); }

inline ShareableList::iterator ShareableList::begin() const { return {this, 0}; }
inline ShareableList::iterator ShareableList::end() const { return {this, static_cast<std::ptrdiff_t>(size())}; }

inline std::vector<ListItem> ShareableList::to_vector() const {
    std::vector<ListItem> all;
    for (std::size_t i = 0, n = size(); i < n; ++i) all.push_back(read(slot_at(i)));
    return all;
}

inline std::size_t ShareableList::count(const ListItem& item) const {
    std::size_t times = 0;
    for (std::size_t i = 0, n = size(); i < n; ++i) times += read(slot_at(i)) == item;
    return times;
}

inline std::size_t ShareableList::index(const ListItem& item) const {
    for (std::size_t i = 0, n = size(); i < n; ++i)
        if (read(slot_at(i)) == item) return i;
    throw ValueError("the item isn't in this list");
}

inline std::string ShareableList::format() const {
    std::string all;
    for (std::size_t i = 0, n = size(); i < n; ++i) {
        const slot one = slot_at(i);
        std::string_view format(reinterpret_cast<const char*>(one.format.data()), word);
        format = format.substr(0, std::min(format.find('\0'), format.size()));
        if (format.find('s') == std::string_view::npos)
            all += format;
        else
            all += fmt::format("{}s", one.data.size());
    }
    return all;
}

} // namespace multiprocessing::shared_memory
