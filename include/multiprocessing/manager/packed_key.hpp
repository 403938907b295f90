// Floor 10, manager/packed_key: a key of a dict or an element of a set, as bytes that can be compared.
#pragma once

#include <cmath> // std::trunc
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/item.hpp>
#include <multiprocessing/manager/table.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/object.hpp>

namespace multiprocessing::manager {

/// A key's bytes. Those of an Object are the same for what is equal in Python: 1, 1.0 and True are one key. What is stored beside
/// tells how it came.
template <typename K>
class packed_key {
public:
    explicit packed_key(const K& key) : item_(key), compared_(item_.bytes().size()) {
        if (!item_.shares().empty()) throw TypeError("a shared object can't be a key: two handles to it have different bytes");
    }
    [[nodiscard]] operator table_key() const noexcept { return {item_.view(), compared_}; } // NOLINT
    [[nodiscard]] std::size_t compared() const noexcept { return compared_; }
    [[nodiscard]] static K unpack(const item_view& from) { return item::unpack_item<K>(from); }

private:
    item item_;
    std::size_t compared_;
};

template <>
class packed_key<Object> {
public:
    explicit packed_key(const Object& key) {
        if (key.is_list() || key.is_dict()) throw TypeError("unhashable type: '" + std::string(key.type_name()) + "'");
        if (const auto whole = as_whole(key)) {
            compared_ = serial::packed_size(Object(*whole));
            item_.emplace(std::pair<Object, Object>(*whole, key));
        } else {
            item_.emplace(key);
            compared_ = item_->bytes().size();
        }
    }
    [[nodiscard]] operator table_key() const noexcept { return {item_->view(), compared_}; } // NOLINT
    [[nodiscard]] std::size_t compared() const noexcept { return compared_; }
    [[nodiscard]] static Object unpack(const item_view& from) {
        serial::reader in(from.bytes, "a key of a dict");
        auto key = serial::take<Object>(in);
        if (in.left() != 0) key = serial::take<Object>(in);
        in.finish();
        return key;
    }

private:
    /// The int that equals what isn't one.
    static std::optional<std::int64_t> as_whole(const Object& key) {
        if (key.is_bool()) return key.as<bool>() ? 1 : 0;
        if (!key.is_float()) return std::nullopt;
        const auto value = key.as<double>();
        if (value >= -0x1p63 && value < 0x1p63 && value == std::trunc(value)) return static_cast<std::int64_t>(value);
        return std::nullopt;
    }

    std::optional<item> item_;
    std::size_t compared_ = 0;
};

} // namespace multiprocessing::manager
