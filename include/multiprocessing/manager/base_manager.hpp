// Floor 10, manager/base_manager: BaseManager: a server, and how it is reached.
#pragma once

#include <chrono>
#include <concepts>
#include <csignal> // SIGTERM, SIGKILL
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/base_options.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/proxy.hpp>
#include <multiprocessing/manager/queue_servant.hpp> // how a registered Queue is served
#include <multiprocessing/manager/registry.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/server.hpp>
#include <multiprocessing/manager/server_process.hpp>
#include <multiprocessing/manager/transport.hpp>
#include <multiprocessing/manager/transport_family.hpp>
#include <multiprocessing/manager/transport_network.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/type_name.hpp>
#include <multiprocessing/process/lineage.hpp>
#include <multiprocessing/process/running.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing {

/// A server with objects that many processes use, and how it is reached.
///
///     mp::BaseManager manager;
///     manager.register_type<Counter>("Counter").method<&Counter::add>("add");
///     manager.start();
///     auto counter = manager.create<Counter>("Counter", 5);
///     fmt::print("{}\n", counter.call<&Counter::add>(3));        // 8, whatever process calls
///
/// Or as a class of its own:
///
///     struct MyManager : mp::BaseManager {
///         MyManager() { register_type<Counter>("Counter").method<&Counter::add>("add"); }
///         mp::Proxy<Counter> counter(int begin) const { return create<Counter>("Counter", begin); }
///     };
///
/// Other programs, and other machines, reach one that has an address: they make a BaseManager with the same address and authkey,
/// connect(), and create(). They needn't register anything.
///
/// Copies, and what arrives in other processes, are the same manager; they can create() as the first one does, and the one that
/// started it, or its last copy in that process, shuts the server down when it goes.
///
/// - Python: `multiprocessing.managers.BaseManager`. There what is registered becomes a method of the class; RuntimeErrors and
///   assertions are ValueErrors here. Without an address there is no socket.
/// - Threads: any, once it is started.
/// - When the server dies: every call, and whoever waits in one, gets EOFError, which names it.
/// - When its maker dies: the server ends too.
/// - Start methods: all; by spawn and forkserver what is registered must mean the same in another process, as every pointer to a
///   member does.
/// - Errors: ProcessError when it is started twice or after shutdown(); ValueError for a call in another wrong state; those of
///   Listener and Client; AuthenticationError.
class BaseManager {
public:
    explicit BaseManager(ManagerOptions options = {})
        : options_(std::move(options)), types_(std::make_shared<manager::registry>()) {}
    virtual ~BaseManager() = default;
    BaseManager(const BaseManager&) = default;
    BaseManager(BaseManager&&) noexcept = default;
    BaseManager& operator=(const BaseManager&) = default;
    BaseManager& operator=(BaseManager&&) noexcept = default;

    /// What the server can make by that name, and what can be called of it: see registration. Before start().
    template <typename T>
    manager::registration<T> register_type(const std::string& name) {
        demand_initial("register a type with");
        types_->do_and_keep(&manager::detail::add_type<T>, name);
        return {*types_, name};
    }
    /// Made by calling f, with the arguments of create(). What it returns by value or by a smart pointer is a new object; by
    /// reference or pointer, an existing one, which is served as it is.
    template <typename T = void, typename F>
    auto register_type(const std::string& name, F f) {
        demand_initial("register a type with");
        using function = std::decay_t<F>;
        using made = std::conditional_t<std::is_void_v<T>,
                                        manager::detail::held_t<typename manager::detail::signature<function>::result>, T>;
        types_->do_and_keep(&manager::detail::add_callable<made, function>, name, function(std::move(f)));
        return manager::registration<made>(*types_, name);
    }
    /// A servant of one's own kind, made by that function of what create_remote() is given.
    void register_servant(const std::string& name, manager::servant_maker make) {
        demand_initial("register a type with");
        types_->do_and_keep(&manager::detail::add_servant, name, make);
    }

    /// Starts the server's process, which calls f(args...) first. Ignores SIGINT there, as Python does.
    void start() { start_with({}); }
    template <typename F, typename... Args>
    void start(F f, Args... args);

    /// The server, to be run in this process.
    [[nodiscard]] Server get_server();

    /// Reaches a server that runs at the address.
    void connect();

