// Floor 10, manager/list_store: where the items of a list are: in shared memory, or in a server elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/dict_store.hpp> // packed
#include <multiprocessing/manager/item.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/row.hpp>
#include <multiprocessing/manager/servant.hpp>

namespace multiprocessing::manager {

/// The operations of a list on bytes: a row's, wherever that is.
class list_store {
public:
    list_store() noexcept = default;
    explicit list_store(row local) noexcept : local_(std::move(local)) {}
    explicit list_store(remote far) noexcept : far_(std::move(far)) {}
    [[nodiscard]] auto parts() noexcept { return std::tie(local_.state(), far_); }

    [[nodiscard]] bool is_local() const noexcept { return static_cast<bool>(local_); }
    [[nodiscard]] const row& local() const noexcept { return local_; }
    [[nodiscard]] const remote& far() const noexcept { return far_; }
    [[nodiscard]] std::uint64_t name() const noexcept { return is_local() ? local_.state().name() : far_.number(); }
    friend bool operator==(const list_store& a, const list_store& b) noexcept {
        return a.local_.state() == b.local_.state() && a.far_ == b.far_;
    }

    [[nodiscard]] std::size_t size() const {
        return is_local() ? local_.size() : static_cast<std::size_t>(far_.ask<std::uint64_t>("size", std::uint8_t{}));
    }
    [[nodiscard]] bool get(std::int64_t index, item& out) const {
        return is_local() ? local_.get(index, out) : receive("get", index, out);
    }
    [[nodiscard]] bool set(std::int64_t index, const item_view& x) const {
        return is_local() ? local_.set(index, x) : far_.ask<bool>("set", std::pair(index, to_send(x)));
    }
    [[nodiscard]] bool take(std::int64_t index, item& out) const {
        return is_local() ? local_.take(index, &out) : receive("take", index, out);
    }
    void insert(std::int64_t before, const item_view& x) const {
        if (!is_local()) return far_.ask<void>("insert", std::pair(before, to_send(x)));
        before == row::end ? local_.append(x) : local_.insert(before, x);
    }
    void splice(std::int64_t first, std::int64_t last, const items& with) const {
        if (is_local()) return local_.splice(first, last, with);
        far_.ask<void>("splice", std::tuple(first, last, pack_items(with)));
    }
    std::uint64_t read_some(std::int64_t first, std::int64_t last, items& out) const {
        if (is_local()) return local_.read_some(first, last, out);
        const auto found = far_.ask<std::pair<std::uint64_t, std::vector<packed>>>("read_some", std::pair(first, last));
        out = unpack_items(found.second);
        return found.first;
    }
    [[nodiscard]] bool arrange(const std::vector<std::uint32_t>& order, std::uint64_t seen) const {
        return is_local() ? local_.arrange(order, seen) : far_.ask<bool>("arrange", std::pair(order, seen));
    }
    [[nodiscard]] bool take_if(std::uint64_t index, std::uint64_t seen) const {
        return is_local() ? local_.take_if(index, seen) : far_.ask<bool>("take_if", std::pair(index, seen));
    }
    [[nodiscard]] bool exchange(std::int64_t index, std::uint64_t seen, const item_view& x) const {
        return is_local() ? local_.exchange(index, seen, x) : far_.ask<bool>("exchange", std::tuple(index, seen, to_send(x)));
    }
    void reverse() const { is_local() ? local_.reverse() : far_.ask<void>("reverse", std::uint8_t{}); }

private:
    bool receive(std::string_view method, std::int64_t index, item& out) const {
        const auto found = far_.ask<std::optional<packed>>(method, index);
        if (found) receive_into(out, *found);
        return found.has_value();
    }

    row local_;
    remote far_;
};

/// A list in a server, for clients who can't reach its memory.
class list_servant final : public servant {
public:
    explicit list_servant(row in = row::make()) noexcept : row_(std::move(in)) {}
    /// Of a list that this server's family has.
    [[nodiscard]] static std::shared_ptr<servant> of(const list_store& store) {
        if (!store.is_local()) throw ValueError("a manager can't serve a list that is in another manager's server");
        return std::make_shared<list_servant>(store.local());
    }
    inline serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override;
    [[nodiscard]] const row& contents() const noexcept { return row_; }

private:
    template <typename T>
    static T read(const serial::message& arguments) {
        return serial::unpack_message<T>(arguments);
    }
    static serial::message maybe(bool is, const item& x) {
        return serial::pack_message(is ? std::optional(to_send(x.view())) : std::nullopt);
    }
    static serial::message done() { return serial::pack_message(std::uint8_t{}); }

    row row_;
};

inline serial::message list_servant::call(std::string_view method, const serial::message& arguments, const caller&) {
    using index_and_item = std::pair<std::int64_t, packed>;
    item out;
    if (method == "get") {
        const bool is = row_.get(read<std::int64_t>(arguments), out);
        return maybe(is, out);
    }
    if (method == "set") {
        const auto [index, x] = read<index_and_item>(arguments);
        return serial::pack_message(row_.set(index, {x, {}}));
    }
    if (method == "size") return serial::pack_message(std::uint64_t{row_.size()});
    if (method == "take") {
        const bool is = row_.take(read<std::int64_t>(arguments), &out);
        return maybe(is, out);
    }
    if (method == "insert") {
        const auto [before, x] = read<index_and_item>(arguments);
        before == row::end ? row_.append({x, {}}) : row_.insert(before, {x, {}});
        return done();
    }
    if (method == "splice") {
        const auto [first, last, with] = read<std::tuple<std::int64_t, std::int64_t, std::vector<packed>>>(arguments);
        row_.splice(first, last, unpack_items(with));
        return done();
    }
    if (method == "read_some") {
        const auto [first, last] = read<std::pair<std::int64_t, std::int64_t>>(arguments);
        items found;
        const std::uint64_t seen = row_.read_some(first, last, found);
        return serial::pack_message(std::pair(seen, pack_items(found)));
    }
    if (method == "arrange") {
        const auto [order, seen] = read<std::pair<std::vector<std::uint32_t>, std::uint64_t>>(arguments);
        return serial::pack_message(row_.arrange(order, seen));
    }
    if (method == "take_if") {
        const auto [index, seen] = read<std::pair<std::uint64_t, std::uint64_t>>(arguments);
        return serial::pack_message(row_.take_if(index, seen));
    }
    if (method == "exchange") {
        const auto [index, seen, x] = read<std::tuple<std::int64_t, std::uint64_t, packed>>(arguments);
        return serial::pack_message(row_.exchange(index, seen, {x, {}}));
    }
    if (method == "reverse") {
        row_.reverse();
        return done();
    }
    refuse("list", method);
}

} // namespace multiprocessing::manager
