// Floor 2, memory/family: this process as a member of its family: what it holds, how it is born, who buries whom.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory> // std::unique_ptr
#include <new>    // std::bad_alloc
#include <optional>
#include <vector>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/memory/members.hpp>
#include <multiprocessing/memory/records.hpp>
#include <multiprocessing/os/at_fork.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::memory {

/// This process's membership, and its private counts: how many handles it has to each object. The shared side of an
/// object (records.hpp) is touched only when a count leaves zero or returns to it.
///
/// - Threads: every function may be called by any thread.
/// - When this process dies: bury() is called by its parent, or by anybody who looks for the dead.
/// - After a plain fork(), without a birth, the child is a stranger: its counts are copies, the objects belong to its
///   parent's share, and it joins as a member of its own as soon as it makes something.
class family {
public:
    static family& here();

    [[nodiscard]] object_id make(std::uint64_t bytes);
    void publish(object_id id) noexcept { records_.publish(id); }
    void share(object_id id) noexcept { count(id).fetch_add(1, std::memory_order_relaxed); }
    void drop(object_id id) noexcept;
    void give(object_id id, seat to) noexcept;
    void take_back(object_id id, seat from) noexcept;
    [[nodiscard]] object_id receive(object_name name);

    [[nodiscard]] object_name name_of(object_id id) const noexcept { return records_.name_of(id); }
    [[nodiscard]] void* payload(object_id id) const noexcept { return records_.payload(id); }
    [[nodiscard]] std::uint64_t size_of(object_id id) const noexcept { return records_.size_of(id); }
    [[nodiscard]] std::uint64_t room_of(object_id id) const noexcept { return records_.room_of(id); }
    [[nodiscard]] bool payload_is_zero(object_id id) const noexcept { return records_.payload_is_zero(id); }

    // What is on its way between processes, for who carries messages: objects that are made here, belong to a keeper meanwhile
    // (records.hpp), and are taken back there.

    /// An object of this process, of which it has no handle: to be kept by another object or discarded.
    [[nodiscard]] object_id make_unheld(std::uint64_t bytes);
    void discard(object_id id) noexcept;
    void keep(object_id id, object_id keeper, bool spare = false) noexcept;
    void keep_for_maker(object_id id, object_id keeper) noexcept { records_.keep_for_maker(id, keeper); }
    [[nodiscard]] object_id adopt(object_name name, object_id keeper, bool spare = false) noexcept;
    [[nodiscard]] bool is_kept_by(object_name name, object_id keeper) const noexcept { return records_.is_kept_by(name, keeper); }
    [[nodiscard]] object_id find(object_name name) const noexcept { return records_.find(name); }
    /// The object's block begins with a keeping.
    void keeps_others(object_id id) noexcept { records_.add_traits(id, records::keeps_others); }
    /// Its block begins with a left_name.
    void leaves_name(object_id id) noexcept { records_.add_traits(id, records::leaves_name); }
    void has_bells(object_id id, std::uint64_t offset, unsigned bells, unsigned doorbells = 0) noexcept {
        records_.has_bells(id, offset, bells, doorbells);
    }
    /// A pin on what this process holds, given to a message that it has made. Throws std::bad_alloc.
    [[nodiscard]] pins::index pin(object_id target, object_id message);
    /// Holds what the pin holds, as a handle of this process; no_object for a pin that isn't the message's.
    [[nodiscard]] object_id receive(pins::index which, object_id message);
    /// Living members that hold an object, 0 for one that is being born. The dead are buried on the way.
    [[nodiscard]] std::vector<pid_t> living_holders(object_id id);

    /// Whether who sat there is dead. Of the generation only some bits are compared.
    [[nodiscard]] bool is_over(seat place, std::uint32_t generation_mask) const noexcept {
        return members_.is_over(place, generation_mask);
    }

    /// Whether it sits there still, as far as anybody has noticed.
    [[nodiscard]] bool is_seated(seat place) const noexcept {
        const auto now = place.valid() ? members_.occupant(place.slot) : std::nullopt;
        return now && *now == place;
    }
    /// 0 when nobody lives there. Of the generation only some bits are compared.
    [[nodiscard]] pid_t pid_of(seat place, std::uint32_t generation_mask) const noexcept {
        const auto now = place.valid() ? members_.occupant(place.slot) : std::nullopt;
        return now && ((now->generation ^ place.generation) & generation_mask) == 0 ? members_.pid_of(*now) : 0;
    }
    [[nodiscard]] std::uint32_t seats_used() const noexcept { return members_.used(); }

