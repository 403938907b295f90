// Floor 8, process/parent: the process that started this one, as a program sees it.
#pragma once

#include <chrono>
#include <memory> // std::shared_ptr
#include <optional>
#include <string>
#include <utility> // std::move

#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/parent.hpp>
#include <multiprocessing/process/lineage.hpp>

namespace multiprocessing {

/// The process that started this one, from parent_process().
///
///     if (const auto parent = mp::parent_process()) fmt::print("{}\n", parent->pid());
///
/// - Python: the object that `parent_process()` returns.
/// - Threads: safe. Copies are the same process.
/// - When that process dies: is_alive() is false and join() returns at once.
class ParentProcess {
public:
    explicit ParentProcess(process::lineage::ancestor who)
        : name_(std::move(who.name)), process_(std::make_shared<const os::parent>(who.pid, who.started)) {}

    /// As it was when it started this one.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] pid_t pid() const noexcept { return process_->pid(); }
    [[nodiscard]] pid_t ident() const noexcept { return pid(); }
    [[nodiscard]] bool is_alive() const { return process_->is_alive(); }
    void join() const { process_->wait(os::deadline::never()); }
    /// True if it has ended.
    template <typename Rep, typename Period>
    bool join(std::chrono::duration<Rep, Period> timeout) const {
        return process_->wait(os::deadline(timeout));
    }

private:
    std::string name_;
    std::shared_ptr<const os::parent> process_;
};

/// Who started this process; none in the first process of a family.
[[nodiscard]] inline std::optional<ParentProcess> parent_process() {
    auto who = process::lineage::here().parent();
    if (!who) return std::nullopt;
    return ParentProcess(*std::move(who));
}

} // namespace multiprocessing