    /// Ends the server that start() has started: asks it to, then SIGTERM, then SIGKILL. Again does nothing.
    void shutdown();
    /// Waits for its end.
    void join() const { owned("join").process.wait(os::deadline::never()); }
    /// True if it has ended.
    template <typename Rep, typename Period>
    bool join(std::chrono::duration<Rep, Period> timeout) const {
        return owned("join").process.wait(os::deadline(timeout));
    }

    /// Where it listens, with the port that was found; empty: nowhere.
    [[nodiscard]] std::string address() const;
    /// None before start(), and where it was started by somebody else.
    [[nodiscard]] std::optional<pid_t> pid() const {
        return owned_ ? std::optional(owned_->process.pid()) : std::nullopt;
    }
    /// None while it runs. 0 after shutdown().
    [[nodiscard]] std::optional<int> exitcode() const { return owned("ask for the exit code of").process.exitcode(); }

    /// An object of a registered type. TypeError when it is of another type than T, or can't be made of these arguments.
    template <typename T = void, typename... Args>
    [[nodiscard]] Proxy<T> create(const std::string& name, const Args&... args) const;
    /// What register_servant()'s function makes of `arguments`.
    [[nodiscard]] manager::remote create_remote(const std::string& name, const serial::message& arguments) const {
        return std::get<0>(ask_for(name, arguments));
    }

    /// Objects that the server has. (Python: `_number_of_objects`.)
    [[nodiscard]] std::size_t number_of_objects() const {
        return static_cast<std::size_t>(serial::unpack_message<std::uint64_t>(there().call(0, manager::front::count, {})));
    }
    /// A line for each. (Python: `_debug_info`.)
    [[nodiscard]] std::string debug_info() const {
        return serial::unpack_message<std::string>(there().call(0, manager::front::info, {}));
    }

    /// It can be asked for objects.
    [[nodiscard]] bool is_connected() const noexcept { return through_ != nullptr; }
    [[nodiscard]] const ManagerOptions& options() const noexcept { return options_; }

    /// The same server.
    friend bool operator==(const BaseManager& a, const BaseManager& b) noexcept {
        return a.through_ && b.through_ && a.through_->server_id() == b.through_->server_id();
    }

private:
    friend struct serial::codec<BaseManager>;

    /// The server's process, of whoever started it.
    struct owned_server {
        process::running process;
        manager::desk where;
        std::chrono::nanoseconds patience{};
        bool is_shut_down = false;

        ~owned_server() {
            try {
                end();
            } catch (const std::exception& error) {
                os::log(os::log_level::error, "cannot end a manager's server: {}", error.what());
            }
        }
        void end();
    };

    void demand_initial(std::string_view verb) const {
        if (owned_ && owned_->is_shut_down) throw ProcessError("the manager has shut down");
        if (through_ || owned_) throw ProcessError("can't " + std::string(verb) + " a manager whose server was started already");
    }
    const owned_server& owned(std::string_view verb) const {
        if (!owned_) throw ValueError("can't " + std::string(verb) + " a manager that this one didn't start");
        return *owned_;
    }
    [[nodiscard]] manager::transport& there() const {
        if (!through_) throw ValueError("the manager's server isn't started yet: call start() or connect()");
        return *through_;
    }
    [[nodiscard]] std::string server_name() const;
    [[nodiscard]] net::secret key() const {
        return options_.authkey ? options_.authkey : net::secret(process::lineage::here().authkey());
    }
    void start_with(const manager::initializer& first);
    [[nodiscard]] std::tuple<manager::remote, std::uint64_t, std::string> ask_for(const std::string& name,
                                                                                  const serial::message& arguments) const;

    ManagerOptions options_;
    std::shared_ptr<manager::registry> types_;
    manager::desk where_; // of a server of this family
    std::shared_ptr<manager::transport> through_;
    std::shared_ptr<owned_server> owned_;
};

template <typename F, typename... Args>
void BaseManager::start(F f, Args... args) {
    static_assert(std::is_invocable_v<F&, Args&...>, "multiprocessing: the initializer of a manager must be callable with its arguments");
    start_with({.here = [&] { f(args...); }, .packed = [&] { return serial::pack_call(f, args...); }});
}

inline std::string BaseManager::server_name() const {
    if (!options_.name.empty()) return options_.name;
    return os::short_type_name(typeid(*this));
}

