// Floor 5, serial/place: pointers to functions and members, from one process to another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <string>
#include <type_traits>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/constant.hpp>
#include <multiprocessing/os/library.hpp>
#include <multiprocessing/os/module.hpp>
#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/reader.hpp>
#include <multiprocessing/serial/type_name.hpp>
#include <multiprocessing/serial/types/number.hpp> // the codec of char, for
#include <multiprocessing/serial/types/vector.hpp> // that of std::string
#include <multiprocessing/serial/writer.hpp>

namespace multiprocessing::serial {

// A function has another address in each process, so what travels is its place: the build id of its module (the program or a
// shared library) and its offset there. Whoever has the same build has the same function at that offset; another build, in which
// something else would be there, is refused.
//
// Two things are named in this way. What the program itself sends to be called (pack_call() and its like) is named by an *entry*:
// a constant that holds the function's address, found by its place, known by its mark and by the hash of the function's name, and
// believed only where nobody can write. So no number that is received is ever an address to jump to. A list of functions that
// registered themselves, to be found by a name's hash, would do without places, but two anonymous namespaces can hold functions
// of one name; and each shared library built with -fvisibility=hidden would have a list of its own.
//
// Pointers to functions that are *values* (a Process's target, a callback among its arguments) can point anywhere in the code,
// and only that can be asked of them. They are believed as far as the family is that they come from, never from a network.

/// While this lives, the thread that made it loads the shared library that a place names, from the path that it had there, if it
/// isn't loaded. For who was started to run a call, with nothing loaded yet: it trusts who started it.
class may_load {
public:
    may_load() noexcept { ++depth(); }
    ~may_load() { --depth(); }
    may_load(const may_load&) = delete;
    may_load& operator=(const may_load&) = delete;

    [[nodiscard]] static bool now() noexcept { return depth() != 0; }

private:
    static unsigned& depth() noexcept {
        static thread_local unsigned value = 0;
        return value;
    }
};

namespace detail {

inline void write_place(writer& out, const os::place& where) {
    serial::write(out, where.build_id);
    serial::write(out, os::absolute_path(where.path));
    out.number(where.offset);
}

inline os::place read_place(reader& in) {
    os::place where;
    serial::read(in, where.build_id);
    serial::read(in, where.path);
    where.offset = in.number<std::uint64_t>();
    return where;
}

/// Nothing is there. Says why.
[[noreturn]] inline void refuse_place(const os::place& where, const std::string& why_not_loaded) {
    const auto here = os::build_id_of(where.path);
    if (here && *here == where.build_id)
        throw ProcessError(fmt::format("malformed call: there is no function at {:#x} of {}", where.offset, where.path));
    if (here)
        throw NotPortableError(fmt::format("{} was built otherwise here (build id {}) than where the call comes from ({}): run "
                                           "the same build on both sides",
                                           where.path, *here, where.build_id));
    throw NotPortableError(fmt::format("the function to call is in {} (build id {}), which isn't loaded here{}{}: link the "
                                       "program with it, or load it before",
                                       where.path, where.build_id, why_not_loaded.empty() ? "" : ": ", why_not_loaded));
}

/// What `look(where)` finds, in a library that is loaded for it if need be.
template <typename Look>
const void* find_place(const os::place& where, Look look) {
    const void* found = look(where);
    std::string why_not;
    if (found == nullptr && may_load::now() && !os::build_id_of(where.path)) {
        why_not = os::load_library(where.path);
        if (why_not.empty()) found = look(where);
    }
    if (found == nullptr) refuse_place(where, why_not);
    return found;
}

/// The address of some code, as its place.
inline void write_code(writer& out, std::uintptr_t code, std::string_view type) {
    const auto where = os::locate(reinterpret_cast<const void*>(code));
    if (!where)
        throw NotPortableError(fmt::format("a {} points to code that is part of no program or shared library, and can't be "
                                           "found by a process that isn't a copy of this one: start it by fork",
                                           type));
    write_place(out, *where);
}
inline std::uintptr_t read_code(reader& in) {
    return reinterpret_cast<std::uintptr_t>(
        find_place(read_place(in), [](const os::place& where) { return os::resolve(where); }));
}

// Entries ---------------------------------------------------------------------------------------------------------------------

/// Two words that stand nowhere but at the beginning of an entry.
inline constexpr std::array<std::uint64_t, 2> entry_mark{0x6d756c7469707263, 0x9e2f1c64d85ab377};

struct entry_head {
    std::array<std::uint64_t, 2> mark;
    std::uint64_t function_name; // a hash
    std::uint64_t signature;     // a hash
};

/// What begins here, whatever it is: a sanitizer may know it for the gap between two constants.
[[gnu::no_sanitize_address, gnu::noinline]] inline entry_head look_at(const void* place) noexcept {
    entry_head head{};
    const auto* const words = static_cast<const volatile std::uint64_t*>(place);
    head.mark = {words[0], words[1]};
    head.function_name = words[2];
    head.signature = words[3];
    return head;
}

template <typename Signature>
struct entry {
    entry_head head;
    Signature* function;
};

template <auto Function>
struct named {};

/// A constant: its module's loader fills in the address, and protects it.
template <auto Function>
inline constexpr entry<std::remove_pointer_t<decltype(Function)>> entry_of{
    {entry_mark, fingerprint<named<Function>>(), fingerprint<std::remove_pointer_t<decltype(Function)>>()}, Function};

} // namespace detail

/// Writes which function is to be called: for functions that the program names when it is compiled.
///
///     template <typename T> void run(serial::reader& in) { ... }
///     serial::write_entry<&run<T>>(out);                                    // here
///     serial::read_entry<void(serial::reader&)>(in)(in);                   // there, without knowing T
///
/// - Errors: NotPortableError where the program was linked with -z norelro, so that its constants aren't.
template <auto Function>
void write_entry(writer& out) {
    static const os::place where = [] {
        const auto found = os::locate_constant(&detail::entry_of<Function>, sizeof(detail::entry_of<Function>));
        if (!found)
            throw NotPortableError("this program or library was linked so that its constants can be written (-z norelro), and "
                                   "another process couldn't trust what it finds there: link it without, or start processes by "
                                   "fork");
        return *found;
    }();
    detail::write_place(out, where);
    out.number(detail::entry_of<Function>.head.function_name);
}

/// Reads what write_entry() wrote. The function is one that was an entry in the sender's build and is in this one, and has this
/// signature.
///
/// - Errors: NotPortableError when its module isn't loaded or is another build, ProcessError when the bytes are wrong.
template <typename Signature>
[[nodiscard]] Signature* read_entry(reader& in) {
    using entry = detail::entry<Signature>;
    const os::place where = detail::read_place(in);
    const auto name = in.number<std::uint64_t>();
    if (where.offset % alignof(entry) != 0) in.fail("no function to call is at an odd place");
    const void* const found = detail::find_place(
        where, [](const os::place& at) { return os::resolve_constant(at, sizeof(entry)); });
    const detail::entry_head head = detail::look_at(found);
    if (head.mark != detail::entry_mark || head.function_name != name || head.signature != fingerprint<Signature>())
        in.fail("no function to call is where one is said to be");
    return static_cast<const entry*>(found)->function;
}

// Values ----------------------------------------------------------------------------------------------------------------------

namespace detail {

template <typename T>
concept function_pointer = std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>;

/// How a pointer to a member function lies in memory (Itanium C++ ABI, 2.3): the code's address, or for a virtual function its
/// place in the table plus one; and what is added to `this`. On ARM an address may be odd, and the second word tells it.
struct method_words {
#if defined(__arm__) || defined(__aarch64__)
    static constexpr bool second_word_tells = true;
#else
    static constexpr bool second_word_tells = false;
#endif
    std::uintptr_t code;
    std::ptrdiff_t adjustment;

