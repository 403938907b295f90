// Floor 6, channel/rooms: the life of a ring's rooms: opened, gone on from, left, used again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memset
#include <new>     // std::bad_alloc
#include <optional>

#include <multiprocessing/channel/cell.hpp>
#include <multiprocessing/channel/room.hpp>
#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/os/cpu.hpp>
#include <multiprocessing/os/pages.hpp>

namespace multiprocessing::channel {

/// A cell of a ring, as its head and tail name it: in one word, the room in the lowest bits, the position above.
struct place {
    static constexpr unsigned room_bits = 7;

    std::uint64_t word = 0;
    std::byte* cells = nullptr;
    std::uint64_t stride = 0;
    std::uint64_t mask = 0;
    room* where = nullptr;

    [[nodiscard]] static std::uint64_t encode(unsigned room_number, std::uint64_t position) noexcept {
        return position << room_bits | room_number;
    }
    [[nodiscard]] static unsigned number_in(std::uint64_t word) noexcept { return word & ((1u << room_bits) - 1); }

    [[nodiscard]] std::uint64_t position() const noexcept { return word >> room_bits; }
    [[nodiscard]] unsigned number() const noexcept { return number_in(word); }
    [[nodiscard]] cell& at(std::uint64_t p) const noexcept { return *reinterpret_cast<cell*>(cells + (p & mask) * stride); }
    /// Messages of the ring's whole life before this place.
    [[nodiscard]] std::uint64_t ordinal() const noexcept { return where->base.load(std::memory_order_relaxed) + position(); }
};

/// Looks at a ring's rooms (room.hpp says which words they consist of) as this process, for as long as a call takes.
///
/// Errors: ProcessError when the shared memory isn't a ring's.
class rooms {
public:
    rooms(room_table& table, const std::atomic<std::uint64_t>& head, memory::object_id ring) noexcept
        : table_(table), head_(head), ring_(ring) {}

    [[nodiscard]] place locate(std::uint64_t word) const {
        place found = cells_of(place::number_in(word));
        found.word = word;
        return found;
    }
    /// The cells of a room that has some.
    [[nodiscard]] place cells_of(unsigned number) const;
    [[nodiscard]] bool has_cells(unsigned number) const noexcept {
        return room_table::exists(number) && table_[number].phase.load() != room::idle &&
               table_[number].offset.load(std::memory_order_acquire) != 0;
    }

    /// The ring's first room, before anybody else knows the ring. Returns the word of its first cell.
    std::uint64_t found();

    /// Closes the room at `tail`, its cell there being free, with a link to another room of that kind, the smallest of the sizes
    /// [from, end) that can be used. Returns the closed cell; none if somebody else was faster, or is at it, or if none of
    /// these rooms can be used just now.
    /// Errors: std::bad_alloc.
    std::optional<cell_state> open_next(const place& tail, unsigned kind, unsigned from, unsigned end);

    /// Gives back the pages of a large room that the head has left, once nobody reads there any more.
    void retire(unsigned number);

    [[noreturn]] static void damaged() {
        throw ProcessError("a queue's shared memory is damaged: some process has written where it mustn't");
    }

private:
    enum class claim { mine, wait, no };
    claim own(unsigned number);
    void prepare(unsigned number);
    void mend(unsigned number);
    [[nodiscard]] bool is_left(unsigned number) const;
    [[nodiscard]] bool nobody_in(unsigned number) const;

    static std::uint64_t free_at(std::uint64_t position) noexcept {
        return cell_state::plain(cell_state::free, position & cell_state::position_mask);
    }

