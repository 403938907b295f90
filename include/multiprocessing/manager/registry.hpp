// Floor 10, manager/registry: which types a server makes, and which of their methods can be called.
#pragma once

#include <algorithm> // std::find_if
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/callable.hpp>

namespace multiprocessing::manager {

/// Puts an object into the server that this call runs in, as one of the registered type of that name. Only within a call.
[[nodiscard]] remote serve_as(std::string_view type, std::shared_ptr<void> object);

/// A method of a registered type.
struct method_entry {
    std::string name;
    serial::message (*run)(void* object, const serial::message& arguments, const method_entry& self) = nullptr;
    std::string result_type; ///< what it returns becomes an object of this type, and the caller gets a reference; empty: a value
};

/// A way to make one.
struct constructor_entry {
    bool (*fits)(const parts&) = nullptr;
    std::shared_ptr<void> (*make)(const parts&) = nullptr;
};

/// A registered type.
struct type_entry {
    std::string name;
    std::string type_name;
    std::uint64_t fingerprint = 0; ///< 0: a servant of its own kind
    servant_maker make_servant = nullptr;
    std::function<std::shared_ptr<void>(const parts&)> callable; ///< instead of constructors
    std::vector<constructor_entry> constructors;
    std::vector<method_entry> methods;
    std::shared_ptr<servant> (*serve)(void* object) = nullptr; ///< what its own proxy calls, where it has one
    bool is_concurrent = false;

    [[nodiscard]] const method_entry* find(std::string_view method) const noexcept {
        for (const auto& each : methods)
            if (each.name == method) return &each;
        return nullptr;
    }
};

/// All of a manager's. Filled before its server starts; then read alone.
///
/// A server that is no copy of its maker is told to fill its own in the same way: each registration is a call (serial/callable.hpp)
/// that is kept until then, and packed only then, when what doesn't travel is a NotPortableError.
class registry {
public:
    [[nodiscard]] const type_entry* find(std::string_view name) const noexcept {
        const auto at = types_.find(name);
        return at == types_.end() ? nullptr : &at->second;
    }
    [[nodiscard]] type_entry& at(const std::string& name) {
        type_entry& entry = types_[name];
        entry.name = name;
        return entry;
    }
    [[nodiscard]] type_entry& renew(const std::string& name) {
        types_.erase(name); // the last registration of a name holds
        return at(name);
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& [name, entry] : types_) all.push_back(name);
        return all;
    }

    /// Does it here, and there when there is another server.
    template <typename F, typename... Args>
    void do_and_keep(F f, const Args&... args) {
        const filling here(*this);
        f(args...);
        to_repeat_.push_back([f, args...] { return serial::pack_call(f, args...); });
    }
    [[nodiscard]] std::vector<serial::message> packed() const {
        std::vector<serial::message> all;
        for (const auto& each : to_repeat_) all.push_back(each());
        return all;
    }
    void repeat(const std::vector<serial::message>& all) {
        const filling here(*this);
        for (const auto& each : all) serial::run_call(each);
    }

    /// The one that is being filled by this thread.
    [[nodiscard]] static registry& current() { return *in_work(); }

private:
    static registry*& in_work() noexcept {
        static thread_local registry* which = nullptr;
        return which;
    }
    class filling {
    public:
        explicit filling(registry& which) noexcept : before_(in_work()) { in_work() = &which; }
        ~filling() { in_work() = before_; }
        filling(const filling&) = delete;
        filling& operator=(const filling&) = delete;

    private:
        registry* before_;
    };

    std::map<std::string, type_entry, std::less<>> types_;
    std::vector<std::function<serial::message()>> to_repeat_;
};

