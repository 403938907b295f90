// Floor 3, sync/places: where those who wait for something stand, so that others see who waits and who has died.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory> // std::construct_at

#include <fmt/format.h>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/robust_mutex.hpp>

namespace multiprocessing::sync {

/// One waiter's. It holds `mine` for as long as it stands there, and that is how others know whether it lives.
struct alignas(64) place {
    os::robust_mutex mine;
    std::atomic<std::uint32_t> state{0}; ///< 0: nobody stands here; the rest means what its user says
    std::uint32_t number = 0;
    std::uint64_t ticket = 0;

    /// Whether who stood here is dead, though the state says that he stands here.
    [[nodiscard]] bool is_abandoned() noexcept {
        mine.find_out();
        return !mine.held();
    }
};

/// As many places as there are waiters at a time, up to 2000. In memory that is touched only as far as it is used, and
/// small enough for the heap to keep it warm: making one costs less than a microsecond.
///
/// | word  | who writes it                                          | a writer killed in between leaves |
/// | ----- | ------------------------------------------------------ | --------------------------------- |
/// | used  | who takes a place never used before, when it is empty  | a place that is made once more    |
///
/// - One takes places at a time: a lock is kept around take(). Anybody may look at any time.
class places {
public:
    static constexpr std::uint32_t most = 2000;

    places() noexcept {} // not `= default`, which would touch all of it

    /// Ever used; never more than there are, whatever stands in shared memory.
    [[nodiscard]] std::uint32_t used() const noexcept { return std::min(used_.load(std::memory_order_acquire), most); }
    [[nodiscard]] place& operator[](std::uint32_t i) noexcept { return reinterpret_cast<place*>(room_)[i]; }

    /// An empty one, whose `mine` this thread holds now. Its state is still 0.
    [[nodiscard]] place& take() {
        std::uint32_t i = 0;
        for (; i < used(); ++i) {
            place& one = (*this)[i];
            if (one.state.load(std::memory_order_acquire) != 0) continue;
            one.mine.find_out(); // its last user died just before or after it was empty
            if (one.mine.try_lock() != os::taken::no) return one;
        }
        if (i == most) throw ProcessError(fmt::format("more than {} wait here already", unsigned{most}));
        place& fresh = *std::construct_at(&(*this)[i]);
        static_cast<void>(fresh.mine.try_lock());
        MULTIPROCESSING_STEP(place_made);
        used_.store(i + 1, std::memory_order_release);
        MULTIPROCESSING_STEP(place_counted);
        return fresh;
    }

    /// By who stands there, or who holds `mine` of a dead one's.
    static void leave(place& one) noexcept {
        one.state.store(0, std::memory_order_release);
        MULTIPROCESSING_STEP(place_empty);
        one.mine.unlock();
        MULTIPROCESSING_STEP(place_left);
    }

private:
    std::atomic<std::uint32_t> used_{0};
    alignas(place) std::byte room_[most * sizeof(place)];
};

} // namespace multiprocessing::sync
