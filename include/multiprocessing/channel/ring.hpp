// Floor 6, channel/ring: messages of any size through shared memory, any number of senders and receivers, any of whom may die.
#pragma once

#include <algorithm> // std::min, std::clamp
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <memory>  // std::construct_at
#include <new>     // std::bad_alloc
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <multiprocessing/channel/cell.hpp>
#include <multiprocessing/channel/parcel.hpp>
#include <multiprocessing/channel/room.hpp>
#include <multiprocessing/channel/rooms.hpp>
#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/bell.hpp>
#include <multiprocessing/memory/doorbells.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/memory/keeping.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/pages.hpp>

namespace multiprocessing::channel {

/// What the members share of a ring.
///
/// | word        | who writes it                                               | a writer killed in between leaves       |
/// | ----------- | ----------------------------------------------------------- | --------------------------------------- |
/// | tail, head  | forward only, by compare-and-swap, by anybody: where the next cell to claim, to take is looked for first | one behind: the next one moves it |
/// | rooms       | the opener of a room (room.hpp)                              | a room whose opener is dead: taken over |
/// | swept       | who looks for what the dead left in cells                    | nothing: his own death is swept for     |
/// | oversized   | senders of what is too long for a cell                       | nothing: it is a guess                  |
/// | polled      | set, for good, by the first who waits by a descriptor        | nothing: senders look at `polling` in vain |
/// | polling     | memory/doorbells.hpp                                         |                                         |
struct ring_state {
    memory::keeping keeping; // first
    std::uint64_t capacity;  // 0: bounded by memory alone
    std::atomic<std::uint32_t> oversized;
    std::atomic<std::uint64_t> swept;
    alignas(64) std::atomic<std::uint64_t> tail;
    alignas(64) std::atomic<std::uint64_t> head;
    alignas(64) std::atomic<std::uint32_t> polled; // beside the bell, which every sender reads anyway
    alignas(16) memory::bell items; // from here on as memory/records wants it: the bells, then the doorbells
    memory::bell more; // of whoever stands beside the ring: JoinableQueue's join()
    memory::bell unused;
    memory::bell space; // a line of its own
    memory::doorbells polling;
    alignas(64) spares blocks;
    room_table rooms;
};
static_assert(offsetof(ring_state, keeping) == 0);
static_assert(offsetof(ring_state, space) == offsetof(ring_state, items) + 3 * sizeof(memory::bell));
static_assert(offsetof(ring_state, space) % 64 == 0 && offsetof(ring_state, polling) == offsetof(ring_state, space) + 64);

/// A first-in first-out line of messages. It knows bytes and shares in objects; queue.hpp knows types.
///
/// A cell (cell.hpp) holds one message, or the name of the block that it lies in (parcel.hpp). Cells stand in rooms, each a
/// circle; a room that is full is closed at its end, and a larger one goes on from there; a large one that is empty is
/// closed too, and a small one goes on. The positions of all rooms in use follow on one another, so the number of
/// messages is a subtraction, and a bound on it is exact.
///
/// - Threads and processes: any may do anything at any time.
/// - When a process dies: what it had sent stays; what it was sending was never sent; what it was receiving, one message, or
///   as many as it had asked for at once, is lost. Nobody waits for it longer than it takes to see that it is dead.
/// - Errors: std::bad_alloc; ProcessError when the shared memory isn't a ring's.
class ring {
public:
    ring() noexcept = default;
    /// For messages of `typical` bytes; at most `capacity` of them at once, 0: any number.
    ring(std::size_t typical, std::uint64_t capacity);
    explicit ring(memory::holding share) noexcept : state_(std::move(share)) {}
    ring(const ring& other) noexcept : state_(other.state_), head_seen_(other.head_seen_.load(std::memory_order_relaxed)) {}
    ring& operator=(const ring& other) noexcept {
        state_ = other.state_;
        head_seen_.store(other.head_seen_.load(std::memory_order_relaxed), std::memory_order_relaxed);
        return *this;
    }

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(state_); }
    [[nodiscard]] memory::handle<ring_state>& state() noexcept { return state_; }
    [[nodiscard]] const memory::handle<ring_state>& state() const noexcept { return state_; }

