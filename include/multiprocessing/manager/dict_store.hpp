// Floor 10, manager/dict_store: where the items of a dict are: in shared memory, or in a server elsewhere.
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
#include <multiprocessing/manager/item.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/table.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

/// Bytes as a message has them. What is in a server elsewhere can't hold objects of this machine's memory.
using packed = std::vector<std::byte>;

[[nodiscard]] inline packed to_send(const item_view& x) {
    if (!x.shares.empty())
        throw NotPortableError("a shared object (a Lock, a Queue, another container, ...) can't be put into a container of a manager "
                               "that is reached over a network: make it there, by that manager");
    return {x.bytes.begin(), x.bytes.end()};
}
inline void receive_into(item& out, const packed& bytes) { out.set_large().bytes = bytes; }

[[nodiscard]] inline items unpack_items(const std::vector<packed>& from) {
    items all;
    for (const packed& each : from) all.add({each, {}});
    return all;
}
[[nodiscard]] inline std::vector<packed> pack_items(const items& from) {
    std::vector<packed> all;
    for (std::size_t i = 0; i < from.size(); ++i) all.push_back(to_send(from[i]));
    return all;
}

/// A key that owns its bytes.
struct sent_key {
    packed stored;
    std::uint64_t compared = 0;

    [[nodiscard]] table_key key() const {
        if (compared > stored.size()) throw ProcessError("malformed key: more of it is to be compared than there is");
        return {{stored, {}}, static_cast<std::size_t>(compared)};
    }
    [[nodiscard]] static sent_key of(const table_key& key) { return {to_send(key.stored), key.compared}; }
};

/// The operations of a dict on bytes: a table's, wherever that is.
class dict_store {
public:
    dict_store() noexcept = default;
    explicit dict_store(table local) noexcept : local_(std::move(local)) {}
    explicit dict_store(remote far) noexcept : far_(std::move(far)) {}
    [[nodiscard]] auto parts() noexcept { return std::tie(local_.state(), far_); }

    [[nodiscard]] bool is_local() const noexcept { return static_cast<bool>(local_); }
    [[nodiscard]] const table& local() const noexcept { return local_; }
    [[nodiscard]] const remote& far() const noexcept { return far_; }
    [[nodiscard]] std::uint64_t name() const noexcept { return is_local() ? local_.state().name() : far_.number(); }
    friend bool operator==(const dict_store& a, const dict_store& b) noexcept {
        return a.local_.state() == b.local_.state() && a.far_ == b.far_;
    }

    [[nodiscard]] std::size_t size() const {
        return is_local() ? local_.size() : static_cast<std::size_t>(far_.ask<std::uint64_t>("size", std::uint8_t{}));
    }
    [[nodiscard]] bool contains(const table_key& key) const {
        return is_local() ? local_.contains(key) : far_.ask<bool>("contains", sent_key::of(key));
    }
    [[nodiscard]] bool get(const table_key& key, item& out) const {
        return is_local() ? local_.get(key, out) : receive("get", sent_key::of(key), out);
    }
    void set(const table_key& key, const item_view& value) const {
        if (is_local()) return local_.set(key, value);
        far_.ask<void>("set", std::tuple(sent_key::of(key), to_send(value)));
    }
    void set_all(const std::vector<std::size_t>& compared, const items& keys, const items& values) const {
        if (is_local()) return local_.set_all(compared, keys, values);
        std::vector<sent_key> all;
        for (std::size_t i = 0; i < keys.size(); ++i) all.push_back(sent_key::of({keys[i], compared[i]}));
        far_.ask<void>("set_all", std::tuple(all, pack_items(values)));
    }
    [[nodiscard]] bool set_default(const table_key& key, const item_view& value, item& out) const {
        if (is_local()) return local_.set_default(key, value, out);
        return receive("set_default", std::tuple(sent_key::of(key), to_send(value)), out);
    }
    [[nodiscard]] bool exchange(const table_key& key, const item* expected, const item_view& value) const {
        if (is_local()) return local_.exchange(key, expected, value);
        std::optional<packed> before;
        if (expected != nullptr) before = to_send(expected->view());
        return far_.ask<bool>("exchange", std::tuple(sent_key::of(key), before, to_send(value)));
    }
    [[nodiscard]] bool take(const table_key& key, item* out) const {
        if (is_local()) return local_.take(key, out);
        if (out == nullptr) return far_.ask<bool>("erase", sent_key::of(key));
        return receive("take", sent_key::of(key), *out);
    }
    [[nodiscard]] bool take_last(item& key, item& value) const {
        if (is_local()) return local_.take_last(key, value);
        const auto found = far_.ask<std::optional<std::pair<packed, packed>>>("take_last", std::uint8_t{});
        if (!found) return false;
        receive_into(key, found->first);
        receive_into(value, found->second);
        return true;
    }
    void clear() const { is_local() ? local_.clear() : far_.ask<void>("clear", std::uint8_t{}); }
    void read_all(items* keys, items* values) const {
        if (is_local()) return local_.read_all(keys, values);
        const auto all = far_.ask<std::pair<std::vector<packed>, std::vector<packed>>>(
            "read_all", std::pair(keys != nullptr, values != nullptr));
        if (keys != nullptr) *keys = unpack_items(all.first);
        if (values != nullptr) *values = unpack_items(all.second);
    }

private:
    template <typename T>
    bool receive(std::string_view method, const T& arguments, item& out) const {
        const auto found = far_.ask<std::optional<packed>>(method, arguments);
        if (found) receive_into(out, *found);
        return found.has_value();
    }

