// Floor 10, manager/call: what a call is on its way: the frames, and arguments and results that know their types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/exception.hpp>

namespace multiprocessing::manager {

// A request is: the object's number, the caller's thread, whether an answer is wanted, the method's name, the arguments.
// An answer is: whether it is a result, and that, or what was thrown. The same bytes go through shared memory and over a network;
// shares in objects go beside them, and none can over a network, because there a writer has nowhere to put them.

/// A message within a message.
inline void write_message(serial::writer& out, const serial::message& x) {
    out.count(x.bytes.size());
    if (!x.bytes.empty()) out.bytes(x.bytes.data(), x.bytes.size());
    out.number(static_cast<std::uint32_t>(x.shares.size()));
    for (const memory::holding& each : x.shares) out.share(each);
}
inline void read_message(serial::reader& in, serial::message& x) {
    const std::size_t size = in.count();
    const std::byte* const from = in.run(size);
    x.bytes.assign(from, from + size);
    const auto shares = in.number<std::uint32_t>();
    if (shares > in.left() / sizeof(std::uint32_t)) in.fail("more shared objects than there is room for their numbers");
    x.shares.clear();
    for (std::uint32_t i = 0; i < shares; ++i) x.shares.push_back(in.share(0));
}

/// What is asked for. `method` lies in the bytes that were read.
struct request {
    std::uint64_t object = 0; ///< 0: the server itself
    std::uint64_t thread = 0;
    bool wants_answer = true;
    std::string_view method;
};
inline constexpr std::size_t longest_method = 255;

inline void write_request(serial::writer& out, const request& x, const serial::message& arguments) {
    if (x.method.size() > longest_method) throw ValueError("a method's name has 255 letters at most");
    out.number(x.object);
    out.number(x.thread);
    out.number(static_cast<std::uint8_t>(x.wants_answer));
    out.number(static_cast<std::uint8_t>(x.method.size()));
    if (!x.method.empty()) out.bytes(x.method.data(), x.method.size());
    write_message(out, arguments);
}
/// Reads all of it; ProcessError when it is none.
[[nodiscard]] inline request read_request(serial::reader& in, serial::message& arguments) {
    request x;
    x.object = in.number<std::uint64_t>();
    x.thread = in.number<std::uint64_t>();
    x.wants_answer = in.flag();
    const std::size_t size = in.number<std::uint8_t>();
    x.method = {reinterpret_cast<const char*>(in.run(size)), size};
    read_message(in, arguments);
    in.finish();
    return x;
}

/// How a call ended.
struct answer {
    serial::message result;
    std::exception_ptr error; ///< instead of a result
};

inline void write_answer(serial::writer& out, const serial::message& result) {
    out.number(std::uint8_t{0});
    write_message(out, result);
}
inline void write_failure(serial::writer& out, const serial::thrown& what) {
    out.number(std::uint8_t{1});
    serial::write(out, what);
}
/// The result; or throws what was thrown there.
[[nodiscard]] inline serial::message read_answer(serial::reader& in) {
    if (in.flag()) {
        const auto what = serial::take<serial::thrown>(in);
        in.finish();
        serial::rethrow(what);
    }
    serial::message result;
    read_message(in, result);
    in.finish();
    return result;
}

// Arguments that know their types ------------------------------------------------------------------------------------------------

namespace detail {

template <typename T>
struct travelling {
    using type = T;
};
template <>
struct travelling<const char*> {
    using type = std::string;
};
template <>
struct travelling<char*> {
    using type = std::string;
};
template <>
struct travelling<std::string_view> {
    using type = std::string;
};

/// As what an argument of that type travels: by value, and a text as a std::string.
template <typename T>
using travelling_t = typename travelling<std::decay_t<T>>::type;

} // namespace detail

/// f(values...) with what they are sent as. The types are checked as a whole before anything is unpacked.
template <typename... A>
[[nodiscard]] serial::message pack_arguments(const A&... values) {
    serial::message made;
    made.bytes = serial::detail::pack_by(made.shares, [&](serial::writer& out) {
        serial::write_tag<std::tuple<A...>>(out);
        (serial::write(out, values), ...);
    });
    return made;
}

/// TypeError when other types were sent.
template <typename... A>
[[nodiscard]] std::tuple<A...> unpack_arguments(const serial::message& from) {
    serial::reader in(from.bytes, "arguments");
    in.claim_from(from.shares);
    serial::read_tag<std::tuple<A...>>(in);
    std::tuple<A...> values{serial::take<A>(in)...}; // braces: in that order
    in.finish();
    return values;
}

/// A result of type R, or none.
template <typename R>
[[nodiscard]] serial::message pack_result(const R& value) {
    serial::message made;
    made.bytes = serial::detail::pack_by(made.shares, [&](serial::writer& out) {
        serial::write_tag<R>(out);
        serial::write(out, value);
    });
    return made;
}
[[nodiscard]] inline serial::message pack_no_result() { return {}; }

namespace detail {

/// Reads what was sent as an Actual, if that is what was sent, and else as an R: both are the same bytes.
template <typename R, typename Actual>
void read_tag_of_either(serial::reader& in, const serial::message& from) {
    serial::reader ahead(from.bytes, "a result");
    if (ahead.number<std::uint64_t>() == serial::fingerprint<Actual>()) serial::read_tag<Actual>(in);
    else serial::read_tag<R>(in);
}

} // namespace detail

template <typename R>
R unpack_result(const serial::message& from) {
    if constexpr (std::is_void_v<R>) {
        return; // a result that nobody wants is dropped
    } else {
        if (from.bytes.empty())
            throw TypeError("a method that returns nothing was asked for a " + std::string(serial::type_name<R>()));
        serial::reader in(from.bytes, serial::type_name<R>());
        in.claim_from(from.shares);
        if constexpr (requires { typename R::is_sent_as; }) detail::read_tag_of_either<R, typename R::is_sent_as>(in, from);
        else serial::read_tag<R>(in);
        R value = serial::take<R>(in);
        in.finish();
        return value;
    }
}

/// Arguments one by one, for a receiver who finds out by their types what to do with them.
class parts {
public:
    template <typename... A>
    [[nodiscard]] static serial::message pack(const A&... values) {
        serial::message made;
        [[maybe_unused]] const std::vector<serial::message> each{pack_result(values)...};
        made.bytes = serial::detail::pack_by(made.shares, [&](serial::writer& out) {
            out.number(static_cast<std::uint8_t>(sizeof...(A)));
            for (const auto& one : each) write_message(out, one);
        });
        return made;
    }

