// Floor 2, memory/commons: the one piece of memory that a family of processes shares.
#pragma once

#include <array>
#include <atomic>
#include <charconv> // std::from_chars
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility> // std::move

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/layout.hpp>
#include <multiprocessing/memory/segment.hpp>
#include <multiprocessing/os/program.hpp>
#include <multiprocessing/version.hpp>

namespace multiprocessing::memory {

/// The first page of the commons.
///
/// | word            | who writes it, when                            | a writer killed in between leaves |
/// | --------------- | ---------------------------------------------- | --------------------------------- |
/// | magic .. total  | the founder, before anybody else can see it    | nothing: nobody ever sees it      |
/// | deaths          | who buries a member, before its slot is free   | one count too many: one sweep too many |
/// | pin_version     | who has set a pin (pins.hpp)                   | nothing                           |
/// | members_used    | who takes a slot never used before; only grows | a slot counted that is still free |
struct commons_header {
    std::uint64_t magic;
    std::uint64_t total;
    std::uint32_t layout_version;
    std::atomic<std::uint32_t> members_used;
    std::atomic<std::uint64_t> deaths;
    std::atomic<std::uint64_t> pin_version;
};

/// The memory of a family of processes: a sealed, sparse, nameless file that every member maps whole, once. A shared
/// object is an offset in it, so it costs no descriptor, has no name and needs no cleaning up: the kernel frees the
/// file with the last process that maps it.
///
///     memory::commons& all = memory::commons::here();       // made at first use
///     std::uint64_t where = all.offset_of(pointer);         // the same in every member
///
/// - Threads and processes: offsets and pointers may be used by all of them.
/// - Start methods: fork inherits the mapping; a process started otherwise receives descriptor() and calls join().
/// - Never unmapped: static destructors that run late may still hold handles.
/// - Errors: ProcessError when memory of another layout is offered.
class commons {
public:
    /// The commons of this process; made now if there is none yet.
    static commons& here();

    /// This process's commons, if it has one already.
    static commons* existing() noexcept { return current().load(std::memory_order_acquire); }

    /// Maps the commons of another family, given its descriptor. Before here() was ever called.
    static commons& join(os::descriptor file);

    /// In the environment of a program that is to join (invitation.hpp): the number of that descriptor there, and of the seat that
    /// is kept for it. It joins before the first global object can ask for common memory, and takes the variable away.
    static constexpr const char* variable = "MULTIPROCESSING_COMMONS";
    struct invited_seat {
        std::uint32_t slot = 0;
        std::uint32_t generation = 0;
    };
    /// What it said, for whoever asks first.
    [[nodiscard]] static std::optional<invited_seat> take_invited_seat() noexcept { return std::exchange(invited(), std::nullopt); }

    [[nodiscard]] const layout& map() const noexcept { return map_; }
    [[nodiscard]] commons_header& header() const noexcept { return *at<commons_header>(0); }
    [[nodiscard]] int descriptor() const noexcept { return memory_.descriptor(); }
    [[nodiscard]] std::byte* data() const noexcept { return base_; }

    /// What stands at an offset that this process computed itself (not one that was read from shared memory).
    template <typename T>
    [[nodiscard]] T* at(std::uint64_t offset) const noexcept {
        return reinterpret_cast<T*>(base_ + offset);
    }

    /// Whether all of [begin, begin + bytes) is common memory.
    [[nodiscard]] bool contains(const void* begin, std::uint64_t bytes) const noexcept {
        const auto first = reinterpret_cast<std::uintptr_t>(begin);
        const auto base = reinterpret_cast<std::uintptr_t>(base_);
        return first >= base && first - base <= map_.total && bytes <= map_.total - (first - base);
    }
    [[nodiscard]] std::uint64_t offset_of(const void* pointer) const noexcept {
        return static_cast<std::uint64_t>(static_cast<const std::byte*>(pointer) - base_);
    }

    /// Memory in use, by whole pages.
    [[nodiscard]] std::uint64_t resident_bytes() const { return os::resident_bytes(memory_.descriptor()); }

private:
    static constexpr std::uint64_t magic_number = 0x6d70'636f'6d6d'6f6e; // "mpcommon"

    explicit commons(segment memory)
        : memory_(std::move(memory)), base_(memory_.data()), map_(layout::of(memory_.size())) {}

    static segment found();
    static std::atomic<commons*>& current() noexcept {
        static std::atomic<commons*> instance{nullptr};
        return instance;
    }

    static std::optional<invited_seat>& invited() noexcept {
        static constinit std::optional<invited_seat> seat;
        return seat;
    }
    static bool join_if_invited() noexcept;

    segment memory_;
    std::byte* base_;
    layout map_;

public:
    /// Stands before any global object of a file that includes this. What goes wrong is found, and said, when the program turns to
    /// what it was started for.
    static inline const bool joined_when_invited = join_if_invited();
};

// As much address space as there is to be had: a limit on address space (ulimit -v) or a tool that needs most of it
// for itself leaves less, and then the largest blocks don't exist.
inline segment commons::found() {
    constexpr std::uint64_t first = MULTIPROCESSING_THREAD_SANITIZER() ? layout::largest >> 6 : layout::largest;
    for (std::uint64_t total = first;; total /= 2) {
        try {
            return segment("multiprocessing", total);
        } catch (const std::exception&) {
            if (total <= layout::smallest) throw;
        }
    }
}

inline commons& commons::here() {
    if (commons* existing_one = existing()) return *existing_one;
    static commons& founded = [&]() -> commons& {
        auto* fresh = new commons(found()); // on purpose never deleted: see above
        commons_header& header = fresh->header();
        header.total = fresh->map_.total;
        header.layout_version = layout_version;
        header.magic = magic_number;
        current().store(fresh, std::memory_order_release);
        return *fresh;
    }();
    return founded;
}

inline commons& commons::join(os::descriptor file) {
    if (existing() != nullptr) throw ValueError("this process belongs to a family already: join the commons first of all");
    segment memory(std::move(file));
    const std::uint64_t bytes = memory.size();
    if (bytes < layout::smallest || bytes > layout::largest || (bytes & (bytes - 1)) != 0)
        throw ProcessError(fmt::format("cannot join a commons of {} bytes: it wasn't made by this library", bytes));
    auto* joined = new commons(std::move(memory)); // never deleted, as in here()
    const commons_header& header = joined->header();
    if (header.magic != magic_number || header.total != bytes) {
        delete joined;
        throw ProcessError("cannot join this memory: it isn't a commons");
    }
    if (const auto theirs = header.layout_version; theirs != layout_version) {
        delete joined;
        throw ProcessError(fmt::format("cannot join a commons of layout {}: this program has layout {}; build both "
                                       "with the same version of the library",
                                       theirs, layout_version));
    }
    current().store(joined, std::memory_order_release);
    return *joined;
}

inline bool commons::join_if_invited() noexcept {
    try {
        const auto word = os::take_variable(variable);
        if (!word) return false;
        std::array<std::uint32_t, 3> numbers{}; // the descriptor, the slot, the generation
        const char* at = word->data();
        const char* const end = at + word->size();
        for (auto& number : numbers) {
            const auto [next, error] = std::from_chars(at, end, number);
            if (error != std::errc()) return false;
            at = next != end ? next + 1 : next;
        }
        join(os::take_inherited(static_cast<int>(numbers[0])));
        invited() = {numbers[1], numbers[2]};
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

} // namespace multiprocessing::memory
