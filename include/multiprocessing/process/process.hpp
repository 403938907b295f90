// Floor 8, process/process: a process that runs a function, seen from the process that makes it.
#pragma once

#include <chrono>
#include <concepts>
#include <csignal> // SIGTERM, SIGKILL, SIGINT
#include <cstddef> // std::byte
#include <functional>
#include <memory> // std::unique_ptr
#include <optional>
#include <ostream> // operator<<
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility> // std::exchange, std::forward, std::move
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/cpu.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/type_name.hpp>
#include <multiprocessing/process/fork.hpp>
#include <multiprocessing/process/forkserver.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/lineage.hpp>
#include <multiprocessing/process/options.hpp>
#include <multiprocessing/process/running.hpp>
#include <multiprocessing/process/spawn.hpp>
#include <multiprocessing/process/start_method.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/callable.hpp>

namespace multiprocessing {

namespace process {

/// A target with its arguments, held as std::thread holds them, and called once.
struct task {
    virtual ~task() = default;
    virtual void operator()() = 0;
    /// For a process that isn't a copy of this one; NotPortableError when it can't be told.
    [[nodiscard]] virtual serial::message packed() const = 0;
};

template <typename... Parts>
struct task_of final : task {
    template <typename... Given>
    explicit task_of(Given&&... given) : parts(std::forward<Given>(given)...) {}

    void operator()() override {
        std::apply([](Parts&... each) { static_cast<void>(std::invoke(std::move(each)...)); }, parts);
    }

    [[nodiscard]] serial::message packed() const override {
        return std::apply([](const Parts&... each) { return serial::pack_call(each...); }, parts);
    }

    std::tuple<Parts...> parts;
};

/// What may stand first in the constructor of a Process; keeps it from taking copies, moves and options for targets.
template <typename F>
concept Target = !std::derived_from<std::remove_cvref_t<F>, Process> &&
                 !std::same_as<std::remove_cvref_t<F>, ProcessOptions>;

} // namespace process

/// A process that runs a function, seen from the process that makes it.
///
///     mp::Process p(greet, "bob");
///     p.start();
///     p.join();
///     fmt::print("{}\n", *p.exitcode());      // 0
///
/// Or derived from, with run() as what it does:
///
///     class Greeter : public mp::Process {
///         void run() override { fmt::print("hello from {}\n", name()); }
///     };
///
/// The target and its arguments are copied or moved in, as by std::thread, and called in the child alone: of what the
/// child changes the parent sees nothing, unless it is shared. Once the child is started the parent's copies are
/// destroyed.
///
/// - Python: `multiprocessing.Process`. What Python asserts is a ValueError here. A Process that goes out of scope
///   leaves its child running, as there. At the end of the program daemonic children are terminated (and killed if
///   that doesn't end them within a second), the others waited for.
/// - Threads: any thread may ask about a started process, wait for it and signal it. What changes the object (start,
///   close, name, daemon, authkey, moving) is done by one thread at a time.
/// - In the child: this object is the current process; other Process objects are its parent's, and only their names
///   and pids can be asked for. stdin is empty. It leaves without destroying what its parent's code holds: std::cout,
///   if the program called sync_with_stdio(false), must be flushed by the target.
/// - When it dies: exitcode() says how; the objects it held are released. When its parent dies, a daemonic process
///   ends with it, any other goes on.
/// - Start methods: by fork any target with any arguments, and any derived class. By spawn and forkserver a target that means the
///   same in another process (a function, a captureless lambda, a functor with Serializable members, mp::bind) with
///   Serializable arguments; else start() throws NotPortableError, which says what to do.
/// - Errors: ValueError for a call in the wrong state, std::system_error when it can't be started: then it can be
///   tried again.
class Process {
public:
    template <process::Target F, typename... Args>
    explicit Process(F&& target, Args&&... args)
        : Process(ProcessOptions{}, std::forward<F>(target), std::forward<Args>(args)...) {}

    template <typename F, typename... Args>
    Process(ProcessOptions options, F&& target, Args&&... args);

