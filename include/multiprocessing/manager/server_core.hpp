// Floor 10, manager/server_core: the objects of a server, who refers to them, and what is called.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/registry.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/manager/transport.hpp>
#include <multiprocessing/manager/transport_family.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/random.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::manager {

class server_core;

/// What a token is: nothing but its being there.
struct token_state {
    std::uint64_t number = 0;
};

/// References that are written into an answer for a network: they are counted before the object could go, and belong to the
/// receiver once the answer is whole. A long answer is written twice, the first time to learn how long it is.
class grants {
public:
    explicit grants(server_core& of) noexcept : of_(of), before_(current()) { current() = this; }
    ~grants() {
        current() = before_;
        take_back();
    }
    grants(const grants&) = delete;
    grants& operator=(const grants&) = delete;

    [[nodiscard]] static grants*& current() noexcept {
        static thread_local grants* which = nullptr;
        return which;
    }
    [[nodiscard]] bool is_of(const server_core& core) const noexcept { return &of_ == &core; }
    void add(std::size_t position, std::uint64_t number);
    /// One that stands in bytes which go along, and are written as they are. False: there is no such object.
    [[nodiscard]] bool add(std::uint64_t number);
    /// They are somebody's now.
    [[nodiscard]] std::vector<std::uint64_t> take() noexcept { return std::exchange(numbers_, {}); }

private:
    void take_back() noexcept;

    server_core& of_;
    grants* before_;
    std::size_t position_ = 0;
    std::vector<std::uint64_t> numbers_;
};

/// A server without the ways to it (server_lines.hpp, server_sockets.hpp).
///
/// - Threads: every function by any thread.
class server_core : public std::enable_shared_from_this<server_core> {
public:
    server_core(std::shared_ptr<const registry> types, desk where) : types_(std::move(types)), desk_(std::move(where)) {}
    server_core(const server_core&) = delete;
    server_core& operator=(const server_core&) = delete;

    [[nodiscard]] std::uint64_t id() const noexcept { return desk_->id; }
    [[nodiscard]] const desk& where() const noexcept { return desk_; }
    [[nodiscard]] const registry& types() const noexcept { return *types_; }

    // Calls

    /// Carries out a request. Throws what the servant throws.
    [[nodiscard]] serial::message call(std::uint64_t object, std::string_view method, const serial::message& arguments,
                                       const caller& who);

    /// The server whose call this thread carries out.
    [[nodiscard]] static server_core*& current() noexcept {
        static thread_local server_core* which = nullptr;
        return which;
    }

    // Objects

    /// A new one, with a reference to it.
    [[nodiscard]] remote add(std::shared_ptr<servant> what, std::string_view type);
    /// Another reference to one; ValueError when it isn't there any more.
    [[nodiscard]] remote refer(std::uint64_t number);
    void count_up(std::uint64_t number);
    /// A counted reference is gone, and maybe the object with it.
    void count_down(std::uint64_t number) noexcept;
    /// A token that keeps it, for somebody of the family.
    [[nodiscard]] memory::handle<token_state> make_token(std::uint64_t number);
    /// Somebody dropped a token that may have been the last.
    void look_at(std::uint64_t number) noexcept;
    /// The same for all: somebody died.
    void look_at_all() noexcept;
    /// From now on tokens stand in its own containers.
    void keeps() noexcept { keeps_.store(true); }
    /// A call has ended that may have dropped some of those. Looks, at every so many calls where there is much to look at.
    void look_at_kept() noexcept;
    [[nodiscard]] std::size_t count() const {
        const std::lock_guard lock(lock_);
        return objects_.size();
    }
    [[nodiscard]] std::string info() const;

    // Clients

    void client_came(std::uint64_t client);
    /// One of its connections is gone, and `is_over`, it is dead, or this was its last one over a network.
    void client_left(std::uint64_t client, bool is_over) noexcept;
    /// Those that have no connection now: told to the servants if is_over(client).
    void look_at_clients(const std::function<bool(std::uint64_t)>& is_over) noexcept;
    /// It refers to these from now on, by their numbers.
    void grant(std::uint64_t client, const std::vector<std::uint64_t>& counted);
    void drop_grant(std::uint64_t client, std::uint64_t number) noexcept;

