// Floor 4, shared/named: SharedMemory, a segment that other programs find by its name.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib> // std::atexit
#include <cstring> // std::memcpy
#include <memory>  // std::shared_ptr, std::weak_ptr
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>   // std::tie
#include <utility> // std::forward, std::move
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/memory/left_name.hpp>
#include <multiprocessing/memory/segment.hpp>
#include <multiprocessing/os/named_memory.hpp>
#include <multiprocessing/os/pages.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/random.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::shared_memory {

struct SharedMemoryOptions {
    std::string name = {}; ///< without a slash. Empty, to create: a name that nobody has
    bool create = false;
    std::size_t size = 0; ///< in bytes, to create
};

} // namespace multiprocessing::shared_memory

namespace multiprocessing::shared {

/// "/name", or a ValueError that says what is wrong with it.
[[nodiscard]] inline std::string checked_name(std::string_view name) {
    while (name.starts_with('/')) name.remove_prefix(1);
    if (name.empty()) throw ValueError("the name of a shared memory must not be empty");
    if (name.find('\0') != std::string_view::npos)
        throw ValueError("the name of a shared memory must not have a null character in it");
    if (name.find('/') != std::string_view::npos)
        throw ValueError(fmt::format("the name of a shared memory must not have a slash in it: {}", name));
    if (name.size() > os::longest_memory_name)
        throw ValueError(fmt::format("the name of a shared memory can have {} characters, not {}",
                                     os::longest_memory_name, name.size()));
    return '/' + std::string(name);
}

/// "/psm_6f9a01d3", as CPython makes them.
[[nodiscard]] inline std::string random_name() {
    std::array<std::byte, 4> bytes;
    os::fill_random(bytes);
    std::uint32_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    return fmt::format("/psm_{:08x}", number);
}

/// What travels: which segment, and whose. Never changes, but that the name goes.
struct named_state {
    named_state(const std::string& full_name, std::uint64_t which, std::uint64_t bytes, bool created)
        : left(full_name, which),
          creator(created ? os::pid() : 0),
          started(created ? os::start_time(os::pid()) : 0),
          size(bytes) {}

    [[nodiscard]] std::string name() const { return left.name(); }
    [[nodiscard]] bool is_ours() const noexcept { return creator == os::pid(); }
    /// Nobody else will unlink it any more.
    [[nodiscard]] bool is_orphaned() const noexcept { return creator != 0 && !os::is_alive(creator, started); }

    memory::left_name left; // first
    pid_t creator;          ///< 0: who knows; another program, at any rate
    std::uint64_t started;
    std::uint64_t size;
};
static_assert(offsetof(named_state, left) == 0);

/// This process's mapping of it, which its handles share. The last one unmaps, and unlinks if that is this one's to do.
class attachment {
public:
    attachment(memory::handle<named_state> which, const os::descriptor& file) : which_(std::move(which)) {
        namespace bip = boost::interprocess;
        const auto bytes = static_cast<std::size_t>(which_->size);
        try {
            bip::mapped_region(memory::detail::mappable{file.get()}, bip::read_write, 0, bytes).swap(region_);
        } catch (const bip::interprocess_exception& error) {
            throw ProcessError(
                fmt::format("cannot map {} bytes of shared memory {}: {}", bytes, which_->name(), error.what()));
        }
    }
    attachment(const attachment&) = delete;
    attachment& operator=(const attachment&) = delete;
    ~attachment() { unlink_if_ours(true); }

    [[nodiscard]] std::span<std::byte> bytes() const noexcept {
        return {static_cast<std::byte*>(region_.get_address()), region_.get_size()};
    }

    void unlink_if_ours(bool or_orphaned) noexcept {
        named_state& which = *which_;
        if (which.creator == 0) return;
        if (which.is_ours() || (or_orphaned && which.is_orphaned())) which.left.remove();
    }

private:
    memory::handle<named_state> which_;
    boost::interprocess::mapped_region region_;
};

/// What this process has created, for when it leaves without destroying its handles.
class created_here {
public:
    static void add(const std::shared_ptr<attachment>& made) {
        created_here& all = instance();
        all.lock_.lock();
        std::erase_if(all.made_, [](const auto& each) { return each.expired(); });
        all.made_.push_back(made);
        const auto generation = os::detail::generation.load();
        const bool first = all.registered_in_ != generation;
        all.registered_in_ = generation;
        all.lock_.unlock();
        if (!first) return;
        os::at_exit(unlink_all); // a Process that ends, ...
        static_cast<void>(
            std::atexit(unlink_all)); // ... and the program that calls exit(). If that can't be had, it isn't
    }

private:
    static created_here& instance() {
        static auto& all = *new created_here; // never deleted: used at the very end
        return all;
    }
    static void unlink_all() {
        created_here& all = instance();
        all.lock_.lock();
        const auto made = all.made_;
        all.lock_.unlock();
        for (const auto& each : made)
            if (const auto here = each.lock()) here->unlink_if_ours(false);
    }

    os::private_lock lock_;
    std::vector<std::weak_ptr<attachment>> made_;
    std::uint64_t registered_in_ = ~std::uint64_t{0};
};

} // namespace multiprocessing::shared