    /// Also while it runs: what the object owns is the child, not a thread of control.
    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) noexcept;
    virtual ~Process() = default;

    /// What the process does: calls the target. For deriving from Process; a subclass may do anything else.
    inline virtual void run();

    /// Starts the process. Once.
    void start();
    /// Waits until it has ended.
    void join() { child_to("join").wait(os::deadline::never()); }
    /// Waits so long at most; a negative time is none. True if it has ended. (Python returns None.)
    template <typename Rep, typename Period>
    bool join(std::chrono::duration<Rep, Period> timeout) {
        return child_to("join").wait(os::deadline(timeout));
    }
    [[nodiscard]] bool is_alive() const;

    /// SIGTERM, SIGKILL, SIGINT. Nothing happens when it has ended. Its own children aren't told, unless they are
    /// daemonic.
    void terminate() { child_to("terminate").signal(SIGTERM); }
    void kill() { child_to("kill").signal(SIGKILL); }
    void interrupt() { child_to("interrupt").signal(SIGINT); }

    /// Lets go of a process that has ended, or was never started. Only name, daemon, authkey and printing remain.
    void close();

    [[nodiscard]] std::string name() const;
    /// In the process itself: as it is called from now on in messages. Else only this object's name: a process keeps
    /// that which it was started with.
    void name(std::string text);
    [[nodiscard]] bool daemon() const noexcept { return daemon_; }
    void daemon(bool value); ///< before it is started

    /// None before it is started.
    [[nodiscard]] std::optional<pid_t> pid() const;
    [[nodiscard]] std::optional<pid_t> ident() const { return pid(); }
    /// None before it is started and while it runs; -N when signal N killed it, 1 when its target threw, n after
    /// exit(n).
    [[nodiscard]] std::optional<int> exitcode() const;
    /// A descriptor to poll: readable when the process has ended. It lasts as long as this object.
    [[nodiscard]] int sentinel() const;

    /// The key of the family's connections: as its maker's at the time, unless it is given another one before it
    /// starts.
    [[nodiscard]] std::vector<std::byte> authkey() const;
    void authkey(std::vector<std::byte> key);

protected:
    Process() : Process(ProcessOptions{}) {}
    explicit Process(ProcessOptions options);

private:
    enum class stage { initial, started, closed, current, moved_from };
    struct current_tag {};

    explicit Process(current_tag);
    explicit Process(process::running child);
    friend std::string to_string(const Process& process);
    friend Process current_process();
    friend std::vector<Process> active_children();

    void require_open() const;
    [[nodiscard]] bool is_here() const noexcept { return maker_ == os::pid(); }
    const process::running& child_to(std::string_view verb) const;
    [[nodiscard]] serial::message packed() const;

    ProcessOptions options_; // its name is empty until somebody gives one: the default depends on the dynamic type
    std::string number_;
    bool daemon_ = false;
    std::vector<std::byte> authkey_;
    stage stage_ = stage::initial;
    pid_t maker_ = os::pid(); // in stage current: the process itself
    std::unique_ptr<process::task> target_;
    process::running child_;
};

/// "<Process name='Process-1' pid=4711 parent=4710 stopped exitcode=-SIGTERM daemon>", as Python's repr. fmt and streams
/// print it too.
[[nodiscard]] inline std::string to_string(const Process& process);
template <typename Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Process& process) {
    return out << to_string(process);
}

/// Processors of the machine; and how many of them this process gets, by affinity and by its control group's quota.
[[nodiscard]] inline unsigned cpu_count() { return os::cpu_count(); }
[[nodiscard]] inline unsigned process_cpu_count() { return os::process_cpu_count(); }

/// This process. It can be asked for and given a name and a key; what is done to a child can't be done to it.
[[nodiscard]] inline Process current_process();

/// The children of this process that run, in the order of their start, in objects of their own. Reaps those that have
/// ended.
[[nodiscard]] inline std::vector<Process> active_children();

