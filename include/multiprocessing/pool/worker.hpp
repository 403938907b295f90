// Floor 9, pool/worker: a worker's life.
#pragma once

#include <algorithm> // std::min, std::max
#include <atomic>
#include <bit>
#include <csignal> // std::signal, SIGTERM
#include <cstdint>
#include <utility> // std::exchange

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/memory/members.hpp>
#include <multiprocessing/os/crash.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/throw_site.hpp>
#include <multiprocessing/pool/board.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/pool/log.hpp>
#include <multiprocessing/pool/task.hpp>
#include <multiprocessing/pool/trace.hpp>

namespace multiprocessing::pool {

/// What a worker is told at its start, and all that it is told: the same for every start method.
struct duty {
    board all;
    unsigned w = 0;          ///< its station
    unsigned party = 0;      ///< whose jobs it looks at
    std::uint64_t items = 0; ///< it may do so many, then it is replaced; 0: any number
    memory::seat owner;
    memory::handle<track[]> tracks = {}; ///< one a station, or none
};

namespace detail {

/// One chunk of one job, if there is one to have: how many items it was.
inline std::uint64_t work_on(duty& mine, unsigned j, log_writer& log, os::doorbell& bell, std::uint64_t& clock,
                             std::uint64_t most, bool& woken) {
    board& all = mine.all;
    station& here = all.station_of(mine.w);
    here.item.store(no_item, std::memory_order_relaxed); // whoever dies before the first item had begun none
    const auto work = all.claim(j, mine.w, most);
    if (!work) return 0;
    if (std::exchange(woken, false)) all.wake_a_worker();
    job& which = all.job_at(j);
    desk at{all, j, mine.w, mine.owner, log, *work, &bell};
    reinterpret_cast<chunk_function>(code_address(which.run))(at);
    const std::uint64_t end = now();
    const std::uint64_t spent = end - clock;
    const std::uint64_t items = work->end - work->begin;
    if (mine.tracks)
        mine.tracks[mine.w].add({clock, end, board::generation_of(*work) * max_jobs + j, work->begin, items,
                                 static_cast<std::uint64_t>(os::pid())});
    clock = end;
    if (which.fixed.load(std::memory_order_relaxed) == 0) {
        const float each = std::max(static_cast<float>(spent) / static_cast<float>(items), 0.01F);
        const float before = which.cost.load(std::memory_order_relaxed);
        which.cost.store(before > 0 ? (before + each) / 2 : each, std::memory_order_relaxed);
    }
    const auto add = [](std::atomic<std::uint64_t>& to, std::uint64_t n) {
        to.store(to.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    };
    add(here.chunks, 1);
    add(here.busy, spent);
    if (const std::uint64_t transfer = std::min(at.transfer.total(), spent); transfer != 0) add(here.transfer, transfer);
    here.tasks.store(here.tasks.load(std::memory_order_relaxed) + items, std::memory_order_release); // who sees it sees the rest
    if (all.finish(j, mine.w, *work)) bell.ring();
    return items;
}

} // namespace detail

/// Takes what is open, in turn, a chunk of each job at a time; sleeps when there is nothing; leaves when dismissed and
/// nothing is left, or when it has done what it may and its successor stands. Returns the exit code.
inline int work(duty mine, os::doorbell& bell) {
    board& all = mine.all;
    station& here = all.station_of(mine.w);
    log_writer log(all, mine.w, mine.owner);
    here.begun.store(now(), std::memory_order_relaxed);
    std::uint64_t items = 0;
    std::uint64_t clock = now(); // the end of the last chunk, or of the last wait
    bool woken = true;
    const auto look_at_memory = [&] { here.memory.store(os::peak_memory(), std::memory_order_relaxed); };
    for (;;) {
        const std::uint32_t seen = all.news(); // before looking: what is opened afterwards changes it
        bool worked = false;
        for (std::uint64_t open = all.open_jobs(mine.party); open != 0; open &= open - 1) {
            if (mine.items != 0 && items >= mine.items) {
                here.spent.store(1);
                MULTIPROCESSING_STEP(worker_spent);
                if (all.owner_sleeps()) bell.ring();
                while (here.relieved.load() == 0 && !all.dismissed(mine.party)) {
                    const std::uint32_t before = all.news();
                    if (here.relieved.load() != 0 || all.dismissed(mine.party)) break;
                    if (all.await_news(mine.w, before)) all.pass_on();
                }
                return 0;
            }
            const std::uint64_t did = detail::work_on(mine, static_cast<unsigned>(std::countr_zero(open)), log, bell, clock,
                                                      mine.items != 0 ? mine.items - items : ~std::uint64_t{0}, woken);
            items += did;
            worked |= did != 0;
        }
        if (worked) continue;
        if (all.dismissed(mine.party)) return 0;
        if (woken) all.pass_on(); // what there is may be another party's
        woken = all.await_news(mine.w, seen, look_at_memory);
        clock = now();
    }
}

/// A worker's life from its first moment: the initializer, then work(). Returns the exit code.
template <typename Initializer>
int begin_work(const duty& given, os::doorbell& bell, Initializer&& initializer) {
    std::signal(SIGTERM, SIG_DFL); // a handler of the program's was meant for the program; terminate() must work
    os::leave_last_words_in(given.all.last_words_of(given.w));
    os::throw_site site;
    try {
        site.watch(initializer);
    } catch (...) {
        report(given.all.station_of(given.w), given.owner, 0, site, given.all.unfit());
        return 1;
    }
    return work(given, bell);
}

} // namespace multiprocessing::pool