namespace detail {

// What is called -----------------------------------------------------------------------------------------------------------------

template <typename F>
struct signature; // of what has one

template <typename C, typename R, typename... P>
struct member_signature {
    using result = R;
    using arguments = std::tuple<travelling_t<P>...>;
    template <typename T>
    static decltype(auto) invoke(auto method, T& object, std::tuple<travelling_t<P>...>& values) {
        return std::apply(
            [&](auto&... each) -> decltype(auto) { return std::invoke(method, object, hand_over<P>(each)...); }, values);
    }
    template <typename Parameter, typename Value>
    static decltype(auto) hand_over(Value& value) {
        if constexpr (std::is_lvalue_reference_v<Parameter>) return static_cast<Value&>(value);
        else if constexpr (std::is_same_v<std::decay_t<Parameter>, const char*>) return value.c_str();
        else return static_cast<Value&&>(value);
    }
};

#define MULTIPROCESSING_SIGNATURE(qualifiers)                                                                                       \
    template <typename C, typename R, typename... P>                                                                               \
    struct signature<R (C::*)(P...) qualifiers> : member_signature<C, R, P...> {};
MULTIPROCESSING_SIGNATURE()
MULTIPROCESSING_SIGNATURE(const)
MULTIPROCESSING_SIGNATURE(noexcept)
MULTIPROCESSING_SIGNATURE(const noexcept)
MULTIPROCESSING_SIGNATURE(&)
MULTIPROCESSING_SIGNATURE(const&)
MULTIPROCESSING_SIGNATURE(& noexcept)
MULTIPROCESSING_SIGNATURE(const& noexcept)
#undef MULTIPROCESSING_SIGNATURE

/// A function, whose arguments are `values`.
template <typename R, typename... P>
struct signature<R (*)(P...)> {
    using result = R;
    using arguments = std::tuple<travelling_t<P>...>;
};
template <typename R, typename... P>
struct signature<R (*)(P...) noexcept> : signature<R (*)(P...)> {};
/// A function object with one operator().
template <typename F>
    requires requires { &F::operator(); }
struct signature<F> : signature<decltype(&F::operator())> {};

template <typename Tuple>
struct unpacked;
template <typename... A>
struct unpacked<std::tuple<A...>> {
    static std::tuple<A...> of(const serial::message& from) { return unpack_arguments<A...>(from); }
    static std::tuple<A...> of(const parts& from) {
        if (!from.are<A...>())
            throw TypeError("arguments of types " + from.describe() + " don't fit: expected are " +
                            std::string(serial::type_name<std::tuple<A...>>()));
        return from.take_all<A...>();
    }
    static bool are(const parts& from) { return from.are<A...>(); }
};

/// What holds a T: the T, or what it was held by already.
template <typename T>
struct holder {
    static std::shared_ptr<T> of(T&& x) { return std::make_shared<T>(std::move(x)); }
    static std::shared_ptr<T> of(T& x) { return std::shared_ptr<T>(std::shared_ptr<void>(), &x); } // an existing one, not ours
    static std::shared_ptr<T> of(T* x) { return std::shared_ptr<T>(std::shared_ptr<void>(), x); }
    static std::shared_ptr<T> of(std::reference_wrapper<T> x) { return of(x.get()); }
    static std::shared_ptr<T> of(std::shared_ptr<T> x) { return x; }
    static std::shared_ptr<T> of(std::unique_ptr<T> x) { return x; }
};

template <typename R>
struct held {
    using type = std::remove_cvref_t<R>;
};
template <typename R>
    requires requires { typename std::remove_cvref_t<R>::element_type; } // a smart pointer
struct held<R> {
    using type = typename std::remove_cvref_t<R>::element_type;
};
template <typename T>
struct held<std::reference_wrapper<T>> {
    using type = T;
};
template <typename T>
struct held<T*> {
    using type = T;
};
/// The type of the object that a function returns, whatever it is held by.
template <typename R>
using held_t = typename held<R>::type;

template <typename F>
serial::message answer_of(F&& f, [[maybe_unused]] const method_entry& self) {
    using result = decltype(f());
    if constexpr (std::is_void_v<result>) {
        f();
        return pack_no_result();
    } else {
        using value = travelling_t<result>;
        if constexpr (Serializable<value>) {
            if (self.result_type.empty()) return pack_result<value>(f());
        } else {
            if (self.result_type.empty())
                throw TypeError("a " + std::string(serial::type_name<value>()) +
                                " can't travel: register the method with the type that its result is to be served as");
        }
        using object = held_t<result>;
        if constexpr (requires { holder<object>::of(f()); }) {
            std::shared_ptr<object> made = holder<object>::of(f());
            if (!made) return pack_result(remote());
            return pack_result(serve_as(self.result_type, std::const_pointer_cast<std::remove_const_t<object>>(std::move(made))));
        } else {
            throw TypeError("a " + std::string(serial::type_name<value>()) + " can't be served");
        }
    }
}

template <typename T, auto Method>
serial::message run_method(void* object, const serial::message& arguments, const method_entry& self) {
    using is = signature<decltype(Method)>;
    auto values = unpacked<typename is::arguments>::of(arguments);
    return answer_of([&]() -> decltype(auto) { return is::invoke(Method, *static_cast<T*>(object), values); }, self);
}

template <typename T, typename F>
struct extension; // a function of the object and its arguments
template <typename T, typename R, typename First, typename... P>
struct extension<T, R (*)(First, P...)> {
    using is = member_signature<T, R, P...>;
};

template <typename T, typename F>
serial::message run_extension(void* object, const serial::message& arguments, const method_entry& self) {
    using is = typename extension<T, decltype(+F{})>::is;
    auto values = unpacked<typename is::arguments>::of(arguments);
    return answer_of([&]() -> decltype(auto) { return is::invoke(+F{}, *static_cast<T*>(object), values); }, self);
}

/// The last part of how the compiler spells a pointer to a member: "add" of "&Counter::add".
template <auto Method>
constexpr std::string_view spelled_name() {
    std::string_view text(__PRETTY_FUNCTION__);
    std::size_t end = text.rfind(']');
    if (const std::size_t more = text.find(';', text.find("Method = ")); more < end) end = more; // g++ says what string_view is
    text = text.substr(0, end);
    while (!text.empty() && text.back() == ')') text.remove_suffix(1);
    return text.substr(text.rfind(':') + 1);
}

/// Under which name this process has registered a method last; as it is called, where it was never registered.
template <auto Method>
std::string& name_of_method() {
    static std::string name(spelled_name<Method>());
    return name;
}

// How objects are made ---------------------------------------------------------------------------------------------------------------

/// Stands for an argument whose type the constructor says.
template <typename T>
struct any_argument {
    const parts* all = nullptr;
    std::size_t which = 0;
    template <typename A>
        requires(!std::is_same_v<std::remove_cvref_t<A>, T> && !std::is_base_of_v<std::remove_cvref_t<A>, T> &&
                 Serializable<std::remove_cvref_t<A>>)
    operator A() const {
        return all->take<std::remove_cvref_t<A>>(which);
    }
};

template <typename T, std::size_t>
using any_argument_at = any_argument<T>;
template <typename T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
    return std::is_constructible_v<T, any_argument_at<T, I>...>;
}