    /// Told before messages are taken, and when it came to nothing: for who must know of a message in some hand or other at any
    /// time.
    struct unwatched {
        void about_to_take(std::uint64_t) const noexcept {}
        void not_taken(std::uint64_t) const noexcept {}
    };

    /// busy: somebody is about to finish what is waited for, or is dead.
    enum class result { done, not_now, busy };

    /// Sends `n` messages at once if there is room for all of them: write(i, cell) fills each cell and returns its header. It
    /// can't throw, and is called for all of them or for none. `n` is a power of two up to 128; `longest` bytes go into a cell.
    template <typename Write>
    result try_send(unsigned batch, std::size_t longest, Write write);

    /// Takes up to `most` messages, as many as are ready in a row: read(header, body) for each, while nobody can overwrite it. It
    /// can't throw; a block is taken with adopt(). `look_closer`: also finds out whether a sender that has begun is dead.
    template <typename Read, typename Watch = unwatched>
    result try_receive(Read read, bool look_closer = false, std::size_t most = 1, Watch watch = {});

    /// Whether try_receive() would have something to take.
    [[nodiscard]] result peek(bool look_closer);

    /// Until try() returns result::done, or the deadline passes.
    template <typename Try>
    bool wait_for_room(Try attempt, const os::deadline& until);
    /// The same for attempt(bool look_closer).
    template <typename Try>
    bool wait_for_message(Try attempt, const os::deadline& until);

    /// Room for a large message, to be written into and then sent by its name.
    [[nodiscard]] parcel make_parcel(std::uint64_t bytes, std::size_t shares) {
        return parcel(bytes, shares, state_.id(), state_->blocks);
    }
    /// For write(): the parcel becomes the message of this cell.
    cell_header enclose(parcel& what, std::byte* body) noexcept;
    /// For read(): the block that a cell names.
    [[nodiscard]] parcel adopt(const cell_header& header, const std::byte* body) const noexcept;
    /// A parcel that was read and isn't needed any more.
    void put_away(parcel&& what) noexcept { what.make_spare(state_.id(), state_->blocks); }

    /// Frees the memory that is kept for messages to come.
    void trim() noexcept {
        for (auto& spare : state_->blocks.names)
            if (const memory::object_name name = spare.exchange(0); name != 0)
                static_cast<void>(parcel::adopt_spare(name, state_.id()));
    }

    /// What goes into a cell, at most; more than that needs a parcel. May grow between two calls, never shrinks.
    [[nodiscard]] std::size_t longest() const;
    /// A message of `n` bytes didn't fit into a cell. When that happens often, longer cells are used from then on.
    void note_oversized(std::size_t n);
    /// The most that a cell of any of its rooms will ever hold.
    [[nodiscard]] std::size_t longest_ever() const noexcept {
        return state_->rooms.stride[room_table::kinds - 1] - sizeof(cell);
    }

    [[nodiscard]] std::uint64_t size();
    [[nodiscard]] std::uint64_t capacity() const noexcept { return state_->capacity; }

private:
    static std::uint64_t plain(cell_state::phase_type is, std::uint64_t position) noexcept {
        return cell_state::plain(is, position & cell_state::position_mask);
    }

    [[nodiscard]] rooms all_rooms() const noexcept { return {state_->rooms, state_->head, state_.id()}; }
    [[nodiscard]] place locate(std::uint64_t word) const { return all_rooms().locate(word); }
    [[nodiscard]] memory::seat me() const { return memory::family::here().self(); }
    [[nodiscard]] bool is_over(const cell_state& s) const noexcept {
        return memory::family::here().is_over(s.owner(), cell_state::generation_mask);
    }

