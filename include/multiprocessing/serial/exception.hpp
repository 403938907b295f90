// Floor 5, serial/exception: how a thrown thing travels.
#pragma once

#include <any> // the small exceptions of each of these: bad_any_cast, ...
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/self.hpp>      // pid()
#include <multiprocessing/os/type_name.hpp> // names of types that are known at run time alone
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing {

/// Lets exceptions of type E arrive as an E. Once, in every program that throws or catches it, and before it does: at the top of
/// main(), or in the initialiser of a global; what forks inherit it. Again does no harm.
///
///     struct bad_page : std::runtime_error { using runtime_error::runtime_error; };
///     mp::register_exception<bad_page>();
///     try { pool.map(render, pages); }
///     catch (const bad_page& e) { ... }        // thrown in a worker, caught here
///
/// E is made again from its content if it is Serializable, or else from its what(): E(const std::string&), and then what its
/// cereal functions add. Where only the catcher has registered it (a spawned process doesn't get further than freeze_support()), it is
/// made from its what() alone. What isn't registered arrives as the nearest base that is known, in the end as std::exception.
///
/// - Python: none is needed; an exception there is pickled by its class's name and its args.
/// - Threads: any, at any time.
/// - Errors: an E that can't be made again is a compile error. An E that can't be derived from, because it is final, arrives as
///   serial::held<E>.
template <typename E>
void register_exception();

} // namespace multiprocessing

namespace multiprocessing::serial {

/// Something that was thrown, as data. It is Serializable.
///
///     try { task(); } catch (...) { send(serial::capture(std::current_exception())); }      // there
///     serial::rethrow(receive<serial::thrown>());                                           // here
struct thrown {
    /// What it can be made again as.
    struct guise {
        std::string type; // name of a known exception
        std::vector<std::byte> content;
    };