template <typename T, std::size_t N>
bool fits_deduced(const parts& given) {
    return given.size() == N;
}
template <typename T, std::size_t... I>
std::shared_ptr<void> make_deduced_of([[maybe_unused]] const parts& given, std::index_sequence<I...>) {
    return std::make_shared<T>(any_argument<T>{&given, I}...);
}
template <typename T, std::size_t N>
std::shared_ptr<void> make_deduced(const parts& given) {
    return make_deduced_of<T>(given, std::make_index_sequence<N>());
}

template <typename T, typename... A>
std::shared_ptr<void> make_of(const parts& given) {
    return std::apply([](A&... each) -> std::shared_ptr<void> { return std::make_shared<T>(static_cast<A&&>(each)...); },
                      *std::make_unique<std::tuple<A...>>(given.take_all<A...>()));
}

template <typename T, std::size_t N>
void add_deduced(type_entry& entry) {
    if constexpr (takes<T>(std::make_index_sequence<N>())) entry.constructors.push_back({&fits_deduced<T, N>, &make_deduced<T, N>});
}

// What is repeated in a server that is no copy -----------------------------------------------------------------------------------------

template <typename T>
type_entry& begin_type(const std::string& name) {
    type_entry& entry = registry::current().renew(name);
    entry.type_name = serial::type_name<T>();
    entry.fingerprint = serial::fingerprint<T>();
    entry.is_concurrent = memory::MadeOfHandles<T>; // safe among processes, so safe among threads
    if constexpr (IsServed<T>) entry.serve = [](void* object) { return served<T>::by(*static_cast<T*>(object)); };
    return entry;
}
template <typename T>
void add_type(const std::string& name) {
    type_entry& entry = begin_type<T>(name);
    if constexpr (!std::is_abstract_v<T>) {
        add_deduced<T, 0>(entry);
        add_deduced<T, 1>(entry);
        add_deduced<T, 2>(entry);
        add_deduced<T, 3>(entry);
        add_deduced<T, 4>(entry);
        add_deduced<T, 5>(entry);
        add_deduced<T, 6>(entry);
    }
}
template <typename T, typename F>
void add_callable(const std::string& name, F f) {
    using arguments = typename signature<F>::arguments;
    type_entry& entry = begin_type<T>(name);
    entry.callable = [f = std::move(f)](const parts& given) mutable -> std::shared_ptr<void> {
        return std::apply([&](auto&... each) { return holder<T>::of(f(std::move(each)...)); }, *std::make_unique<arguments>(
                                                                                                   unpacked<arguments>::of(given)));
    };
}
template <typename T, typename... A>
void add_constructor(const std::string& name) {
    auto& all = registry::current().at(name).constructors;
    all.insert(all.begin(), {&unpacked<std::tuple<A...>>::are, &make_of<T, A...>});
}
inline void put_method(const std::string& name, const std::string& method, const std::string& result_type,
                       decltype(method_entry::run) run) {
    auto& all = registry::current().at(name).methods;
    std::erase_if(all, [&](const method_entry& each) { return each.name == method; });
    all.push_back({method, run, result_type});
}
template <typename T, auto Method>
void add_method(const std::string& name, const std::string& method, const std::string& result_type) {
    put_method(name, method, result_type, &run_method<T, Method>);
}
template <typename T, typename F>
void add_extension(const std::string& name, const std::string& method, const std::string& result_type) {
    put_method(name, method, result_type, &run_extension<T, F>);
}
inline void make_concurrent(const std::string& name, bool is) { registry::current().at(name).is_concurrent = is; }
inline void add_servant(const std::string& name, servant_maker make) { registry::current().renew(name).make_servant = make; }

} // namespace detail

