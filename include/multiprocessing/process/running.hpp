// Floor 8, process/running: a process that was started, as whoever started it sees it.
#pragma once

#include <cstddef> // std::byte
#include <list>
#include <memory> // std::shared_ptr
#include <mutex>
#include <optional>
#include <string>
#include <utility> // std::move
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::process {

struct child_record;
using child_records = std::list<std::shared_ptr<child_record>>;

/// What is known of one child. One record, whoever asks: the end of a process can be learnt from the kernel only once.
struct child_record {
    const pid_t starter = os::pid(); ///< in any other process the record is a copy, and somebody else's business
    std::string name;                ///< as it was started
    std::vector<std::byte> authkey;
    bool daemon = false;
    memory::seat seat;
    pid_t pid = 0;
    int sentinel = -1;

    child_records::iterator place; ///< in the list of children, until it has ended
    void (*ended)(child_record&) noexcept = nullptr;

    std::mutex mutex; ///< around the two below: reaping, and what must be done before anybody sees that it has ended
    os::child child;
    std::optional<int> exitcode;
};

/// A started process, shared by whoever asks about it.
///
///     process::running worker = process::start_by_fork({.name = "worker"}, [] { return 0; });
///     if (!worker.wait(os::deadline::after(1s))) worker.signal(SIGKILL);
///     worker.wait(os::deadline::never());
///     fmt::print("{}\n", *worker.exitcode());
///
/// The first who learns of its end, by whichever function, reaps it and buries it: what it held of the family's
/// memory is free before anybody is told. When nobody has a `running` any more, the list of children (lineage.hpp)
/// still does.
///
/// - Python: `Popen` of a start method.
/// - Threads: every function, by any thread. Copies are the same process.
/// - Across fork(): a process can only ask about its own children; a child's copies of its siblings throw ValueError.
/// - When it dies: sentinel() becomes readable, and stays so.
/// - Errors: std::system_error.
class running {
public:
    running() = default;
    explicit running(std::shared_ptr<child_record> record) noexcept : record_(std::move(record)) {}

    [[nodiscard]] explicit operator bool() const noexcept { return record_ != nullptr; }
    [[nodiscard]] bool is_ours() const noexcept { return record_->starter == os::pid(); }

    [[nodiscard]] pid_t pid() const noexcept { return record_->pid; }
    [[nodiscard]] int sentinel() const noexcept { return record_->sentinel; }
    [[nodiscard]] const std::string& name() const noexcept { return record_->name; }
    [[nodiscard]] const std::vector<std::byte>& authkey() const noexcept { return record_->authkey; }
    [[nodiscard]] bool daemon() const noexcept { return record_->daemon; }
    [[nodiscard]] memory::seat seat() const noexcept { return record_->seat; }

    /// None while it runs; -N when signal N killed it; 255 when somebody else reaped it.
    [[nodiscard]] std::optional<int> exitcode() const {
        return settle([](os::child& child) { return child.exitcode().has_value(); });
    }

    /// True when it has ended, false when the deadline passed.
    bool wait(const os::deadline& until) const;

    /// Nothing happens when it has ended.
    void signal(int number) const;

private:
    template <typename HasEnded>
    std::optional<int> settle(HasEnded has_ended) const;
    std::unique_lock<std::mutex> locked() const;

    std::shared_ptr<child_record> record_;
};

inline std::unique_lock<std::mutex> running::locked() const {
    // Asked first: another thread may have held the lock when this process was forked from the one that started it.
    if (!is_ours())
        throw ValueError(fmt::format("process {} is not a child of this process: only process {}, which started it, "
                                     "can wait for it or signal it",
                                     pid(), record_->starter));
    return std::unique_lock(record_->mutex);
}

template <typename HasEnded>
std::optional<int> running::settle(HasEnded has_ended) const {
    const auto lock = locked();
    child_record& record = *record_;
    if (!record.exitcode && has_ended(record.child)) {
        memory::bury(record.seat);
        if (record.ended != nullptr) record.ended(record);
        record.exitcode = record.child.exitcode();
    }
    return record.exitcode;
}

inline bool running::wait(const os::deadline& until) const {
    if (exitcode()) return true;
    // Not under the lock: others may want to look at it, or to kill it, meanwhile.
    if (!os::wait_readable(sentinel(), until)) return exitcode().has_value();
    return settle([&](os::child& child) { return child.wait(until); }).has_value();
}

inline void running::signal(int number) const {
    const auto lock = locked();
    record_->child.signal(number);
}

} // namespace multiprocessing::process
