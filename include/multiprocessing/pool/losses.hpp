// Floor 9, pool/losses: what becomes of the work of a worker that died, and of the worker's place.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <bit>
#include <chrono>
#include <csignal> // SIGKILL, SIGTERM
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/pool/parcel.hpp>
#include <multiprocessing/pool/roster.hpp>
#include <multiprocessing/pool/slots.hpp>

namespace multiprocessing::pool {

// Everything here is called under the crew's lock.

inline void crew::bury_worker(unsigned w) {
    employee& post = workers_[w];
    if (!post.process) return;
    const auto exitcode = post.process.exitcode();
    if (!exitcode) return; // not yet, whatever the kernel said
    watch_.remove(post.process.sentinel());
    const pid_t pid = post.process.pid();
    const unsigned party = post.party;
    const bool relieved = std::exchange(post.relieved, false);
    post.process = {};

    recover_parcel(board_.station_of(w), [&](memory::object_name name) {
        if (board_.unfit().load() == name) return true;
        for (unsigned j = 0; j < max_jobs; ++j) {
            if (board_.job_at(j).error.load() == name || is_in_log(board_, j, w, name)) return true;
            if (board_.job_at(j).parcels.load() != 0 && is_named_in_log(board_, j, w, name)) return true;
            const unsigned root = tickets_[j].origin == max_jobs ? j : tickets_[j].origin;
            const auto held = tickets_[root].tasks ? board_.held_by(j, w) : std::nullopt;
            for (auto i = held ? held->begin : 0; held && i < held->end; ++i) {
                const entry& task = tickets_[root].tasks->at(static_cast<std::uint32_t>(board_.job_at(j).first + i));
                if ((task.now() == fate::parcel || task.now() == fate::failed) && task.value == name) return true;
            }
        }
        return false;
    });
    bool concerned = false;
    for (unsigned j = 0; j < max_jobs; ++j) {
        const slot state = tickets_[j].state.load();
        if (state != slot::active && state != slot::draining) continue;
        const auto held = board_.held_by(j, w);
        if (!held && !board_.took_part(j, w)) continue;
        board_.job_at(j).in_doubt.store(1);
        if (!held) continue;
        concerned = true;
        account_for(j, w, *held, *exitcode, pid);
        board_.write_off(j, w, *held);
    }
    post.overtime = 0;
    board_.clear_station(w);
    find_unfit();
    place_rests();
    board_.wake_workers(); // it may have been the one who was to wake the next

    if (terms_.broken_by && !broken_ && !terminated_.load() && (concerned || *exitcode != 0))
        break_up_locked(fmt::format("worker {} (pid {}) {}", w, pid, *exitcode < 0 ? "was killed by " + os::signal_name(-*exitcode)
                                                                               : fmt::format("exited with code {}", *exitcode)),
                        SIGTERM);
    if (party != 0) return bury_heir(w, party, *exitcode, pid);
    if (relieved || broken_ || terminated_.load() || (closing_.load() && !work_is_left())) return;
    if (!concerned && *exitcode != 0)
        os::log(os::log_level::info, "worker {} (pid {}) ended with exit code {} while idle; it is replaced", w, pid, *exitcode);
    try {
        start_worker(w, 0);
    } catch (const std::exception& error) {
        os::log(os::log_level::error, "cannot replace worker {}: {}", w, error.what());
        if (standing() == 0) give_all_up(0, std::current_exception()); // else the others go on
    }
}

inline void crew::bury_heir(unsigned w, unsigned party, int exitcode, pid_t pid) {
    party_of_heirs& all = parties_[party];
    --all.present;
    if (all.disbanded || terminated_.load()) {
        if (all.present == 0) free_party(party);
        return;
    }
    bool needed = false;
    for (unsigned j = 0; j < max_jobs; ++j) {
        const ticket& each = tickets_[j];
        if (each.state.load() != slot::active || each.party != party || each.origin != max_jobs) continue;
        needed = needed || (each.tasks ? !each.tasks->sealed_ || !all_complete(j) : !settled(j));
    }
    if (!needed) {
        if (all.present == 0 && board_.dismissed(party)) free_party(party);
        return;
    }
    std::exception_ptr why;
    if (all.replaced) {
        try {
            return start_worker(w, party);
        } catch (const std::exception& error) {
            os::log(os::log_level::error, "cannot replace worker {}: {}", w, error.what());
            why = std::current_exception();
        }
    }
    if (all.present != 0) return;
    give_all_up(party, why ? why : loss(w, "before its work was done", {}, exitcode, pid));
    if (board_.dismissed(party)) free_party(party);
}

// A worker that can't begin is not replaced: its successor couldn't either. Everything asked of the crew ends with what
// the initializer threw.
inline void crew::find_unfit() {
    const auto name = board_.unfit().load();
    if (name == 0 || broken_) return;
    if (terms_.broken_by) {
        std::string why = "an initializer failed";
        try {
            if (name != unspeakable) std::rethrow_exception(reported(memory::holding::receive(name)));
        } catch (const std::exception& error) {
            why += fmt::format(": {}", error.what());
        }
        return break_up_locked(why, SIGTERM);
    }
    if (name == unspeakable) {
        broken_ = std::make_exception_ptr(ProcessError("the initializer failed, and there was no memory left to say how"));
    } else {
        broken_ = reported(memory::holding::receive(name));
    }
    give_all_up(every_party, broken_);
}

inline void crew::break_up_locked(const std::string& why, int signal) {
    broken_ = terms_.broken_by ? terms_.broken_by(why) : std::make_exception_ptr(ProcessError(why));
    give_all_up(every_party, broken_);
    for (const auto& each : workers_)
        if (each.process) each.process.signal(signal);
}

inline void crew::break_up(const std::string& why, int signal) {
    const locked held(lock_);
    if (!broken_ && !terminated_.load()) break_up_locked(why, signal);
}

inline void crew::give_all_up(unsigned party, const std::exception_ptr& why) {
    for (unsigned j = 0; j < max_jobs; ++j) {
        ticket& each = tickets_[j];
        if (each.state.load() != slot::active || each.origin != max_jobs) continue;
        if (party != every_party && each.party != party) continue;
        if (!each.tasks) {
            if (!settled(j)) lose(j, why);
            continue;
        }
        for (std::uint32_t i = 0; i < each.tasks->used_; ++i) {
            entry& task = each.tasks->at(i);
            std::uint32_t seen = task.state.load();
            if ((seen & entry::kind) > static_cast<std::uint32_t>(fate::running)) continue;
            each.tasks->notes_[i].lost = why;
            // Somebody may be on it still, where others of the party are alive.
            while ((seen & entry::kind) == static_cast<std::uint32_t>(fate::pending) &&
                   !task.state.compare_exchange_weak(seen, static_cast<std::uint32_t>(fate::lost))) {}
            const bool all_dead = party == every_party ? false : party == 0 ? standing() == 0 : parties_[party].present == 0;
            if ((seen & entry::kind) == static_cast<std::uint32_t>(fate::running) && all_dead)
                task.state.store(static_cast<std::uint32_t>(fate::lost));
        }
    }
}

inline std::exception_ptr crew::loss(unsigned w, const std::string& where, std::optional<std::size_t> item, int exitcode,
                                     pid_t pid) const {
    const std::string how = exitcode < 0 ? fmt::format("was killed by {}", os::signal_name(-exitcode))
                                         : fmt::format("exited with code {}", exitcode);
    return std::make_exception_ptr(WorkerLostError(fmt::format("worker {} (pid {}) {} {}", w, pid, how, where), pid, exitcode, item,
                                                   os::read_last_words(board_.last_words_of(w))));
}

// Killed for the item that it was on, and not for one that it had done by then.
inline bool crew::was_overtime(unsigned w) const noexcept {
    return workers_[w].overtime != 0 && board_.station_of(w).due.load() == workers_[w].overtime;
}

inline void crew::account_for(unsigned j, unsigned w, const chunk& held, int exitcode, pid_t pid) {
    const unsigned root = tickets_[j].origin == max_jobs ? j : tickets_[j].origin;
    ticket& mine = tickets_[root];
    if (mine.state.load() != slot::active || mine.lost.load() || terminated_.load()) return; // the first is told
    if (mine.tasks) return account_for_tasks(j, w, held, exitcode, pid);
    if (settled(root)) return;

    const std::uint64_t first = board_.job_at(j).first;
    const std::uint64_t item = board_.station_of(w).item.load();
    const bool begun = item >= held.begin && item < held.end;
    const std::uint64_t from = first + (begun ? item : held.begin);
    const std::uint64_t count = mine.how.of != 0 ? mine.how.of : board_.job_at(root).count.load();
    const std::uint64_t told = mine.how.before + from;
    if (was_overtime(w))
        return lose(root, std::make_exception_ptr(TimeoutError(
                              fmt::format("item {} of {} took longer than {} s: its worker {} (pid {}) was killed", told, count,
                                          std::chrono::duration<double>(mine.how.timeout).count(), w, pid))));
    if (mine.how.by_chunk) { // the result of a chunk is one: it is there or it isn't
        if (is_logged(board_, j, w, first + held.begin)) return;
        const unsigned deaths = begun ? ++mine.deaths[from] : 0;
        if (deaths <= mine.how.retries && deaths < most_deaths && ++mine.deaths[~(first + held.begin)] < 10 * most_deaths)
            return have_done(root, first + held.begin, first + held.end);
    }
    // What it hadn't begun can be done by another, which isn't a second try: but not for ever.
    const bool innocent = !begun || workers_[w].overtime != 0;
    const unsigned deaths = mine.how.by_chunk ? most_deaths : ++mine.deaths[from];
    if ((innocent || deaths <= mine.how.retries) && deaths < most_deaths) return have_done(root, from, first + held.end);
    if (begun)
        lose(root, loss(w, fmt::format("on item {} of {}", told, count), told, exitcode, pid));
    else
        lose(root, loss(w, fmt::format("with items {} to {} of {}", told, mine.how.before + first + held.end - 1, count), {}, exitcode, pid));
}

inline void crew::account_for_tasks(unsigned j, unsigned w, const chunk& held, int exitcode, pid_t pid) {
    const unsigned root = tickets_[j].origin == max_jobs ? j : tickets_[j].origin;
    stream& all = *tickets_[root].tasks;
    const std::uint64_t first = board_.job_at(j).first;
    for (std::uint64_t i = first + held.begin; i < first + held.end; ++i) {
        const auto index = static_cast<std::uint32_t>(i);
        entry& task = all.at(index);
        if (task.now() == fate::running) { // by this worker: nobody else has claimed it
            stream::note& note = all.notes_[index];
            if (was_overtime(w)) {
                note.lost = std::make_exception_ptr(TimeoutError(
                    fmt::format("a task took longer than {} s: its worker {} (pid {}) was killed",
                                std::chrono::duration<double>(std::chrono::nanoseconds(task.timeout)).count(), w, pid)));
            } else if (broken_ || (terms_.broken_by && note.retries == 0)) {
                note.lost = broken_ ? broken_ : terms_.broken_by(fmt::format("worker {} (pid {}) died on a task, exit code {}", w, pid, exitcode));
            } else if (workers_[w].overtime == 0 && (++note.deaths > note.retries || note.deaths >= most_deaths)) {
                note.lost = loss(w, "on a task", {}, exitcode, pid);
            }
            if (note.lost)
                task.state.store(static_cast<std::uint32_t>(fate::lost));
            else
                task.state.fetch_and(~entry::kind); // pending
        }
        if (!task.over()) have_done(root, i, i + 1);
    }
}

inline void crew::lose(unsigned j, std::exception_ptr why) {
    ticket& mine = tickets_[j];
    if (mine.lost.load()) return;
    mine.why = std::move(why);
    mine.lost.store(true, std::memory_order_release);
    drop_rest(j);
}

// --- rests

inline void crew::have_done(unsigned origin, std::uint64_t begin, std::uint64_t end) {
    rests_.push_back({origin, begin, end});
    tickets_[origin].rests_to_come.fetch_add(1); // before the lost chunk is written off: the job isn't complete in between
}

inline void crew::place_rests() {
    while (!rests_.empty()) {
        unsigned found = max_jobs;
        for (const bool gathered : {false, true}) {
            for (unsigned j = 0; gathered && j < ordinary; ++j)
                if (tickets_[j].rests.load() != 0) gather_rests(j);
            for (unsigned j = ordinary; j < max_jobs && found == max_jobs; ++j)
                if (tickets_[j].state.load() == slot::free) found = j;
        }
        if (found == max_jobs) return; // when one of them is done
        const leftover next = rests_.front();
        rests_.pop_front();
        const ticket& whole = tickets_[next.origin];
        prepare(found, next.end - next.begin, whole.how);
        const job& from = board_.job_at(next.origin);
        job& to = board_.job_at(found);
        if (whole.tasks) to.fixed.store(1);
        to.first = next.begin;
        to.run = from.run;
        to.callable[0] = from.callable[0];
        to.callable[1] = from.callable[1];
        to.input = from.input;
        to.input_index = from.input_index;
        to.output = from.output;
        to.shared = from.shared;
        to.hands.store(from.hands.load(std::memory_order_relaxed), std::memory_order_relaxed);
        ticket& mine = tickets_[found];
        mine.origin = next.origin;
        mine.party = whole.party;
        mine.state.store(slot::active);
        board_.open(found, whole.party);
        tickets_[next.origin].rests.fetch_or(std::uint64_t{1} << found);
        tickets_[next.origin].rests_to_come.fetch_sub(1);
    }
}

inline void crew::gather_rests(unsigned j) {
    ticket& whole = tickets_[j];
    for (std::uint64_t left = whole.rests.load(); left != 0; left &= left - 1) {
        const auto k = static_cast<unsigned>(std::countr_zero(left));
        job& part = board_.job_at(k);
        if (part.error.load() != 0) {
            std::uint64_t none = 0;
            const std::uint64_t error = part.error.load();
            if (board_.job_at(j).error.compare_exchange_strong(none, error)) part.error.store(0);
        }
        if (!board_.complete(k)) continue;
        whole.gathered.take(board_, k);
        if (part.parcels.exchange(0) != 0) board_.job_at(j).parcels.store(1);
        free_slot(k);
        whole.rests.fetch_and(~(std::uint64_t{1} << k));
    }
}

// --- time

inline os::deadline crew::next_look(const os::deadline& until) const noexcept {
    std::uint64_t shortest = 0;
    for (const ticket& each : tickets_) {
        if (each.state.load() != slot::active) continue;
        for (const std::uint64_t t : {static_cast<std::uint64_t>(each.how.timeout.count()), each.tasks ? each.tasks->shortest_timeout_ : 0})
            if (t != 0 && (shortest == 0 || t < shortest)) shortest = t;
    }
    if (shortest == 0) return until;
    // What begins after this look isn't due before that time is over.
    const std::uint64_t at = now();
    for (unsigned w = 0; w < board_.workers(); ++w) {
        if (!workers_[w].process || workers_[w].overtime != 0) continue;
        const std::uint64_t due = board_.station_of(w).due.load();
        if (due != 0) shortest = std::min(shortest, due > at ? due - at : 1);
    }
    return std::min(until, os::deadline::after(std::chrono::nanoseconds(shortest)));
}

inline void crew::end_overtime() {
    const std::uint64_t at = now();
    for (unsigned w = 0; w < board_.workers(); ++w) {
        employee& each = workers_[w];
        const std::uint64_t due = board_.station_of(w).due.load();
        if (!each.process || due == 0 || due > at || each.overtime != 0) continue;
        each.overtime = due;
        each.process.signal(SIGKILL); // one that has stopped itself as well
    }
}

inline void crew::relieve_the_spent() {
    if (terms_.items == 0) return;
    for (unsigned w = 0; w < board_.workers(); ++w) {
        employee& each = workers_[w];
        station& place = board_.station_of(w);
        if (!each.process || place.spent.load() == 0 || place.relieved.load() != 0) continue;
        if (const unsigned other = free_station(0); other != board_.workers() && !ended()) {
            try {
                start_worker(other, 0);
                each.relieved = true;
            } catch (const std::exception& error) { // it is replaced when it has left, or not
                os::log(os::log_level::error, "cannot start a successor of worker {}: {}", w, error.what());
            }
        }
        place.relieved.store(1);
        board_.tell();
    }
}

} // namespace multiprocessing::pool