    [[nodiscard]] bool is_virtual() const noexcept {
        return ((second_word_tells ? static_cast<std::uintptr_t>(adjustment) : code) & 1) != 0;
    }
    [[nodiscard]] bool is_null() const noexcept { return code == 0 && !is_virtual(); }
};

enum class points_to : std::uint8_t { nothing, code, table };

template <function_pointer T>
void write_pointer(writer& out, T x) {
    out.number(x == nullptr ? points_to::nothing : points_to::code);
    if (x != nullptr) write_code(out, reinterpret_cast<std::uintptr_t>(x), type_name<T>());
}

template <function_pointer T>
T read_pointer(reader& in) {
    switch (in.number<points_to>()) {
    case points_to::nothing: return nullptr;
    case points_to::code: return reinterpret_cast<T>(read_code(in));
    default: in.fail("no pointer to a function");
    }
}

template <typename T>
    requires std::is_member_function_pointer_v<T>
void write_pointer(writer& out, T x) {
    method_words words{};
    static_assert(sizeof x == sizeof words);
    std::memcpy(&words, &x, sizeof x);
    if (words.is_null()) return out.number(points_to::nothing);
    out.number(words.is_virtual() ? points_to::table : points_to::code);
    if (words.is_virtual()) out.number(std::uint64_t{words.code});
    else write_code(out, words.code, type_name<T>());
    out.number(std::int64_t{words.adjustment});
}

template <typename T>
    requires std::is_member_function_pointer_v<T>
T read_pointer(reader& in) {
    method_words words{};
    const auto what = in.number<points_to>();
    if (what == points_to::nothing) return nullptr;
    if (what > points_to::table) in.fail("no pointer to a member function");
    words.code = what == points_to::code ? read_code(in) : static_cast<std::uintptr_t>(in.number<std::uint64_t>());
    words.adjustment = static_cast<std::ptrdiff_t>(in.number<std::int64_t>());
    constexpr std::uintptr_t most = 1 << 20; // no class is so large, or has so many virtual functions
    const std::uintptr_t slot = method_words::second_word_tells ? words.code : words.code - 1;
    const bool table_is_right = words.is_virtual() && slot < most && slot % sizeof(void*) == 0;
    if (what == points_to::table ? !table_is_right : method_words::second_word_tells && words.is_virtual())
        in.fail("no virtual function can be there");
    if (words.adjustment < -std::ptrdiff_t{most} || words.adjustment > std::ptrdiff_t{most}) in.fail("no class is so large");
    T x;
    std::memcpy(&x, &words, sizeof x);
    return x;
}

template <typename T, typename Class>
constexpr std::size_t size_of_class(T Class::*) {
    if constexpr (complete<Class>) return sizeof(Class);
    else return 1 << 20;
}

template <typename T>
    requires std::is_member_object_pointer_v<T>
void write_pointer(writer& out, T x) {
    std::ptrdiff_t distance = 0; // from the beginning of the object; -1 is null
    static_assert(sizeof x == sizeof distance);
    std::memcpy(&distance, &x, sizeof x);
    out.number(std::int64_t{distance});
}

template <typename T>
    requires std::is_member_object_pointer_v<T>
T read_pointer(reader& in) {
    const auto distance = static_cast<std::ptrdiff_t>(in.number<std::int64_t>());
    if (distance < -1 || distance >= static_cast<std::ptrdiff_t>(size_of_class(T{}))) in.fail("no member can be there");
    T x;
    std::memcpy(&x, &distance, sizeof x);
    return x;
}

} // namespace detail

} // namespace multiprocessing::serial
