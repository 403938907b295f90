// Floor 9, pool/log: results that aren't a plain array: each worker appends them to a log of its own.
#pragma once

#include <algorithm> // std::clamp
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <optional>
#include <span>
#include <vector>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/pool/board.hpp>
#include <multiprocessing/pool/parcel.hpp>

namespace multiprocessing::pool {

/// A log is a chain of blocks, one chain a worker and job, that belong to the owner of the crew from the moment they are
/// linked: what was appended survives the worker.
///
///     block:   next (a name) | used | record record ...
///     record:  item | size | bytes, padded to eight
///
/// | word | who writes it                                   | a writer killed in between leaves         |
/// | ---- | ----------------------------------------------- | ----------------------------------------- |
/// | used | the worker, after the record behind it is whole | the record isn't there                    |
/// | next | the worker, by deliver() (parcel.hpp)           | a block that the owner finds and drops    |
struct log_block {
    std::atomic<memory::object_name> next;
    std::atomic<std::uint64_t> used;

    [[nodiscard]] std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

struct log_record {
    static constexpr std::uint64_t parcel = std::uint64_t{1} << 63; ///< in `item`: the bytes are the name of a parcel

    std::uint64_t item;
    std::uint64_t size;
    [[nodiscard]] static std::uint64_t length(std::uint64_t size) noexcept {
        return sizeof(log_record) + (size + 7) / 8 * 8;
    }
};

/// The worker's end.
class log_writer {
public:
    log_writer(board& all, unsigned worker, memory::seat owner) noexcept : all_(all), worker_(worker), owner_(owner) {}

    /// Appends to this worker's log of the job that `under` was claimed from. `write(room)` writes into the room it is
    /// given and returns how much it takes; if that is more than there was it is called again, with enough; or that it
    /// isn't to be appended after all.
    /// Throws std::bad_alloc, and what `write` throws; then nothing was appended.
    template <typename Write>
    bool append(unsigned j, const chunk& under, std::uint64_t item, Write write);
    /// The next record of so many bytes, or fewer, needs no new block.
    void make_room(unsigned j, const chunk& under, std::uint64_t size);

private:
    void turn_to(unsigned j, const chunk& under);
    void find_end(unsigned j);
    void add_block(unsigned j, std::uint64_t room);

    static constexpr std::uint64_t smallest = 4096 - sizeof(log_block);
    static constexpr std::uint64_t largest = (1 << 20) - sizeof(log_block);

    board& all_;
    unsigned worker_;
    memory::seat owner_;
    std::uint64_t generation_ = ~std::uint64_t{0}; // of the job that the end below belongs to
    unsigned job_ = 0;
    log_block* end_ = nullptr; // the owner holds it until the job is retired
    std::uint64_t room_ = 0;
};

/// The owner's end: takes the blocks out of a finished job.
class log_reader {
public:
    /// Takes over the logs of all workers. Nobody appends any more.
    void take(board& all, unsigned j);