    // The end

    void request_stop() noexcept {
        stop_.store(true);
        if (const auto& wake = on_stop_) wake();
    }
    [[nodiscard]] bool is_stopping() const noexcept { return stop_.load(); }
    void on_stop(std::function<void()> wake) { on_stop_ = std::move(wake); }
    /// No object is left.
    void clear() noexcept;

private:
    struct object_record {
        std::shared_ptr<servant> what;
        std::string type;
        std::uint64_t counted = 0;
        std::vector<memory::object_name> tokens; // made for the family; some may be gone
    };
    struct client_record {
        unsigned connections = 0;
        std::map<std::uint64_t, std::uint64_t> grants; // number -> how many
    };

    [[nodiscard]] serial::message call_front(std::string_view method, const serial::message& arguments, const caller& who);
    [[nodiscard]] static bool is_referred_to(object_record& x) noexcept;
    [[nodiscard]] bool drop_unreferred() noexcept;
    void tell_gone(std::uint64_t client, const std::map<std::uint64_t, std::uint64_t>& granted) noexcept;

    const std::shared_ptr<const registry> types_;
    const desk desk_;
    mutable std::mutex lock_; // around the tables, for moments; no servant is called or destroyed under it
    std::unordered_map<std::uint64_t, object_record> objects_;
    std::map<std::uint64_t, client_record> clients_;
    std::uint64_t next_number_ = 1;
    std::atomic<bool> stop_{false};
    std::atomic<bool> keeps_{false};
    std::atomic<std::uint64_t> calls_since_look_{0};
    std::function<void()> on_stop_;
};

/// A reference from within the server's own process. In a child that was forked from there it asks the server for another one.
class home_reference final : public reference {
public:
    home_reference(const std::shared_ptr<server_core>& to, std::uint64_t number) noexcept // counted already
        : reference(number), to_(to), where_(to->where()) {}
    ~home_reference() override {
        if (process_ != os::pid()) return;
        if (const auto core = to_.lock()) core->count_down(number());
    }

    [[nodiscard]] inline serial::message call(std::string_view method, const serial::message& arguments) const override;
    inline void write(serial::writer& out) const override;
    [[nodiscard]] std::string server_name() const override { return where_.describe(); }
    [[nodiscard]] std::uint64_t server_id() const noexcept override { return where_->id; }

private:
    [[nodiscard]] std::shared_ptr<server_core> there() const {
        auto core = to_.lock();
        if (!core) throw EOFError("the manager's server " + where_.describe() + " has ended, and nobody answers for it");
        return core;
    }
    [[nodiscard]] std::shared_ptr<const reference> from_the_child() const;

    std::weak_ptr<server_core> to_; // weak: a servant may hold one
    desk where_;
    pid_t process_ = os::pid();
    mutable os::private_lock lock_; // around:
    mutable std::shared_ptr<const reference> in_child_;
};

/// Puts an object into the server that carries out this call, and refers to it. ValueError anywhere else.
///
///     return serial::pack_message(manager::serve(std::make_shared<cursor>(table)));
[[nodiscard]] inline remote serve(std::shared_ptr<servant> what, std::string_view type = "object") {
    server_core* const here = server_core::current();
    if (here == nullptr) throw ValueError("an object can be put into a server only by a call that runs in it");
    return here->add(std::move(what), type);
}

inline remote serve_as(std::string_view type, std::shared_ptr<void> object) {
    server_core* const here = server_core::current();
    if (here == nullptr) throw ValueError("an object can be put into a server only by a call that runs in it");
    const type_entry* const entry = here->types().find(type);
    if (entry == nullptr) throw ValueError("no type '" + std::string(type) + "' is registered for the result");
    return here->add(std::make_shared<typed_servant>(*entry, std::move(object)), type);
}

// Objects --------------------------------------------------------------------------------------------------------------------------

inline remote server_core::add(std::shared_ptr<servant> what, std::string_view type) {
    if (!what) throw ValueError("nothing can't be served");
    std::uint64_t number = 0;
    {
        const std::lock_guard lock(lock_);
        number = next_number_++;
        objects_.emplace(number, object_record{std::move(what), std::string(type), 1, {}});
    }
    return remote(std::make_shared<home_reference>(shared_from_this(), number));
}