inline void BaseManager::start_with(const manager::initializer& first) {
    demand_initial("start");
    process::lineage& mine = process::lineage::here();
    process::launch terms{.daemon = true, .allow_children = true, .ignore_interrupts = true, .number = mine.next_number()};
    terms.name = options_.name.empty() ? server_name() + '-' + terms.number : options_.name;
    const manager::desk where = manager::desk::make(manager::random_id(), terms.name);
    auto started = std::make_shared<owned_server>();
    started->where = where;
    started->patience = options_.shutdown_timeout.value();
    started->process = manager::start_server(process::method_for(options_.start_method), std::move(terms), types_, where,
                                             options_.address, key(), first);
    owned_ = std::move(started);
    where_ = where;
    through_ = manager::family_transport::to(where);
}

inline Server BaseManager::get_server() {
    demand_initial("get the server of");
    where_ = manager::desk::make(manager::random_id(), server_name());
    Server server(types_, where_, options_.address, key());
    through_ = manager::family_transport::to(where_);
    return server;
}

inline void BaseManager::connect() {
    demand_initial("connect");
    if (options_.address.empty()) throw ValueError("a manager without an address can't connect to anything");
    auto through = manager::network_transport::to(options_.address, key());
    through->connect();
    through_ = std::move(through);
}

inline void BaseManager::owned_server::end() {
    if (is_shut_down || !process || !process.is_ours()) return;
    is_shut_down = true;
    if (process.exitcode()) return;
    try {
        static_cast<void>(manager::family_transport::to(where)->call(0, manager::front::shutdown, {}));
    } catch (const EOFError&) {
        // it has ended meanwhile
    }
    const auto soon = [this] { return os::deadline::after(patience); };
    if (process.wait(soon())) return;
    process.signal(SIGTERM);
    if (process.wait(soon())) return;
    process.signal(SIGKILL);
    process.wait(os::deadline::never());
}

inline void BaseManager::shutdown() {
    if (!owned_) throw ValueError("only who started a manager's server can shut it down");
    owned_->end();
}

inline std::string BaseManager::address() const {
    if (where_) return manager::text_in(where_->address);
    return options_.address;
}

inline std::tuple<manager::remote, std::uint64_t, std::string> BaseManager::ask_for(const std::string& name,
                                                                                    const serial::message& arguments) const {
    serial::message asked;
    asked.bytes = serial::detail::pack_by(asked.shares, [&](serial::writer& out) {
        serial::write(out, name);
        manager::write_message(out, arguments);
    });
    return serial::unpack_message<std::tuple<manager::remote, std::uint64_t, std::string>>(there().call(0, manager::front::create, asked));
}

template <typename T, typename... Args>
Proxy<T> BaseManager::create(const std::string& name, const Args&... args) const {
    const manager::for_the_network medium(there().is_by_network());
    auto [made, fingerprint, type] = ask_for(name, manager::parts::pack<manager::detail::travelling_t<Args>...>(args...));
    if constexpr (!std::is_void_v<T>)
        if (fingerprint != serial::fingerprint<T>())
            throw TypeError("'" + name + "' is a " + (type.empty() ? "thing of its own kind" : type) + ", not a " +
                            std::string(serial::type_name<T>()));
    return Proxy<T>(std::move(made));
}

namespace serial {

/// The desk where there is one; else the address, and the key where the family's own isn't it.
template <>
struct codec<BaseManager> {
    static void write(writer& out, const BaseManager& x) {
        const bool is_for_family = !manager::for_the_network::now();
        const bool by_memory = x.where_ && x.through_ && is_for_family;
        const bool is_keyed = !by_memory && x.through_ && is_for_family && !manager::is_family_key(x.key());
        serial::write(out, by_memory);
        serial::write(out, x.through_ != nullptr);
        serial::write(out, is_keyed);
        serial::write(out, x.address());
        if (by_memory) serial::write(out, x.where_);
        if (is_keyed) manager::write_key(out, x.key());
    }
    static BaseManager make(reader& in) {
        BaseManager x;
        const bool by_memory = in.flag(), is_connected = in.flag(), is_keyed = in.flag();
        serial::read(in, x.options_.address);
        if (by_memory) x.where_ = serial::take<manager::desk>(in);
        if (is_keyed) x.options_.authkey = manager::read_key(in);
        if (x.where_) x.through_ = manager::family_transport::to(x.where_);
        else if (is_connected && !x.options_.address.empty()) x.connect();
        return x;
    }
};

} // namespace serial
} // namespace multiprocessing
