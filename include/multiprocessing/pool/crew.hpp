// Floor 9, pool/crew: the processes that work on a board, and their owner, who waits, notices deaths and replaces the dead.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <csignal> // std::signal, SIGTERM, SIGKILL
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex> // std::unique_lock
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/conditions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/throw_site.hpp>
#include <multiprocessing/pool/board.hpp>
#include <multiprocessing/pool/log.hpp>
#include <multiprocessing/pool/parcel.hpp>
#include <multiprocessing/pool/task.hpp>
#include <multiprocessing/pool/worker.hpp>
#include <multiprocessing/process/fork.hpp>
#include <multiprocessing/process/running.hpp>

namespace multiprocessing::pool {

/// How a job ended.
struct outcome {
    std::exception_ptr lost;   ///< a worker died holding a part of it, or the crew was terminated
    memory::holding failure;   ///< what an item threw (task.hpp), if one did
    bool unspeakable = false;  ///< an item threw, and there was no memory to say what
    [[nodiscard]] bool good() const noexcept { return !lost && !failure && !unspeakable; }
};

/// Workers forked at once, for one board. The thread that waits for a job does whatever the crew needs meanwhile: it
/// learns of deaths by the workers' sentinels, reads from the board what each dead worker held, fails the jobs that are
/// concerned and forks a replacement. When several threads wait, one of them attends and the others wait for it, so no
/// thread is started for this.
///
/// A job's slot goes  free -> filling -> active -> free, or, when it failed while workers are still at it,
/// active -> draining -> free: what they read and write stays until the last of them is past it.
///
/// - Threads: every function, by any thread of the process that made the crew.
/// - When a worker dies: the jobs it held a part of end with WorkerLostError at once; all else goes on.
/// - When the owner dies: the workers end with it.
/// - Errors: std::system_error when not one worker can be forked.
class crew {
public:
    struct terms {
        unsigned workers = 1;
        std::string name = "ForkPoolWorker"; ///< followed by a number
        bool kill_at_end = false;            ///< no grace in the destructor: its workers are for one job alone
        os::conditions conditions = {};      ///< of each worker
        std::function<void()> initializer = {}; ///< what each does first; if it throws, the crew is of no use
    };

    explicit crew(terms given);
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;
    ~crew();

    [[nodiscard]] bool is_ours() const noexcept { return os::pid() == owner_; }
    [[nodiscard]] unsigned size() const noexcept { return board_.workers(); }
    [[nodiscard]] std::vector<pid_t> pids();

    /// A slot for a job of so many items, to be filled in and started. `chunk`: items a chunk, 0: chosen as it runs.
    [[nodiscard]] unsigned reserve(std::uint64_t items, std::uint64_t chunk);
    [[nodiscard]] job& at(unsigned j) noexcept { return board_.job_at(j); }
    [[nodiscard]] board& on() noexcept { return board_; }

    /// Room for a job's input or results that workers reach by its offset; kept warm for the next job.
    [[nodiscard]] std::byte* room_for_input(unsigned j, std::uint64_t bytes) { return room(tickets_[j].input, bytes); }
    [[nodiscard]] std::byte* room_for_index(unsigned j, std::uint64_t bytes) { return room(tickets_[j].index, bytes); }
    [[nodiscard]] std::byte* room_for_output(unsigned j, std::uint64_t bytes) { return room(tickets_[j].output, bytes); }

    void start(unsigned j);
    /// `results_in_place`: on failure too, nobody works on the job any more when this returns.
    [[nodiscard]] outcome wait(unsigned j, bool results_in_place);
    /// The job is over, and its results have been taken.
    void release(unsigned j);
    /// A slot that was reserved and never started.
    void abandon(unsigned j);

    void close();     ///< workers leave when all that was started is done
    void terminate(); ///< workers end now; what is outstanding fails with CancelledError
    void join();      ///< waits until all workers have ended
    [[nodiscard]] bool ended() const noexcept { return closing_.load() || terminated_.load(); }

private:
    enum class slot : std::uint32_t { free, filling, active, draining };

    struct ticket {
        std::atomic<slot> state{slot::free};
        std::atomic<bool> lost{false}; ///< `why` is set, for good
        std::exception_ptr why;
        memory::holding input, index, output;
    };

    using locked = std::unique_lock<os::private_lock>;

    /// This thread's turn to attend; afterwards it is another's.
    class attendance {
    public:
        attendance(crew& all, locked& held) noexcept : crew_(all), held_(held) { crew_.attended_ = true; }
        attendance(const attendance&) = delete;
        attendance& operator=(const attendance&) = delete;
        ~attendance() {
            if (!held_.owns_lock()) held_.lock();
            crew_.board_.owner_is_awake();
            crew_.attended_ = false;
            crew_.turns_.fetch_add(1);
            os::wake_all(crew_.turns_);
        }