    /// This process's seat; it joins if it has none yet.
    [[nodiscard]] seat self() {
        const std::uint64_t known = seat_.load(std::memory_order_relaxed);
        return known == nowhere ? find_seat() : seat{static_cast<std::uint32_t>(known >> 32), static_cast<std::uint32_t>(known)};
    }
    /// A seat for a program that is about to be started (invitation.hpp), which takes it; false: it was buried before, because who
    /// reserved it died, or this process has another one.
    [[nodiscard]] seat reserve();
    [[nodiscard]] bool take_seat(seat place) noexcept;
    [[nodiscard]] unsigned members_alive() const noexcept { return members_.count(); }
    [[nodiscard]] std::uint64_t objects() const noexcept { return records_.count(); }

    /// The member is dead: drops what it held. Idempotent; several may try at once, in any process.
    void bury(seat dead, bool known_dead) noexcept;
    /// Buries whoever died unnoticed: children of the dead, whom nobody reaps any more.
    void bury_the_dead() noexcept;

private:
    friend class birth;

    /// This thread holds the lock for a birth, and forks under it.
    static bool& in_birth() noexcept {
        static thread_local bool value = false;
        return value;
    }
    using counter = std::atomic<std::uint32_t>;
    using chunk = std::array<counter, 16384>;

    family();

    [[nodiscard]] counter& count(object_id id) noexcept {
        return (*chunks_[id / chunk_size].load(std::memory_order_acquire))[id % chunk_size];
    }
    void first_count(object_id id); // lock held
    void join();                    // lock held
    void hold_what_is_counted(seat place); // lock held
    [[nodiscard]] seat find_seat();
    void sit(seat place) noexcept {
        self_ = place;
        seat_.store(place.valid() ? std::uint64_t{place.slot} << 32 | place.generation : nowhere, std::memory_order_relaxed);
    }

    static constexpr std::size_t chunk_size = std::tuple_size_v<chunk>;

    commons& all_;
    members members_;
    records records_;
    os::private_lock lock_; // around every change of a count from or to zero, of our ledger, and of self_
    seat self_;
    static constexpr std::uint64_t nowhere = ~std::uint64_t{0};
    std::atomic<std::uint64_t> seat_{nowhere}; // self_, to be read without the lock
    std::array<std::atomic<chunk*>, (layout::largest >> 16) / chunk_size> chunks_{};
};

/// A process about to be forked: a seat for it, and a share in everything that the caller holds, taken over before
/// fork() so that neither a handle dropped by another thread nor a death can come in between.
///
///     memory::birth b;
///     os::child c = os::fork_child();
///     if (c.pid() == 0) b.in_child(); else b.in_parent(c.pid());
///
/// - When the parent is killed in between: the seat is buried with it.
/// - Growth: two atomic operations for each object that the caller holds.
/// - Errors: the constructor throws ProcessError when the family is full; if fork() fails, the destructor gives back.
class birth {
public:
    birth();
    birth(const birth&) = delete;
    birth& operator=(const birth&) = delete;
    ~birth();

    void in_child() noexcept;
    void in_parent(pid_t child) noexcept;
    [[nodiscard]] seat slot() const noexcept { return place_; }

private:
    void settle() noexcept;

    family& family_;
    seat place_;
    bool settled_ = false;
};

/// That member has ended, and the caller knows it: it was reaped. Drops everything it held.
inline void bury(seat dead) noexcept {
    if (dead.valid()) family::here().bury(dead, true);
}

inline family& family::here() {
    static family& instance = *new family; // never deleted: handles in static objects may outlive any order
    return instance;
}

inline family::family() : all_(commons::here()), members_(all_), records_(all_) {
    os::at_fork({.prepare = [] { if (!in_birth()) here().lock_.lock(); },
                 .parent = [] { if (!in_birth()) here().lock_.unlock(); },
                 .child =
                     [] {
                         if (in_birth()) return;
                         family& me = here();
                         me.sit(seat{});
                         me.lock_.unlock();
                     }});
}

