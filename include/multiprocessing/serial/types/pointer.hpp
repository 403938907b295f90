// Floor 5, serial/types/pointer: std::unique_ptr and std::shared_ptr.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <multiprocessing/serial/codec.hpp>

namespace multiprocessing::serial {

namespace detail {

template <typename T>
constexpr refusal reason_not_to_point_at() {
    if constexpr (std::is_array_v<T>) return refusal::array_pointer;
    else if constexpr (std::is_abstract_v<T>) return refusal::abstract_class;
    else return refusal::none;
}

/// Through a pointer to a base, an object may be more than its static type says. That more would be lost without a word.
template <typename T>
void write_pointee(writer& out, const T& x) {
    if constexpr (std::is_polymorphic_v<T> && !std::is_final_v<T>)
        if (typeid(x) != typeid(T))
            throw TypeError("a pointer to " + std::string(type_name<T>()) + " points at an object of a derived class (" +
                            typeid(x).name() + "), which doesn't travel: send a std::variant of the classes");
    serial::write(out, x);
}

/// A new T from its bytes. None is made where there aren't even enough for the smallest.
template <typename T>
std::unique_ptr<T> make_pointee(reader& in) {
    if (in.left() < least<T>) in.fail("an object cut short");
    if constexpr (!bulk<T> && is_made<T>) {
        return std::unique_ptr<T>(new T(codec<T>::make(in)));
    } else {
        auto x = std::make_unique<T>();
        serial::read(in, *x);
        return x;
    }
}

} // namespace detail

template <typename T, typename Deleter>
struct codec<std::unique_ptr<T, Deleter>> {
    using pointer = std::unique_ptr<T, Deleter>;
    using value = std::remove_cv_t<T>;
    using parts = types<value>;
    static constexpr refusal refuses =
        !std::is_same_v<Deleter, std::default_delete<T>> ? refusal::deleter : detail::reason_not_to_point_at<value>();

    static void write(writer& out, const pointer& x) {
        out.number(static_cast<std::uint8_t>(x != nullptr));
        if (x) detail::write_pointee<value>(out, *x);
    }
    static void read(reader& in, pointer& x) {
        if (in.flag()) x = detail::make_pointee<value>(in);
        else x.reset();
    }
};

namespace detail {

/// The objects that a message's shared_ptrs share. Two pointers share if they have the same address and the same type; that
/// keeps a pointer to a whole and one to its first member apart. A hash table of our own: <map> and <unordered_map> would cost
/// every file more than these lines do.
class shared_when_writing : public notes {
public:
    struct entry {
        std::shared_ptr<const void> object; // kept alive, so that no other object gets the address
        const std::type_info* type;
        bool whole = false; // false while it is being written
    };

    /// The object's number, from 1, and whether it is a new one.
    std::pair<std::size_t, bool> number(const std::shared_ptr<const void>& object, const std::type_info& type) {
        if (2 * entries_.size() >= slots_.size()) grow();
        for (std::size_t at = place(object.get());; at = (at + 1) % slots_.size()) {
            if (slots_[at] == 0) {
                entries_.push_back({object, &type});
                slots_[at] = entries_.size();
                return {slots_[at], true};
            }
            const entry& known = (*this)[slots_[at]];
            if (known.object == object && *known.type == type) return {slots_[at], false};
        }
    }
    entry& operator[](std::size_t number) { return entries_[number - 1]; }

private:
    [[nodiscard]] std::size_t place(const void* object) const {
        return (reinterpret_cast<std::uintptr_t>(object) * std::uint64_t{0x9e3779b97f4a7c15} >> 20) % slots_.size();
    }
    void grow() {
        slots_.assign(slots_.empty() ? 16 : 4 * slots_.size(), 0);
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            std::size_t at = place(entries_[i].object.get());
            while (slots_[at] != 0) at = (at + 1) % slots_.size();
            slots_[at] = i + 1;
        }
    }

    std::vector<entry> entries_;
    std::vector<std::size_t> slots_; // numbers; 0 is free
};

struct shared_when_reading : notes {
    struct entry {
        const std::type_info* type; // not its name: two types may have one name, and these bytes choose the number
        std::shared_ptr<void> object; // none while it is being read
    };
    std::vector<entry> objects;
};

} // namespace detail

/// 0 for none; else the number of an object, which follows where the number is a new one.
template <typename T>
struct codec<std::shared_ptr<T>> {
    using pointer = std::shared_ptr<T>;
    using value = std::remove_cv_t<T>;
    using parts = types<value>;
    static constexpr std::size_t least = count_bytes;
    static constexpr refusal refuses = detail::reason_not_to_point_at<value>();

    static void write(writer& out, const pointer& x) {
        if (!x) return out.count(0);
        auto& objects = out.remember<detail::shared_when_writing>();
        const auto [number, is_new] = objects.number(x, typeid(value));
        if (!is_new && !objects[number].whole)
            throw ValueError("a std::shared_ptr to " + std::string(type_name<value>()) +
                             " is part of a cycle, which doesn't travel: send one end as an index");
        out.count(number);
        if (!is_new) return;
        detail::write_pointee<value>(out, *x);
        objects[number].whole = true;
    }
    static void read(reader& in, pointer& x) {
        auto& objects = in.remember<detail::shared_when_reading>().objects;
        const auto number = in.number<std::uint64_t>();
        if (number == 0) {
            x.reset();
        } else if (number <= objects.size()) {
            const auto& known = objects[static_cast<std::size_t>(number - 1)];
            if (*known.type != typeid(value)) in.fail("a shared object of another type");
            if (!known.object) in.fail("a shared object that is part of itself");
            x = std::static_pointer_cast<T>(known.object);
        } else if (number == objects.size() + 1) {
            const std::size_t index = objects.size(); // and not a reference: reading the object may add others
            objects.push_back({&typeid(value), nullptr});
            std::shared_ptr<value> object = detail::make_pointee<value>(in);
            objects[index].object = object;
            x = std::move(object);
        } else {
            in.fail("shared object " + std::to_string(number) + " where " + std::to_string(objects.size()) + " are known");
        }
    }
};

template <typename T>
struct codec<std::weak_ptr<T>> {
    static constexpr refusal refuses = refusal::weak_pointer;
};

} // namespace multiprocessing::serial