    private:
        crew& crew_;
        locked& held_;
    };

    [[nodiscard]] static std::byte* room(memory::holding& kept, std::uint64_t bytes);
    [[nodiscard]] bool settled(unsigned j) const noexcept {
        return tickets_[j].lost.load(std::memory_order_acquire) || board_.job_at(j).error.load() != 0 ||
               board_.complete(j);
    }
    template <typename Done>
    void wait_until(Done done);
    void attend(locked& held, const os::deadline& until);
    [[nodiscard]] bool anything_settled() const noexcept;

    void start_worker(unsigned w);
    void bury_worker(unsigned w);
    [[nodiscard]] int begin_work(unsigned w, memory::seat owner);
    void find_unfit();
    void lose(unsigned j, unsigned w, const std::optional<chunk>& held, int exitcode, pid_t pid);
    void free_drained();
    void free_slot(unsigned j);
    void look_up() noexcept; ///< whoever waits looks again at what it waits for
    [[nodiscard]] bool work_is_left() const noexcept;

    static constexpr std::uint64_t bell_key = ~std::uint64_t{0};
    static constexpr std::uint64_t warm = 32 << 20; ///< larger rooms aren't kept

    const terms terms_;
    const pid_t owner_ = os::pid();
    board board_;
    os::doorbell bell_;
    os::poll_set watch_;