inline void server_core::count_up(std::uint64_t number) {
    const std::lock_guard lock(lock_);
    const auto at = objects_.find(number);
    if (at == objects_.end())
        throw ValueError("the server has no object " + std::to_string(number) + " any more: its last proxy was gone before this one came");
    ++at->second.counted;
}

inline remote server_core::refer(std::uint64_t number) {
    count_up(number);
    return remote(std::make_shared<home_reference>(shared_from_this(), number));
}

inline bool server_core::is_referred_to(object_record& x) noexcept {
    if (x.counted != 0) return true;
    std::erase_if(x.tokens, [](memory::object_name each) { return memory::family::here().find(each) == memory::no_object; });
    return !x.tokens.empty();
}

inline void server_core::count_down(std::uint64_t number) noexcept {
    std::shared_ptr<servant> last; // destroyed after the lock is free
    const std::lock_guard lock(lock_);
    const auto at = objects_.find(number);
    if (at == objects_.end()) return;
    if (at->second.counted != 0) --at->second.counted;
    if (is_referred_to(at->second)) return;
    last = std::move(at->second.what);
    objects_.erase(at);
}

inline memory::handle<token_state> server_core::make_token(std::uint64_t number) {
    auto token = memory::handle<token_state>::create();
    token->number = number;
    const std::lock_guard lock(lock_);
    const auto at = objects_.find(number);
    if (at == objects_.end()) throw ValueError("the server has no object " + std::to_string(number) + " any more");
    auto& tokens = at->second.tokens;
    if (tokens.size() == tokens.capacity()) // so each is looked at a constant number of times
        std::erase_if(tokens, [](memory::object_name each) { return memory::family::here().find(each) == memory::no_object; });
    tokens.push_back(token.name());
    return token;
}

inline void server_core::look_at(std::uint64_t number) noexcept {
    std::shared_ptr<servant> last;
    const std::lock_guard lock(lock_);
    const auto at = objects_.find(number);
    if (at == objects_.end() || is_referred_to(at->second)) return;
    last = std::move(at->second.what);
    objects_.erase(at);
}

/// Says whether there were any.
inline bool server_core::drop_unreferred() noexcept {
    std::vector<std::shared_ptr<servant>> gone;
    const std::lock_guard lock(lock_);
    for (auto at = objects_.begin(); at != objects_.end();) {
        if (is_referred_to(at->second)) {
            ++at;
            continue;
        }
        try {
            gone.push_back(std::move(at->second.what));
        } catch (const std::bad_alloc&) {
            return false; // the next look finds the rest
        }
        at = objects_.erase(at);
    }
    return !gone.empty();
}

inline void server_core::look_at_all() noexcept {
    while (drop_unreferred()) {} // what is in a dict goes with it
}

inline void server_core::look_at_kept() noexcept {
    if (!keeps_.load() || ++calls_since_look_ < count() / 16) return;
    calls_since_look_ = 0;
    look_at_all();
}

inline void server_core::clear() noexcept {
    std::unordered_map<std::uint64_t, object_record> all; // servants may refer to each other: destroyed outside of the lock
    const std::lock_guard lock(lock_);
    all.swap(objects_);
}

inline std::string server_core::info() const {
    std::string text;
    const std::lock_guard lock(lock_);
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, each] : objects_) numbers.push_back(number);
    std::sort(numbers.begin(), numbers.end());
    for (const auto number : numbers) {
        const object_record& each = objects_.at(number);
        text += "  " + std::to_string(number) + ": " + each.type + ", refcount=" + std::to_string(each.counted + each.tokens.size()) + "\n";
    }
    return text;
}

// Clients --------------------------------------------------------------------------------------------------------------------------

inline void server_core::client_came(std::uint64_t client) {
    const std::lock_guard lock(lock_);
    ++clients_[client].connections;
}

