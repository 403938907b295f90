// Floor 5, serial/bind: a function with some of its arguments, as a value that travels.
#pragma once

#include <cstddef>
#include <functional> // std::invoke
#include <tuple>
#include <type_traits>
#include <utility>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/place.hpp>
#include <multiprocessing/serial/portable.hpp>
#include <multiprocessing/sync/action.hpp>

namespace multiprocessing {

namespace serial {

/// What mp::bind makes.
template <typename F, typename... Args>
class bound {
public:
    template <typename... Given>
        requires(sizeof...(Given) == 1 + sizeof...(Args))
    explicit bound(std::in_place_t, Given&&... given) : parts_(std::forward<Given>(given)...) {}

    // Not trivial, for its bytes aren't all there is to it: a pointer to a function means nothing in another process.
    constexpr bound(const bound& other)
        requires(std::is_copy_constructible_v<F> && ... && std::is_copy_constructible_v<Args>)
        : parts_(other.parts_) {}
    constexpr bound(bound&& other) noexcept(std::is_nothrow_move_constructible_v<std::tuple<F, Args...>>) // NOLINT(modernize-use-equals-default)
        : parts_(std::move(other.parts_)) {}
    bound& operator=(const bound&) = default;
    bound& operator=(bound&&) = default;
    ~bound() = default;

    template <typename... More>
        requires std::is_invocable_v<decltype(detail::unwrap(std::declval<F&>())),
                                     decltype(detail::unwrap(std::declval<Args&>()))..., More...>
    decltype(auto) operator()(More&&... more) & {
        return call(parts_, std::forward<More>(more)...);
    }
    template <typename... More>
        requires std::is_invocable_v<decltype(detail::unwrap(std::declval<const F&>())),
                                     decltype(detail::unwrap(std::declval<const Args&>()))..., More...>
    decltype(auto) operator()(More&&... more) const& {
        return call(parts_, std::forward<More>(more)...);
    }
    template <typename... More>
        requires std::is_invocable_v<decltype(detail::unwrap(std::declval<F>())),
                                     decltype(detail::unwrap(std::declval<Args>()))..., More...>
    decltype(auto) operator()(More&&... more) && {
        return call(std::move(parts_), std::forward<More>(more)...);
    }

private:
    friend struct codec<bound>;

    template <typename Parts, typename... More>
    static decltype(auto) call(Parts&& parts, More&&... more) {
        return std::apply(
            [&]<typename... Part>(Part&&... part) -> decltype(auto) {
                return std::invoke(detail::unwrap(std::forward<Part>(part))..., std::forward<More>(more)...);
            },
            std::forward<Parts>(parts));
    }

    std::tuple<F, Args...> parts_;
};

template <typename F, typename... Args>
struct codec<bound<F, Args...>> {
    using type = bound<F, Args...>;
    static constexpr std::size_t least = 1 + sizeof...(Args);

    static void write(writer& out, const type& x) {
        const writer::level level(out);
        std::apply([&](const auto&... part) { (serial::write_portable(out, part), ...); }, x.parts_);
    }
    static type make(reader& in) {
        const reader::level level(in);
        std::tuple<F, Args...> parts{serial::take_portable<F>(in), serial::take_portable<Args>(in)...}; // braces: in that order
        return std::apply([](auto&... part) { return type(std::in_place, std::move(part)...); }, parts);
    }
};

namespace detail {

template <typename Bound>
sync::action read_action(reader& in) {
    return serial::take<Bound>(in);
}
template <typename Bound>
void write_action(writer& out, const std::function<void()>& f) {
    serial::write_entry<&read_action<Bound>>(out);
    serial::write(out, *f.target<Bound>());
}

} // namespace detail

/// For sync::action, which asks for this where one is made of a bound.
template <typename F, typename... Args>
constexpr auto action_sender(const bound<F, Args...>*) noexcept {
    return &detail::write_action<bound<F, Args...>>;
}

} // namespace serial

/// f with its first arguments, to be called with the rest: what a lambda with captures would be, if it could travel.
///
///     auto sharper = mp::bind(&sharpen, 0.5);                // void sharpen(double amount, picture&)
///     pool.map(sharper, pictures);                           // under every start method
///     mp::Process p(mp::bind(&server::run, settings), 8080); // void server::run(int) of a copy of `settings`
///
/// f is anything Portable that can be called: a function, a pointer to a member, a functor with Serializable members, a
/// captureless lambda, another bind. The arguments are copied or moved in; texts are copied, a const char* too. It is
/// Serializable itself.
///
/// - Python: `functools.partial`. C++: `std::bind_front`, which doesn't travel.
/// - Errors: what isn't Portable is a compile error of one sentence.
template <typename F, typename... Args>
[[nodiscard]] constexpr auto bind(F&& f, Args&&... args) {
    if constexpr ((serial::demand_portable<std::decay_t<F>> && ... && serial::demand_portable<std::decay_t<Args>>))
        return serial::bound<serial::detail::landed<std::decay_t<F>>, serial::detail::landed<std::decay_t<Args>>...>(
            std::in_place, std::forward<F>(f), std::forward<Args>(args)...);
}

} // namespace multiprocessing
