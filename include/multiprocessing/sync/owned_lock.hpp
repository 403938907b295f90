// Floor 3, sync/owned_lock: a lock that belongs to the thread that took it; what Lock and RLock are made of.
#pragma once

#include <concepts>
#include <cstdint>
#include <tuple> // std::tie
#include <utility>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/robust_mutex.hpp>
#include <multiprocessing/sync/acquirable.hpp>

namespace multiprocessing::sync {

/// What stands in shared memory.
///
/// | word         | who writes it                            | a writer killed in between leaves           |
/// | ------------ | ---------------------------------------- | ------------------------------------------- |
/// | mutex        | os/robust_mutex                          | a mutex from the dead                       |
/// | depth, kept  | who holds the mutex                      | what the next holder sets anew, first thing |
/// | nests        | the maker                                | -                                           |
struct owned_lock_state {
    explicit owned_lock_state(bool can_nest) noexcept : nests(can_nest) {}

    os::robust_mutex mutex;
    std::uint32_t depth = 0; ///< how often its holder holds it
    std::uint32_t kept = 0;  ///< shares of the object that its holder has for holding it (see below)
    std::uint32_t nests;     ///< whether its holder may take it again
};

/// A handle to such a lock. Copying shares the lock. Constness is the handle's: a lock captured in a lambda can be
/// taken.
///
/// The memory of a lock that is held must not be given back: the kernel's list of what a thread holds leads through it.
/// So where a handle is destroyed by the very thread that holds the lock, the object is kept until the lock is released
/// or the process ends.
class owned_lock : public acquirable<owned_lock> {
public:
    owned_lock(const owned_lock&) noexcept = default;
    owned_lock(owned_lock&&) noexcept = default;
    owned_lock& operator=(const owned_lock& other) noexcept { return *this = owned_lock(other); }
    owned_lock& operator=(owned_lock&& other) noexcept {
        owned_lock taken(std::move(other));
        std::swap(state_, taken.state_);
        return *this;
    }
    ~owned_lock() {
        if (!state_ || !state_->mutex.held_here()) return;
        ++state_->kept;
        memory::family::here().share(state_.id());
    }

    using acquirable::acquire;
    /// As the others, but a dead holder isn't told of: for who checks what the lock protects anyway.
    bool acquire(ignore_t) const { return take(os::deadline::never(), false); }
    template <std::same_as<bool> Bool>
    bool acquire(Bool block, ignore_t) const {
        return block ? take(os::deadline::never(), false) : take_now(false);
    }
    template <typename Rep, typename Period>
    bool acquire(std::chrono::duration<Rep, Period> timeout, ignore_t) const {
        return take(os::deadline(timeout), false);
    }

    /// ValueError when this thread doesn't hold it.
    void release() const;

    /// Whether anybody holds it, as of a moment ago.
    [[nodiscard]] bool locked() const noexcept {
        state_->mutex.find_out();
        return state_->mutex.held();
    }
    /// Whether this thread does.
    [[nodiscard]] bool held_here() const noexcept { return state_->mutex.held_here(); }

    /// For a Condition: gives it up however often it is held, and takes it so often again. True when its holder died in
    /// between.
    [[nodiscard]] std::uint32_t release_all() const noexcept;
    [[nodiscard]] bool take_again(std::uint32_t depth) const;

    /// Whether both are handles to the same lock.
    friend bool operator==(const owned_lock& a, const owned_lock& b) noexcept { return a.state_ == b.state_; }

protected:
    explicit owned_lock(bool nests) : state_(memory::handle<owned_lock_state>::create(nests)) {}
    explicit owned_lock(memory::nothing_t) noexcept {}

private:
    friend class acquirable<owned_lock>;
    friend struct memory::access;
    auto parts() noexcept { return std::tie(state_); }

    // What is rare has functions of its own: in the others it would cost a free lock a fifth of its time.
    bool take_now(bool tell = true) const;
    bool take(const os::deadline& until, bool tell = true) const;
    [[gnu::cold]] bool take_slowly(const os::deadline& until, bool tell) const;
    bool nest() const;
    bool took(os::taken how, bool tell) const;
    [[noreturn, gnu::cold]] static void tell_of_the_dead();
    [[noreturn, gnu::cold]] void refuse_to_release() const;
    void set_free() const noexcept;
    [[gnu::cold]] void set_free_and_drop() const noexcept;

    memory::handle<owned_lock_state> state_;
};

inline bool owned_lock::took(os::taken how, bool tell) const {
    if (how == os::taken::no) return false;
    owned_lock_state& state = *state_;
    state.depth = 1;
    state.kept = 0; // a dead holder's shares have ended with it
    MULTIPROCESSING_STEP(lock_acquired);
    if (how == os::taken::from_the_dead && tell) [[unlikely]]
        tell_of_the_dead();
    return true;
}

inline void owned_lock::tell_of_the_dead() {
    throw OwnerDiedError(
        "the holder of this lock died; the lock is held by this thread now, and what it protects may be "
        "half changed: put that right, then release the lock");
}

inline bool owned_lock::nest() const {
    owned_lock_state& state = *state_;
    if (state.nests == 0 || !state.mutex.held_here()) return false;
    if (state.depth == ~std::uint32_t{0}) throw ValueError("this RLock is held four thousand million times already");
    ++state.depth;
    return true;
}

inline bool owned_lock::take_now(bool tell) const { return took(state_->mutex.try_lock(), tell) || nest(); }

inline bool owned_lock::take(const os::deadline& until, bool tell) const {
    if (took(state_->mutex.try_lock(), tell)) [[likely]]
        return true;
    return nest() || take_slowly(until, tell);
}

inline bool owned_lock::take_slowly(const os::deadline& until, bool tell) const {
    if (until.is_never() && state_->mutex.held_here())
        throw ValueError(
            "this thread holds the lock already and would wait for itself for ever: use an RLock to take it "
            "more than once");
    return took(state_->mutex.lock(until), tell);
}

inline void owned_lock::set_free() const noexcept {
    if (state_->kept != 0) [[unlikely]]
        return set_free_and_drop();
    state_->mutex.unlock();
    MULTIPROCESSING_STEP(lock_released);
}

inline void owned_lock::set_free_and_drop() const noexcept {
    const std::uint32_t kept = std::exchange(state_->kept, 0);
    const memory::object_id id = state_.id();
    state_->mutex.unlock();
    MULTIPROCESSING_STEP(lock_released);
    for (std::uint32_t i = 0; i < kept; ++i) memory::family::here().drop(id);
}

inline void owned_lock::refuse_to_release() const {
    throw ValueError(state_->mutex.held() ? "cannot release a lock that another thread holds: who takes it releases it"
                                          : "cannot release a lock that nobody holds");
}

inline void owned_lock::release() const {
    if (!state_->mutex.held_here()) [[unlikely]]
        refuse_to_release();
    if (state_->depth > 1) {
        --state_->depth;
        return;
    }
    set_free();
}

inline std::uint32_t owned_lock::release_all() const noexcept {
    const std::uint32_t depth = state_->depth;
    set_free();
    return depth;
}

inline bool owned_lock::take_again(std::uint32_t depth) const {
    const os::taken how = state_->mutex.lock(os::deadline::never());
    took(how, false);
    state_->depth = depth;
    return how == os::taken::from_the_dead;
}

} // namespace multiprocessing::sync