inline void family::hold_what_is_counted(seat place) {
    // Its parent may let go while this goes on: a stranger's handles are only as good as its parent's.
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
        const chunk* counts = chunks_[c].load(std::memory_order_acquire);
        for (std::size_t i = 0; counts != nullptr && i < chunk_size; ++i) {
            const auto id = static_cast<object_id>(c * chunk_size + i);
            if ((*counts)[i].load(std::memory_order_relaxed) != 0 && records_.is_live(id)) records_.hold(id, place);
        }
    }
}

inline void family::join() {
    if (self_.valid()) return;
    if (const auto kept = commons::take_invited_seat()) { // a global object of a started program is the first to ask
        const seat place{kept->slot, kept->generation};
        if (place.valid() && members_.adopt(place)) return sit(place);
    }
    const seat place = members_.reserve(seat{});
    hold_what_is_counted(place);
    static_cast<void>(members_.adopt(place)); // can't fail: it was reserved by this very process
    sit(place);
}

inline seat family::find_seat() {
    lock_.lock();
    try {
        join();
    } catch (...) {
        lock_.unlock();
        throw;
    }
    const seat me = self_;
    lock_.unlock();
    return me;
}

inline seat family::reserve() {
    lock_.lock();
    try {
        join();
        const auto used = members_.used();
        const seat place = members_.reserve(self_);
        // Looking for the dead reads a file per member: only each time that the table has doubled.
        if (place.slot >= used && place.slot >= 8 && std::has_single_bit(place.slot)) bury_the_dead();
        lock_.unlock();
        return place;
    } catch (...) {
        lock_.unlock();
        throw;
    }
}

inline bool family::take_seat(seat place) noexcept {
    lock_.lock();
    static_cast<void>(commons::take_invited_seat()); // if nobody has taken it, it is this one, or that of a fork server
    if (!self_.valid() && place.valid() && members_.adopt(place)) {
        hold_what_is_counted(place);
        sit(place);
    }
    const bool taken = self_ == place;
    lock_.unlock();
    return taken;
}

inline void family::first_count(object_id id) {
    auto& place = chunks_[id / chunk_size];
    if (place.load(std::memory_order_acquire) == nullptr) place.store(new chunk{}, std::memory_order_release);
    count(id).store(1, std::memory_order_relaxed);
}

inline object_id family::make(std::uint64_t bytes) {
    lock_.lock();
    try {
        join();
        const object_id id = records_.make(self_, bytes == 0 ? 1 : bytes);
        try {
            first_count(id);
        } catch (...) {
            records_.let_go(id, self_);
            throw;
        }
        lock_.unlock();
        return id;
    } catch (...) {
        lock_.unlock();
        throw;
    }
}

inline void family::drop(object_id id) noexcept {
    counter& mine = count(id);
    std::uint32_t n = mine.load(std::memory_order_relaxed);
    while (n > 1)
        if (mine.compare_exchange_weak(n, n - 1, std::memory_order_release)) return;
    // The last one, unless another thread receives the object just now: so under the lock.
    lock_.lock();
    if (mine.fetch_sub(1, std::memory_order_acq_rel) == 1 && self_.valid()) records_.let_go(id, self_);
    lock_.unlock();
}

inline void family::give(object_id id, seat to) noexcept {
    lock_.lock();
    if (to.valid()) records_.hold(id, to);
    lock_.unlock();
}

inline void family::take_back(object_id id, seat from) noexcept {
    lock_.lock();
    if (from.valid()) records_.let_go(id, from);
    lock_.unlock();
}

inline object_id family::receive(object_name name) {
    lock_.lock();
    object_id id = no_object;
    try {
        join();
        id = records_.find(name);
        if (id == no_object || !records_.holds(id, self_))
            throw ProcessError(fmt::format("object {:#x} wasn't given to this process, or is gone", name));
        const auto* counts = chunks_[id / chunk_size].load(std::memory_order_acquire);
        if (counts == nullptr || (*counts)[id % chunk_size].load(std::memory_order_relaxed) == 0)
            first_count(id);
        else
            share(id);
    } catch (...) {
        lock_.unlock();
        throw;
    }
    lock_.unlock();
    return id;
}

