// Floor 10, manager/remote: a reference to an object that lives in a server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

/// How a server is reached; a kind of reference for each. One byte of a message.
enum class way : std::uint8_t {
    none,    ///< refers to nothing
    family,  ///< by shared memory: the server and who reads this belong to one family of processes
    granted, ///< by its address, by a server that has counted this reference already
    address, ///< by its address; who reads this has it counted
    keyed,   ///< the same within a family, whose own key isn't that of the address: it travels in shared memory, never in bytes
};

/// One counted reference: while it exists, so does the object. transport_*.hpp derive from it.
class reference {
public:
    reference(const reference&) = delete;
    reference& operator=(const reference&) = delete;
    virtual ~reference() = default;

    [[nodiscard]] virtual serial::message call(std::string_view method, const serial::message& arguments) const = 0;
    /// The same, and nobody wants to know what came of it.
    virtual void tell(std::string_view method, const serial::message& arguments) const {
        static_cast<void>(call(method, arguments));
    }
    /// Its way and what follows it.
    virtual void write(serial::writer& out) const = 0;
    /// Bytes alone reach the server, no handles to shared memory.
    [[nodiscard]] virtual bool is_by_network() const noexcept { return false; }
    /// For errors and for printing: "BaseManager-1 (pid 4711)".
    [[nodiscard]] virtual std::string server_name() const = 0;
    /// No two servers have the same.
    [[nodiscard]] virtual std::uint64_t server_id() const noexcept = 0;
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

protected:
    explicit reference(std::uint64_t number) noexcept : number_(number) {}

private:
    const std::uint64_t number_;
};

/// While one lives, what its thread packs is for a peer that can't use this family's memory: references to objects are written as
/// addresses.
class for_the_network {
public:
    explicit for_the_network(bool is = true) noexcept : before_(now()) { now() = is; }
    ~for_the_network() { now() = before_; }
    for_the_network(const for_the_network&) = delete;
    for_the_network& operator=(const for_the_network&) = delete;
    [[nodiscard]] static bool& now() noexcept {
        static thread_local bool value = false;
        return value;
    }

private:
    bool before_;
};

/// A counted reference to an object that lives in a server, wherever that is.
///
///     manager::remote counter = a_manager.create_remote("counter", {});          // base_manager.hpp
///     const int sum = serial::unpack_message<int>(counter.call("add", counter.pack(5)));
///
/// Untyped: it carries messages to the servant (servant.hpp) and back. Proxy<T> (proxy.hpp) knows types, and a proxy of one's own
/// has one of these as its only member. Copies share the reference. It is Serializable: it travels to children by every start
/// method, through queues, connections and calls, and keeps the object alive on the way; through bytes that leave the machine only
/// where its server has an address, and there the receiver must take it before the sender lets go. Whoever connects to such an
/// address does so with the key that the sender had, if both are of one family; else with that of its own process
/// (current_process().authkey()), or of a manager of its own at this address.
///
/// - Python: `BaseProxy` with its `Token`.
/// - Threads: any, at once; a call that waits keeps nobody else waiting.
/// - When the server dies: a call that waits for it, and every later one, throws EOFError, which names it. A call is never
///   repeated: it may have been carried out.
/// - When a holder dies: its references are gone, as if dropped.
/// - Across fork: the child has references of its own.
/// - Errors: what the servant threw, as its own type and as RemoteError; EOFError; ValueError for a call on nothing.
class remote {
public:
    remote() noexcept = default; ///< refers to nothing
    explicit remote(std::shared_ptr<const reference> to) noexcept : to_(std::move(to)) {}

    [[nodiscard]] explicit operator bool() const noexcept { return to_ != nullptr; }

    /// Calls the servant and waits for its answer.
    serial::message call(std::string_view method, const serial::message& arguments) const { return there().call(method, arguments); }

    /// The same without an answer, and over a network without waiting: a later call may overtake it.
    void tell(std::string_view method, const serial::message& arguments) const { there().tell(method, arguments); }

    /// A value as arguments for call(): as pack_message(), and references within it are written in a way that the server can use.
    template <typename T>
    [[nodiscard]] serial::message pack(const T& value) const {
        const for_the_network medium(there().is_by_network());
        return serial::pack_message(value);
    }

    /// Both: `answer = object.ask<int>("add", std::tuple(1, 2))`; R may be void.
    template <typename R, typename T>
    R ask(std::string_view method, const T& value) const {
        const serial::message answer = call(method, pack(value));
        if constexpr (!std::is_void_v<R>) return serial::unpack_message<R>(answer);
    }

    /// The object's number in its server; 0: this refers to nothing.
    [[nodiscard]] std::uint64_t number() const noexcept { return to_ ? to_->number() : 0; }
    [[nodiscard]] std::string server_name() const { return there().server_name(); }
    [[nodiscard]] bool is_by_network() const { return there().is_by_network(); }
    [[nodiscard]] const std::shared_ptr<const reference>& to() const noexcept { return to_; }

    /// The same object.
    friend bool operator==(const remote& a, const remote& b) noexcept {
        return a.number() == b.number() && (!a.to_ || a.to_->server_id() == b.to_->server_id());
    }

private:
    const reference& there() const {
        if (!to_) throw ValueError("this proxy refers to nothing: it was moved from, or never made by a manager");
        return *to_;
    }

    std::shared_ptr<const reference> to_;
};

/// Makes a reference of what follows its way. Defined in transport_network.hpp; a template, so that a program that reads none has
/// nothing of what it takes to reach a server.
template <typename Reader>
[[nodiscard]] std::shared_ptr<const reference> read_reference(Reader& in, way by);

} // namespace multiprocessing::manager

namespace multiprocessing::serial {

template <>
struct codec<manager::remote> {
    static void write(writer& out, const manager::remote& x) {
        if (x) x.to()->write(out);
        else out.number(manager::way::none);
    }
    static manager::remote make(reader& in) {
        const auto by = in.number<manager::way>();
        if (by == manager::way::none) return {};
        return manager::remote(manager::read_reference(in, by));
    }
};

} // namespace multiprocessing::serial