/// The end of a line of registrations: what can be called of a T. From BaseManager::register_type().
///
///     manager.register_type<Counter>("Counter")
///         .constructor<int>()                                   // where it can't be deduced
///         .method<&Counter::add>("add")
///         .method("twice", [](Counter& c) { return 2 * c.sum; })
///         .method<&Counter::child>("child", "Counter");         // what it returns stays there, and the caller gets a Proxy
///
/// - Python: the arguments `exposed` and `method_to_typeid` of `BaseManager.register`. There every public method is exposed if none
///   is named; here those that are named, and no others.
/// - Threads: calls of one object run one at a time, since there is no interpreter's lock that would see to that; unless the type is
///   concurrent(), as one must be whose methods wait for each other. Handles of this library (Queue, Lock, ...) are.
template <typename T>
class registration {
public:
    registration(registry& all, std::string name) : all_(all), name_(std::move(name)) {}

    /// Made of these types alone, which create() must be given exactly. Several times for several constructors. Without it, a
    /// constructor is deduced by the number of its arguments, six at most, if there is only one of so many.
    template <typename... A>
    registration& constructor() {
        static_assert(std::is_constructible_v<T, A...>, "multiprocessing: this type can't be made of these");
        all_.do_and_keep(&detail::add_constructor<T, detail::travelling_t<A>...>, name_);
        return *this;
    }
    /// `result_type`: a registered name; what the method returns becomes an object of that, and the caller gets a Proxy of it.
    template <auto Method>
    registration& method(std::string name, std::string result_type = {}) {
        check(name);
        detail::name_of_method<Method>() = name;
        all_.do_and_keep(&detail::add_method<T, Method>, name_, name, result_type);
        return *this;
    }
    /// A captureless lambda with the object as its first parameter.
    template <typename F>
    registration& method(std::string name, F, std::string result_type = {}) {
        static_assert(std::is_empty_v<F> && std::default_initializable<F>,
                      "multiprocessing: a method is a member function, .method<&T::f>(\"f\"), or a captureless lambda");
        check(name);
        all_.do_and_keep(&detail::add_extension<T, F>, name_, name, result_type);
        return *this;
    }
    registration& concurrent(bool is = true) {
        all_.do_and_keep(&detail::make_concurrent, name_, is);
        return *this;
    }

private:
    static void check(std::string_view name) {
        if (name.empty() || name.size() > longest_method || name.front() == '#')
            throw ValueError("a method's name has 1 to 255 letters and doesn't begin with '#'");
    }
    registry& all_;
    std::string name_;
};

