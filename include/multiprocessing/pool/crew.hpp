// Floor 9, pool/crew: the life of a crew: its workers, who attends to them, and its end.
#pragma once

#include <algorithm> // std::min, std::erase
#include <array>
#include <chrono>
#include <csignal> // std::signal, SIGTERM, SIGKILL
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/throw_site.hpp>
#include <multiprocessing/pool/losses.hpp>
#include <multiprocessing/pool/roster.hpp>
#include <multiprocessing/pool/slots.hpp>
#include <multiprocessing/pool/spawned.hpp>
#include <multiprocessing/pool/task.hpp>
#include <multiprocessing/pool/worker.hpp>
#include <multiprocessing/process/fork.hpp>

namespace multiprocessing::pool {

/// Stations for the successors of spent workers, and for heirs.
[[nodiscard]] constexpr unsigned guests_beside(unsigned workers) noexcept {
    return std::min(std::clamp(4 * workers, 16U, 256U), max_workers - workers);
}
/// The most workers that a crew can have.
inline constexpr unsigned largest_crew = max_workers - 16;

inline crew::crew(terms given)
    : terms_(std::move(given)), board_(terms_.workers + guests_beside(terms_.workers)), workers_(board_.workers()) {
    watch_.add(bell_.fd(), bell_key);
    if (terms_.trace) tracks_ = memory::handle<track[]>::create(board_.workers());
    try {
        for (unsigned w = 0; w < terms_.workers; ++w) start_worker(w, 0);
    } catch (...) { // some may run already
        terminate();
        join();
        throw;
    }
}

inline crew::~crew() {
    if (!is_ours()) return; // a child's copy: neither its processes nor its job
    terminate();
    join();
    stop_collector();
    standing_.now = nullptr;
    for (unsigned j = 0; j < max_jobs; ++j) // a job that failed while somebody was still at it
        if (tickets_[j].state.load() != slot::free) free_slot(j);
}

// --- workers

inline void crew::start_worker(unsigned w, unsigned party) {
    const duty given{board_, w, party, party == 0 ? terms_.items : 0, memory::family::here().self(), tracks_};
    process::launch how;
    how.name = fmt::format("{}-{}", terms_.name, ++workers_started_);
    how.daemon = true;
    how.ignore_interrupts = true;
    how.conditions = terms_.conditions;
    board_.clear_station(w);
    board_.station_of(w).called.store(now(), std::memory_order_relaxed);
    employee& post = workers_[w];
    post = {};
    if (is_distant())
        post.process = start_by(terms_.method, std::move(how), given, terms_.packed_initializer, bell_);
    else
        post.process = process::start_by_fork(std::move(how), [this, given] {
            return begin_work(given, bell_, [this] {
                if (terms_.initializer) terms_.initializer();
            });
        });
    post.party = party;
    if (party != 0) ++parties_[party].present;
    watch_.add(post.process.sentinel(), w);
}

inline unsigned crew::free_station(unsigned from) const noexcept {
    for (unsigned w = from; w < board_.workers(); ++w)
        if (!workers_[w].process) return w;
    return board_.workers();
}

inline unsigned crew::standing() const noexcept {
    unsigned n = 0;
    for (const auto& each : workers_) n += each.process && each.party == 0 && !each.relieved;
    return n;
}

inline bool crew::all_gone() const noexcept {
    for (const auto& each : workers_)
        if (each.process) return false;
    return true;
}

inline std::vector<pid_t> crew::pids() {
    locked held(lock_);
    if (!attended_) { // nobody waits, so nobody has noticed who died since
        const attendance turn(*this, held);
        attend(held, os::deadline::after(std::chrono::nanoseconds::zero()));
    }
    std::vector<pid_t> all;
    for (const auto& each : workers_)
        if (each.process && each.party == 0 && !each.relieved) all.push_back(each.process.pid());
    return all;
}

inline PoolStats crew::stats() {
    const locked held(lock_);
    PoolStats all;
    all.started = workers_started_;
    const std::uint64_t at = now();
    for (unsigned w = 0; w < board_.workers(); ++w) {
        const station& place = board_.station_of(w);
        PoolStats::Worker each;
        each.tasks = place.tasks.load(std::memory_order_acquire);
        if (!workers_[w].process && each.tasks == 0) continue;
        each.pid = workers_[w].process ? workers_[w].process.pid() : 0;
        each.chunks = place.chunks.load(std::memory_order_relaxed);
        each.working = std::chrono::nanoseconds(place.busy.load(std::memory_order_relaxed));
        const std::uint64_t begun = place.begun.load(std::memory_order_relaxed);
        if (begun != 0 && begun < at) each.alive = std::chrono::nanoseconds(at - begun);
        const std::uint64_t called = place.called.load(std::memory_order_relaxed);
        if (called != 0 && called < begun) each.starting = std::chrono::nanoseconds(begun - called);
        each.result_bytes = place.bytes.load(std::memory_order_relaxed);
        each.peak_memory = place.memory.load(std::memory_order_relaxed);
        each.transferring = std::chrono::nanoseconds(place.transfer.load(std::memory_order_relaxed));
        all.total.starting += each.starting;
        all.total.result_bytes += each.result_bytes;
        all.total.peak_memory = std::max(all.total.peak_memory, each.peak_memory);
        all.total.tasks += each.tasks;
        all.total.chunks += each.chunks;
        all.total.working += each.working;
        all.total.transferring += each.transferring;
        all.total.alive += each.alive;
        all.workers.push_back(each);
    }
    return all;
}

inline void crew::write_trace(const std::string& path) {
    if (!tracks_) throw ValueError("there is no trace: make the pool with {.trace = true}");
    pool::write_trace(path, tracks_);
}

// --- heirs

inline unsigned crew::summon(unsigned heirs, bool may_be_replaced) {
    unsigned party = max_parties;
    wait_until([&] {
        if (terminated_.load()) return true;
        if (free_station(terms_.workers) == board_.workers()) return false;
        for (unsigned p = 1; p < max_parties && party == max_parties; ++p)
            if (!parties_[p].taken) party = p;
        if (party == max_parties) return false;
        parties_[party] = {.taken = true, .replaced = may_be_replaced};
        return true;
    });
    if (party == max_parties) throw CancelledError("the pool was terminated before this was begun");
    const locked held(lock_);
    board_.convene(party);
    try {
        for (unsigned n = 0; n < heirs; ++n) {
            const unsigned w = free_station(terms_.workers);
            if (w == board_.workers()) break;
            start_worker(w, party);
        }
    } catch (...) {
        if (parties_[party].present == 0) {
            free_party(party);
            throw;
        }
    }
    if (parties_[party].present == 0) { // another thread took the last station
        free_party(party);
        throw ProcessError("there is no room for another worker");
    }
    return party;
}

inline void crew::disband(unsigned party, bool wait) {
    {
        const locked held(lock_);
        if (!parties_[party].taken) return;
        parties_[party].disbanded = true;
        board_.dismiss(party);
        for (auto& each : workers_)
            if (each.process && each.party == party) each.process.signal(SIGKILL);
        if (parties_[party].present == 0) return free_party(party);
    }
    if (wait) wait_until([&] { return !parties_[party].taken; });
}

inline void crew::free_party(unsigned party) noexcept { parties_[party] = {}; }

// --- waiting

inline bool crew::any_met() {
    for (expectation* each : waiting_)
        if (each->met()) return true;
    return false;
}

inline void crew::attend(locked& held, const os::deadline& until) {
    relieve_the_spent(); // who said so before the owner said that it sleeps hasn't rung
    std::array<std::uint64_t, 64> ready;
    const os::deadline next = next_look(until);
    held.unlock();
    const std::size_t n = watch_.wait(ready, next);
    held.lock();
    for (std::size_t i = 0; i < n; ++i) {
        if (ready[i] == bell_key)
            bell_.silence();
        else
            bury_worker(static_cast<unsigned>(ready[i]));
    }
    end_overtime();
    relieve_the_spent();
    place_rests();
}

// --- the collector

inline void crew::start_collector() {
    const locked held(lock_);
    if (collector_ || collector_leaves_) return;
    collector_ = os::thread([this] { collect(); });
}

inline void crew::call_back(std::shared_ptr<call_base> settled) {
    {
        const locked held(lock_);
        if (!collector_leaves_) to_call_back_.push_back(settled);
    }
    start_collector();
    if (collector_leaves_) return settled->run_callbacks(); // after the end of the pool
    settled->want();
    look_up();
}

inline void crew::collect() {
    // The oldest are looked at first: what comes after twice as many as can be at work has most likely not begun.
    const std::size_t likely = 2 * board_.workers() + 64;
    std::vector<std::shared_ptr<call_base>> ready;
    const auto look = [&](std::size_t most) {
        std::size_t missing = 0;
        for (auto& each : to_call_back_) {
            if (missing == most) break;
            if (each->arrived_locked())
                ready.push_back(std::move(each));
            else
                ++missing;
        }
        if (!ready.empty()) std::erase(to_call_back_, nullptr);
    };
    std::size_t lines = 0;
    for (bool over = false; !over;) {
        wait_until(
            [&] {
                look(likely);
                if (ready.empty()) look(to_call_back_.size());
                over = collector_leaves_ && to_call_back_.empty();
                return over || !ready.empty() || shown_.size() != lines;
            },
            lines == 0 ? os::deadline::never() : os::deadline::after(progress_line::interval));
        lines = draw();
        for (auto& each : ready) each->run_callbacks();
        ready.clear();
    }
}

/// How many lines there are.
inline std::size_t crew::draw() {
    std::vector<std::pair<std::shared_ptr<progress_line>, std::uint64_t>> lines;
    {
        const locked held(lock_);
        std::erase_if(shown_, [](const showing& each) { return each.rest->there.load(); });
        for (const showing& each : shown_)
            lines.emplace_back(each.line, std::min(board_.items_done(each.j), board_.job_at(each.j).count.load()));
    }
    for (const auto& each : lines) each.first->show(each.second); // writes, which may take its time
    return lines.size();
}

inline void crew::stop_collector() {
    {
        const locked held(lock_);
        collector_leaves_ = true;
        look_up();
    }
    collector_.join();
}

// --- the end

inline void crew::close() {
    closing_.store(true);
    board_.dismiss();
    look_up();
}

inline void crew::terminate(int signal) {
    const locked held(lock_);
    if (terminated_.exchange(true)) return;
    board_.dismiss();
    for (const auto& each : workers_)
        if (each.process) each.process.signal(each.party != 0 ? SIGKILL : signal != 0 ? signal : SIGTERM);
    look_up();
}

inline void crew::dissolve() {
    terminate();
    join();
    stop_collector();
    const locked held(lock_);
    standing_.now = nullptr;
    used_streams_.clear();
    tidy(); // results that have arrived are their callers'
}

inline void crew::join() {
    if (!terminated_.load()) wait_until([&] { return all_gone() || terminated_.load(); });
    // Those who ignore SIGTERM have a second to get over it.
    if (wait_until([&] { return all_gone(); }, os::deadline::after(std::chrono::seconds(1)))) return;
    {
        const locked held(lock_);
        for (const auto& each : workers_)
            if (each.process) each.process.signal(SIGKILL);
    }
    wait_until([&] { return all_gone(); });
}

} // namespace multiprocessing::pool