inline void server_core::client_left(std::uint64_t who, bool is_over) noexcept {
    std::map<std::uint64_t, std::uint64_t> granted;
    {
        const std::lock_guard lock(lock_);
        const auto at = clients_.find(who);
        if (at == clients_.end()) return;
        if (--at->second.connections != 0 || !is_over) return;
        granted.swap(at->second.grants);
        clients_.erase(at);
    }
    tell_gone(who, granted);
}

inline void server_core::look_at_clients(const std::function<bool(std::uint64_t)>& is_over) noexcept {
    std::vector<std::uint64_t> idle;
    try {
        const std::lock_guard lock(lock_);
        for (const auto& [who, each] : clients_)
            if (each.connections == 0) idle.push_back(who);
    } catch (const std::bad_alloc&) {
        return;
    }
    for (const auto who : idle) {
        if (!is_over(who)) continue;
        {
            const std::lock_guard lock(lock_);
            const auto at = clients_.find(who);
            if (at == clients_.end() || at->second.connections != 0) continue;
            clients_.erase(at);
        }
        tell_gone(who, {});
    }
}

inline void server_core::tell_gone(std::uint64_t who, const std::map<std::uint64_t, std::uint64_t>& granted) noexcept {
    std::vector<std::shared_ptr<servant>> all;
    try {
        const std::lock_guard lock(lock_);
        for (const auto& [number, each] : objects_) all.push_back(each.what);
    } catch (const std::bad_alloc&) {
        all.clear();
    }
    for (const auto& each : all) each->client_gone(who);
    for (const auto& [number, n] : granted)
        for (std::uint64_t i = 0; i < n; ++i) count_down(number);
}

inline void server_core::grant(std::uint64_t who, const std::vector<std::uint64_t>& counted) {
    const std::lock_guard lock(lock_);
    for (const auto number : counted) ++clients_[who].grants[number];
}

inline void server_core::drop_grant(std::uint64_t who, std::uint64_t number) noexcept {
    {
        const std::lock_guard lock(lock_);
        const auto at = clients_.find(who);
        if (at == clients_.end()) return;
        const auto granted = at->second.grants.find(number);
        if (granted == at->second.grants.end()) return; // it has none: what it says is its own affair
        if (--granted->second == 0) at->second.grants.erase(granted);
    }
    count_down(number);
}

inline void grants::add(std::size_t position, std::uint64_t number) {
    if (position <= position_) take_back(); // the second time
    numbers_.push_back(number);
    try {
        of_.count_up(number);
    } catch (...) {
        numbers_.pop_back();
        throw;
    }
    position_ = position;
}
inline bool grants::add(std::uint64_t number) {
    numbers_.reserve(numbers_.size() + 1);
    try {
        of_.count_up(number);
    } catch (const ValueError&) {
        return false;
    }
    numbers_.push_back(number);
    return true;
}
inline void grants::take_back() noexcept {
    for (const auto number : numbers_) of_.count_down(number);
    numbers_.clear();
}

// Calls ----------------------------------------------------------------------------------------------------------------------------

inline serial::message server_core::call(std::uint64_t number, std::string_view method, const serial::message& arguments,
                                         const caller& who) {
    struct being_current {
        server_core* before;
        explicit being_current(server_core* now) noexcept : before(std::exchange(current(), now)) {}
        ~being_current() { current() = before; }
    } const here(this);
    if (number == 0) return call_front(method, arguments, who);
    std::shared_ptr<servant> what;
    {
        const std::lock_guard lock(lock_);
        if (const auto at = objects_.find(number); at != objects_.end()) what = at->second.what;
    }
    if (!what) throw ValueError("the server has no object " + std::to_string(number) + " any more");
    return what->call(method, arguments, who);
}

