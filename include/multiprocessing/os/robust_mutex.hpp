// Floor 1, os/robust_mutex: mutual exclusion among threads of several processes that survives the death of its holder.
#pragma once

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/portable/robust_mutex.hpp>
#include <multiprocessing/os/taken.hpp>
#if !MULTIPROCESSING_PORTABLE() && defined(__GLIBC__) && __SIZEOF_POINTER__ == 8
#    include <multiprocessing/os/linux/robust_mutex.hpp>
#endif

namespace multiprocessing::os {

#if !MULTIPROCESSING_PORTABLE() && defined(__GLIBC__) && __SIZEOF_POINTER__ == 8
namespace robust_mutex_back_end = on_linux;
#else
namespace robust_mutex_back_end = portable;
#endif

/// A mutex in shared memory. It is owned by a thread of a process; when that ends without unlocking, however it ends,
/// the next one to lock it is told, has it, and everything goes on.
///
///     os::robust_mutex& m = state->mutex;             // zeros are an unlocked mutex
///     if (m.lock(os::deadline::never()) == os::taken::from_the_dead) repair(*state);
///     ...
///     m.unlock();
///
///     taken try_lock()        no: somebody has it (who may have died a moment ago)
///     taken lock(until)       no: the deadline passed. Whoever has it already waits for itself
///     void unlock()           by the thread that holds it, nobody else
///     bool held_here()        by this thread, which a forked child's isn't, whoever forked it
///     bool held()             by anybody, as of a moment ago
///     bool held_in_this_process()  by one of its threads, as of a moment ago
///     void find_out()         if the holder has died and that wasn't noticed yet, notices it: for who wants to
///                             try_lock() what a dead one may hold
///
/// - Threads and processes: any that have mapped the memory, at whatever address, in one pid namespace.
/// - When a process dies: on Linux the kernel marks the mutex and wakes a sleeper at once, and so it does for a single
///   thread that ends; the portable back end's sleepers look every few milliseconds whether the holder's process lives.
///   Who dies between unlocking and waking, or between being woken and locking, can leave other sleepers asleep for 50
///   ms.
/// - Across fork(): the child holds nothing, whatever its parent holds.
/// - The memory must stay while it is held.
/// - Errors: none but for memory that isn't mapped.
using robust_mutex_back_end::robust_mutex;

} // namespace multiprocessing::os