template <typename F, typename... Args>
Process::Process(ProcessOptions options, F&& target, Args&&... args) : Process(std::move(options)) {
    static_assert(std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>,
                  "the target of a Process must be callable with the arguments that follow it, after they were copied "
                  "or moved (as for std::thread): pass std::ref(x) for a parameter that is a reference");
    target_ = std::make_unique<process::task_of<std::decay_t<F>, std::decay_t<Args>...>>(std::forward<F>(target),
                                                                                         std::forward<Args>(args)...);
}

inline Process::Process(ProcessOptions options) : options_(std::move(options)) {
    process::lineage& mine = process::lineage::here();
    number_ = mine.next_number();
    daemon_ = options_.daemon.value_or(mine.is_daemon());
    authkey_ = mine.authkey();
}

inline Process::Process(current_tag) : stage_(stage::current) {
    process::lineage& mine = process::lineage::here();
    options_.name = os::name();
    daemon_ = mine.is_daemon();
    authkey_ = mine.authkey();
}

inline Process::Process(process::running child)
    : daemon_(child.daemon()), authkey_(child.authkey()), stage_(stage::started), child_(std::move(child)) {
    options_.name = child_.name();
}

inline Process::Process(Process&& other) noexcept
    : options_(std::move(other.options_)), number_(std::move(other.number_)), daemon_(other.daemon_),
      authkey_(std::move(other.authkey_)), stage_(std::exchange(other.stage_, stage::moved_from)), maker_(other.maker_),
      target_(std::move(other.target_)), child_(std::move(other.child_)) {}

inline Process& Process::operator=(Process&& other) noexcept {
    if (this == &other) return *this;
    options_ = std::move(other.options_);
    number_ = std::move(other.number_);
    daemon_ = other.daemon_;
    authkey_ = std::move(other.authkey_);
    stage_ = std::exchange(other.stage_, stage::moved_from);
    maker_ = other.maker_;
    target_ = std::move(other.target_);
    child_ = std::move(other.child_);
    return *this;
}

inline void Process::require_open() const {
    if (stage_ == stage::closed) throw ValueError("process object is closed");
    if (stage_ == stage::moved_from) throw ValueError("process object was moved from");
}

inline const process::running& Process::child_to(std::string_view verb) const {
    require_open();
    if (stage_ == stage::current || !is_here()) throw ValueError(fmt::format("can only {} a child process", verb));
    if (stage_ == stage::initial) throw ValueError(fmt::format("can only {} a started process", verb));
    return child_;
}

inline void Process::run() {
    if (target_) (*target_)();
}

inline void Process::start() {
    require_open();
    if (stage_ != stage::initial) throw ValueError("cannot start a process twice");
    if (!is_here()) throw ValueError("can only start a process object created by the current process");
    process::launch terms{.name = name(),
                          .daemon = daemon_,
                          .allow_children = !daemon_ || options_.allow_children,
                          .number = number_,
                          .authkey = authkey_,
                          .conditions = {.affinity = options_.affinity,
                                         .limits = options_.limits,
                                         .nice = options_.nice,
                                         .env = options_.env,
                                         .cwd = options_.cwd}};
    const StartMethod method = process::method_for(options_.start_method);
    switch (method) {
    case StartMethod::fork:
        child_ = process::start_by_fork(std::move(terms), [this] {
            stage_ = stage::current;
            maker_ = os::pid();
            run();
            target_.reset(); // whatever the destructors of the arguments do, such as flushing a file, is part of its work
            return 0;
        });
        break;
    case StartMethod::spawn:
    case StartMethod::forkserver: {
        const os::handover along; // a connection over a socket, among the arguments
        const auto start = method == StartMethod::spawn ? &process::start_by_spawn : &process::start_by_forkserver;
        const serial::message call = packed();
        child_ = start(std::move(terms), call, along.descriptors());
        break;
    }
    }
    options_.name = child_.name();
    stage_ = stage::started;
    target_.reset();
}

inline serial::message Process::packed() const {
    if (!target_ || typeid(*this) != typeid(Process))
        throw NotPortableError(fmt::format("a {} can't be started by {}: what its run() needs can't be taken out of it; start it by "
                                           "fork, or make a Process of a function and its arguments",
                                           os::short_type_name(typeid(*this)),
                                           to_string(process::method_for(options_.start_method))));
    return target_->packed();
}

