// Floor 10, manager/transport_network: reaching a server by its address.
#pragma once

#include <algorithm> // std::copy
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/server_sockets.hpp>
#include <multiprocessing/manager/transport.hpp>
#include <multiprocessing/manager/transport_family.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/net/client.hpp>
#include <multiprocessing/net/secret.hpp>
#include <multiprocessing/os/random.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/process/lineage.hpp>

namespace multiprocessing::manager {

/// The connections of this process to one address: one for each call that is under way, and those that wait for the next.
class network_transport final : public transport, public std::enable_shared_from_this<network_transport> {
public:
    network_transport(std::string address, net::secret key) : address_(std::move(address)), key_(std::move(key)) {}
    ~network_transport() override = default;

    /// The one to that address; lives as long as anybody uses it. `key`: none is the process's own, or that of the one there is.
    [[nodiscard]] static std::shared_ptr<network_transport> to(const std::string& address, const net::secret& key = {});

    /// Makes the first connection, if there is none.
    void connect() { put_by(take_connection()); }

    [[nodiscard]] inline serial::message call(std::uint64_t object, std::string_view method, const serial::message& arguments) override;
    [[nodiscard]] bool is_by_network() const noexcept override { return true; }
    [[nodiscard]] inline std::string server_name() const override;
    [[nodiscard]] std::uint64_t server_id() const noexcept override { return server_id_.load(); }
    [[nodiscard]] const std::string& address() const noexcept { return address_; }
    [[nodiscard]] const net::secret& key() const noexcept { return key_; }

    /// Without an answer. That the server is gone shows in the next call.
    void tell(std::uint64_t object, std::string_view method, const serial::message& arguments) noexcept;
    /// A reference of this process is gone. Told with the next call when no connection is free.
    void tell_dropped(std::uint64_t number) noexcept;

private:
    static constexpr std::size_t most_idle = 16;

    [[nodiscard]] std::unique_ptr<Connection> take_idle(bool may_take_the_last = true);
    [[nodiscard]] std::unique_ptr<Connection> take_connection();
    void put_by(std::unique_ptr<Connection> used) noexcept;
    void send(Connection& by, std::uint64_t object, std::string_view method, const serial::message& arguments, bool wants_answer) const;
    void tell_what_was_dropped(Connection& by);

    const std::string address_;
    const net::secret key_;
    std::atomic<std::uint64_t> server_id_{0};
    std::atomic<std::int64_t> server_pid_{0};
    // Under idle_lock:
    std::string server_;
    pid_t process_ = os::pid();
    std::uint64_t client_id_ = 0;
    std::vector<std::unique_ptr<Connection>> idle_;
    std::vector<std::uint64_t> dropped_;
};

/// A key for a member of the family, in an object of its own.
inline void write_key(serial::writer& out, const net::secret& key) {
    auto place = memory::handle<std::byte[]>::create(key.bytes().size() + 1);
    std::copy(key.bytes().begin(), key.bytes().end(), place.get());
    out.share(place);
    out.number(static_cast<std::uint64_t>(key.bytes().size()));
}
[[nodiscard]] inline net::secret read_key(serial::reader& in) {
    const memory::holding place = in.share(1);
    const auto size = in.number<std::uint64_t>();
    if (!place || size >= place.size()) in.fail("a key that isn't there");
    return net::secret(std::span(static_cast<const std::byte*>(place.payload()), static_cast<std::size_t>(size)));
}
/// The family's own need not be told.
[[nodiscard]] inline bool is_family_key(const net::secret& key) { return key.bytes() == process::lineage::here().authkey(); }

/// One count of the server's for this process. A child that was forked counts for itself when it first uses its copy.
class network_reference final : public reference {
public:
    network_reference(std::shared_ptr<network_transport> through, std::uint64_t number)
        : reference(number), through_(std::move(through)) {} // counted already
    ~network_reference() override {
        if (holder_.load() == os::pid()) through_->tell_dropped(number());
    }