    /// Moves tail or head past a cell that isn't the last or the first any more.
    bool follow(std::atomic<std::uint64_t>& end, const place& seen, const cell_state& s) noexcept;
    [[nodiscard]] bool has_room(const place& tail, std::uint64_t n);
    [[nodiscard]] std::uint64_t ordinal_of_head();

    [[nodiscard]] static memory::object_name name_in(const std::byte* body) noexcept {
        memory::object_name name = 0;
        std::memcpy(&name, body, sizeof name);
        return name;
    }
    [[nodiscard]] static memory::object_id block_of(cell& c) noexcept {
        return static_cast<memory::object_id>(name_in(c.body())) - 1;
    }
    [[nodiscard]] result find_first(place& head, std::uint64_t& word, bool look_closer);
    void scrap(cell& c);
    void free_cells(const place& at, std::uint64_t position, std::uint64_t n) noexcept;
    void take_over(const place& at, std::uint64_t position, std::uint64_t word, const cell_state& s);
    void sweep();
    void sweep_if_somebody_died() {
        const auto deaths = memory::commons::here().header().deaths.load(std::memory_order_relaxed);
        if (state_->swept.load(std::memory_order_relaxed) != deaths) sweep();
    }

    /// Closes the room at its tail, and goes on in another one of these sizes.
    void go_on(const place& tail, unsigned kind, unsigned from, unsigned end);
    void leave_room(const place& head, const cell_state& s);
    bool shrink(const place& at);

    memory::handle<ring_state> state_;
    mutable std::atomic<std::uint64_t> head_seen_{0}; // an ordinal that the head has reached
};

inline ring::ring(std::size_t typical, std::uint64_t capacity) {
    const memory::holding made = memory::holding::make(sizeof(ring_state));
    auto* const s = std::construct_at(static_cast<ring_state*>(made.payload()));
    state_ = memory::handle<ring_state>(made);
    s->capacity = capacity;
    // An odd number of lines each: cells whose distance is a power of two fall on few places of a cache.
    const auto stride_for = [](std::size_t bytes) {
        const std::size_t lines = (bytes + sizeof(cell) + 63) / 64;
        return static_cast<std::uint32_t>((lines <= 2 ? lines : lines | 1) * 64);
    };
    s->rooms.stride[0] = stride_for(typical);
    s->rooms.stride[1] = std::max(s->rooms.stride[0], stride_for(1024));
    for (unsigned kind = 0; kind < room_table::kinds; ++kind) {
        const std::uint64_t cells = std::max<std::uint64_t>(room_table::first_bytes / s->rooms.stride[kind], 16);
        const std::uint64_t enough = capacity == 0 || capacity >= cells ? cells : std::max<std::uint64_t>(capacity + 1, 2);
        s->rooms.first_cells[kind] = static_cast<std::uint32_t>(std::bit_width(enough - 1));
    }
    auto& family = memory::family::here();
    family.keeps_others(state_.id());
    family.has_bells(state_.id(), offsetof(ring_state, items), 4, 1);
    const std::uint64_t start = all_rooms().found();
    s->swept.store(memory::commons::here().header().deaths.load());
    s->tail.store(start);
    s->head.store(start);
    made.publish();
}

// ---- Finding cells ----

inline bool ring::follow(std::atomic<std::uint64_t>& end, const place& seen, const cell_state& s) noexcept {
    std::uint64_t expected = seen.word;
    if (s.is == cell_state::closed) {
        if (!room_table::exists(s.slot)) return false;
        const std::uint64_t next = place::encode(s.slot, state_->rooms[s.slot].start.load(std::memory_order_acquire));
        const bool moved = end.compare_exchange_strong(expected, next);
        MULTIPROCESSING_STEP(ring_next_room);
        return moved;
    }
    if (end.load() != expected) return false; // without taking the line from who moved it
    const std::uint64_t next = seen.word + (std::uint64_t{1} << (s.batch + place::room_bits));
    const bool moved = end.compare_exchange_strong(expected, next);
    MULTIPROCESSING_STEP(ring_end_moved);
    return moved;
}

