// Floor 5, serial/cereal: cereal's convention for user types, spoken without including cereal.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include <multiprocessing/serial/reader.hpp>
#include <multiprocessing/serial/writer.hpp>

// cereal's headers cost 0.1 s and an <iostream> in every file, and a user type that needs one of them has included it: to be
// spoken to, its names are enough. The same names for the same things in cereal 1.2 to 1.3.2.
namespace cereal {

class access;
template <typename T>
class NameValuePair;
template <typename T>
class SizeTag;
template <typename T>
struct BinaryData;
template <typename T>
class DeferredData;
template <typename Base>
struct base_class;
template <typename Base>
struct virtual_base_class;
enum class specialization;
template <typename Archive, typename T, specialization Form>
struct specialize;

namespace detail {
namespace {
struct version_binding_tag;
}
template <typename T, typename Tag>
struct Version;
} // namespace detail

// What CEREAL_SETUP_ARCHIVE_TRAITS would say: these two archives belong together.
namespace traits::detail {
template <typename Archive>
struct get_output_from_input;
template <typename Archive>
struct get_input_from_output;
template <>
struct get_output_from_input<multiprocessing::serial::reader> {
    using type = multiprocessing::serial::writer;
};
template <>
struct get_input_from_output<multiprocessing::serial::writer> {
    using type = multiprocessing::serial::reader;
};
} // namespace traits::detail

} // namespace cereal

namespace multiprocessing::serial {

// Users' functions that are only offered to archives which take binary data, as those for Eigen's matrices usually are, ask
// cereal's traits; and those look for these two.
template <typename T>
void save(writer& out, const cereal::BinaryData<T>& data) {
    out(data);
}
template <typename T>
void load(reader& in, cereal::BinaryData<T>& data) {
    in(data);
}

} // namespace multiprocessing::serial