    std::string type_name;     // "std::out_of_range"
    std::string message;       // its what(), or its value
    std::string traceback;     // where it was thrown, if somebody knows
    std::int64_t pid = 0;      // and by whom
    std::vector<guise> guises; // from its own type to the farthest base
    std::vector<thrown> cause; // what it was nested round by std::throw_with_nested: one, or none
};

/// Takes down what `exception` holds. Whatever can't be packed is left out: of what was thrown, type, message and process always
/// arrive. What has come from another process already keeps those.
[[nodiscard]] thrown capture(const std::exception_ptr& exception, std::string traceback = {});

/// Throws it again: as its own type, if that is known here, and always as RemoteError and std::exception; with the causes it had.
/// what() is what it was there.
[[noreturn]] void rethrow(const thrown& it);

/// The same, without throwing it yet.
[[nodiscard]] std::exception_ptr rebuild(const thrown& it);

/// What was thrown but can't be a base class: a number, a final class. (A std::string can; a "text" arrives as one.)
///
///     try { pool.apply(+[] { throw 42; }); }
///     catch (const mp::serial::held<int>& e) { fmt::print("{}\n", e.value()); }        // 42
template <typename T>
class held : public std::exception, public RemoteError {
public:
    held(T value, const RemoteError& error) : RemoteError(error), value_(std::move(value)) {}
    [[nodiscard]] const T& value() const noexcept { return value_; }
    [[nodiscard]] const char* what() const noexcept override { return message().c_str(); }

private:
    T value_;
};

/// It carries no more than its code; text is in the message.
template <>
struct codec<std::system_error> {
    static void write(writer& out, const std::system_error& x) { serial::write(out, x.code()); }
    static std::system_error make(reader& in) { return std::system_error(serial::take<std::error_code>(in)); }
};

template <>
struct codec<BufferTooShort> {
    static void write(writer& out, const BufferTooShort& x) {
        serial::write(out, std::string(x.what()));
        serial::write(out, x.message());
    }
    static BufferTooShort make(reader& in) {
        auto what = serial::take<std::string>(in);
        return {what, serial::take<std::vector<std::byte>>(in)};
    }
};

template <>
struct codec<WorkerLostError> {
    static void write(writer& out, const WorkerLostError& x) {
        serial::write(out, std::tuple(std::string(x.what()), x.pid(), x.exitcode(), x.item(), x.backtrace()));
    }
    static WorkerLostError make(reader& in) {
        using content = std::tuple<std::string, pid_t, int, std::optional<std::size_t>, std::string>;
        return std::make_from_tuple<WorkerLostError>(serial::take<content>(in));
    }
};

template <>
struct codec<std::exception_ptr> {
    static void write(writer& out, const std::exception_ptr& x) {
        serial::write(out, x ? std::optional(capture(x)) : std::nullopt);
    }
    static std::exception_ptr make(reader& in) {
        const auto it = serial::take<std::optional<thrown>>(in);
        return it ? rebuild(*it) : nullptr;
    }
};

namespace detail {

/// E as it arrives: an E, a RemoteError, and whatever of std::exception and std::nested_exception it isn't yet.
template <typename E, typename... More>
class remote : public E, public RemoteError, public More... {
public:
    remote(E&& own_, const RemoteError& common_) : E(std::move(own_)), RemoteError(common_) {} // names that E will not have
    [[nodiscard]] const char* what() const noexcept override { return RemoteError::message().c_str(); }
};

/// A class that can be a base of that. (One that hides a std::exception, or is a RemoteError, would make it one twice.)
template <typename E>
concept can_be_base = std::is_class_v<E> && !std::is_final_v<E> && !std::is_base_of_v<RemoteError, E> &&
                      (std::is_convertible_v<E*, std::exception*> || !std::is_base_of_v<std::exception, E>);

/// What there is to do with exceptions of one type.
struct exception_kind {
    std::string_view name;
    /// Packs the content of what `exception` holds, if it is one of these: `base` is its std::exception, if it has one.
    bool (*save)(const std::exception_ptr& exception, const std::exception* base, std::vector<std::byte>& content);
    /// Throws it, round the exception that is being handled if `nested`; returns if it can't be made.
    void (*raise)(const thrown& it, std::span<const std::byte> content, bool nested);
    /// Which of two registered kinds derives from the other isn't known to the compiler. But a pointer can be thrown and caught.
    void (*throw_pointer)() = nullptr;
    bool (*catches)(void (*throw_pointer)()) = nullptr;
    /// For what was thrown where nobody had registered it: as raise(), of its text alone. None where that isn't enough.
    void (*raise_text)(const thrown& it, bool nested) = nullptr;
    const std::type_info* type = nullptr;
    const exception_kind* next = nullptr;
};

inline std::atomic<const exception_kind*> registered_kinds = nullptr;

inline RemoteError error_of(const thrown& it) {
    return {it.type_name, it.message, it.traceback, static_cast<pid_t>(it.pid)};
}

/// Throws make() as it arrives.
template <typename E, typename F>
[[noreturn]] void raise_remote(const thrown& it, bool nested, F&& make) {
    constexpr bool nests_itself = std::is_base_of_v<std::nested_exception, E>;
    if constexpr (!can_be_base<E>) {
        throw held<E>(make(), error_of(it));
    } else if constexpr (std::is_base_of_v<std::exception, E>) {
        if constexpr (!nests_itself)
            if (nested) throw remote<E, std::nested_exception>(make(), error_of(it));
        throw remote<E>(make(), error_of(it));
    } else {
        if constexpr (!nests_itself)
            if (nested) throw remote<E, std::exception, std::nested_exception>(make(), error_of(it));
        throw remote<E, std::exception>(make(), error_of(it));
    }
}

template <typename E>
concept from_text = std::constructible_from<E, const std::string&> && !std::is_arithmetic_v<E>;

// ---- Exceptions with nothing in them but their what() ----
// Most of those that are known beforehand. Every file that throws or catches across processes pays for all of them, so they are
// kept from the question what of them is Serializable.

template <typename E>
bool is_one(const std::exception_ptr&, const std::exception* base, std::vector<std::byte>&) {
    return dynamic_cast<const E*>(base) != nullptr;
}

template <typename E>
void raise_from_text(const thrown& it, std::span<const std::byte>, bool nested) {
    raise_remote<E>(it, nested, [&] {
        if constexpr (from_text<E>) return E(it.message);
        else return E(); // std::bad_alloc and its like
    });
}

template <typename E>
constexpr exception_kind text_kind() {
    return {type_name<E>(), is_one<E>, raise_from_text<E>};
}

// ---- Exceptions with content ----

/// Its cereal functions add what the text doesn't say.
template <typename E>
concept from_text_and_content = from_text<E> && verdict_in_place<E>::why == refusal::none && !Serializable<E>;

template <typename E>
std::vector<std::byte> content_of(const E& exception) {
    if constexpr (Serializable<E>) return pack(exception);
    else if constexpr (from_text_and_content<E>)
        return pack_by([&](writer& out) { serial::write(out, exception); });
    else return {};
}

template <typename E>
E make_exception(const thrown& it, std::span<const std::byte> content) {
    if constexpr (Serializable<E>) {
        return unpack<E>(content);
    } else if constexpr (from_text<E>) {
        E exception(it.message);
        if constexpr (from_text_and_content<E>) unpack_into(content, exception);
        return exception;
    } else {
        return E();
    }
}

template <typename E>
bool save_exception(const std::exception_ptr& exception, const std::exception* base, std::vector<std::byte>& content) {
    if constexpr (std::is_convertible_v<E*, std::exception*>) {
        const auto* it = dynamic_cast<const E*>(base);
        if (it) content = content_of(*it);
        return it != nullptr;
    } else {
        try {
            std::rethrow_exception(exception);
        } catch (const E& it) {
            content = content_of(it);
            return true;
        } catch (...) {
            return false;
        }
    }
}

template <typename E>
void raise_exception(const thrown& it, std::span<const std::byte> content, bool nested) {
    std::optional<E> exception;
    try {
        exception.emplace(make_exception<E>(it, content));
    } catch (...) {
        return; // its content is malformed, or its constructor doesn't like it: the next guise will do
    }
    raise_remote<E>(it, nested, [&] { return std::move(*exception); });
}

template <typename E>
constexpr auto text_raiser() -> void (*)(const thrown&, bool) {
    if constexpr (from_text<E> && std::is_base_of_v<std::exception, E>)
        return [](const thrown& it, bool nested) {
            std::optional<E> exception;
            try {
                exception.emplace(it.message);
            } catch (...) {
                return;
            }
            raise_remote<E>(it, nested, [&] { return std::move(*exception); });
        };
    else return nullptr;
}

template <typename E>
constexpr exception_kind content_kind() {
    return {type_name<E>(), save_exception<E>, raise_exception<E>,
            [] { throw static_cast<const E*>(nullptr); },
            [](void (*throw_pointer)()) {
                try {
                    throw_pointer();
                } catch (const E*) {
                    return true;
                } catch (...) {
                }
                return false;
            },
            text_raiser<E>(), &typeid(E)};
}

template <typename E>
inline exception_kind registered_kind = content_kind<E>();

// ---- Those that are known, and finding them ----

/// What derives from another stands before it. Others of the standard's (std::regex_error, std::future_error,
/// std::filesystem::filesystem_error) arrive as their base: their headers are dear, and who needs the type itself registers it.
inline constexpr exception_kind known_kinds[] = {
    content_kind<BufferTooShort>(),
    text_kind<AuthenticationError>(),
    text_kind<TimeoutError>(),
    content_kind<WorkerLostError>(),
    text_kind<CancelledError>(),
    text_kind<NotPortableError>(),
    text_kind<OwnerDiedError>(),
    text_kind<ProcessError>(),
    text_kind<BrokenBarrierError>(),
    text_kind<Empty>(),
    text_kind<Full>(),
    text_kind<EOFError>(),
    text_kind<BrokenPipeError>(),
    text_kind<StopIteration>(),
    text_kind<ValueError>(),
    text_kind<TypeError>(),
    text_kind<std::domain_error>(),
    text_kind<std::invalid_argument>(),
    text_kind<std::length_error>(),
    text_kind<std::out_of_range>(),
    text_kind<std::logic_error>(),
    text_kind<std::range_error>(),
    text_kind<std::overflow_error>(),
    text_kind<std::underflow_error>(),
    content_kind<std::system_error>(),
    text_kind<std::runtime_error>(),
    text_kind<std::bad_array_new_length>(),
    text_kind<std::bad_alloc>(),
    text_kind<std::bad_any_cast>(),
    text_kind<std::bad_cast>(),
    text_kind<std::bad_typeid>(),
    text_kind<std::bad_exception>(),
    text_kind<std::bad_function_call>(),
    text_kind<std::bad_optional_access>(),
    text_kind<std::bad_variant_access>(),
    text_kind<std::bad_weak_ptr>(),
};

/// These have no what(); they are their own message.
inline constexpr exception_kind known_values[] = {content_kind<int>(), content_kind<std::string>()};

inline const exception_kind* find_kind(std::string_view name) {
    for (const auto* kind = registered_kinds.load(std::memory_order_acquire); kind != nullptr; kind = kind->next)
        if (kind->name == name) return kind;
    for (const auto& kind : known_kinds)
        if (kind.name == name) return &kind;
    for (const auto& kind : known_values)
        if (kind.name == name) return &kind;
    return nullptr;
}

/// Calls f(kind, content) for each kind among `kinds` that `exception` is of. What can't be packed isn't of it.
template <typename F>
void try_kind(const exception_kind& kind, const std::exception_ptr& exception, const std::exception* base, F&& f) {
    try {
        std::vector<std::byte> content;
        if (kind.save(exception, base, content)) f(kind, std::move(content));
    } catch (...) {
        // Its content doesn't travel, as that of a std::error_code of some unknown category: it goes as a base.
    }
}

/// All that `exception` can be made again as, what derives from another first.
inline std::vector<thrown::guise> find_guises(const std::exception_ptr& exception, const std::exception* base) {
    std::vector<std::pair<const exception_kind*, std::vector<std::byte>>> registered;
    for (const auto* each = registered_kinds.load(std::memory_order_acquire); each != nullptr; each = each->next)
        try_kind(*each, exception, base, [&](const exception_kind& kind, std::vector<std::byte> content) {
            auto at = registered.begin();
            while (at != registered.end() && !at->first->catches(kind.throw_pointer)) ++at;
            registered.insert(at, {&kind, std::move(content)});
        });

    std::vector<thrown::guise> guises;
    for (auto& [kind, content] : registered) guises.push_back({std::string(kind->name), std::move(content)});
    const auto add = [&](const exception_kind& kind, std::vector<std::byte> content) {
        guises.push_back({std::string(kind.name), std::move(content)});
    };
    if (base != nullptr)
        for (const auto& each : known_kinds) try_kind(each, exception, base, add);
    else
        for (const auto& each : known_values) try_kind(each, exception, base, add);
    return guises;
}

/// "std::runtime_error" for what std::throw_with_nested makes of one.
inline std::string without_nesting(std::string name) {
    for (const std::string_view prefix : {"std::_Nested_exception<", "std::__nested<"})
        if (name.starts_with(prefix) && name.ends_with('>')) return name.substr(prefix.size(), name.size() - prefix.size() - 1);
    return name;
}

/// Causes of causes are taken down and thrown this deep.
inline constexpr int longest_chain = 100;

inline void describe(const std::exception& exception, thrown& into) {
    const char* what = exception.what();
    into.message = what != nullptr ? what : "";
    into.type_name = without_nesting(os::type_name(typeid(exception)));
    if (const auto* earlier = dynamic_cast<const RemoteError*>(&exception)) { // it came from elsewhere: that stays
        into.type_name = earlier->type_name();
        into.message = earlier->message();
        into.traceback = earlier->traceback();
        into.pid = earlier->pid();
    }
}

/// For what has no what().
inline void describe_value(const std::exception_ptr& exception, thrown& into) {
    into.type_name = os::current_exception_type();
    try {
        std::rethrow_exception(exception);
    } catch (const char* value) { // by value: clang 14 misplaces a pointer caught by reference
        into.message = value;
        into.guises.push_back({std::string(type_name<std::string>()), pack(into.message)});
    } catch (const std::string& value) {
        into.message = value;
    } catch (bool value) {
        into.message = value ? "true" : "false";
    } catch (char value) {
        into.message = value;
    } catch (int value) {
        into.message = std::to_string(value);
    } catch (unsigned value) {
        into.message = std::to_string(value);
    } catch (long value) {
        into.message = std::to_string(value);
    } catch (unsigned long value) {
        into.message = std::to_string(value);
    } catch (long long value) {
        into.message = std::to_string(value);
    } catch (unsigned long long value) {
        into.message = std::to_string(value);
    } catch (double value) {
        into.message = std::to_string(value);
    } catch (...) {
        into.message = "an object of type " + into.type_name;
    }
}

inline thrown capture_chain(const std::exception_ptr& exception, int depth) {
    thrown it;
    it.pid = os::pid();
    if (!exception) {
        it.type_name = it.message = "no exception";
        return it;
    }
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& base) {
        describe(base, it);
        it.guises = find_guises(exception, &base);
    } catch (...) {
        describe_value(exception, it);
        for (auto& guise : find_guises(exception, nullptr)) it.guises.push_back(std::move(guise));
    }
    try {
        std::rethrow_exception(exception);
    } catch (const std::nested_exception& nested) {
        if (nested.nested_ptr() && depth < longest_chain) it.cause.push_back(capture_chain(nested.nested_ptr(), depth + 1));
    } catch (...) {
        // nested round nothing
    }
    return it;
}

// A spawned process may throw what only its starter has registered, after freeze_support(): then the name of its type arrives, and
// its text.
inline void raise_by_name(const thrown& it, bool nested) {
    for (const auto* kind = registered_kinds.load(std::memory_order_acquire); kind != nullptr; kind = kind->next) {
        if (kind->raise_text == nullptr || os::type_name(*kind->type) != it.type_name) continue;
        for (const auto& guise : it.guises)
            if (guise.type == kind->name) return;
        return kind->raise_text(it, nested);
    }
}

[[noreturn]] inline void raise_best(const thrown& it, bool nested) {
    raise_by_name(it, nested);
    for (const auto& guise : it.guises)
        if (const auto* kind = find_kind(guise.type)) kind->raise(it, guise.content, nested);
    raise_remote<std::exception>(it, nested, [] { return std::exception(); });
}

[[noreturn]] inline void raise_chain(const thrown& it, int depth) {
    if (it.cause.empty() || depth >= longest_chain) raise_best(it, false);
    try {
        raise_chain(it.cause.front(), depth + 1);
    } catch (...) {
        raise_best(it, true); // std::nested_exception takes what is being handled
    }
}

} // namespace detail

inline thrown capture(const std::exception_ptr& exception, std::string traceback) {
    thrown it = detail::capture_chain(exception, 0);
    if (it.traceback.empty()) it.traceback = std::move(traceback);
    return it;
}

inline void rethrow(const thrown& it) { detail::raise_chain(it, 0); }

inline std::exception_ptr rebuild(const thrown& it) {
    try {
        rethrow(it);
    } catch (...) {
        return std::current_exception();
    }
}

} // namespace multiprocessing::serial

template <typename E>
void multiprocessing::register_exception() {
    using namespace serial::detail;
    constexpr bool can_be_made =
        Serializable<E> || (std::is_base_of_v<std::exception, E> && (from_text<E> || std::default_initializable<E>));
    static_assert(can_be_made, "multiprocessing: this type can't be made again from what arrives of it: give it a constructor from "
                               "std::string, and derive it from std::exception, or make it Serializable");
    if constexpr (can_be_made) {
        [[maybe_unused]] static const bool once = [] {
            auto& kind = registered_kind<E>;
            kind.next = registered_kinds.load(std::memory_order_relaxed);
            while (!registered_kinds.compare_exchange_weak(kind.next, &kind, std::memory_order_release, std::memory_order_relaxed)) {}
            return true;
        }();
    }
}