// ---- Sending ----

inline std::uint64_t ring::ordinal_of_head() {
    for (;;) {
        const place head = locate(state_->head.load());
        const std::uint64_t ordinal = head.ordinal();
        // Its owner may have died before it moved the head.
        const cell_state s = cell_state::decode(head.at(head.position()).state.load());
        if (s.stands_for(head.position()) && (s.is == cell_state::taken || s.is == cell_state::closed)) {
            s.is == cell_state::closed ? leave_room(head, s) : static_cast<void>(follow(state_->head, head, s));
            continue;
        }
        if (state_->head.load() == head.word) return ordinal;
    }
}

inline bool ring::has_room(const place& tail, std::uint64_t n) {
    const std::uint64_t end = tail.ordinal() + n;
    if (end - head_seen_.load(std::memory_order_relaxed) <= state_->capacity) return true;
    // First by the head alone, which may be late: its cell belongs to whoever receives just now.
    const place seen = locate(state_->head.load());
    std::uint64_t head = seen.ordinal();
    if (end - head > state_->capacity || state_->head.load() != seen.word) head = ordinal_of_head();
    head_seen_.store(head, std::memory_order_relaxed);
    return end - head <= state_->capacity;
}

template <typename Write>
ring::result ring::try_send(unsigned batch, std::size_t longest, Write write) {
    ring_state& s = *state_;
    const std::uint64_t n = std::uint64_t{1} << batch;
    sweep_if_somebody_died();
    for (;;) {
        const place tail = locate(s.tail.load(std::memory_order_acquire));
        const std::uint64_t p = tail.position();
        cell& first = tail.at(p);
        std::uint64_t word = first.state.load(std::memory_order_acquire);
        if (word != plain(cell_state::free, p)) {
            const cell_state seen = cell_state::decode(word);
            if (seen.stands_for(p) && seen.is != cell_state::ready) follow(s.tail, tail, seen);
            continue;
        }
        if (s.capacity != 0 && !has_room(tail, n)) {
            if (s.tail.load() != tail.word) continue;
            return result::not_now;
        }
        const unsigned kind = room_table::kind_of(tail.number());
        if (longest > tail.stride - sizeof(cell)) rooms::damaged();
        // One more than it takes: the cell at the tail must be free for the next one to claim, or to be closed.
        bool all_free = n <= tail.mask;
        for (std::uint64_t i = 1; all_free && i <= n; ++i)
            all_free = tail.at(p + i).state.load(std::memory_order_acquire) == plain(cell_state::free, p + i);
        if (!all_free) {
            if (s.tail.load() == tail.word) go_on(tail, kind, room_table::size_of(tail.number()) + 1, room_table::sizes);
            continue;
        }
        const cell_state mine{cell_state::claimed, batch, 0, 0, p};
        if (!first.state.compare_exchange_strong(word, cell_state::owned(mine.is, batch, me(), p & cell_state::position_mask)))
            continue;
        MULTIPROCESSING_STEP(ring_claimed);
        follow(s.tail, tail, mine);
        for (std::uint64_t i = 0; i < n; ++i) {
            cell& each = tail.at(p + i);
            const cell_header header = write(i, each.body());
            each.header.store(header.encode(), std::memory_order_release);
            if (header.block) {
                MULTIPROCESSING_STEP(ring_named);
                memory::family::here().keep(block_of(each), state_.id());
            }
        }
        for (std::uint64_t i = n; --i != 0;) tail.at(p + i).state.store(plain(cell_state::ready, p + i), std::memory_order_release);
        MULTIPROCESSING_STEP(ring_written);
        first.state.exchange(plain(cell_state::ready, p));
        MULTIPROCESSING_STEP(ring_sent);
        n == 1 ? s.items.ring_one_fenced() : s.items.ring_all_fenced();
        if (s.polled.load() != 0) s.polling.ring();
        if (s.capacity != 0) s.space.ring_one_fenced(); // what woke us may have been meant for two
        return result::done;
    }
}