namespace multiprocessing::serial::detail {

template <typename T, typename>
struct second {
    using type = T;
};

/// X, but not before T is known.
template <typename X, typename T>
using later = typename second<X, T>::type;

template <typename T>
concept complete = requires { sizeof(T); };

/// The calls of cereal::access, for who hasn't included it: public members alone.
struct public_access {
    template <typename Archive, typename T, typename... V>
    static auto member_serialize(Archive& ar, T& x, V... version) -> decltype(x.serialize(ar, version...)) {
        return x.serialize(ar, version...);
    }
    template <typename Archive, typename T, typename... V>
    static auto member_save(Archive& ar, const T& x, V... version) -> decltype(x.save(ar, version...)) {
        return x.save(ar, version...);
    }
    template <typename Archive, typename T, typename... V>
    static auto member_load(Archive& ar, T& x, V... version) -> decltype(x.load(ar, version...)) {
        return x.load(ar, version...);
    }
    template <typename Archive, typename T, typename... V>
    static auto member_save_minimal(const Archive& ar, const T& x, V... version)
        -> decltype(x.save_minimal(ar, version...)) {
        return x.save_minimal(ar, version...);
    }
    template <typename Archive, typename T, typename U, typename... V>
    static auto member_load_minimal(const Archive& ar, T& x, U&& value, V... version)
        -> decltype(x.load_minimal(ar, std::forward<U>(value), version...)) {
        return x.load_minimal(ar, std::forward<U>(value), version...);
    }
};

template <typename T>
struct access_to {
    using type = public_access;
};
template <typename T>
    requires complete<later<cereal::access, T>>
struct access_to<T> {
    using type = later<cereal::access, T>;
};
/// Who calls T's members: T's friend, where it can have one.
template <typename T>
using access = typename access_to<T>::type;

/// The six forms, as cereal::specialization numbers them.
enum class form { member_serialize, member_split, member_minimal, free_serialize, free_split, free_minimal, none, several };

/// How each form is called; V is std::uint32_t where a version goes with it, or nothing. Substitution fails where T hasn't got it.
template <form Form>
struct caller;

template <>
struct caller<form::member_serialize> {
    template <typename T, typename... V> // cereal's const_cast too: such a function only reads when it saves
    static auto save(writer& out, const T& x, V... v) -> decltype(access<T>::member_serialize(out, const_cast<T&>(x), v...)) {
        access<T>::member_serialize(out, const_cast<T&>(x), v...);
    }
    template <typename T, typename... V>
    static auto load(reader& in, T& x, V... v) -> decltype(access<T>::member_serialize(in, x, v...)) {
        access<T>::member_serialize(in, x, v...);
    }
};

template <>
struct caller<form::free_serialize> {
    template <typename T, typename... V>
    static auto save(writer& out, const T& x, V... v) -> decltype(serialize(out, const_cast<T&>(x), v...)) {
        serialize(out, const_cast<T&>(x), v...);
    }
    template <typename T, typename... V>
    static auto load(reader& in, T& x, V... v) -> decltype(serialize(in, x, v...)) {
        serialize(in, x, v...);
    }
};

template <>
struct caller<form::member_split> {
    template <typename T, typename... V>
    static auto save(writer& out, const T& x, V... v) -> decltype(access<T>::member_save(out, x, v...)) {
        access<T>::member_save(out, x, v...);
    }
    template <typename T, typename... V>
    static auto load(reader& in, T& x, V... v) -> decltype(access<T>::member_load(in, x, v...)) {
        access<T>::member_load(in, x, v...);
    }
};

template <>
struct caller<form::member_minimal> {
    template <typename T, typename... V>
    using value = std::decay_t<decltype(access<T>::member_save_minimal(std::declval<const writer&>(), std::declval<const T&>(),
                                                                       std::declval<V>()...))>;
    template <typename T, typename... V>
    static auto save(writer& out, const T& x, V... v) -> std::void_t<value<T, V...>> {
        out(access<T>::member_save_minimal(std::as_const(out), x, v...));
    }
    template <typename T, typename... V>
    static auto load(reader& in, T& x, V... v)
        -> decltype(access<T>::member_load_minimal(std::as_const(in), x, std::declval<const value<T, V...>&>(), v...)) {
        value<T, V...> it{};
        in(it);
        access<T>::member_load_minimal(std::as_const(in), x, std::as_const(it), v...);
    }
};

// Inside those, `save` and `load` would be their own; these find the user's.
template <typename Archive, typename T, typename... V>
auto free_save(Archive& out, const T& x, V... v) -> decltype(save(out, x, v...)) {
    return save(out, x, v...);
}
template <typename Archive, typename T, typename... V>
auto free_load(Archive& in, T& x, V... v) -> decltype(load(in, x, v...)) {
    return load(in, x, v...);
}

template <>
struct caller<form::free_split> {
    template <typename T, typename... V>
    static auto save(writer& out, const T& x, V... v) -> decltype(free_save(out, x, v...)) {
        free_save(out, x, v...);
    }
    template <typename T, typename... V>
    static auto load(reader& in, T& x, V... v) -> decltype(free_load(in, x, v...)) {
        free_load(in, x, v...);
    }
};

template <>
struct caller<form::free_minimal> {
    template <typename T, typename... V>
    using value =
        std::decay_t<decltype(save_minimal(std::declval<const writer&>(), std::declval<const T&>(), std::declval<V>()...))>;
    template <typename T, typename... V>
    static auto save(writer& out, const T& x, V... v) -> std::void_t<value<T, V...>> {
        out(save_minimal(std::as_const(out), x, v...));
    }
    template <typename T, typename... V>
    static auto load(reader& in, T& x, V... v)
        -> decltype(load_minimal(std::as_const(in), x, std::declval<const value<T, V...>&>(), v...)) {
        value<T, V...> it{};
        in(it);
        load_minimal(std::as_const(in), x, std::as_const(it), v...);
    }
};

template <typename T, form Form, typename... V>
concept saves = requires(writer& out, const T& x, V... v) { caller<Form>::save(out, x, v...); };
template <typename T, form Form, typename... V>
concept loads = requires(reader& in, T& x, V... v) { caller<Form>::load(in, x, v...); };

/// Whether cereal::specialize settles that T uses this form.
template <typename T, form Form>
constexpr bool is_settled() {
    using choice = cereal::specialize<writer, T, static_cast<cereal::specialization>(Form)>;
    if constexpr (complete<choice>) return !std::is_base_of_v<std::false_type, choice>;
    return false;
}

/// How T goes one way, and whether a version number goes with it.
struct manner {
    form how = form::none;
    bool versioned = false;
};

/// The one form of those offered.
template <typename T>
constexpr manner choose(const bool (&offered)[6][2]) {
    using enum form;
    bool settled[6] = {};
    bool any_settled = false;
    if constexpr (complete<cereal::specialize<writer, T, cereal::specialization{}>>) // else there is no <cereal/specialize.hpp>
        for (const bool each : {settled[0] = is_settled<T, member_serialize>(), settled[1] = is_settled<T, member_split>(),
                                settled[2] = is_settled<T, member_minimal>(), settled[3] = is_settled<T, free_serialize>(),
                                settled[4] = is_settled<T, free_split>(), settled[5] = is_settled<T, free_minimal>()})
            any_settled = any_settled || each;
    manner found;
    for (int i = 0; i < 6; ++i)
        for (int versioned = 0; versioned < 2; ++versioned)
            if (offered[i][versioned] && (!any_settled || settled[i]))
                found = {found.how == none ? static_cast<form>(i) : several, versioned == 1};
    return found;
}

template <typename T>
constexpr manner find_saving() {
    using enum form;
    using version = std::uint32_t;
    constexpr bool offered[6][2] = {
        {saves<T, member_serialize>, saves<T, member_serialize, version>}, {saves<T, member_split>, saves<T, member_split, version>},
        {saves<T, member_minimal>, saves<T, member_minimal, version>},     {saves<T, free_serialize>, saves<T, free_serialize, version>},
        {saves<T, free_split>, saves<T, free_split, version>},             {saves<T, free_minimal>, saves<T, free_minimal, version>},
    };
    return choose<T>(offered);
}

template <typename T>
constexpr manner find_loading() {
    using enum form;
    using version = std::uint32_t;
    return choose<T>({
        {loads<T, member_serialize>, loads<T, member_serialize, version>}, {loads<T, member_split>, loads<T, member_split, version>},
        {loads<T, member_minimal>, loads<T, member_minimal, version>},     {loads<T, free_serialize>, loads<T, free_serialize, version>},
        {loads<T, free_split>, loads<T, free_split, version>},             {loads<T, free_minimal>, loads<T, free_minimal, version>},
    });
}

template <typename T>
inline constexpr manner saving_of = find_saving<T>();
template <typename T>
inline constexpr manner loading_of = find_loading<T>();

/// T has functions of that convention. One that has none to save with isn't asked about the others.
template <typename T>
concept conventional = saving_of<T>.how != form::none;

/// CEREAL_CLASS_VERSION of T; 0 without.
template <typename T>
std::uint32_t class_version() {
    using version = cereal::detail::Version<T, cereal::detail::version_binding_tag>;
    if constexpr (complete<version>) return version::version;
    else return 0;
}

template <typename Function>
struct owner_of {};
template <typename R, typename Owner, typename... A>
struct owner_of<R (Owner::*)(A...)> {
    using type = Owner;
};

/// Whether T's serialize() is a base's, which knows nothing of what T adds.
template <typename T>
constexpr bool inherits_serialize() {
    if constexpr (requires { typename owner_of<decltype(&T::template serialize<writer>)>::type; })
        return sizeof(typename owner_of<decltype(&T::template serialize<writer>)>::type) < sizeof(T);
    return false;
}

} // namespace multiprocessing::serial::detail