namespace detail {

/// The locks of objects, each shared by all who serve the same one: an object that exists already may be given out many times.
class object_locks {
public:
    [[nodiscard]] static std::shared_ptr<std::recursive_mutex> of(const void* object) {
        const std::lock_guard lock(guard());
        std::weak_ptr<std::recursive_mutex>& known = all()[object];
        auto found = known.lock();
        if (!found) known = found = std::make_shared<std::recursive_mutex>(); // a method may call its own object by a proxy
        return found;
    }
    static void let_go(const void* object, std::shared_ptr<std::recursive_mutex>& mine) noexcept {
        const std::lock_guard lock(guard());
        mine.reset();
        if (const auto at = all().find(object); at != all().end() && at->second.expired()) all().erase(at);
    }

private:
    [[nodiscard]] static std::mutex& guard() {
        static auto& one = *new std::mutex; // never deleted: used to the very end
        return one;
    }
    [[nodiscard]] static std::map<const void*, std::weak_ptr<std::recursive_mutex>>& all() {
        static auto& one = *new std::map<const void*, std::weak_ptr<std::recursive_mutex>>;
        return one;
    }
};

} // namespace detail

/// A registered object as a servant.
class typed_servant final : public servant {
public:
    typed_servant(const type_entry& type, std::shared_ptr<void> object)
        : type_(type), object_(std::move(object)), one_at_a_time_(detail::object_locks::of(object_.get())),
          for_its_proxy_(type.serve != nullptr ? type.serve(object_.get()) : nullptr) {}
    typed_servant(const typed_servant&) = delete;
    typed_servant& operator=(const typed_servant&) = delete;
    ~typed_servant() override { detail::object_locks::let_go(object_.get(), one_at_a_time_); }

    serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override {
        const method_entry* const found = type_.find(method);
        if (found == nullptr && for_its_proxy_) return for_its_proxy_->call(method, arguments, who);
        if (found == nullptr) refuse(type_.name, method);
        std::unique_lock lock(*one_at_a_time_, std::defer_lock);
        if (!type_.is_concurrent) lock.lock();
        return found->run(object_.get(), arguments, *found);
    }
    void client_gone(std::uint64_t client) noexcept override {
        if (for_its_proxy_) for_its_proxy_->client_gone(client);
    }

private:
    const type_entry& type_; // of a registry that lives as long as the server
    std::shared_ptr<void> object_;
    std::shared_ptr<std::recursive_mutex> one_at_a_time_;
    std::shared_ptr<servant> for_its_proxy_;
};

/// Makes one of a registered type.
[[nodiscard]] inline std::shared_ptr<servant> make_servant(const type_entry& type, const serial::message& arguments,
                                                           const caller& who) {
    if (type.make_servant != nullptr) return type.make_servant(arguments, who);
    const parts given(arguments);
    const auto made = [&](std::shared_ptr<void> object) {
        if (!object) throw ValueError("the callable of '" + type.name + "' returned nothing");
        return std::make_shared<typed_servant>(type, std::move(object));
    };
    if (type.callable) return made(type.callable(given));
    for (const auto& each : type.constructors)
        if (each.fits(given)) return made(each.make(given));
    throw TypeError("'" + type.name + "' can't be made of " + given.describe() +
                    ": give it those arguments, or register the constructor by .constructor<...>()");
}

} // namespace multiprocessing::manager