inline cell_header ring::enclose(parcel& what, std::byte* body) noexcept {
    const memory::object_name name = what.name();
    const cell_header header{what.bytes().size(), what.shares(), true};
    std::memcpy(body, &name, sizeof name);
    what.release(); // try_send() gives it to the ring in a moment
    return header;
}

inline std::size_t ring::longest() const {
    const std::uint64_t tail = state_->tail.load(std::memory_order_relaxed);
    const unsigned kind = room_table::kind_of(place::number_in(tail));
    if (kind >= room_table::kinds) rooms::damaged();
    return state_->rooms.stride[kind] - sizeof(cell);
}

inline void ring::note_oversized(std::size_t n) {
    if (n > longest_ever() || state_->oversized.fetch_add(1, std::memory_order_relaxed) < 8) return;
    const place tail = locate(state_->tail.load(std::memory_order_acquire));
    if (room_table::kind_of(tail.number()) + 1 < room_table::kinds)
        go_on(tail, room_table::kinds - 1, 0, room_table::sizes);
}

// ---- Receiving ----

inline parcel ring::adopt(const cell_header& header, const std::byte* body) const noexcept {
    return parcel::adopt(name_in(body), state_.id(), header.size, header.shares);
}

inline void ring::free_cells(const place& at, std::uint64_t position, std::uint64_t n) noexcept {
    const std::uint64_t next = position + at.mask + 1;
    for (std::uint64_t i = n; --i != 0;)
        at.at(position + i).state.store(plain(cell_state::free, next + i), std::memory_order_release);
    MULTIPROCESSING_STEP(ring_batch_freed);
    at.at(position).state.store(plain(cell_state::free, next), std::memory_order_release);
    MULTIPROCESSING_STEP(ring_freed);
}

// What it names is freed and not used again, so that its name can't come to mean another message.
inline void ring::scrap(cell& c) {
    const cell_header header = cell_header::decode(c.header.load(std::memory_order_acquire));
    if (!header.block) return;
    static_cast<void>(parcel::adopt(name_in(c.body()), state_.id(), header.size, header.shares));
    c.header.store(0);
    MULTIPROCESSING_STEP(ring_scrapped);
}

// The owner of a claimed or a taken cell is dead.
inline void ring::take_over(const place& at, std::uint64_t position, std::uint64_t word, const cell_state& s) {
    cell& first = at.at(position);
    const cell_state mine{cell_state::taken, s.batch, 0, 0, position};
    if (!first.state.compare_exchange_strong(
            word, cell_state::owned(mine.is, s.batch, me(), position & cell_state::position_mask)))
        return;
    MULTIPROCESSING_STEP(ring_taken_over);
    // Nobody looks for these positions any more, before the cells can stand for others.
    place there = at;
    there.word = place::encode(at.number(), position);
    follow(state_->tail, there, mine);
    follow(state_->head, there, mine);
    const std::uint64_t n = std::uint64_t{1} << s.batch;
    for (std::uint64_t i = 0; i < n; ++i) scrap(at.at(position + i));
    free_cells(at, position, n);
    state_->space.ring_all();
}

