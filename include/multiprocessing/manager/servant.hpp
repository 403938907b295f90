// Floor 10, manager/servant: something that lives in a server and answers calls.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <multiprocessing/exceptions.hpp> // ValueError, pid_t

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

/// Who calls.
///
/// A client is a process: all the threads and all the copies of one program that run in it. One that is reached over a network is
/// the same client by all its connections.
class caller {
public:
    caller(std::uint64_t client_, std::uint64_t thread_, pid_t pid_, bool is_remote_) noexcept
        : client(client_), thread(thread_), pid(pid_), is_remote(is_remote_) {}
    virtual ~caller() = default;

    /// False when its process is dead, or its last connection is cut: nobody waits for the answer any more, and a call that waits
    /// for something gives up, by whatever exception. It may cost a call of the system, so a waiting one asks every 20 ms or so.
    [[nodiscard]] virtual bool is_there() const = 0;

    // Bytes that come from it and go to it, of one that is reached over a network; within a family references are shared objects.

    /// What keeps the objects of this server to which references in those bytes refer: while it is kept, they are. The references
    /// are written as whoever gets them later must find them.
    [[nodiscard]] virtual std::vector<memory::holding> keep(std::span<std::byte> bytes) const {
        static_cast<void>(bytes);
        return {};
    }
    /// Makes the references in bytes that were kept its own, as part of the answer. False: there are none.
    [[nodiscard]] virtual bool hand_over(std::span<std::byte> bytes) const {
        static_cast<void>(bytes);
        return false;
    }

    const std::uint64_t client; ///< a number that no other client of this server has or had; never 0
    const std::uint64_t thread; ///< a number of the calling thread, among those of this client: an RLock's owner is both
    const pid_t pid;            ///< in its own machine
    const bool is_remote;       ///< it came over a network: no handle to shared memory can be given to it

protected:
    caller(const caller&) = default;
};

/// How long a call that waits may go without asking whether its caller is there.
inline constexpr int look_every_ms = 20;

/// An object as its server sees it.
///
///     class counter final : public manager::servant {
///         serial::message call(std::string_view method, const serial::message& arguments, const caller&) override {
///             if (method == "add") return serial::pack_message(sum_ += serial::unpack_message<int>(arguments));
///             manager::refuse("counter", method);
///         }
///         std::atomic<int> sum_ = 0;
///     };
///
/// What travels is the servant's own business: the server hands over the arguments as the caller packed them (remote.hpp), and the
/// answer as it is. They come from another process, maybe from another machine: serial::unpack_message() is what makes values of
/// them, and nothing else is believed. (call.hpp has a form in which arguments know their types.)
///
/// - Python: an object in a `Server`'s `id_to_obj`.
/// - Threads: call() is called by many threads at once; each call has a thread that no other call runs on meanwhile, so it may
///   wait for as long as it likes, and keeps nobody but its caller waiting. One client may be in several calls at once.
/// - When a client dies: client_gone() is told, after the last of its calls has returned, exactly once for each client that ever
///   called anything in this server. What the client held is to be released there. (References to objects are none of that: the
///   server counts them by itself.) A call that waits must notice by caller::is_there(); it may have got what it waited for in the
///   same moment, which client_gone() then releases.
/// - When its last reference is gone: it is destroyed, once no call is in it, by any thread of the server. A server that is shut
///   down destroys what it has, unless calls are still in it then.
/// - Errors: what call() throws is what the caller catches, as its own type and as RemoteError.
class servant {
public:
    virtual ~servant() = default;
    virtual serial::message call(std::string_view method, const serial::message& arguments, const caller& who) = 0;
    virtual void client_gone(std::uint64_t client) noexcept { static_cast<void>(client); }
};

/// How a registered T is served to whoever has a proxy for such things: specialised, with `static std::shared_ptr<servant> by(T&)`,
/// where the type of that proxy is (queue_servant.hpp, dict.hpp, list.hpp).
template <typename T>
struct served;
template <typename T>
concept IsServed = requires(T& x) {
    { served<T>::by(x) } -> std::same_as<std::shared_ptr<servant>>;
};

/// Makes one, in the server, of what BaseManager::create_remote() was given in a client. A plain function (a captureless lambda),
/// so that it means the same in the server's process: see BaseManager::register_servant(). In any call the server can be given
/// further servants, to be referred to in an answer, by manager::serve() (server_core.hpp): remote serve(std::shared_ptr<servant>).
using servant_maker = std::shared_ptr<servant> (*)(const serial::message& arguments, const caller& who);

/// There is no such method, or it isn't for others.
[[noreturn]] inline void refuse(std::string_view type, std::string_view method) {
    std::string text(type);
    text.append(" has no method '").append(method.substr(0, 100)).append("' that can be called from elsewhere: register it");
    throw ValueError(text);
}

} // namespace multiprocessing::manager