    /// f(item, bytes) for each record, the later ones of an item last. The bytes live as long as this object.
    template <typename F>
    void for_each(F f) const;

private:
    std::vector<memory::holding> blocks_;
};

/// Lets go of the parcels that a log names, and of what they carry.
inline void drop_parcels(const log_reader& log) noexcept;

/// Whether a block of that name is in the log.
[[nodiscard]] inline bool is_in_log(board& all, unsigned j, unsigned w, memory::object_name name) noexcept {
    memory::records records(memory::commons::here());
    for (memory::object_name next = all.log_of(j, w).load(); next != 0;) {
        if (next == name) return true;
        const memory::object_id id = records.find(next);
        if (id == memory::no_object) return false;
        auto* block = static_cast<log_block*>(records.payload(id));
        next = block->next.load();
    }
    return false;
}

inline void log_writer::turn_to(unsigned j, const chunk& under) {
    const std::uint64_t generation = board::generation_of(under);
    if (j != job_ || generation != generation_) {
        job_ = j;
        generation_ = generation;
        find_end(j);
    }
    if (end_ == nullptr) add_block(j, 0);
}

inline void log_writer::make_room(unsigned j, const chunk& under, std::uint64_t size) {
    turn_to(j, under);
    if (room_ - end_->used.load(std::memory_order_relaxed) < log_record::length(size)) add_block(j, log_record::length(size));
}

namespace detail {

/// Whether f(record, bytes) is true of some record in the log of a worker that is dead.
template <typename F>
bool any_record(board& all, unsigned j, unsigned w, F f) noexcept {
    memory::records records(memory::commons::here());
    for (memory::object_name next = all.log_of(j, w).load(); next != 0;) {
        const memory::object_id id = records.find(next);
        if (id == memory::no_object) return false;
        auto* block = static_cast<log_block*>(records.payload(id));
        const std::uint64_t end = std::min(block->used.load(), records.size_of(id) - sizeof(log_block));
        for (std::uint64_t at = 0; at + sizeof(log_record) <= end;) {
            log_record record{};
            std::memcpy(&record, block->bytes() + at, sizeof record);
            if (record.size > end - at - sizeof record) return false;
            if (f(record, block->bytes() + at + sizeof record)) return true;
            at += log_record::length(record.size);
        }
        next = block->next.load();
    }
    return false;
}

} // namespace detail

/// Whether a dead worker's log names the parcel.
[[nodiscard]] inline bool is_named_in_log(board& all, unsigned j, unsigned w, memory::object_name name) noexcept {
    return detail::any_record(all, j, w, [&](const log_record& record, const std::byte* bytes) {
        memory::object_name named = 0;
        if ((record.item & log_record::parcel) == 0 || record.size != sizeof named) return false;
        std::memcpy(&named, bytes, sizeof named);
        return named == name;
    });
}

/// Whether a dead worker's log has a result under that number.
[[nodiscard]] inline bool is_logged(board& all, unsigned j, unsigned w, std::uint64_t item) noexcept {
    return detail::any_record(all, j, w, [&](const log_record& record, const std::byte*) {
        return (record.item & ~log_record::parcel) == item;
    });
}

template <typename Write>
bool log_writer::append(unsigned j, const chunk& under, std::uint64_t item, Write write) {
    turn_to(j, under);
    for (;;) {
        const std::uint64_t used = end_->used.load(std::memory_order_relaxed);
        const std::uint64_t left = room_ - used;
        std::byte* at = end_->bytes() + used;
        const std::uint64_t room = left > sizeof(log_record) ? left - sizeof(log_record) : 0;
        const std::optional<std::uint64_t> wanted = write(std::span<std::byte>(at + std::min(left, sizeof(log_record)), room));
        if (!wanted) return false;
        const std::uint64_t size = *wanted;
        if (log_record::length(size) > left) {
            add_block(j, log_record::length(size));
            continue;
        }
        const log_record head{item, size};
        std::memcpy(at, &head, sizeof head);
        MULTIPROCESSING_STEP(log_record_written);
        end_->used.store(used + log_record::length(size), std::memory_order_release);
        MULTIPROCESSING_STEP(log_record_counted);
        auto& sent = all_.station_of(worker_).bytes;
        sent.store(sent.load(std::memory_order_relaxed) + size, std::memory_order_relaxed);
        return true;
    }
}

// A predecessor at this station may have begun the log.
inline void log_writer::find_end(unsigned j) {
    end_ = nullptr;
    room_ = 0;
    memory::records records(memory::commons::here());
    for (memory::object_name next = all_.log_of(j, worker_).load(); next != 0; next = end_->next.load()) {
        const memory::object_id id = records.find(next);
        if (id == memory::no_object) return; // can't be: the owner holds what is linked
        end_ = static_cast<log_block*>(records.payload(id));
        room_ = records.size_of(id) - sizeof(log_block);
    }
}

inline void log_writer::add_block(unsigned j, std::uint64_t room) {
    const std::uint64_t wanted = std::max(std::clamp(room_ * 2, smallest, largest), room);
    const memory::holding fresh = memory::holding::make(sizeof(log_block) + wanted);
    auto* block = ::new (fresh.payload()) log_block{};
    fresh.publish();
    deliver(all_.station_of(worker_), owner_, fresh, [&](memory::object_name name) {
        (end_ == nullptr ? all_.log_of(j, worker_) : end_->next).store(name);
        return true;
    });
    end_ = block;
    room_ = wanted;
}

inline void log_reader::take(board& all, unsigned j) {
    for (unsigned w = 0; w < all.workers(); ++w) {
        memory::object_name next = all.log_of(j, w).exchange(0);
        while (next != 0) {
            blocks_.push_back(memory::holding::receive(next));
            next = static_cast<log_block*>(blocks_.back().payload())->next.load();
        }
    }
}

template <typename F>
void log_reader::for_each(F f) const {
    for (const auto& block : blocks_) {
        auto* head = static_cast<log_block*>(block.payload());
        const std::uint64_t end = std::min(head->used.load(std::memory_order_acquire), block.size() - sizeof(log_block));
        for (std::uint64_t at = 0; at < end;) {
            log_record record{};
            if (end - at < sizeof record) throw ProcessError("a worker's log ends inside a record");
            std::memcpy(&record, head->bytes() + at, sizeof record);
            if (record.size > end - at - sizeof record || log_record::length(record.size) > end - at)
                throw ProcessError("a worker's log has a record that is longer than its block");
            f(record.item, std::span<const std::byte>(head->bytes() + at + sizeof record, record.size));
            at += log_record::length(record.size);
        }
    }
}

inline void drop_parcels(const log_reader& log) noexcept {
    try {
        log.for_each([](std::uint64_t item, std::span<const std::byte> bytes) {
            memory::object_name name = 0;
            if ((item & log_record::parcel) == 0 || bytes.size() != sizeof name) return;
            std::memcpy(&name, bytes.data(), sizeof name);
            try {
                static_cast<void>(shares_named_in(memory::holding::receive(name)));
            } catch (const ProcessError&) {
                // taken already
            }
        });
    } catch (const std::exception&) {
        // a damaged log: what it named is gone with its worker
    }
}

} // namespace multiprocessing::pool