// Goes past whatever isn't a message, to the first one.
inline ring::result ring::find_first(place& head, std::uint64_t& word, bool look_closer) {
    ring_state& s = *state_;
    for (;;) {
        head = locate(s.head.load(std::memory_order_acquire));
        const std::uint64_t p = head.position();
        word = head.at(p).state.load(std::memory_order_acquire);
        if (word == plain(cell_state::ready, p)) return result::done;
        const cell_state seen = cell_state::decode(word);
        if (!seen.stands_for(p)) continue; // the head has moved on
        switch (seen.is) {
        case cell_state::free:
            if (s.head.load() != head.word) continue;
            if (look_closer && s.rooms.bytes_of(head.number()) > room_table::keep_bytes && shrink(head)) continue;
            return result::not_now;
        case cell_state::claimed:
            if (!look_closer || !is_over(seen)) return result::busy;
            take_over(head, p, word, seen);
            continue;
        case cell_state::closed: leave_room(head, seen); continue;
        default: follow(s.head, head, seen); continue;
        }
    }
}

inline ring::result ring::peek(bool look_closer) {
    sweep_if_somebody_died();
    place head;
    std::uint64_t word = 0;
    return find_first(head, word, look_closer);
}

template <typename Read, typename Watch>
ring::result ring::try_receive(Read read, bool look_closer, std::size_t most, Watch watch) {
    ring_state& s = *state_;
    sweep_if_somebody_died();
    for (;;) {
        place head;
        std::uint64_t word = 0;
        if (const result found = find_first(head, word, look_closer); found != result::done) return found;
        const std::uint64_t p = head.position();
        cell& first = head.at(p);
        std::uint64_t n = 1;
        if (most > 1) {
            const std::uint64_t limit = std::min<std::uint64_t>({most, std::uint64_t{1} << cell_state::largest_batch, head.mask});
            while (n < limit && head.at(p + n).state.load(std::memory_order_acquire) == plain(cell_state::ready, p + n)) ++n;
            n = std::bit_floor(n);
        }
        const cell_state mine{cell_state::taken, static_cast<unsigned>(std::countr_zero(n)), 0, 0, p};
        watch.about_to_take(n);
        if (!first.state.compare_exchange_strong(
                word, cell_state::owned(mine.is, mine.batch, me(), p & cell_state::position_mask))) {
            watch.not_taken(n);
            continue;
        }
        MULTIPROCESSING_STEP(ring_taken);
        follow(s.head, head, mine);
        for (std::uint64_t i = 0; i < n; ++i) {
            cell& each = head.at(p + i);
            cell_header header = cell_header::decode(each.header.load(std::memory_order_relaxed));
            if (!header.block) header.size = std::min<std::uint64_t>(header.size, head.stride - sizeof(cell));
            read(header, static_cast<const std::byte*>(each.body()));
            if (header.block) each.header.store(0, std::memory_order_relaxed);
            MULTIPROCESSING_STEP(ring_read);
        }
        free_cells(head, p, n);
        // There is room since the head has moved, by follow() or before it: that was the fence. The bell's own would take its line
        // from the senders, each time.
        if (s.capacity != 0) n == 1 ? s.space.ring_one_fenced() : s.space.ring_all_fenced();
        const std::uint64_t now = s.head.load(std::memory_order_relaxed);
        if (place::number_in(now) != head.number()) all_rooms().retire(head.number());
        // Of two sleepers woken for two messages one may have found the first not ready, and have slept again.
        else if (s.items.anybody_sleeps() && head.at(p + n).state.load() == plain(cell_state::ready, p + n))
            s.items.ring_one();
        return result::done;
    }
}

// Of what holds much not every look is taken while it is full: each takes a line from who makes the room, and after a while there
// is room for many.
template <typename Try>
bool ring::wait_for_room(Try attempt, const os::deadline& until) {
    const auto has_sent = [&] { return attempt() == result::done; };
    const std::uint64_t every = std::clamp<std::uint64_t>(state_->capacity / 8, 1, 16);
    const std::chrono::nanoseconds longest_nap = std::chrono::seconds(1);
    std::uint64_t looks = 0;
    return os::spin_for([&] { return looks++ % every == 0 && has_sent(); }) || state_->space.sleep(has_sent, until, longest_nap);
}

