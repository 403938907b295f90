// Floor 10, manager/proxy: Proxy: an object that lives in a server, as its type.
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/registry.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing {

namespace manager::detail {

/// As what a result of type R arrives.
template <typename R>
struct arriving {
    using type = Proxy<held_t<R>>;
};
template <typename R>
    requires(std::is_void_v<R> || Serializable<R>)
struct arriving<R> {
    using type = R;
};

} // namespace manager::detail

/// An object of a registered type that lives in a manager's server. Proxy<> knows no type: its methods are called by name.
///
///     mp::Proxy<Counter> counter = manager.create<Counter>("Counter", 5);
///     const int a = counter.call<&Counter::add>(3);        // as a method; the compiler checks the arguments
///     const int b = counter.call<int>("add", 3);           // by its name
///     counter.call("reset");
///
/// Arguments are copied there, and results back. A method is found by the name under which it was registered: call<&Counter::add>
/// looks for "add". Copies are the same object. It travels as every handle does, and within calls of others.
///
/// - Python: `BaseProxy`, and what `AutoProxy` makes. There a method is called as if the object were here.
/// - Threads: any, at once; each call is carried out by a thread of its own in the server.
/// - When the server dies: EOFError. When a holder dies, its copies are gone; with the last one, the object.
/// - Start methods: all. Over a network, see remote.hpp.
/// - Errors: what the method threw, as its own type and as RemoteError; ValueError for a method that isn't registered; TypeError for
///   arguments or a result of other types.
template <typename T>
class Proxy {
public:
    using is_sent_as = manager::remote; ///< by a method whose result stays in the server

    Proxy() noexcept = default; ///< of nothing
    explicit Proxy(manager::remote to) noexcept : to_(std::move(to)) {}
    /// As a Proxy of another type; what it is becomes clear when it is called.
    template <typename U>
        requires(!std::same_as<T, U> && (std::is_void_v<T> || std::is_void_v<U>))
    explicit(std::is_void_v<U>) Proxy(const Proxy<U>& other) noexcept : to_(other.remote()) {}

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(to_); }

    /// A Queue, a DictProxy and the like that a server has registered, as what is used like one:
    /// `mp::QueueProxy<int> tasks = manager.create<mp::Queue<int>>("get_tasks");`
    template <typename P>
        requires(std::same_as<typename P::stands_for, T> && std::constructible_from<P, manager::remote>)
    operator P() const { // NOLINT: it is one
        return P(to_);
    }

    /// Calls a method by the name under which it is registered. The arguments must be of its very types (a text goes as a
    /// std::string), and R what it returns; a void R drops that.
    template <typename R = void, typename... Args>
    R call(std::string_view method, const Args&... args) const {
        return manager::unpack_result<R>(
            to_.call(method, pack<manager::detail::travelling_t<Args>...>(args...)));
    }

    /// The same, with the arguments converted to what the method takes. A result that can't travel is a Proxy of what it holds.
    template <auto Method, typename... Args>
        requires std::is_member_function_pointer_v<decltype(Method)>
    auto call(Args&&... args) const {
        using is = manager::detail::signature<decltype(Method)>;
        using returned = manager::detail::travelling_t<typename is::result>;
        using result = typename manager::detail::arriving<returned>::type;
        static_assert(sizeof...(Args) == std::tuple_size_v<typename is::arguments>, "multiprocessing: another number of arguments");
        return [&]<typename... A>(std::tuple<A...>*) {
            const auto arguments = pack<A...>(A(std::forward<Args>(args))...);
            return manager::unpack_result<result>(to_.call(manager::detail::name_of_method<Method>(), arguments));
        }(static_cast<typename is::arguments*>(nullptr));
    }

    [[nodiscard]] const manager::remote& remote() const noexcept { return to_; }

    /// The same object, not an equal one.
    friend bool operator==(const Proxy& a, const Proxy& b) noexcept { return a.to_ == b.to_; }

private:
    friend struct serial::codec<Proxy>;

    template <typename... A>
    [[nodiscard]] serial::message pack(const A&... values) const {
        const manager::for_the_network medium(to_ && to_.is_by_network());
        return manager::pack_arguments<A...>(values...);
    }

    manager::remote to_;
};

/// "<Proxy of Counter, object 3 of BaseManager-1 (pid 4711)>".
template <typename T>
[[nodiscard]] std::string to_string(const Proxy<T>& proxy) {
    if (!proxy) return "<Proxy of nothing>";
    std::string text = "<Proxy";
    if constexpr (!std::is_void_v<T>) text.append(" of ").append(serial::type_name<T>());
    return text + ", object " + std::to_string(proxy.remote().number()) + " of " + proxy.remote().server_name() + ">";
}

namespace serial {

template <typename T>
struct codec<Proxy<T>> {
    static void write(writer& out, const Proxy<T>& x) { serial::write(out, x.to_); }
    static Proxy<T> make(reader& in) { return Proxy<T>(serial::take<manager::remote>(in)); }
};

} // namespace serial
} // namespace multiprocessing

template <typename T>
struct std::hash<multiprocessing::Proxy<T>> {
    std::size_t operator()(const multiprocessing::Proxy<T>& x) const noexcept { return std::hash<std::uint64_t>()(x.remote().number()); }
};

template <typename T>
struct fmt::formatter<multiprocessing::Proxy<T>> : fmt::formatter<fmt::string_view> {
    template <typename Context>
    auto format(const multiprocessing::Proxy<T>& x, Context& context) const {
        return fmt::formatter<fmt::string_view>::format(multiprocessing::to_string(x), context);
    }
};
