// Floor 3, sync/action: what the last party of a Barrier calls, and what is known of how it travels.
#pragma once

#include <bit> // std::bit_cast
#include <concepts>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

namespace multiprocessing::serial {

class writer;
template <typename T>
struct codec;

} // namespace multiprocessing::serial

namespace multiprocessing::sync {

/// A function without arguments, whose result is dropped. Made of any callable that can be copied, or of nothing.
///
/// It belongs to the handle that it was given to, and is copied with that. By spawn and forkserver, and in messages, these
/// travel:
///
/// - functions (`void f()`), captureless lambdas and functors without members, which are functions too;
/// - mp::bind(f, args...), with what travels as arguments.
///
/// Whatever else it is made of, the handle travels only to copies of this process: elsewhere it is a NotPortableError.
class action {
public:
    action() noexcept = default;
    action(std::nullptr_t) noexcept {} // NOLINT(google-explicit-constructor): as std::function
    template <typename F>
        requires(!std::same_as<std::remove_cvref_t<F>, action> && std::is_invocable_v<std::decay_t<F>&>)
    action(F&& f) // NOLINT(google-explicit-constructor)
        : call_(as_held(std::forward<F>(f))), send_(how_to_send<std::decay_t<F>>()) {}

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(call_); }
    void operator()() const { call_(); }

    /// Which object a handle is of, its action doesn't say.
    friend bool operator==(const action&, const action&) noexcept { return true; }

private:
    template <typename T>
    friend struct serial::codec;
    using function = std::function<void()>;
    /// Writes what a callable of some type is, and who makes one of it. serial/bind.hpp, which is above, has such functions.
    using sender = void (*)(serial::writer&, const function&);

    template <typename F>
    static constexpr bool is_nothing_but_its_type = std::is_class_v<F> && std::is_empty_v<F> && sizeof(F) == 1 &&
                                                    (std::default_initializable<F> || std::is_trivially_copyable_v<F>);

    template <typename F>
    static void call_one() {
        if constexpr (std::default_initializable<F>) {
            F f{};
            static_cast<void>(f());
        } else {
            F f = std::bit_cast<F>(std::byte{});
            static_cast<void>(f());
        }
    }

    template <typename F>
    static function as_held(F&& f) {
        using type = std::decay_t<F>;
        if constexpr (std::is_pointer_v<type> && std::is_convertible_v<type, void (*)()>) {
            void (*const pointer)() = f;
            return function(pointer);
        } else if constexpr (is_nothing_but_its_type<type>) {
            return function(&call_one<type>);
        } else {
            return function(std::forward<F>(f));
        }
    }
    template <typename F>
    static constexpr sender how_to_send() noexcept {
        if constexpr (requires(const F* f) { { action_sender(f) } -> std::same_as<sender>; })
            return action_sender(static_cast<const F*>(nullptr));
        else
            return nullptr;
    }

    function call_;
    sender send_ = nullptr;
};

} // namespace multiprocessing::sync
