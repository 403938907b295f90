// Floor 3, sync/lock: Lock, which one thread of one process holds at a time.
#pragma once

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/sync/owned_lock.hpp>
#include <multiprocessing/sync/shown.hpp>

namespace multiprocessing {

/// Mutual exclusion among the threads of all processes that share it.
///
///     mp::Lock lock;
///     mp::Process p([lock] {
///         std::scoped_lock guard(lock);       // or lock.acquire(), lock.release()
///         fmt::print("one at a time\n");
///     });
///
/// It belongs to the thread that took it. When that ends without releasing it, however it ends, the next one to take it
/// gets an OwnerDiedError, *holding the lock*, and can put right what the dead one left half done:
///
///     try {
///         lock.acquire();
///     } catch (const mp::OwnerDiedError&) {
///         repair();
///     }
///     update();
///     lock.release();
///
/// Where std::unique_lock or std::scoped_lock throw that error there is no guard yet: go on with
/// `std::unique_lock guard(lock, std::adopt_lock)`. `lock.acquire(mp::ignore)` takes it without a word.
///
/// - Python: `multiprocessing.Lock`, which has no owner: any thread may release it, and nobody finds out that its
///   holder died. Here only the holder can; a semaphore is what others may release. Taking it twice is a ValueError
///   instead of waiting for ever; with a timeout it is false after that time. Has Python's acquire, release, locked,
///   and what the standard library wants of a timed mutex.
/// - Threads and processes: any, through any copy of the handle. No order among those who wait.
/// - When a process dies: as above. Who waits for it is woken by the kernel at once. Should the dead one have just
///   released it, or just been woken, others may wait 50 ms longer.
/// - Across fork(): a child never holds what its parent holds, also where another thread held it during the fork: it
///   waits, as anybody would.
/// - Errors: OwnerDiedError; ValueError from release() without holding it.
/// - Growth: 64 bytes. A free lock is taken and released without a system call, by two atomic operations.
class Lock : public sync::owned_lock {
public:
    Lock() : owned_lock(false) {}

private:
    friend struct memory::access;
    explicit Lock(memory::nothing_t nothing) noexcept : owned_lock(nothing) {}
};

} // namespace multiprocessing
