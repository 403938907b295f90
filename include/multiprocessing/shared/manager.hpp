// Floor 4, shared/manager: SharedMemoryManager, who takes away the names of all that was made through it.
#pragma once

#include <initializer_list>
#include <span>
#include <system_error>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/shared/named.hpp>
#include <multiprocessing/shared/shareable_list.hpp>

namespace multiprocessing::shared_memory {

/// Makes SharedMemory and ShareableLists, and takes all their names away at shutdown(), or when it goes.
///
///     mp::shared_memory::SharedMemoryManager manager;
///     manager.start();
///     auto list = manager.ShareableList({1, 2, 3});
///     ...
///     manager.shutdown();         // nobody can attach any of them any more
///
/// - Python: `multiprocessing.managers.SharedMemoryManager`, which is a server in a process of its own; this one isn't.
/// - Threads: one at a time. Across fork: a child's copy manages nothing.
/// - When its process is killed: as SharedMemory says.
/// - Errors: ValueError before start() and after shutdown(), and those of what it makes.
class SharedMemoryManager {
public:
    SharedMemoryManager() = default;
    SharedMemoryManager(const SharedMemoryManager&) = delete;
    SharedMemoryManager& operator=(const SharedMemoryManager&) = delete;
    ~SharedMemoryManager() { shutdown(); }

    void start() {
        if (started_) throw ValueError("this SharedMemoryManager was started already");
        started_ = true;
    }

    /// Nothing happens when it isn't started.
    void shutdown() noexcept {
        started_ = false;
        if (maker_ != os::pid()) return;
        for (const auto& each : made_) {
            try {
                each.unlink();
            } catch (const std::system_error& error) {
                if (error.code() != std::errc::no_such_file_or_directory)
                    os::log(os::log_level::warning, "a shared memory is left behind: {}", error.what());
            }
        }
        made_.clear();
    }

    [[nodiscard]] shared_memory::SharedMemory SharedMemory(std::size_t size) {
        require_started();
        made_.push_back(shared_memory::SharedMemory({.create = true, .size = size}));
        return made_.back();
    }
    [[nodiscard]] shared_memory::ShareableList ShareableList(std::initializer_list<ListItem> items) {
        return ShareableList(std::span(items.begin(), items.size()));
    }
    [[nodiscard]] shared_memory::ShareableList ShareableList(std::span<const ListItem> items) {
        require_started();
        shared_memory::ShareableList list(items);
        made_.push_back(list.shm());
        return list;
    }

private:
    void require_started() const {
        if (!started_) throw ValueError("this SharedMemoryManager isn't started, or is shut down");
    }

    std::vector<shared_memory::SharedMemory> made_;
    bool started_ = false;
    pid_t maker_ = os::pid();
};

} // namespace multiprocessing::shared_memory