inline object_id family::make_unheld(std::uint64_t bytes) {
    lock_.lock();
    try {
        join();
        const object_id id = records_.make(self_, bytes);
        lock_.unlock();
        return id;
    } catch (...) {
        lock_.unlock();
        throw;
    }
}

inline void family::discard(object_id id) noexcept {
    lock_.lock();
    records_.let_go(id, self_);
    lock_.unlock();
}

inline void family::keep(object_id id, object_id keeper, bool spare) noexcept {
    lock_.lock();
    records_.keep(id, keeper, self_, spare);
    lock_.unlock();
}

inline object_id family::adopt(object_name name, object_id keeper, bool spare) noexcept {
    lock_.lock();
    const object_id id = records_.adopt(name, keeper, self_, spare);
    lock_.unlock();
    return id;
}

inline pins::index family::pin(object_id target, object_id message) {
    lock_.lock();
    try {
        const pins::index which = records_.pin(target, self_);
        records_.pin_to(which, message, self_);
        lock_.unlock();
        return which;
    } catch (...) {
        lock_.unlock();
        throw;
    }
}

inline object_id family::receive(pins::index which, object_id message) {
    lock_.lock();
    object_id id = no_object;
    try {
        id = records_.find(records_.pinned_by(which, message));
        if (id != no_object) {
            const auto* counts = chunks_[id / chunk_size].load(std::memory_order_acquire);
            if (counts == nullptr || (*counts)[id % chunk_size].load(std::memory_order_relaxed) == 0) {
                first_count(id);
                records_.hold(id, self_);
            } else {
                share(id);
            }
        }
    } catch (...) {
        lock_.unlock();
        throw;
    }
    lock_.unlock();
    return id;
}

inline std::vector<pid_t> family::living_holders(object_id id) {
    std::vector<pid_t> pids;
    for (std::uint32_t slot = 0, end = members_.used(); slot < end; ++slot) {
        const auto place = members_.occupant(slot);
        if (!place || !records_.holds(id, *place)) continue;
        const pid_t pid = members_.pid_of(*place);
        if (members_.is_over(*place))
            bury(*place, false);
        else
            pids.push_back(pid);
    }
    return pids;
}

inline void family::bury(seat dead, bool known_dead) noexcept {
    if (!members_.start_burial(dead, known_dead)) return;
    records_.let_go_of_all(dead);
    // Its children have nobody who reaps them now; those that ended already are looked for here.
    for (std::uint32_t slot = 0, end = members_.used(); slot < end; ++slot) {
        const auto other = members_.occupant(slot);
        if (other && *other != dead && members_.parent_of(slot) == dead) bury(*other, false);
    }
    members_.end_burial(dead);
}

inline void family::bury_the_dead() noexcept {
    for (std::uint32_t slot = 0, end = members_.used(); slot < end; ++slot)
        if (const auto other = members_.occupant(slot)) bury(*other, false);
}

inline birth::birth() : family_(family::here()) {
    family_.lock_.lock();
    try {
        family_.join();
        const auto used = family_.members_.used();
        place_ = family_.members_.reserve(family_.self_);
        // Looking for the dead reads a file per member: only each time that the table has doubled.
        if (place_.slot >= used && place_.slot >= 8 && std::has_single_bit(place_.slot)) family_.bury_the_dead();
        family_.records_.inherit(family_.self_, place_);
    } catch (...) {
        family_.lock_.unlock();
        throw;
    }
    family::in_birth() = true;
}

inline void birth::settle() noexcept {
    settled_ = true;
    family::in_birth() = false;
    family_.lock_.unlock();
}

inline birth::~birth() {
    if (settled_) return;
    settle();
    family_.bury(place_, true); // never born
}

inline void birth::in_parent(pid_t child) noexcept {
    family_.members_.note_child(place_, child);
    settle();
}

inline void birth::in_child() noexcept {
    // Buried before it was born, because its parent died at once: it goes on as a stranger and may join anew.
    family_.sit(family_.members_.adopt(place_) ? place_ : seat{});
    settle();
}

} // namespace multiprocessing::memory