    [[nodiscard]] serial::message call(std::string_view method, const serial::message& arguments) const override {
        hold();
        return through_->call(number(), method, arguments);
    }
    void tell(std::string_view method, const serial::message& arguments) const override {
        hold();
        through_->tell(number(), method, arguments);
    }
    void write(serial::writer& out) const override {
        hold();
        const bool is_keyed = !for_the_network::now() && !is_family_key(through_->key());
        write_address(out, is_keyed ? way::keyed : way::address, server_id(), through_->address(), number());
        if (is_keyed) write_key(out, through_->key());
    }
    [[nodiscard]] bool is_by_network() const noexcept override { return true; }
    [[nodiscard]] std::string server_name() const override { return through_->server_name(); }
    [[nodiscard]] std::uint64_t server_id() const noexcept override { return through_->server_id(); }

private:
    void hold() const {
        pid_t was = holder_.load();
        if (was == os::pid()) return;
        static_cast<void>(through_->call(0, front::hold, serial::pack_message(number())));
        if (!holder_.compare_exchange_strong(was, os::pid())) through_->tell_dropped(number()); // another thread did it too
    }

    std::shared_ptr<network_transport> through_;
    mutable std::atomic<pid_t> holder_{os::pid()};
};

namespace detail {

inline std::vector<std::weak_ptr<network_transport>>& network_transports() {
    static auto& all = *new std::vector<std::weak_ptr<network_transport>>; // never deleted: used to the very end
    return all;
}

inline std::shared_ptr<const reference> read_address(serial::reader& in, way by) {
    const auto server = in.number<std::uint64_t>();
    const auto address = serial::take<std::string>(in);
    const auto number = in.number<std::uint64_t>();
    if (number == 0 || address.empty()) in.fail("a reference to nothing");
    const net::secret key = by == way::keyed ? read_key(in) : net::secret();
    if (auto home = at_home(server, number)) return home;
    auto through = network_transport::to(address, key);
    if (through->server_id() == 0) through->connect();
    if (through->server_id() != server) throw EOFError("the manager's server at " + address + " has ended; another one is there now");
    if (by != way::granted) static_cast<void>(through->call(0, front::hold, serial::pack_message(number)));
    return std::make_shared<network_reference>(std::move(through), number);
}

} // namespace detail

template <typename Reader>
std::shared_ptr<const reference> read_reference(Reader& in, way by) {
    switch (by) {
    case way::family: return detail::read_family_reference(in);
    case way::granted:
    case way::address:
    case way::keyed: return detail::read_address(in, by);
    case way::none: break;
    }
    in.fail("a reference by no way there is");
}

inline std::shared_ptr<network_transport> network_transport::to(const std::string& address, const net::secret& key) {
    std::vector<std::shared_ptr<network_transport>> others; // let go of after the lock
    auto fresh = std::make_shared<network_transport>(address, key ? key : net::secret(process::lineage::here().authkey()));
    const std::lock_guard lock(detail::idle_lock);
    auto& all = detail::network_transports();
    std::erase_if(all, [](const auto& each) { return each.expired(); });
    for (const auto& each : all)
        if (auto there = each.lock()) {
            if (there->address_ == address && (!key || there->key_.bytes() == key.bytes())) return there;
            others.push_back(std::move(there));
        }
    all.push_back(fresh);
    return fresh;
}

inline std::string network_transport::server_name() const {
    const std::lock_guard lock(detail::idle_lock);
    return (server_.empty() ? std::string("server") : server_ + " (pid " + std::to_string(server_pid_.load()) + ")") + " at " + address_;
}

inline std::unique_ptr<Connection> network_transport::take_idle(bool may_take_the_last) {
    std::vector<std::unique_ptr<Connection>> inherited; // somebody else's
    const std::lock_guard lock(detail::idle_lock);
    if (process_ != os::pid()) {
        inherited.swap(idle_);
        dropped_.clear();
        process_ = os::pid();
        client_id_ = 0;
    }
    if (idle_.empty() || (idle_.size() == 1 && !may_take_the_last)) return nullptr;
    auto one = std::move(idle_.back());
    idle_.pop_back();
    return one;
}

inline std::unique_ptr<Connection> network_transport::take_connection() {
    if (auto one = take_idle()) return one;
    auto made = std::make_unique<Connection>(connection::Client(address_, {.authkey = key_}));
    std::uint64_t id = random_id();
    {
        const std::lock_guard lock(detail::idle_lock);
        if (client_id_ == 0) client_id_ = id;
        id = client_id_;
    }
    serial::writer hello;
    write_greeting(hello, {.id = id, .pid = os::pid(), .name = os::name()});
    made->send_bytes(std::move(hello).take());
    const greeting server = read_greeting(made->recv_bytes(longest_greeting));
    const std::uint64_t before = server_id_.exchange(server.id);
    if (before != 0 && before != server.id) { // references to the old one mean nothing there
        server_id_.store(before);
        throw EOFError("the manager's server at " + address_ + " has ended; another one is there now");
    }
    server_pid_.store(server.pid);
    const std::lock_guard lock(detail::idle_lock);
    server_ = server.name;
    return made;
}

inline void network_transport::put_by(std::unique_ptr<Connection> used) noexcept {
    try {
        const std::lock_guard lock(detail::idle_lock);
        if (idle_.size() < most_idle) idle_.push_back(std::move(used));
    } catch (const std::bad_alloc&) {
    }
}

inline void network_transport::send(Connection& by, std::uint64_t object, std::string_view method, const serial::message& arguments,
                                    bool wants_answer) const {
    serial::writer out;
    write_request(out, {object, detail::thread_number(), wants_answer, method}, arguments);
    by.send_bytes(std::move(out).take());
}

inline void network_transport::tell_what_was_dropped(Connection& by) {
    std::vector<std::uint64_t> dropped;
    {
        const std::lock_guard lock(detail::idle_lock);
        dropped.swap(dropped_);
    }
    for (const auto number : dropped) send(by, 0, front::drop, serial::pack_message(number), false);
}

inline void network_transport::tell(std::uint64_t object, std::string_view method, const serial::message& arguments) noexcept {
    try {
        auto one = take_connection();
        send(*one, object, method, arguments, false);
        put_by(std::move(one));
    } catch (const std::exception&) {
        // It hung up, and nobody counts on what it was told any more.
    }
}

inline void network_transport::tell_dropped(std::uint64_t number) noexcept {
    try {
        if (auto one = take_idle()) {
            tell_what_was_dropped(*one);
            send(*one, 0, front::drop, serial::pack_message(number), false);
            put_by(std::move(one));
        } else {
            const std::lock_guard lock(detail::idle_lock);
            if (process_ == os::pid()) dropped_.push_back(number);
        }
    } catch (...) {
        // It hung up, so nothing counts any more; or there is no memory, and the server counts until this process hangs up.
    }
}

inline serial::message network_transport::call(std::uint64_t object, std::string_view method, const serial::message& arguments) {
    const auto gone = [&] { return EOFError("the manager's " + server_name() + " has ended, or can't be reached any more"); };
    std::vector<std::byte> reply;
    const bool was_known = server_id_.load() != 0;
    std::unique_ptr<Connection> mine;
    try {
        mine = take_connection();
    } catch (const std::system_error&) {
        if (was_known) throw gone();
        throw; // nobody is there
    }
    try {
        tell_what_was_dropped(*mine);
        send(*mine, object, method, arguments, true);
        MULTIPROCESSING_STEP(network_request_sent);
        reply = mine->recv_bytes(longest_frame);
        MULTIPROCESSING_STEP(network_answer_here);
    } catch (const EOFError&) {
        throw gone();
    } catch (const BrokenPipeError&) {
        throw gone();
    } catch (const std::system_error&) {
        throw gone();
    }
    put_by(std::move(mine));
    serial::reader in(reply, "answer");
    return read_answer(in);
}

} // namespace multiprocessing::manager
