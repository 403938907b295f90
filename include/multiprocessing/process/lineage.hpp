// Floor 8, process/lineage: whose child this process is, on which terms, and which children it has.
#pragma once

#include <atomic>
#include <chrono>
#include <csignal> // SIGTERM, SIGKILL
#include <cstddef> // std::byte
#include <cstdint>
#include <cstdlib> // std::atexit
#include <exception>
#include <mutex> // std::unique_lock
#include <optional>
#include <string>
#include <utility> // std::move
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/at_fork.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/random.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/running.hpp>

namespace multiprocessing::process {

/// This process among its relatives. There is one in each process.
///
/// The children in its list are those that haven't been seen to end: it keeps them when nobody else does, so that
/// each is reaped in the end. It reaps when children() is called, when others are started, and at the end of the
/// program.
///
/// - Python: `_current_process`, `_parent_process`, `_children` and `_process_counter` of `multiprocessing.process`.
/// - Threads: safe.
/// - Across fork(): a started child is given its own by become(). One forked by others' means keeps what it is, but
///   has no children and is nobody's child.
/// - When a child dies: see running.
class lineage {
public:
    static lineage& here();

    struct ancestor {
        pid_t pid = 0;
        std::uint64_t started = 0; ///< os::start_time; 0: it is the parent in the kernel's eyes too
        std::string name;
    };

    /// Who started this process; none where it wasn't started by this library.
    [[nodiscard]] std::optional<ancestor> parent();
    [[nodiscard]] bool is_daemon() const noexcept { return daemon_; }
    /// Throws ValueError where this process may not start another.
    void require_may_have_children() const;

    /// 32 random bytes, made once in the first process of the family.
    [[nodiscard]] std::vector<std::byte> authkey();
    void authkey(std::vector<std::byte> key);

    /// "1", or in process 1 "1:1": for the next one that this process makes.
    [[nodiscard]] std::string next_number();

    /// Fills in what a start is not told: number, name, key. From the first start on the program tidies up at its end.
    void complete(launch& terms);
    /// Takes a list of one newcomer into that of the children. noexcept: it has been started and must not be lost.
    void add(child_records&& newcomer) noexcept;
    /// Those that run, in the order of their start. Reaps the others.
    [[nodiscard]] std::vector<running> children();
    /// As children(), once in as many starts as there were children alive: it costs a start no more than one look at a
    /// child, and the unseen dead are never more than the living, plus one.
    void reap_now_and_then();

    /// Daemonic children are terminated, the others waited for.
    void end_children() noexcept;

    /// In a started child: it is what `terms` says, and has no children. `terms` is complete.
    void become(const launch& terms, ancestor parent);

private:
    lineage();
    [[nodiscard]] std::unique_lock<os::private_lock> locked();
    static void forget(child_record& ended) noexcept;

    // Taken before each fork() and given back after it on both sides, so that a child finds everything whole. A
    // thread that has it calls nothing that could fork or take another lock.
    os::private_lock lock_;
    child_records children_;
    bool forked_ = false; // since the lock was taken last: the children are those of the parent
    std::optional<ancestor> parent_;
    std::optional<std::vector<std::byte>> authkey_; // none: nobody has asked for it yet
    std::size_t starts_to_go_ = 0;                  // until the children are looked at again

