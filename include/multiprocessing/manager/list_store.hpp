// Floor 10, manager/list_store: where the items of a list are: in shared memory, or in a server elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/item.hpp>
#include <multiprocessing/manager/row.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/store.hpp>

namespace multiprocessing::manager {

/// The operations of a list on bytes: a row's, wherever that is.
class list_store : public store<row> {
public:
    using store::store;

    [[nodiscard]] bool get(std::int64_t index, item& out) const {
        return is_local() ? local_.get(index, out) : receive("get", index, out);
    }
    [[nodiscard]] bool set(std::int64_t index, const item_view& x) const {
        return is_local() ? local_.set(index, x) : ask<bool>("set", std::pair(index, to_send(x)));
    }
    [[nodiscard]] bool take(std::int64_t index, item& out) const {
        return is_local() ? local_.take(index, &out) : receive("take", index, out);
    }
    void insert(std::int64_t before, const item_view& x) const {
        if (!is_local()) return ask<void>("insert", std::pair(before, to_send(x)));
        before == row::end ? local_.append(x) : local_.insert(before, x);
    }
    void splice(std::int64_t first, std::int64_t last, const items& with) const {
        if (is_local()) return local_.splice(first, last, with);
        ask<void>("splice", std::tuple(first, last, pack_items(with)));
    }
    std::uint64_t read_some(std::int64_t first, std::int64_t last, items& out) const {
        if (is_local()) return local_.read_some(first, last, out);
        const auto found = ask<std::pair<std::uint64_t, std::vector<packed>>>("read_some", std::pair(first, last));
        out = unpack_items(found.second);
        return found.first;
    }
    [[nodiscard]] bool arrange(const std::vector<std::uint32_t>& order, std::uint64_t seen) const {
        return is_local() ? local_.arrange(order, seen) : ask<bool>("arrange", std::pair(order, seen));
    }
    [[nodiscard]] bool take_if(std::uint64_t index, std::uint64_t seen) const {
        return is_local() ? local_.take_if(index, seen) : ask<bool>("take_if", std::pair(index, seen));
    }
    [[nodiscard]] bool exchange(std::int64_t index, std::uint64_t seen, const item_view& x) const {
        return is_local() ? local_.exchange(index, seen, x) : ask<bool>("exchange", std::tuple(index, seen, to_send(x)));
    }
    void reverse() const { is_local() ? local_.reverse() : ask<void>("reverse"); }
};

/// A list in a server, for clients who can't reach its memory.
class list_servant final : public container_servant<row> {
public:
    using container_servant::container_servant;
    inline serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override;
};

inline serial::message list_servant::call(std::string_view method, const serial::message& arguments, const caller& who) {
    using index_and_item = std::pair<std::int64_t, packed>;
    item out;
    if (method == "get") {
        const bool is = in_.get(read<std::int64_t>(arguments), out);
        return maybe(is, out, who);
    }
    if (method == "set") {
        const auto [index, x] = read<index_and_item>(arguments);
        return serial::pack_message(in_.set(index, received(x, who).view()));
    }
    if (method == "size") return serial::pack_message(std::uint64_t{in_.size()});
    if (method == "take") {
        const bool is = in_.take(read<std::int64_t>(arguments), &out);
        return maybe(is, out, who);
    }
    if (method == "insert") {
        const auto [before, x] = read<index_and_item>(arguments);
        const received mine(x, who);
        before == row::end ? in_.append(mine.view()) : in_.insert(before, mine.view());
        return done();
    }
    if (method == "splice") {
        const auto [first, last, with] = read<std::tuple<std::int64_t, std::int64_t, std::vector<packed>>>(arguments);
        in_.splice(first, last, received_items(with, who));
        return done();
    }
    if (method == "read_some") {
        const auto [first, last] = read<std::pair<std::int64_t, std::int64_t>>(arguments);
        items found;
        const std::uint64_t seen = in_.read_some(first, last, found);
        return serial::pack_message(std::pair(seen, handed_to(who, found)));
    }
    if (method == "arrange") {
        const auto [order, seen] = read<std::pair<std::vector<std::uint32_t>, std::uint64_t>>(arguments);
        return serial::pack_message(in_.arrange(order, seen));
    }
    if (method == "take_if") {
        const auto [index, seen] = read<std::pair<std::uint64_t, std::uint64_t>>(arguments);
        return serial::pack_message(in_.take_if(index, seen));
    }
    if (method == "exchange") {
        const auto [index, seen, x] = read<std::tuple<std::int64_t, std::uint64_t, packed>>(arguments);
        return serial::pack_message(in_.exchange(index, seen, received(x, who).view()));
    }
    if (method == "reverse") {
        in_.reverse();
        return done();
    }
    refuse("list", method);
}

} // namespace multiprocessing::manager
