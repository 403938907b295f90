// Floor 1, os/poll: waiting for descriptors.
#pragma once

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/portable/poll.hpp>
#if !MULTIPROCESSING_PORTABLE()
#    include <multiprocessing/os/linux/poll.hpp>
#endif

namespace multiprocessing::os {

#if MULTIPROCESSING_PORTABLE()
namespace poll_back_end = portable;
#else
namespace poll_back_end = on_linux;
#endif

/// Waits until reading wouldn't block: something is there, or the other end is closed. False when the deadline passed.
///
/// - Threads: safe.
/// - Errors: std::system_error, EBADF for what is no descriptor.
using portable::wait_readable;

/// Many descriptors, waited for together.
///
///     os::poll_set set;
///     set.add(bell.fd(), 0);
///     set.add(worker.sentinel(), 1);
///     std::array<std::uint64_t, 16> keys;
///     for (auto key : std::span(keys).first(set.wait(keys, os::deadline::never()))) ...
///
/// A descriptor is ready when reading wouldn't block, and stays ready until it is read. When more are ready than there
/// is room for, each gets its turn.
///
///     add(fd, key)         fd isn't owned, and is in the set once
///     remove(fd)           before fd is closed: a copy in a forked child would keep it in the set for ever
///     fd()                 readable when something in the set is; -1 in the portable back end
///     wait(keys, until)    how many keys were filled in; 0 only when the deadline passed
///
/// - Python: `selectors.DefaultSelector`.
/// - Threads: one waits at a time; meanwhile others may add and remove, and what is added is waited for as well (in the portable
///   back end from 20 ms later on).
/// - Across fork(): the child must not touch it; on Linux it would change the parent's.
/// - Errors: std::system_error, EEXIST for a second `add`, ENOENT for a `remove` of what isn't in it.
using poll_back_end::poll_set;

/// Wakes whoever polls a descriptor.
///
///     os::doorbell bell;
///     bell.ring();                                             // here, or in another process
///     os::wait_readable(bell.fd(), os::deadline::never());     // there
///     bell.silence();                                          // before looking for what it announced
///
///     ring()       readable from now on; more rings change nothing
///     silence()    takes all rings so far
///     fd()         to poll; not to read
///     descriptors()            what a program is handed that is to have the same bell, and
///     doorbell(descriptors)    makes it of there
///
/// - Threads and processes: any may ring, also in a signal handler. Silencing and then looking loses nothing; the other
///   way round does.
/// - When a process dies: the bell stays as it is.
/// - Errors: making one throws std::system_error; ringing and silencing can't fail.
using poll_back_end::doorbell;

} // namespace multiprocessing::os