template <typename Try>
bool ring::wait_for_message(Try attempt, const os::deadline& until) {
    result last = result::not_now;
    if (os::spin_for([&] { return (last = attempt(false)) == result::done; })) return true;
    // Who finishes a message rings. But it may be dead, and who rings for the dead comes late, if at all.
    std::chrono::nanoseconds nap = std::chrono::seconds(1);
    return state_->items.sleep(
        [&] {
            last = attempt(true);
            nap = last == result::busy ? std::chrono::nanoseconds(std::chrono::milliseconds(1)) : std::chrono::seconds(1);
            return last == result::done;
        },
        until, nap);
}

inline std::uint64_t ring::size() {
    static_cast<void>(peek(true)); // what senders who have died had begun, at the head, was never sent
    ring_state& s = *state_;
    for (;;) {
        const std::uint64_t from = ordinal_of_head();
        const place tail = locate(s.tail.load());
        const cell_state seen = cell_state::decode(tail.at(tail.position()).state.load());
        if (seen.stands_for(tail.position()) && seen.is != cell_state::free && seen.is != cell_state::ready &&
            follow(s.tail, tail, seen))
            continue;
        const std::uint64_t to = tail.ordinal();
        if (s.tail.load() != tail.word) continue;
        return to - from;
    }
}

// ---- What the dead left ----

inline void ring::sweep() {
    ring_state& s = *state_;
    const auto deaths = memory::commons::here().header().deaths.load(std::memory_order_acquire);
    s.swept.store(deaths); // before: whoever dies from here on is another death
    MULTIPROCESSING_STEP(ring_swept);
    rooms all = all_rooms();
    for (unsigned number = 0; number < room_table::kinds << room_table::size_bits; ++number) {
        if (!all.has_cells(number)) continue;
        place at = all.cells_of(number);
        const std::uint64_t start = s.rooms[number].start.load();
        at.word = number;
        for (std::uint64_t i = 0; i <= at.mask; ++i) {
            cell& c = at.at(i);
            const std::uint64_t word = c.state.load(std::memory_order_acquire);
            const cell_state seen = cell_state::decode(word);
            if ((seen.is != cell_state::taken && seen.is != cell_state::claimed) || !is_over(seen)) continue;
            if (seen.is == cell_state::taken) {
                const std::uint64_t position = start + ((seen.position - start) & cell_state::position_mask);
                take_over(at, position, word, seen);
            } else {
                // Its place in the line stays, for who comes to it; its block needn't wait for that.
                const std::uint64_t n = std::uint64_t{1} << seen.batch;
                for (std::uint64_t j = 0; j < n; ++j) {
                    cell& each = at.at(i + j);
                    const cell_header header = cell_header::decode(each.header.load(std::memory_order_acquire));
                    const memory::object_name name = name_in(each.body());
                    if (header.block && c.state.load() == word)
                        static_cast<void>(parcel::adopt(name, state_.id(), header.size, header.shares));
                }
            }
        }
        all.retire(number); // whoever left it may have died before this
    }
}

// ---- From room to room ----

inline void ring::go_on(const place& tail, unsigned kind, unsigned from, unsigned end) {
    const std::optional<cell_state> link = all_rooms().open_next(tail, kind, from, end);
    if (!link) return;
    state_->oversized.store(0, std::memory_order_relaxed);
    follow(state_->tail, tail, *link);
}

inline void ring::leave_room(const place& head, const cell_state& s) {
    follow(state_->tail, head, s); // who closed it may have died before: nobody may look for the end in a room that is left
    if (follow(state_->head, head, s)) all_rooms().retire(head.number());
}

inline bool ring::shrink(const place& at) {
    if (state_->tail.load() != at.word) return false;
    go_on(at, room_table::kind_of(at.number()), 0, room_table::size_of(at.number()));
    return state_->tail.load() != at.word;
}

} // namespace multiprocessing::channel