    bool daemon_ = false; // these three change in become() alone, where there are no other threads
    bool may_have_children_ = true;
    std::string prefix_;
    std::atomic<unsigned> count_{0};
};

/// What a process does before it ends: runs the functions of at_exit(), and ends its children. Whoever does it again
/// finds nothing left to do.
inline void tidy_up() noexcept {
    os::run_at_exit();
    lineage::here().end_children();
}

/// Has that done at the end of the program, before what exists by now is destroyed. In a forked child that leaves by
/// std::exit() it is done too, for the child's own functions and children.
inline void tidy_up_at_exit() {
    if (std::atexit([] { tidy_up(); }) != 0)
        throw ProcessError("cannot register what must be done at the end of the program");
}

inline lineage& lineage::here() {
    static lineage& instance = *new lineage; // never deleted: it is used until the very end of the program
    return instance;
}

namespace detail {

/// Before main(), and not at first use: a fork() in the middle of its making would leave the child with half of it.
inline const bool lineage_is_there = (lineage::here(), true);

} // namespace detail

inline lineage::lineage() {
    os::at_fork({.prepare = [] { here().lock_.lock(); },
                 .parent = [] { here().lock_.unlock(); },
                 .child =
                     [] {
                         here().forked_ = true; // no more than that: what is dropped is freed, but not in here
                         here().lock_.unlock();
                     }});
}

inline std::unique_lock<os::private_lock> lineage::locked() {
    std::unique_lock lock(lock_);
    if (forked_) {
        forked_ = false;
        children_.clear();
        parent_.reset();
    }
    return lock;
}

inline std::optional<lineage::ancestor> lineage::parent() {
    const auto lock = locked();
    return parent_;
}

inline void lineage::require_may_have_children() const {
    if (!may_have_children_)
        throw ValueError("daemonic processes are not allowed to have children: start this one with "
                         ".allow_children = true");
}

inline std::vector<std::byte> lineage::authkey() {
    const auto lock = locked();
    if (!authkey_) {
        std::vector<std::byte> key(32);
        os::fill_random(key);
        authkey_ = std::move(key);
    }
    return *authkey_;
}

inline void lineage::authkey(std::vector<std::byte> key) {
    const auto lock = locked();
    authkey_ = std::move(key);
}

inline std::string lineage::next_number() {
    return fmt::format("{}{}", prefix_, count_.fetch_add(1, std::memory_order_relaxed) + 1);
}

inline void lineage::complete(launch& terms) {
    static constinit std::atomic<bool> tidies_up{false};
    if (!tidies_up.exchange(true, std::memory_order_relaxed)) tidy_up_at_exit();
    if (terms.number.empty()) terms.number = next_number();
    if (terms.name.empty()) terms.name = "Process-" + terms.number;
    if (!terms.authkey) terms.authkey = authkey();
}

inline void lineage::add(child_records&& newcomer) noexcept {
    const auto lock = locked();
    newcomer.front()->place = newcomer.begin();
    newcomer.front()->ended = forget;
    children_.splice(children_.end(), newcomer);
}

inline void lineage::forget(child_record& ended) noexcept {
    std::shared_ptr<child_record> last; // freed after the lock is
    const auto lock = here().locked();
    last = std::move(*ended.place);
    here().children_.erase(ended.place);
}

inline std::vector<running> lineage::children() {
    std::vector<running> all;
    {
        const auto lock = locked();
        all.reserve(children_.size());
        for (const auto& record : children_) all.emplace_back(record);
    }
    std::erase_if(all, [](const running& child) { return child.exitcode().has_value(); });
    return all;
}

inline void lineage::reap_now_and_then() {
    {
        const auto lock = locked();
        if (starts_to_go_ > 0) {
            --starts_to_go_;
            return;
        }
    }
    const std::size_t alive = children().size(); // a system call for each
    const auto lock = locked();
    starts_to_go_ = alive;
}

inline void lineage::end_children() noexcept {
    try {
        // Again, for what other threads start meanwhile.
        for (auto all = children(); !all.empty(); all = children()) {
            const auto patience = os::deadline::after(std::chrono::seconds(1));
            for (const running& child : all)
                if (child.daemon()) child.signal(SIGTERM);
            for (const running& child : all) {
                if (!child.daemon() || child.wait(patience)) continue;
                os::log(os::log_level::info, "{} (pid {}) ignored SIGTERM and is killed", child.name(), child.pid());
                child.signal(SIGKILL);
                child.wait(os::deadline::never());
            }
            for (const running& child : all) child.wait(os::deadline::never());
        }
    } catch (const std::exception& error) {
        os::log(os::log_level::error, "cannot wait for the end of all children: {}", error.what());
    }
}

inline void lineage::become(const launch& terms, ancestor parent) {
    const auto lock = locked();
    parent_ = std::move(parent);
    daemon_ = terms.daemon;
    may_have_children_ = terms.allow_children;
    authkey_ = terms.authkey;
    prefix_ = terms.number + ':';
    count_ = 0;
    starts_to_go_ = 0;
}

} // namespace multiprocessing::process