inline bool Process::is_alive() const {
    require_open();
    if (stage_ == stage::current && is_here()) return true;
    if (stage_ == stage::initial && is_here()) return false;
    return !child_to("test").exitcode();
}

inline void Process::close() {
    if (stage_ == stage::closed || stage_ == stage::current) return;
    require_open();
    // In another process than its maker the object is a copy, and closing it is nobody else's business.
    if (stage_ == stage::started && is_here() && !child_.exitcode())
        throw ValueError("cannot close a process while it is still running: call join() or terminate() first");
    options_.name = name();
    target_.reset();
    child_ = {};
    stage_ = stage::closed;
}

inline std::string Process::name() const {
    if (stage_ == stage::current && is_here()) return os::name();
    if (!options_.name.empty() || number_.empty()) return options_.name;
    return os::short_type_name(typeid(*this)) + '-' + number_;
}

inline void Process::name(std::string text) {
    if (stage_ == stage::current && is_here()) os::name(text);
    options_.name = std::move(text);
}

inline void Process::daemon(bool value) {
    require_open();
    if (stage_ != stage::initial) throw ValueError("process has already started");
    daemon_ = value;
}

inline std::optional<pid_t> Process::pid() const {
    require_open();
    if (stage_ == stage::current) return maker_;
    if (stage_ == stage::initial) return std::nullopt;
    return child_.pid();
}

inline std::optional<int> Process::exitcode() const {
    require_open();
    if (is_here() && stage_ != stage::started) return std::nullopt;
    return child_to("ask for the exit code of").exitcode();
}

inline int Process::sentinel() const {
    require_open();
    if (stage_ != stage::started) throw ValueError("process not started");
    return child_.sentinel();
}

inline std::vector<std::byte> Process::authkey() const {
    return stage_ == stage::current && is_here() ? process::lineage::here().authkey() : authkey_;
}

inline void Process::authkey(std::vector<std::byte> key) {
    if (stage_ == stage::current && is_here()) process::lineage::here().authkey(key);
    authkey_ = std::move(key);
}

inline std::string to_string(const Process& process) {
    using stage = Process::stage;
    if (process.stage_ == stage::moved_from) return "<Process moved from>";
    std::string type = os::short_type_name(typeid(process));
    std::string parent = std::to_string(process.maker_);
    std::string state = "unknown"; // it is somebody else's
    if (process.stage_ == stage::closed) {
        state = "closed";
    } else if (process.is_here() && process.stage_ == stage::initial) {
        state = "initial";
    } else if (process.is_here() && process.stage_ == stage::current) {
        const auto by = process::lineage::here().parent();
        if (!by) type = "_MainProcess";
        parent = by ? std::to_string(by->pid) : "None";
        state = "started";
    } else if (process.is_here()) {
        const auto code = process.child_.exitcode();
        state = !code       ? "started"
                : *code < 0 ? fmt::format("stopped exitcode=-{}", os::signal_name(-*code))
                            : fmt::format("stopped exitcode={}", *code);
    }
    const std::string pid = process.child_ ? fmt::format(" pid={}", process.child_.pid()) : "";
    return fmt::format("<{} name='{}'{} parent={} {}{}>", type, process.name(), pid, parent, state,
                       process.daemon_ ? " daemon" : "");
}

inline Process current_process() {
    return Process(Process::current_tag{});
}

inline std::vector<Process> active_children() {
    std::vector<Process> children;
    for (auto& child : process::lineage::here().children()) children.push_back(Process(std::move(child)));
    return children;
}

} // namespace multiprocessing

/// As to_string.
template <std::derived_from<multiprocessing::Process> P>
struct fmt::formatter<P> : fmt::formatter<fmt::string_view> {
    template <typename Context>
    auto format(const P& process, Context& context) const {
        return fmt::formatter<fmt::string_view>::format(multiprocessing::to_string(process), context);
    }
};
