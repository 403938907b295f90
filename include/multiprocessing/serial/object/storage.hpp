// Floor 5, serial/object/storage: what an mp::Object holds outside itself, and who frees it.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <multiprocessing/serial/object/nesting.hpp>
#include <multiprocessing/serial/object/value.hpp>

namespace multiprocessing {

/// Where a list or a dict lives.
struct Object::box {
    box* next = nullptr; // of those that wait to be freed
};
struct Object::list_box : box {
    explicit list_box(list from) noexcept : it(std::move(from)) {}
    list it;
};
struct Object::dict_box : box {
    explicit dict_box(dict from) noexcept : it(std::move(from)) {}
    dict it;
};

namespace serial::dynamic {

struct access {
    static std::int64_t integer(const Object& x) noexcept { return x.integer(); }
    static double floating(const Object& x) noexcept { return x.floating(); }
    static std::string_view text(const Object& x) noexcept { return x.text(); }
    static const list& items(const Object& x) noexcept { return static_cast<Object::list_box*>(x.boxed())->it; }
    static const dict& entries(const Object& x) noexcept { return static_cast<Object::dict_box*>(x.boxed())->it; }

    // Into an Object that holds nothing.
    static void put(Object& x, bool value) noexcept { x.set(Object::Kind::boolean, std::int64_t{value}); }
    static void put(Object& x, std::int64_t value) noexcept { x.set(Object::Kind::integer, value); }
    static void put(Object& x, double value) noexcept { x.set(Object::Kind::floating, value); }
    static void put(Object& x, Object::Kind text_or_data, std::string_view text) { x.set_run(text_or_data, text); }
    static void put(Object& x, list value) {
        x.set(Object::Kind::list, static_cast<Object::box*>(new Object::list_box(std::move(value))), Object::elsewhere);
    }
    static void put(Object& x, dict value) {
        x.set(Object::Kind::dict, static_cast<Object::box*>(new Object::dict_box(std::move(value))), Object::elsewhere);
    }
};

} // namespace serial::dynamic

inline void Object::set_run(Kind kind, std::string_view text) {
    if (text.size() > sizeof place_) {
        set(kind, run::make(text), elsewhere);
    } else {
        kind_ = kind;
        size_ = static_cast<std::uint8_t>(text.size());
        if (!text.empty()) std::memcpy(place_, text.data(), text.size());
    }
}

inline Object::box* Object::boxed() const noexcept { return word<box*>(); }

inline Object::Object(const Object& other) : Object(bits{}, other) {
    if (!owns()) return;
    if (kind_ < Kind::list) {
        word<run*>()->hold();
    } else {
        forget(); // should copying throw
        const serial::dynamic::nesting deeper;
        if (other.kind_ == Kind::list) serial::dynamic::access::put(*this, list(serial::dynamic::access::items(other)));
        else serial::dynamic::access::put(*this, dict(serial::dynamic::access::entries(other)));
    }
}

inline Object& Object::operator=(Object&& other) noexcept {
    Object taken(std::move(other)); // first: it may be an item of what this one holds, or this one
    if (owns()) release();
    kind_ = taken.kind_;
    size_ = taken.size_;
    std::memcpy(place_, taken.place_, sizeof place_);
    taken.forget();
    return *this;
}

// Lists in lists are freed in a row, not in each other: the stack is finite, however deep they go.
inline void Object::release() noexcept {
    if (kind_ < Kind::list) return word<run*>()->let_go();
    box* lists = nullptr;
    box* dicts = nullptr;
    const auto put_down = [&](Object& x) {
        if (!x.owns() || x.kind_ < Kind::list) return;
        box*& row = x.kind_ == Kind::list ? lists : dicts;
        x.boxed()->next = row;
        row = x.boxed();
        x.forget();
    };
    put_down(*this);
    while (lists != nullptr || dicts != nullptr) {
        if (lists != nullptr) {
            auto* const here = static_cast<list_box*>(std::exchange(lists, lists->next));
            for (Object& each : here->it) put_down(each);
            delete here;
        } else {
            auto* const here = static_cast<dict_box*>(std::exchange(dicts, dicts->next));
            for (dict::entry& each : here->it.entries_) put_down(each.value); // a key is no list
            delete here;
        }
    }
}

} // namespace multiprocessing