    explicit parts(const serial::message& from) {
        serial::reader in(from.bytes, "arguments");
        in.claim_from(from.shares);
        each_.resize(in.number<std::uint8_t>());
        for (auto& one : each_) read_message(in, one);
        in.finish();
    }

    [[nodiscard]] std::size_t size() const noexcept { return each_.size(); }
    /// Whether these are the types that were sent.
    template <typename... A>
    [[nodiscard]] bool are() const {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return sizeof...(A) == size() && (is<A>(I) && ...);
        }(std::index_sequence_for<A...>());
    }
    template <typename A>
    [[nodiscard]] bool is(std::size_t i) const {
        std::uint64_t sent = 0;
        if (each_[i].bytes.size() < sizeof sent) return false;
        serial::reader in(each_[i].bytes);
        return in.number<std::uint64_t>() == serial::fingerprint<A>();
    }
    template <typename A>
    [[nodiscard]] A take(std::size_t i) const {
        return unpack_result<A>(each_.at(i));
    }
    template <typename... A>
    [[nodiscard]] std::tuple<A...> take_all() const {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return std::tuple<A...>{take<A>(I)...};
        }(std::index_sequence_for<A...>());
    }
    /// "(int, std::string)", for errors.
    [[nodiscard]] std::string describe() const {
        std::string text = "(";
        for (const auto& one : each_) {
            if (text.size() > 1) text += ", ";
            serial::reader in(one.bytes, "an argument");
            static_cast<void>(in.number<std::uint64_t>());
            const std::size_t size = in.number<std::uint8_t>();
            text.append(reinterpret_cast<const char*>(in.run(size)), size);
        }
        return text + ')';
    }

private:
    std::vector<serial::message> each_;
};

} // namespace multiprocessing::manager
