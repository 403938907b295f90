// Floor 3, sync/recursive_lock: RLock, which its holder may take again.
#pragma once

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/sync/owned_lock.hpp>
#include <multiprocessing/sync/shown.hpp>

namespace multiprocessing {

/// A Lock that the thread which holds it can take again, and must release as often.
///
///     mp::RLock lock;
///     std::scoped_lock outer(lock);
///     std::scoped_lock inner(lock);
///
/// - Python: `multiprocessing.RLock`. What Python asserts (a release by another thread) is a ValueError.
/// - Everything else as in sync/lock: who dies leaves all of its levels, and the next one to take it has one.
class RLock : public sync::owned_lock {
public:
    RLock() : owned_lock(true) {}

private:
    friend struct memory::access;
    explicit RLock(memory::nothing_t nothing) noexcept : owned_lock(nothing) {}
};

} // namespace multiprocessing
