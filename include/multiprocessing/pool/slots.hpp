// Floor 9, pool/slots: where jobs and single tasks stand on the board, and how long.
#pragma once

#include <algorithm> // std::max, std::find_if
#include <bit>
#include <csignal> // SIGKILL
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <exception>
#include <memory>
#include <mutex> // std::unique_lock
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/pool/progress.hpp>
#include <multiprocessing/pool/roster.hpp>
#include <multiprocessing/pool/task.hpp>

namespace multiprocessing::pool {

inline void outcome::require_good() const {
    if (lost) std::rethrow_exception(lost);
    if (unspeakable) throw ProcessError("an item failed, and its worker had no memory left to say how");
    if (failure) std::rethrow_exception(reported(failure));
}

inline std::exception_ptr crew::broken() {
    const locked held(lock_);
    return broken_;
}

// --- slots

inline unsigned crew::find_slot(unsigned from, unsigned to) {
    for (const bool tidied : {false, true}) {
        if (tidied) tidy();
        for (unsigned i = 0; i < to - from; ++i) {
            // The last one again: its line and its rooms are warm.
            const unsigned j = from + (from == 0 ? next_slot_ + i : i) % (to - from);
            if (tickets_[j].state.load() != slot::free) continue;
            if (from == 0) next_slot_ = j;
            tickets_[j].state.store(slot::filling);
            return j;
        }
    }
    return max_jobs;
}

inline unsigned crew::take_slot() {
    unsigned found = max_jobs;
    wait_until([&] {
        found = find_slot(0, ordinary);
        return found != max_jobs || terminated_.load();
    });
    if (found == max_jobs) throw CancelledError("the pool was terminated before this was begun");
    return found;
}

inline unsigned crew::reserve(std::uint64_t items, const manner& how) {
    const unsigned j = take_slot();
    prepare(j, items, how);
    return j;
}

inline void crew::prepare(unsigned j, std::uint64_t items, const manner& how) {
    ticket& mine = tickets_[j];
    mine.lost.store(false);
    mine.why = nullptr;
    mine.how = how;
    mine.party = 0;
    mine.origin = max_jobs;

    job& which = board_.job_at(j);
    std::uint64_t chunk = how.chunk;
    if (chunk != 0 && terms_.items != 0) chunk = std::min(chunk, terms_.items);
    const std::uint64_t grain = std::max(chunk, items / max_grains + 1);
    which.grains.store(static_cast<std::uint32_t>((items + grain - 1) / grain), std::memory_order_relaxed);
    which.fixed.store(chunk != 0, std::memory_order_relaxed);
    which.cost.store(0, std::memory_order_relaxed);
    which.dropped.store(0, std::memory_order_relaxed);
    which.in_doubt.store(0, std::memory_order_relaxed);
    which.parcels.store(0, std::memory_order_relaxed);
    which.error.store(0, std::memory_order_relaxed);
    which.first = 0;
    which.timeout = static_cast<std::uint64_t>(how.timeout.count());
    which.shared = 0;
    which.count.store(items, std::memory_order_relaxed);
    which.grain = grain;
}

inline std::byte* crew::room(memory::holding& kept, std::uint64_t bytes) {
    if (!kept || kept.size() < bytes) {
        kept = {};
        auto fresh = memory::holding::make(std::max<std::uint64_t>(bytes, 4096));
        fresh.publish();
        kept = std::move(fresh);
    }
    return static_cast<std::byte*>(kept.payload());
}

inline void crew::start(unsigned j, unsigned party) {
    const locked held(lock_);
    ticket& mine = tickets_[j];
    mine.party = party;
    mine.state.store(slot::active);
    if (terminated_.load()) return; // whoever waits for it is told
    if (broken_) lose(j, broken_);
    board_.job_at(j).hands.store(party == 0 ? terms_.workers : parties_[party].present, std::memory_order_relaxed);
    board_.open(j, party);
    if (mine.how.timeout.count() != 0 && !waiting_.empty()) look_up(); // who sleeps already sleeps for too long
}

inline bool crew::all_complete(unsigned j) const noexcept {
    const ticket& mine = tickets_[j];
    if (!board_.complete(j) || mine.rests_to_come.load() != 0) return false;
    for (std::uint64_t left = mine.rests.load(); left != 0; left &= left - 1)
        if (!board_.complete(static_cast<unsigned>(std::countr_zero(left)))) return false;
    return true;
}

inline bool crew::settled(unsigned j) const noexcept {
    const ticket& mine = tickets_[j];
    if (mine.lost.load(std::memory_order_acquire) || board_.job_at(j).error.load() != 0) return true;
    for (std::uint64_t left = mine.rests.load(); left != 0; left &= left - 1)
        if (board_.job_at(static_cast<unsigned>(std::countr_zero(left))).error.load() != 0) return true;
    return all_complete(j);
}

inline bool crew::work_is_left() const noexcept {
    if (!rests_.empty()) return true;
    for (unsigned j = 0; j < max_jobs; ++j) {
        if (tickets_[j].state.load() != slot::active) continue;
        const auto& tasks = tickets_[j].tasks;
        if (tasks && !tasks->sealed_) { // it will never be complete, but all there is may be
            for (std::uint32_t i = 0; i < tasks->used_; ++i)
                if (!tasks->at(i).over()) return true;
        } else if (!settled(j)) {
            return true;
        }
    }
    return false;
}

// What has been settled; or hasn't, because the crew was terminated.
inline outcome crew::how_it_ended(unsigned j) {
    gather_rests(j);
    ticket& mine = tickets_[j];
    outcome how;
    if (const auto error = board_.job_at(j).error.load(); error == unspeakable) {
        how.unspeakable = true;
    } else if (error != 0) {
        how.failure = memory::holding::receive(error);
    } else if (mine.lost.load(std::memory_order_acquire)) {
        how.lost = mine.why;
    } else if (!all_complete(j)) {
        how.lost = std::make_exception_ptr(CancelledError("the pool was terminated before this was done"));
    }
    if (!how.good()) drop_rest(j);
    return how;
}

inline void crew::drop_rest(unsigned j) {
    const auto drop = [&](unsigned k) {
        board_.job_at(k).dropped.store(1);
        board_.shut(k);
    };
    drop(j);
    for (std::uint64_t left = tickets_[j].rests.load(); left != 0; left &= left - 1)
        drop(static_cast<unsigned>(std::countr_zero(left)));
    std::erase_if(rests_, [&](const leftover& each) { return each.origin == j; });
    tickets_[j].rests_to_come.store(0);
}

inline outcome crew::wait(unsigned j, bool results_in_place) {
    const auto done = [&] { return settled(j) || terminated_.load(); };
    if (tickets_[j].how.progress) {
        progress_line line(board_.job_at(j).count.load());
        const auto so_far = [&] { return std::min(board_.items_done(j), board_.job_at(j).count.load()); };
        while (!wait_until(done, os::deadline::after(progress_line::interval))) line.show(so_far());
        line.finish(all_complete(j) && board_.job_at(j).error.load() == 0 ? board_.job_at(j).count.load() : so_far(), board_.job_at(j).error.load() != 0);
    } else if (tickets_[j].how.timeout.count() != 0 || !os::spin_for(done)) {
        wait_until(done);
    }
    outcome how;
    {
        const locked held(lock_);
        how = how_it_ended(j);
    }
    if (!how.good() && results_in_place) wait_until([&] { return all_complete(j); });
    return how;
}

inline log_reader crew::take_log(unsigned j) {
    const locked held(lock_);
    log_reader all = std::move(tickets_[j].gathered);
    tickets_[j].gathered = {};
    all.take(board_, j);
    board_.job_at(j).parcels.store(0); // whoever has the log takes them
    return all;
}

inline void crew::release(unsigned j) {
    const locked held(lock_);
    tickets_[j].state.store(slot::draining);
    if (all_complete(j)) free_slot(j);
    if (!waiting_.empty()) look_up();
}

inline void crew::give_up(unsigned j) {
    {
        const locked held(lock_);
        if (!all_complete(j)) drop_rest(j);
    }
    release(j);
}

inline void crew::abandon(unsigned j) {
    const locked held(lock_);
    tickets_[j].shares.clear();
    tickets_[j].state.store(slot::free);
    if (!waiting_.empty()) look_up();
}

// --- jobs that nobody waits for

inline void crew::start_detached(unsigned j, unsigned party, std::shared_ptr<remains> rest) {
    tickets_[j].detached = std::move(rest);
    start(j, party);
}

inline bool crew::found(unsigned j, remains& rest) {
    if (rest.there.load(std::memory_order_acquire)) return true;
    const locked held(lock_);
    return found_locked(j, rest);
}

inline bool crew::found_locked(unsigned j, remains& rest) {
    if (rest.there.load(std::memory_order_acquire)) return true;
    ticket& mine = tickets_[j];
    if (!settled(j) && !terminated_.load()) return false;
    rest.how = how_it_ended(j);
    job& which = board_.job_at(j);
    if (rest.how.good()) {
        const std::byte* in_job = which.small + sizeof(which.small) / 2;
        if (which.output == memory::commons::here().offset_of(in_job)) {
            std::memcpy(rest.small.data(), in_job, rest.small.size());
        } else if (which.output != 0) {
            rest.output_at = which.output;
            rest.output = std::move(mine.output);
        }
        rest.log = std::move(mine.gathered);
        mine.gathered = {};
        rest.log.take(board_, j);
        rest.parcels = which.parcels.exchange(0) != 0;
    }
    rest.there.store(true, std::memory_order_release);
    if (mine.party != 0) {
        board_.dismiss(mine.party);
        parties_[mine.party].disbanded = true;
        for (auto& each : workers_)
            if (each.process && each.party == mine.party) each.process.signal(SIGKILL);
        if (parties_[mine.party].present == 0) free_party(mine.party);
    }
    mine.detached.reset();
    mine.state.store(slot::draining);
    return true;
}

inline bool crew::cancel(unsigned j, remains& rest) {
    const locked held(lock_);
    if (found_locked(j, rest)) return false;
    lose(j, std::make_exception_ptr(CancelledError("the call was cancelled")));
    static_cast<void>(found_locked(j, rest));
    look_up();
    return true;
}

// --- single tasks

template <typename Fill>
placed crew::append(line& to, const packed_input& input, const manner& how, Fill fill) {
    locked held(lock_);
    while (!to.now || to.now->full()) {
        if (to.now) seal(*to.now);
        to.now = nullptr;
        tidy(); // so that entries which are over, and warm, are used again before there are more
        held.unlock();
        const unsigned j = take_slot();
        held.lock();
        if (to.now) { // another thread was faster
            tickets_[j].state.store(slot::free);
            continue;
        }
        const auto unused = std::find_if(used_streams_.begin(), used_streams_.end(), [&](const auto& each) {
            return each.use_count() == 1 && each->room_ == to.room;
        });
        std::shared_ptr<stream> fresh;
        if (unused != used_streams_.end()) {
            fresh = std::move(*unused);
            used_streams_.erase(unused);
            fresh->clear();
        } else {
            try {
                fresh = std::make_shared<stream>(to.room);
            } catch (...) {
                tickets_[j].state.store(slot::free);
                throw;
            }
        }
        prepare(j, to.room, {.chunk = 1});
        job& which = board_.job_at(j);
        which.run = code_number(&run_entries);
        which.input = memory::commons::here().offset_of(fresh->entries_.get());
        which.grains.store(0, std::memory_order_relaxed);
        which.hands.store(to.party == 0 ? terms_.workers : 1, std::memory_order_relaxed);
        fresh->slot_ = j;
        tickets_[j].tasks = fresh;
        tickets_[j].party = to.party;
        tickets_[j].state.store(slot::active);
        board_.open(j, to.party);
        to.now = std::move(fresh);
    }
    stream& all = *to.now;
    constexpr std::uint32_t ahead = 4;
    const std::uint32_t i = all.used_;
    entry& task = all.at(i);
    fill(task);
    if (i + ahead < all.room_) fetch_ahead(all.at(i + ahead));
    task.timed = how.timeout.count() != 0 ? 1 : 0;
    task.shared = input.shared ? 1 : 0;
    if (input.kept && input.kept->large) {
        task.size = entry::elsewhere;
        task.input = memory::commons::here().offset_of(static_cast<const std::byte*>(input.kept->large.payload()));
        task.input_size = input.size;
    } else {
        task.size = static_cast<std::uint16_t>(input.size);
        if (input.size != 0) std::memcpy(task.arguments(input.size), input.small, std::min(input.size, sizeof task.small));
    }
    task.state.store(static_cast<std::uint32_t>(fate::pending), std::memory_order_relaxed);
    if (how.retries != 0) all.notes_[i].retries = how.retries;
    if (task.timed != 0) {
        task.timeout = static_cast<std::uint64_t>(how.timeout.count());
        if (all.shortest_timeout_ == 0 || task.timeout < all.shortest_timeout_) {
            all.shortest_timeout_ = task.timeout;
            if (!waiting_.empty()) look_up(); // as in start()
        }
    }
    if (broken_) {
        all.notes_[i].lost = broken_;
        task.state.store(static_cast<std::uint32_t>(fate::lost));
    }
    all.used_ = i + 1;
    board_.grow(all.slot_, all.used_, true);
    return {to.now, i};
}

inline void crew::seal(stream& over) {
    if (over.sealed_) return;
    over.sealed_ = true;
    if (over.slot_ != max_jobs) board_.job_at(over.slot_).count.store(over.used_);
}

inline void crew::end_line(line& over) {
    const locked held(lock_);
    if (over.now) seal(*over.now);
    over.now = nullptr;
}

inline std::exception_ptr crew::why_lost(const placed& task) {
    const locked held(lock_);
    const auto found = task.in->notes_.find(task.index);
    if (found != task.in->notes_.end() && found->second.lost) return found->second.lost;
    return std::make_exception_ptr(CancelledError("the pool was terminated before this was done"));
}

inline bool crew::cancel(const placed& task) {
    std::uint32_t seen = task.task().state.load();
    do {
        if ((seen & entry::kind) != static_cast<std::uint32_t>(fate::pending) || terminated_.load()) return false;
    } while (!task.task().state.compare_exchange_weak(seen, static_cast<std::uint32_t>(fate::cancelled)));
    const locked held(lock_);
    if (!waiting_.empty()) look_up();
    return true;
}

inline void crew::keep_input(const placed& task, std::unique_ptr<kept_input> input) {
    const locked held(lock_);
    if (!task.task().over()) task.in->kept_.push_back(std::move(input));
}

// --- the end of a slot

inline void crew::tidy() {
    place_rests();
    for (unsigned j = 0; j < max_jobs; ++j) {
        ticket& each = tickets_[j];
        const slot state = each.state.load();
        if (state != slot::active && state != slot::draining) continue; // somebody may be filling it in, without the lock
        if (each.origin != max_jobs) continue; // its own job sees to it
        if (state == slot::active) {
            if (each.detached) {
                const auto rest = each.detached;
                static_cast<void>(found_locked(j, *rest));
            } else if (each.tasks && each.tasks->sealed_ && all_complete(j)) {
                free_slot(j);
            }
        } else if (all_complete(j)) {
            free_slot(j);
        }
    }
}

inline void crew::free_slot(unsigned j) {
    gather_rests(j);
    board_.retire(j);
    job& which = board_.job_at(j);
    if (const auto error = which.error.exchange(0); error != 0 && error != unspeakable) {
        try {
            static_cast<void>(memory::holding::receive(error)); // nobody had taken it
        } catch (const ProcessError&) {
            // taken and let go by who waited for the job
        }
    }
    ticket& over = tickets_[j];
    log_reader rest = std::move(over.gathered);
    over.gathered = {};
    rest.take(board_, j);
    if (which.parcels.load() != 0) drop_parcels(rest);
    for (memory::holding* kept : {&over.input, &over.index, &over.output})
        if (*kept && kept->size() > warm) *kept = {};
    over.why = nullptr;
    over.shares.clear();
    over.deaths.clear();
    over.detached.reset();
    over.origin = max_jobs;
    if (over.tasks) {
        over.tasks->slot_ = max_jobs;
        over.tasks->kept_.clear();
        if (used_streams_.size() < 16 && over.tasks->room_ == stream::capacity) used_streams_.push_back(over.tasks);
        over.tasks = nullptr;
    }
    over.state.store(slot::free);
}

} // namespace multiprocessing::pool