inline serial::message server_core::call_front(std::string_view method, const serial::message& arguments, const caller& who) {
    if (method == front::create) {
        serial::reader in(arguments.bytes, "a request for an object");
        in.claim_from(arguments.shares);
        const auto name = serial::take<std::string>(in);
        serial::message given;
        read_message(in, given);
        in.finish();
        const type_entry* const type = types_->find(name);
        if (type == nullptr) throw ValueError("no type '" + name.substr(0, 100) + "' is registered with this manager");
        const remote made = add(make_servant(*type, given, who), name);
        return serial::pack_message(std::tuple(made, type->fingerprint, type->type_name));
    }
    if (method == front::count || method == front::info) look_at_all(); // what was dropped a moment ago may not have been told yet
    if (method == front::count) return serial::pack_message(static_cast<std::uint64_t>(count()));
    if (method == front::info) return serial::pack_message(info());
    if (method == front::shutdown) {
        request_stop();
        return {};
    }
    if (method == front::hold) {
        const auto number = serial::unpack_message<std::uint64_t>(arguments);
        if (!who.is_remote) return serial::pack_message(refer(number));
        count_up(number);
        grant(who.client, {number});
        return {};
    }
    if (method == front::drop) {
        drop_grant(who.client, serial::unpack_message<std::uint64_t>(arguments));
        return {};
    }
    refuse("a manager's server", method);
}

/// Who calls from the server's own process.
class home_caller final : public caller {
public:
    home_caller() : caller(number_of(memory::family::here().self()), detail::thread_number(), os::pid(), false) {}
    [[nodiscard]] bool is_there() const override { return true; }
};

inline std::shared_ptr<const reference> home_reference::from_the_child() const {
    {
        const std::lock_guard lock(lock_); // nobody forks under it
        if (in_child_) return in_child_;
    }
    const auto answer = family_transport::to(where_)->call(0, front::hold, serial::pack_message(number()));
    auto asked_for = serial::unpack_message<remote>(answer).to();
    const std::lock_guard lock(lock_);
    if (!in_child_) in_child_ = std::move(asked_for);
    return in_child_;
}

inline serial::message home_reference::call(std::string_view method, const serial::message& arguments) const {
    if (process_ != os::pid()) return from_the_child()->call(method, arguments);
    const for_the_network never(false);
    return there()->call(number(), method, arguments, home_caller());
}

inline void home_reference::write(serial::writer& out) const {
    if (process_ != os::pid()) return from_the_child()->write(out);
    const auto core = there();
    const desk& where = core->where();
    if (!for_the_network::now()) return write_family_reference(out, where, core->make_token(number()), number());
    grants* const granted = grants::current();
    const bool counts = granted != nullptr && granted->is_of(*core);
    if (counts) granted->add(out.size() + 1, number());
    write_address(out, counts ? way::granted : way::address, where->id, text_in(where->address), number());
}

namespace detail {

/// The servers that run in this process.
struct homes {
    std::mutex lock;
    std::vector<std::weak_ptr<server_core>> all;
    pid_t process = os::pid();

    [[nodiscard]] static homes& here() {
        static auto& one = *new homes; // never deleted: used to the very end
        return one;
    }
};

inline std::shared_ptr<server_core> server_here(std::uint64_t id) {
    homes& mine = homes::here();
    if (mine.process != os::pid()) return nullptr; // those are the parent's
    const std::lock_guard lock(mine.lock);
    for (const auto& each : mine.all)
        if (auto core = each.lock(); core && core->id() == id) return core;
    return nullptr;
}

inline std::shared_ptr<const reference> refer_at_home(std::uint64_t id, std::uint64_t number) {
    const auto core = server_here(id);
    return core ? core->refer(number).to() : nullptr;
}

} // namespace detail

/// From now on references to its objects are served in this process.
inline void be_home_of(const std::shared_ptr<server_core>& core) {
    detail::homes& mine = detail::homes::here();
    if (mine.process != os::pid()) { // a fork's copy; its lock may be taken by a thread that isn't here
        mine.~homes();
        new (&mine) detail::homes;
    }
    const std::lock_guard lock(mine.lock);
    std::erase_if(mine.all, [](const auto& each) { return each.expired(); });
    mine.all.push_back(core);
    detail::find_at_home.store(&detail::refer_at_home, std::memory_order_release);
}

[[nodiscard]] inline std::uint64_t random_id() {
    std::uint64_t id = 0;
    std::array<std::byte, sizeof id> bytes;
    while (id == 0) {
        os::fill_random(bytes);
        std::memcpy(&id, bytes.data(), sizeof id);
    }
    return id;
}

} // namespace multiprocessing::manager