    os::private_lock lock_; // around all below, but for what is atomic
    std::vector<process::running> workers_;
    std::array<ticket, max_jobs> tickets_;
    unsigned next_slot_ = 0;
    unsigned workers_started_ = 0;
    unsigned short_of_slots_ = 0; // threads that wait for a job's slot
    bool attended_ = false;
    std::exception_ptr broken_; // why no job can be done any more
    std::atomic<std::uint32_t> turns_{0}; // changes when the attendant has looked around, or leaves
    std::atomic<bool> closing_{false};
    std::atomic<bool> terminated_{false};
};

inline crew::crew(terms given) : terms_(std::move(given)), board_(terms_.workers), workers_(terms_.workers) {
    watch_.add(bell_.fd(), bell_key);
    try {
        for (unsigned w = 0; w < terms_.workers; ++w) start_worker(w);
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
    for (unsigned j = 0; j < max_jobs; ++j) // a job that failed while somebody was still at it
        if (tickets_[j].state.load() != slot::free) free_slot(j);
}

inline void crew::start_worker(unsigned w) {
    const memory::seat owner = memory::family::here().self();
    process::launch how;
    how.name = fmt::format("{}-{}", terms_.name, ++workers_started_);
    how.daemon = true;
    how.ignore_interrupts = true;
    how.conditions = terms_.conditions;
    workers_[w] = process::start_by_fork(std::move(how), [this, w, owner] { return begin_work(w, owner); });
    watch_.add(workers_[w].sentinel(), w);
}

// In the worker.
inline int crew::begin_work(unsigned w, memory::seat owner) {
    std::signal(SIGTERM, SIG_DFL); // a handler of the program's was meant for the program; terminate() must work
    os::throw_site site;
    try {
        if (terms_.initializer) site.watch(terms_.initializer);
    } catch (...) {
        report(board_.station_of(w), owner, 0, site, board_.unfit());
        return 1;
    }
    return work(board_, w, owner, bell_);
}

inline std::vector<pid_t> crew::pids() {
    locked held(lock_);
    if (!attended_) { // nobody waits, so nobody has noticed who died since
        const attendance turn(*this, held);
        attend(held, os::deadline::after(std::chrono::nanoseconds::zero()));
    }
    std::vector<pid_t> all;
    for (const auto& worker : workers_)
        if (worker) all.push_back(worker.pid());
    return all;
}

// --- jobs

inline unsigned crew::reserve(std::uint64_t items, std::uint64_t chunk) {
    locked held(lock_);
    unsigned found = max_jobs;
    const auto find = [&] {
        free_drained();
        for (unsigned i = 0; i < max_jobs && found == max_jobs; ++i) {
            const unsigned j = (next_slot_ + i) % max_jobs;
            if (tickets_[j].state.load() == slot::free) found = j;
        }
        return found != max_jobs;
    };
    if (!find()) { // 64 threads have a job each: one must end first
        ++short_of_slots_;
        held.unlock();
        wait_until([&] {
            const locked again(lock_);
            return find();
        });
        held.lock();
        --short_of_slots_;
        if (tickets_[found].state.load() != slot::free) {
            held.unlock();
            return reserve(items, chunk);
        }
    }
    ticket& mine = tickets_[found];
    mine.state.store(slot::filling);
    mine.lost.store(false);
    mine.why = nullptr;
    // The last one again next time: its line and its rooms are warm.
    next_slot_ = found;

    job& which = board_.job_at(found);
    const std::uint64_t grain = chunk != 0 ? std::max(chunk, items / max_grains + 1) : items / max_grains + 1;
    which.grains.store(static_cast<std::uint32_t>((items + grain - 1) / grain), std::memory_order_relaxed);
    which.fixed.store(chunk != 0, std::memory_order_relaxed);
    which.cost.store(0, std::memory_order_relaxed);
    which.dropped.store(0, std::memory_order_relaxed);
    which.in_doubt.store(0, std::memory_order_relaxed);
    which.error.store(0, std::memory_order_relaxed);
    which.count = items;
    which.grain = grain;
    return found;
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

inline void crew::start(unsigned j) {
    tickets_[j].state.store(slot::active);
    if (terminated_.load()) return; // wait() says so
    {
        const locked held(lock_);
        if (broken_) {
            tickets_[j].why = broken_;
            tickets_[j].lost.store(true, std::memory_order_release);
        }
    }
    board_.open(j);
}

inline outcome crew::wait(unsigned j, bool results_in_place) {
    const auto done = [&] { return settled(j) || terminated_.load(); };
    if (!os::spin_for(done)) wait_until(done);
    job& which = board_.job_at(j);
    outcome how;
    if (const auto error = which.error.load(); error == unspeakable) {
        how.unspeakable = true;
    } else if (error != 0) {
        how.failure = memory::holding::receive(error);
    } else if (tickets_[j].lost.load(std::memory_order_acquire)) {
        how.lost = tickets_[j].why;
    } else if (!board_.complete(j)) {
        how.lost = std::make_exception_ptr(CancelledError("the pool was terminated before this was done"));
    }
    if (!how.good()) {
        which.dropped.store(1);
        board_.shut(j);
        if (results_in_place) wait_until([&] { return board_.complete(j); });
    }
    return how;
}

inline void crew::release(unsigned j) {
    const locked held(lock_);
    tickets_[j].state.store(slot::draining);
    free_drained();
    if (short_of_slots_) look_up();
}

inline void crew::abandon(unsigned j) {
    const locked held(lock_);
    tickets_[j].state.store(slot::free);
    if (short_of_slots_) look_up();
}

// --- waiting

template <typename Done>
void crew::wait_until(Done done) {
    for (;;) {
        const std::uint32_t seen = turns_.load(); // before looking: what happens afterwards changes it
        if (done()) return;
        locked held(lock_);
        if (attended_) {
            held.unlock();
            os::sleep_on(turns_, seen, os::deadline::never());
            continue;
        }
        if (turns_.load() != seen) continue; // the attendant left meanwhile; what it saw may be ours
        const attendance turn(*this, held);
        board_.announce_owner_sleeps();
        held.unlock();
        // Between announcing and sleeping one must look again. For the others as well, who count on this thread.
        const bool now = done();
        held.lock();
        if (!now && !anything_settled()) attend(held, os::deadline::never());
    }
}

inline void crew::look_up() noexcept {
    turns_.fetch_add(1);
    os::wake_all(turns_);
    bell_.ring();
}

inline bool crew::anything_settled() const noexcept {
    for (unsigned j = 0; j < max_jobs; ++j)
        if (tickets_[j].state.load() == slot::active && settled(j)) return true;
    return false;
}

inline void crew::attend(locked& held, const os::deadline& until) {
    std::array<std::uint64_t, 64> ready;
    held.unlock();
    const std::size_t n = watch_.wait(ready, until);
    held.lock();
    for (std::size_t i = 0; i < n; ++i) {
        if (ready[i] == bell_key)
            bell_.silence();
        else
            bury_worker(static_cast<unsigned>(ready[i]));
    }
}

// --- deaths

inline void crew::bury_worker(unsigned w) {
    process::running& dead = workers_[w];
    if (!dead) return;
    const int sentinel = dead.sentinel();
    const auto exitcode = dead.exitcode();
    if (!exitcode) return; // not yet, whatever the kernel said
    watch_.remove(sentinel);
    const pid_t pid = dead.pid();
    dead = {};
    board_.forget_sleeper(w);

    bool concerned = false;
    for (unsigned j = 0; j < max_jobs; ++j) {
        const slot state = tickets_[j].state.load();
        if (state != slot::active && state != slot::draining) continue;
        if (!board_.took_part(j, w) && !board_.held_by(j, w)) continue;
        const auto held = board_.held_by(j, w);
        board_.job_at(j).in_doubt.store(1);
        if (held) {
            concerned = true;
            if (state == slot::active) lose(j, w, held, *exitcode, pid);
            board_.write_off(j, w, *held);
        }
    }
    recover_parcel(board_.station_of(w), [&](memory::object_name name) {
        if (board_.unfit().load() == name) return true;
        for (unsigned j = 0; j < max_jobs; ++j)
            if (board_.job_at(j).error.load() == name || is_in_log(board_, j, w, name)) return true;
        return false;
    });

    find_unfit();
    if (broken_ || terminated_.load() || (closing_.load() && !work_is_left())) return;
    if (!concerned && *exitcode != 0)
        os::log(os::log_level::info, "worker {} (pid {}) ended with exit code {} while idle; it is replaced", w, pid, *exitcode);
    try {
        start_worker(w);
    } catch (const std::exception& error) {
        os::log(os::log_level::error, "cannot replace worker {}: {}", w, error.what());
        for (const auto& worker : workers_)
            if (worker) return; // the others go on
        for (unsigned j = 0; j < max_jobs; ++j) {
            if (tickets_[j].state.load() != slot::active || tickets_[j].lost.load()) continue;
            tickets_[j].why = std::current_exception();
            tickets_[j].lost.store(true, std::memory_order_release);
        }
    }
}

// A worker that can't begin is not replaced: its successor couldn't either. Everything asked of the crew ends with what
// the initializer threw.
inline void crew::find_unfit() {
    const auto name = board_.unfit().load();
    if (name == 0 || broken_) return;
    if (name == unspeakable) {
        broken_ = std::make_exception_ptr(ProcessError("the initializer failed, and there was no memory left to say how"));
    } else {
        broken_ = reported(memory::holding::receive(name));
    }
    for (auto& each : tickets_) {
        if (each.state.load() != slot::active || each.lost.load()) continue;
        each.why = broken_;
        each.lost.store(true, std::memory_order_release);
    }
}

inline void crew::lose(unsigned j, unsigned w, const std::optional<chunk>& held, int exitcode, pid_t pid) {
    ticket& who = tickets_[j];
    if (who.lost.load()) return; // the first is told
    // The item it was on, if it had come so far as to say so; else all that is known is the chunk.
    const std::uint64_t item = board_.station_of(w).item.load();
    std::optional<std::size_t> blamed;
    std::string where = fmt::format("with items {} to {}", held->begin, held->end - 1);
    if (item >= held->begin && item < held->end) {
        blamed = item;
        where = fmt::format("on item {}", item);
    }
    const std::string how = exitcode < 0 ? fmt::format("was killed by {}", os::signal_name(-exitcode))
                                         : fmt::format("exited with code {}", exitcode);
    who.why = std::make_exception_ptr(
        WorkerLostError(fmt::format("worker {} (pid {}) {} {} of {}", w, pid, how, where, board_.job_at(j).count), pid,
                        exitcode, blamed));
    who.lost.store(true, std::memory_order_release);
}

inline bool crew::work_is_left() const noexcept {
    for (unsigned j = 0; j < max_jobs; ++j)
        if (tickets_[j].state.load() == slot::active && !settled(j)) return true;
    return false;
}

inline void crew::free_drained() {
    for (unsigned j = 0; j < max_jobs; ++j)
        if (tickets_[j].state.load() == slot::draining && board_.complete(j)) free_slot(j);
}

inline void crew::free_slot(unsigned j) {
    board_.retire(j);
    job& which = board_.job_at(j);
    if (const auto error = which.error.exchange(0); error != 0 && error != unspeakable) {
        try {
            static_cast<void>(memory::holding::receive(error)); // nobody had taken it
        } catch (const ProcessError&) {
            // taken and let go by who waited for the job
        }
    }
    log_reader rest;
    rest.take(board_, j);
    ticket& over = tickets_[j];
    for (memory::holding* kept : {&over.input, &over.index, &over.output})
        if (*kept && kept->size() > warm) *kept = {};
    over.why = nullptr;
    over.state.store(slot::free);
}

// --- the end

inline void crew::close() {
    closing_.store(true);
    board_.dismiss();
}

inline void crew::terminate() {
    locked held(lock_);
    if (terminated_.exchange(true)) return;
    board_.dismiss();
    for (const auto& worker : workers_)
        if (worker) worker.signal(terms_.kill_at_end ? SIGKILL : SIGTERM);
    look_up();
}

inline void crew::join() {
    // Those who ignore SIGTERM have a second to get over it.
    const auto patience = os::deadline::after(std::chrono::seconds(1));
    for (unsigned w = 0; w < board_.workers(); ++w) {
        for (;;) {
            locked held(lock_);
            const process::running worker = workers_[w];
            if (!worker) break;
            held.unlock();
            if (!terminated_.load()) {
                worker.wait(os::deadline::never());
            } else if (!worker.wait(patience)) {
                worker.signal(SIGKILL);
                worker.wait(os::deadline::never());
            }
            held.lock();
            bury_worker(w);
            look_up();
        }
    }
}

} // namespace multiprocessing::pool