namespace multiprocessing::shared_memory {

/// A segment of memory that has a name, by which any program of this user can attach it.
///
///     mp::shared_memory::SharedMemory mine({.create = true, .size = 4096});
///     fmt::print("{}\n", mine.name());                                    // psm_6f9a01d3
///     mp::shared_memory::SharedMemory theirs({.name = mine.name()});      // in another program, or python3
///     theirs.buf()[0] = std::byte{1};
///
/// The name belongs to the process that created it. It is taken away by unlink(), or when the last handle in that
/// process goes, or when that process ends by itself. Attaching never takes it over, and an attach that fails destroys
/// nothing. Memory that is mapped stays, whatever becomes of the name.
///
/// - Copying shares the segment, and the mapping. Constness is the handle's.
/// - Python: `multiprocessing.shared_memory.SharedMemory`, and the same segments: each opens what the other made. No
///   helper process. CPython up to 3.12 unlinks what it has attached when it ends, whoever made it, unless told
///   otherwise (resource_tracker.unregister; `track=False` from 3.13). FileExistsError and FileNotFoundError are
///   std::system_error with EEXIST and ENOENT.
/// - Threads and processes: as plain memory.
/// - When the creator is killed: another member of its family that has a handle takes the name away when it lets go of
///   its last. If there is none, who notices the death does (its parent, or whoever waits for something of its). Where the
///   whole family was killed the name stays, as any POSIX one would, until somebody unlinks it.
/// - Start methods: a handle that arrives in another process attaches by name, at first use; too late if the name is
///   gone.
/// - Errors: ValueError (a name that can't be, no size, no name); std::system_error; ProcessError when it can't be
///   mapped.
class SharedMemory {
public:
    explicit SharedMemory(const SharedMemoryOptions& options);
    /// Python's arguments in its order: attaches, unless `create`.
    template <std::convertible_to<std::string> Name> // no list in braces is one: those are options
    explicit SharedMemory(Name&& name, bool create = false, std::size_t size = 0)
        : SharedMemory(SharedMemoryOptions{.name = std::forward<Name>(name), .create = create, .size = size}) {}

    /// All of it, writable; nothing after close().
    [[nodiscard]] std::span<std::byte> buf() const {
        attach();
        return here_ ? here_->bytes() : std::span<std::byte>{};
    }
    /// Without a slash.
    [[nodiscard]] std::string name() const { return state_->name().substr(1); }
    /// Of the segment, when it was created or attached.
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(state_->size); }

    /// This handle lets go. The last one of the process unmaps it, and if the process created it, unlinks it.
    void close() {
        here_.reset();
        closed_ = true;
    }
    /// Takes the name away: once; ENOENT when it is gone already. After the creator's last close(), which has done it, nothing is
    /// left to do.
    void unlink() const {
        std::uint32_t by_closing = 1;
        if (closed_ && state_->is_ours() && state_->left.gone.compare_exchange_strong(by_closing, 2)) return;
        if (!os::unlink_named_memory(state_->name()))
            os::throw_error(ENOENT, "cannot unlink shared memory {}", state_->name());
        state_->left.gone.store(2);
    }

private:
    friend struct memory::access;
    explicit SharedMemory(memory::nothing_t) noexcept {}
    auto parts() noexcept { return std::tie(state_); }

    void create(const SharedMemoryOptions& options);
    void attach() const {
        if (!here_ && !closed_)
            here_ = std::make_shared<shared::attachment>(state_, os::open_named_memory(state_->name()));
    }

    memory::handle<shared::named_state> state_;
    mutable std::shared_ptr<shared::attachment> here_;
    bool closed_ = false;
};

inline SharedMemory::SharedMemory(const SharedMemoryOptions& options) {
    if (options.create) {
        create(options);
        return;
    }
    if (options.name.empty())
        throw ValueError("a shared memory is created, or attached by its name: give one of the two");
    const std::string name = shared::checked_name(options.name);
    const os::descriptor file = os::open_named_memory(name);
    const std::uint64_t bytes = os::file_size(file.get());
    if (bytes == 0)
        throw ValueError(fmt::format("the shared memory {} has no size: it is being created, or was left so", name));
    state_ = memory::handle<shared::named_state>::create(name, os::memory_number(file.get()), bytes, false);
    here_ = std::make_shared<shared::attachment>(state_, file);
}

inline void SharedMemory::create(const SharedMemoryOptions& options) {
    if (options.size == 0) throw ValueError("a shared memory is created with a size of at least one byte");
    if (options.size > static_cast<std::size_t>(PTRDIFF_MAX))
        throw ValueError(fmt::format("a shared memory can't have {} bytes", options.size));
    std::string name = options.name.empty() ? std::string() : shared::checked_name(options.name);
    os::descriptor file;
    for (int attempts = 0; !file; ++attempts) {
        if (options.name.empty()) name = shared::random_name();
        try {
            file = os::create_named_memory(name);
        } catch (const std::system_error& error) {
            if (!options.name.empty() || error.code() != std::errc::file_exists || attempts == 100) throw;
        }
    }
    try {
        os::resize_file(file.get(), options.size);
        state_ = memory::handle<shared::named_state>::create(name, os::memory_number(file.get()), options.size, true);
        memory::family::here().leaves_name(state_.id());
        here_ = std::make_shared<shared::attachment>(state_, file);
        shared::created_here::add(here_);
    } catch (...) {
        if (!here_) os::unlink_named_memory(name); // else its destructor does
        throw;
    }
}

/// "SharedMemory('psm_6f9a01d3', size=4096)", as Python's repr.
[[nodiscard]] inline std::string to_string(const SharedMemory& memory) {
    return fmt::format("SharedMemory('{}', size={})", memory.name(), memory.size());
}

} // namespace multiprocessing::shared_memory

/// As to_string.
template <>
struct fmt::formatter<multiprocessing::shared_memory::SharedMemory> : fmt::formatter<fmt::string_view> {
    template <typename Context>
    auto format(const multiprocessing::shared_memory::SharedMemory& memory, Context& context) const {
        return fmt::formatter<fmt::string_view>::format(multiprocessing::shared_memory::to_string(memory), context);
    }
};
