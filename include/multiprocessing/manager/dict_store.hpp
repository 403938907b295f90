// Floor 10, manager/dict_store: where the items of a dict are: in shared memory, or in a server elsewhere.
#pragma once

#include <algorithm> // std::equal
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/item.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/store.hpp>
#include <multiprocessing/manager/table.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

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
class dict_store : public store<table> {
public:
    using store::store;

    [[nodiscard]] bool contains(const table_key& key) const {
        return is_local() ? local_.contains(key) : ask<bool>("contains", sent_key::of(key));
    }
    [[nodiscard]] bool get(const table_key& key, item& out) const {
        return is_local() ? local_.get(key, out) : receive("get", sent_key::of(key), out);
    }
    void set(const table_key& key, const item_view& value) const {
        if (is_local()) return local_.set(key, value);
        ask<void>("set", std::tuple(sent_key::of(key), to_send(value)));
    }
    void set_all(const std::vector<std::size_t>& compared, const items& keys, const items& values) const {
        if (is_local()) return local_.set_all(compared, keys, values);
        std::vector<sent_key> all;
        for (std::size_t i = 0; i < keys.size(); ++i) all.push_back(sent_key::of({keys[i], compared[i]}));
        ask<void>("set_all", std::tuple(all, pack_items(values)));
    }
    [[nodiscard]] bool set_default(const table_key& key, const item_view& value, item& out) const {
        if (is_local()) return local_.set_default(key, value, out);
        return receive("set_default", std::tuple(sent_key::of(key), to_send(value)), out);
    }
    [[nodiscard]] bool exchange(const table_key& key, const item* expected, const item_view& value) const {
        if (is_local()) return local_.exchange(key, expected, value);
        std::optional<packed> before;
        if (expected != nullptr) before = to_send(expected->view());
        return ask<bool>("exchange", std::tuple(sent_key::of(key), before, to_send(value)));
    }
    [[nodiscard]] bool take(const table_key& key, item* out) const {
        if (is_local()) return local_.take(key, out);
        if (out == nullptr) return ask<bool>("erase", sent_key::of(key));
        return receive("take", sent_key::of(key), *out);
    }
    [[nodiscard]] bool take_last(item& key, item& value) const {
        if (is_local()) return local_.take_last(key, value);
        const auto found = ask<std::optional<std::pair<packed, packed>>>("take_last");
        if (!found) return false;
        receive_into(key, found->first);
        receive_into(value, found->second);
        return true;
    }
    void clear() const { is_local() ? local_.clear() : ask<void>("clear"); }
    void read_all(items* keys, items* values) const {
        if (is_local()) return local_.read_all(keys, values);
        const auto all = ask<std::pair<std::vector<packed>, std::vector<packed>>>(
            "read_all", std::pair(keys != nullptr, values != nullptr));
        if (keys != nullptr) *keys = unpack_items(all.first);
        if (values != nullptr) *values = unpack_items(all.second);
    }
};

/// A dict in a server, for clients who can't reach its memory; or a set, whose keys have no values.
class dict_servant final : public container_servant<table> {
public:
    using container_servant::container_servant;
    inline serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override;
};

inline serial::message dict_servant::call(std::string_view method, const serial::message& arguments, const caller& who) {
    using key_and_value = std::tuple<sent_key, packed>;
    item out;
    if (method == "get") {
        const bool is = in_.get(read<sent_key>(arguments).key(), out);
        return maybe(is, out, who);
    }
    if (method == "set") {
        const auto [key, value] = read<key_and_value>(arguments);
        in_.set(key.key(), received(value, who).view());
        return done();
    }
    if (method == "contains") return serial::pack_message(in_.contains(read<sent_key>(arguments).key()));
    if (method == "size") return serial::pack_message(std::uint64_t{in_.size()});
    if (method == "take") {
        const bool is = in_.take(read<sent_key>(arguments).key(), &out);
        return maybe(is, out, who);
    }
    if (method == "erase") return serial::pack_message(in_.take(read<sent_key>(arguments).key(), nullptr));
    if (method == "set_default") {
        const auto [key, value] = read<key_and_value>(arguments);
        const bool is = in_.set_default(key.key(), received(value, who).view(), out);
        return maybe(is, out, who);
    }
    if (method == "exchange") {
        const auto [key, before, value] = read<std::tuple<sent_key, std::optional<packed>, packed>>(arguments);
        if (before) { // what it holds is the one that is here, if that is the same
            const received expected(*before, who);
            const bool is = in_.get(key.key(), out);
            const auto theirs = expected.view().bytes, ours = out.bytes();
            if (!is || !std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end())) return serial::pack_message(false);
        }
        return serial::pack_message(in_.exchange(key.key(), before ? &out : nullptr, received(value, who).view()));
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
        in_.set_all(compared, all, received_items(values, who));
        return done();
    }
    if (method == "take_last") {
        item key;
        std::optional<std::pair<packed, packed>> last;
        if (in_.take_last(key, out)) last.emplace(to_send(key.view()), handed_to(who, out.view()));
        return serial::pack_message(last);
    }
    if (method == "clear") {
        in_.clear();
        return done();
    }
    if (method == "read_all") {
        const auto [wants_keys, wants_values] = read<std::pair<bool, bool>>(arguments);
        items keys, values;
        in_.read_all(wants_keys ? &keys : nullptr, wants_values ? &values : nullptr);
        return serial::pack_message(std::pair(pack_items(keys), handed_to(who, values)));
    }
    refuse("dict", method);
}

} // namespace multiprocessing::manager
