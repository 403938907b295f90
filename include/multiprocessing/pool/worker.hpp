// Floor 9, pool/worker: a worker's life.
#pragma once

#include <algorithm> // std::max
#include <bit>
#include <chrono>
#include <cstdint>

#include <multiprocessing/memory/members.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/pool/board.hpp>
#include <multiprocessing/pool/log.hpp>
#include <multiprocessing/pool/task.hpp>

namespace multiprocessing::pool {

namespace detail {

/// One chunk of one job, if there is one to have. True if there was.
inline bool work_on(board& all, unsigned j, unsigned w, memory::seat owner, log_writer& log, os::doorbell& bell) {
    using clock = std::chrono::steady_clock;
    const auto work = all.claim(j, w);
    if (!work) return false;
    job& which = all.job_at(j);
    desk at{all, j, w, owner, log, *work};
    const auto begin = clock::now();
    reinterpret_cast<chunk_function>(which.run)(at);
    const auto spent = std::chrono::duration<float, std::nano>(clock::now() - begin).count();
    const float each = std::max(spent / static_cast<float>(work->end - work->begin), 0.01F);
    const float before = which.cost.load(std::memory_order_relaxed);
    which.cost.store(before > 0 ? (before + each) / 2 : each, std::memory_order_relaxed);
    if (all.finish(j, w, *work)) bell.ring();
    return true;
}

} // namespace detail

/// Takes what is open, in turn, a chunk of each job at a time; sleeps when there is nothing; leaves when dismissed and
/// nothing is left. Returns the exit code.
inline int work(board all, unsigned w, memory::seat owner, os::doorbell& bell) {
    log_writer log(all, w, owner);
    for (;;) {
        const std::uint32_t seen = all.news(); // before looking: what is opened afterwards changes it
        bool worked = false;
        for (std::uint64_t open = all.open_jobs(); open != 0; open &= open - 1)
            worked |= detail::work_on(all, static_cast<unsigned>(std::countr_zero(open)), w, owner, log, bell);
        if (worked) continue;
        if (all.dismissed()) return 0;
        all.await_news(w, seen);
    }
}

} // namespace multiprocessing::pool