    table local_;
    remote far_;
};

/// A dict in a server, for clients who can't reach its memory.
class dict_servant final : public servant {
public:
    explicit dict_servant(table in = table::make()) noexcept : table_(std::move(in)) {}
    /// Of a dict that this server's family has.
    [[nodiscard]] static std::shared_ptr<servant> of(const dict_store& store) {
        if (!store.is_local()) throw ValueError("a manager can't serve a dict that is in another manager's server");
        return std::make_shared<dict_servant>(store.local());
    }
    inline serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override;
    [[nodiscard]] const table& contents() const noexcept { return table_; }

private:
    template <typename T>
    static T read(const serial::message& arguments) {
        return serial::unpack_message<T>(arguments);
    }
    static serial::message maybe(bool is, const item& x) {
        return serial::pack_message(is ? std::optional(to_send(x.view())) : std::nullopt);
    }
    static serial::message done() { return serial::pack_message(std::uint8_t{}); }

    table table_;
};

inline serial::message dict_servant::call(std::string_view method, const serial::message& arguments, const caller&) {
    using key_and_value = std::tuple<sent_key, packed>;
    item out;
    if (method == "get") {
        const bool is = table_.get(read<sent_key>(arguments).key(), out);
        return maybe(is, out);
    }
    if (method == "set") {
        const auto [key, value] = read<key_and_value>(arguments);
        table_.set(key.key(), {value, {}});
        return done();
    }
    if (method == "contains") return serial::pack_message(table_.contains(read<sent_key>(arguments).key()));
    if (method == "size") return serial::pack_message(std::uint64_t{table_.size()});
    if (method == "take") {
        const bool is = table_.take(read<sent_key>(arguments).key(), &out);
        return maybe(is, out);
    }
    if (method == "erase") return serial::pack_message(table_.take(read<sent_key>(arguments).key(), nullptr));
    if (method == "set_default") {
        const auto [key, value] = read<key_and_value>(arguments);
        const bool is = table_.set_default(key.key(), {value, {}}, out);
        return maybe(is, out);
    }
    if (method == "exchange") {
        const auto [key, before, value] = read<std::tuple<sent_key, std::optional<packed>, packed>>(arguments);
        if (before) receive_into(out, *before);
        return serial::pack_message(table_.exchange(key.key(), before ? &out : nullptr, {value, {}}));
    }
    if (method == "set_all") {
        const auto [keys, values] = read<std::tuple<std::vector<sent_key>, std::vector<packed>>>(arguments);
        if (keys.size() != values.size()) throw ProcessError("malformed arguments of set_all: not as many keys as values");
        items all;
        std::vector<std::size_t> compared;
        for (const sent_key& each : keys) {
            all.add(each.key().stored);
            compared.push_back(each.key().compared);
        }
        table_.set_all(compared, all, unpack_items(values));
        return done();
    }
    if (method == "take_last") {
        item key;
        std::optional<std::pair<packed, packed>> last;
        if (table_.take_last(key, out)) last.emplace(to_send(key.view()), to_send(out.view()));
        return serial::pack_message(last);
    }
    if (method == "clear") {
        table_.clear();
        return done();
    }
    if (method == "read_all") {
        const auto [wants_keys, wants_values] = read<std::pair<bool, bool>>(arguments);
        items keys, values;
        table_.read_all(wants_keys ? &keys : nullptr, wants_values ? &values : nullptr);
        return serial::pack_message(std::pair(pack_items(keys), pack_items(values)));
    }
    refuse("dict", method);
}

} // namespace multiprocessing::manager
