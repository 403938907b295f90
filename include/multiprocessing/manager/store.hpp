// Floor 10, manager/store: what stands in shared memory, or in a server elsewhere, and how its items travel to there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/item.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

/// Bytes as a message has them. What is in a server elsewhere can't hold objects of this machine's memory.
using packed = std::vector<std::byte>;

[[noreturn]] inline void refuse_shared_object() {
    throw NotPortableError("a shared object (a Lock, a Queue, another container, ...) can't be put into a container of a manager "
                           "that is reached over a network: make it there, by that manager");
}
[[nodiscard]] inline packed to_send(const item_view& x) {
    if (!x.shares.empty()) refuse_shared_object();
    return {x.bytes.begin(), x.bytes.end()};
}
inline void receive_into(item& out, const packed& bytes) { out.set_large().bytes = bytes; }

[[nodiscard]] inline items unpack_items(const std::vector<packed>& from) {
    items all;
    for (const packed& each : from) all.add({each, {}});
    return all;
}
[[nodiscard]] inline std::vector<packed> pack_items(const items& from) {
    std::vector<packed> all;
    for (std::size_t i = 0; i < from.size(); ++i) all.push_back(to_send(from[i]));
    return all;
}

/// A Local, on which this family works, or a reference to one in a server.
template <typename Local>
class store {
public:
    store() noexcept = default;
    explicit store(Local local) noexcept : local_(std::move(local)) {}
    explicit store(remote far) noexcept : far_(std::move(far)) {}
    [[nodiscard]] auto parts() noexcept { return std::tie(local_.state(), far_); }

    [[nodiscard]] bool is_local() const noexcept { return static_cast<bool>(local_); }
    [[nodiscard]] const Local& local() const noexcept { return local_; }
    [[nodiscard]] const remote& far() const noexcept { return far_; }
    [[nodiscard]] std::uint64_t name() const noexcept { return is_local() ? local_.state().name() : far_.number(); }
    friend bool operator==(const store& a, const store& b) noexcept {
        return a.local_.state() == b.local_.state() && a.far_ == b.far_;
    }

    [[nodiscard]] std::size_t size() const {
        return is_local() ? local_.size() : static_cast<std::size_t>(ask<std::uint64_t>("size"));
    }
    /// A value that is to be put into it. Proxies of the same server go as what it can read.
    template <typename T>
    [[nodiscard]] item pack(const T& x) const {
        if (is_local()) return item(x);
        const for_the_network medium;
        return item(x);
    }

protected:
    template <typename R, typename T = std::uint8_t>
    R ask(std::string_view method, const T& with = T()) const {
        return far_.ask<R>(method, with);
    }
    /// False: there is none.
    template <typename T>
    bool receive(std::string_view method, const T& with, item& out) const {
        const auto found = ask<std::optional<packed>>(method, with);
        if (found) receive_into(out, *found);
        return found.has_value();
    }

    Local local_;

private:
    remote far_;
};

/// What a client has sent, and what keeps the objects of this server to which it refers.
class received {
public:
    received(packed bytes, const caller& who) : bytes_(std::move(bytes)), kept_(who.keep(bytes_)) {}
    [[nodiscard]] item_view view() const noexcept { return {bytes_, kept_}; }

private:
    packed bytes_;
    std::vector<memory::holding> kept_;
};
[[nodiscard]] inline items received_items(const std::vector<packed>& from, const caller& who) {
    items all;
    for (const packed& each : from) all.add(received(each, who).view());
    return all;
}
/// The way back: the client has references of its own.
[[nodiscard]] inline packed handed_to(const caller& who, const item_view& x) {
    packed bytes(x.bytes.begin(), x.bytes.end());
    if (!x.shares.empty() && !who.hand_over(bytes)) refuse_shared_object();
    return bytes;
}
[[nodiscard]] inline std::vector<packed> handed_to(const caller& who, const items& from) {
    std::vector<packed> all;
    for (std::size_t i = 0; i < from.size(); ++i) all.push_back(handed_to(who, from[i]));
    return all;
}

/// A Local in a server, for clients who can't reach its memory.
template <typename Local>
class container_servant : public servant {
public:
    explicit container_servant(Local in = Local::make()) noexcept : in_(std::move(in)) {}
    /// Of one that this server's family has.
    explicit container_servant(const store<Local>& of) : in_(of.local()) {
        if (!of.is_local()) throw ValueError("a manager can't serve what is in another manager's server");
    }

protected:
    template <typename T>
    static T read(const serial::message& arguments) {
        return serial::unpack_message<T>(arguments);
    }
    static serial::message maybe(bool is, const item& x, const caller& who) {
        return serial::pack_message(is ? std::optional(handed_to(who, x.view())) : std::nullopt);
    }
    static serial::message done() { return serial::pack_message(std::uint8_t{}); }

    const Local in_;
};

} // namespace multiprocessing::manager