    room_table& table_;
    const std::atomic<std::uint64_t>& head_;
    memory::object_id ring_;
};

inline place rooms::cells_of(unsigned number) const {
    if (!room_table::exists(number)) damaged();
    const unsigned kind = room_table::kind_of(number);
    const unsigned cells = table_.first_cells[kind] + room_table::size_of(number);
    room& r = table_[number];
    const std::uint64_t offset = r.offset.load(std::memory_order_acquire);
    memory::commons& all = memory::commons::here();
    const std::uint64_t stride = table_.stride[kind], total = all.map().total;
    if (offset == 0 || offset % 64 != 0 || stride % 64 != 0 || stride == 0 || cells > 40 || offset > total ||
        stride > (total - offset) >> cells)
        damaged();
    return {0, all.data() + offset, stride, (std::uint64_t{1} << cells) - 1, &r};
}

inline std::uint64_t rooms::found() {
    room& first = table_[0];
    first.phase.store(room::owned_by(memory::family::here().self()));
    prepare(0);
    const std::uint64_t start = first.start.load();
    first.serial.store(1);
    first.base.store(0 - start);
    first.phase.store(room::open_as(1));
    return place::encode(0, start);
}

// The room's serial is read between two looks at the head, so that it is that of the room where the head was.
inline bool rooms::is_left(unsigned number) const {
    for (;;) {
        const std::uint64_t head = head_.load();
        const place at = locate(head);
        const bool left = table_[number].serial.load() < at.where->serial.load();
        if (head_.load() == head) return left;
    }
}

inline bool rooms::nobody_in(unsigned number) const {
    const place at = cells_of(number);
    for (std::uint64_t i = 0; i <= at.mask; ++i) {
        const auto is = cell_state::decode(at.at(i).state.load(std::memory_order_acquire)).is;
        if (is == cell_state::claimed || is == cell_state::ready || is == cell_state::taken) return false;
    }
    return true;
}

inline rooms::claim rooms::own(unsigned number) {
    room& r = table_[number];
    std::uint64_t word = r.phase.load();
    switch (word & 3) {
    case room::idle: break;
    case room::opening:
        if (!memory::family::here().is_over(room::owner_of(word), memory::members::generation_mask)) return claim::wait;
        if (!is_left(number)) return claim::no; // it had been linked
        if (r.offset.load() != 0 && !nobody_in(number)) return claim::no;
        break;
    default:
        if (!is_left(number) || !nobody_in(number)) return claim::no;
    }
    const bool mine = r.phase.compare_exchange_strong(word, room::owned_by(memory::family::here().self()));
    MULTIPROCESSING_STEP(room_owned);
    return mine ? claim::mine : claim::wait;
}

// The next start is behind the closed cell.
inline void rooms::mend(unsigned number) {
    const place at = cells_of(number);
    for (std::uint64_t i = 0; i <= at.mask; ++i) {
        const cell_state seen = cell_state::decode(at.at(i).state.load());
        if (seen.is != cell_state::closed) continue;
        // Or before it, if who was at this died after the next step.
        const std::uint64_t before = at.where->start.load() - 1;
        const std::uint64_t position = before + ((seen.position - before) & cell_state::position_mask);
        at.where->start.store(position + 1);
        MULTIPROCESSING_STEP(room_started);
        at.at(i).state.store(free_at(position + at.mask + 1));
        MULTIPROCESSING_STEP(room_mended);
        return;
    }
}

// As its owner. Every step may be done again.
inline void rooms::prepare(unsigned number) {
    room& r = table_[number];
    auto& family = memory::family::here();
    const std::uint64_t bytes = table_.bytes_of(number);
    if (!family.is_kept_by(r.name.load(), ring_)) {
        const memory::object_id block = family.make_unheld(bytes);
        r.name.store(family.name_of(block));
        r.start.store(1);
        // Memory that was used before may hold anything, words of cells too.
        if (!family.payload_is_zero(block)) std::memset(family.payload(block), 0, bytes);
        MULTIPROCESSING_STEP(room_has_name);
        family.keep(block, ring_);
    }
    if (r.offset.load() == 0) {
        const auto* const cells = family.payload(static_cast<memory::object_id>(r.name.load()) - 1);
        r.offset.store(memory::commons::here().offset_of(cells));
        MULTIPROCESSING_STEP(room_has_place);
    }
    mend(number);
    const place at = cells_of(number);
    const std::uint64_t start = r.start.load();
    if (at.at(start).state.load() == free_at(start)) return;
    for (std::uint64_t i = at.mask + 1; i-- != 0;)
        at.at(start + i).state.store(free_at(start + i), std::memory_order_relaxed);
    MULTIPROCESSING_STEP(room_cleared);
}

inline std::optional<cell_state> rooms::open_next(const place& tail, unsigned kind, unsigned from, unsigned end) {
    for (unsigned size = from; size < end; ++size) {
        const unsigned number = room_table::number(kind, size);
        room& r = table_[number];
        switch (own(number)) {
        case claim::no: continue;
        case claim::wait: os::relax(); return std::nullopt;
        case claim::mine: break;
        }
        try {
            prepare(number);
        } catch (...) {
            r.phase.store(room::idle);
            throw;
        }
        const std::uint64_t p = tail.position();
        const std::uint64_t serial = tail.where->serial.load() + 1;
        r.base.store(tail.ordinal() - r.start.load());
        r.serial.store(serial);
        MULTIPROCESSING_STEP(room_ready);
        // If the cell is free still, the room at the tail was this one all the time, and its serial and base were read of it.
        std::uint64_t expected = free_at(p);
        const std::uint64_t link = cell_state::link(number, p & cell_state::position_mask);
        if (!tail.at(p).state.compare_exchange_strong(expected, link)) {
            r.phase.store(room::idle);
            return std::nullopt;
        }
        MULTIPROCESSING_STEP(room_linked);
        r.phase.store(room::open_as(serial));
        MULTIPROCESSING_STEP(room_open);
        return cell_state::decode(link);
    }
    if (end < room_table::sizes) return std::nullopt; // no smaller one is free
    throw std::bad_alloc();
}

inline void rooms::retire(unsigned number) {
    room& r = table_[number];
    if (r.phase.load() == room::idle || own(number) != claim::mine) return;
    if (r.offset.load() != 0) {
        mend(number);
        if (table_.bytes_of(number) > room_table::keep_bytes)
            static_cast<void>(os::give_back(cells_of(number).cells, table_.bytes_of(number)));
        MULTIPROCESSING_STEP(room_given_back);
    }
    r.phase.store(room::idle);
    MULTIPROCESSING_STEP(room_idle);
}

} // namespace multiprocessing::channel
