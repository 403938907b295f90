// Floor 9, pool/roster: the crew declared: the processes that work on a board, and their owner.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex> // std::unique_lock
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/conditions.hpp>
#include <multiprocessing/os/cpu.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/private_lock.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/thread.hpp>
#include <multiprocessing/pool/board.hpp>
#include <multiprocessing/pool/call.hpp>
#include <multiprocessing/pool/entry.hpp>
#include <multiprocessing/pool/log.hpp>
#include <multiprocessing/pool/progress.hpp>
#include <multiprocessing/pool/stats.hpp>
#include <multiprocessing/pool/trace.hpp>
#include <multiprocessing/pool/worker.hpp>
#include <multiprocessing/process/running.hpp>
#include <multiprocessing/process/start_method.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::pool {

/// How a job ended.
struct outcome {
    std::exception_ptr lost;   ///< a worker died holding a part of it, or the crew was terminated
    memory::holding failure;   ///< what an item threw (task.hpp), if one did
    bool unspeakable = false;  ///< an item threw, and there was no memory to say what
    [[nodiscard]] bool good() const noexcept { return !lost && !failure && !unspeakable; }
    /// Throws what it ended with, unless that was good.
    void require_good() const;
};

/// What is left of a job that nobody waited for: its results, until they are asked for. Whoever finds the job over moves
/// them here and frees its slot.
struct remains {
    std::atomic<bool> there{false}; ///< all below is final
    outcome how;
    memory::holding output;
    std::array<std::byte, 128> small; ///< the output, where that stood in the job itself
    std::uint64_t output_at = 0;      ///< offset in the commons; 0: in `small`
    log_reader log;
    bool parcels = false; ///< the log names some, and nobody has taken them

    ~remains() {
        if (parcels) drop_parcels(log);
    }
};

/// How a job is to be carried out.
struct manner {
    std::uint64_t chunk = 0;                ///< items a chunk; 0: chosen as it runs
    unsigned retries = 0;                   ///< how often an item is tried again whose worker died
    std::chrono::nanoseconds timeout = {};  ///< how long an item may take; 0: any time
    bool progress = false;                  ///< whoever waits for it shows how far it has come
    std::uint64_t before = 0;               ///< items of the call that come before this job's first
    std::uint64_t of = 0;                   ///< items of the call; 0: those of the job
    bool by_chunk = false;                  ///< a chunk has one result, in the log under the number of its first item
};

/// Single tasks, in one slot of the board: they are appended until it is full, and it is free again when all are over.
/// The entries stay as long as somebody may ask for a result.
class stream {
public:
    static constexpr std::uint32_t capacity = 1024;

    explicit stream(std::uint32_t room) : entries_(memory::handle<entry[]>::create(room)), room_(room) {}
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    ~stream() { clear(); }

    [[nodiscard]] entry& at(std::uint32_t i) const noexcept { return entries_[i]; }
    [[nodiscard]] bool full() const noexcept { return used_ == room_; }

    // All below: under the lock of the crew.
    struct note { ///< of a task that is more than a task
        unsigned retries = 0;
        unsigned deaths = 0;
        std::exception_ptr lost;
    };

    /// Lets go of everything; nobody works on it or asks for it.
    void clear() noexcept;

    memory::handle<entry[]> entries_;
    std::uint32_t room_;
    std::uint32_t used_ = 0;
    bool sealed_ = false; ///< nothing is appended any more
    unsigned slot_ = max_jobs;
    std::uint64_t shortest_timeout_ = 0;
    std::unordered_map<std::uint32_t, note> notes_;
    std::vector<std::unique_ptr<kept_input>> kept_; ///< arguments of tasks whose caller has gone
};

/// Where single tasks are appended at present, and who does them.
struct line {
    std::shared_ptr<stream> now;
    unsigned party = 0;
    std::uint32_t room = stream::capacity;
};

/// A task's place.
struct placed {
    std::shared_ptr<stream> in;
    std::uint32_t index = 0;
    [[nodiscard]] entry& task() const noexcept { return in->at(index); }
};

/// Workers forked at once, for one board, and heirs, forked for a call, that work on it as well. The thread that waits
/// for something does whatever the crew needs meanwhile: it learns of deaths by the workers' sentinels, reads from the
/// board what each dead worker held, has that done by others or fails it, and forks a replacement. When several threads
/// wait, one of them attends and the others wait for it. A thread is started only when something must happen that nobody
/// waits for (start_collector).
///
/// A job's slot goes  free -> filling -> active -> free, or, when it failed while workers are still at it,
/// active -> draining -> free: what they read and write stays until the last of them is past it.
///
/// What a dead worker leaves undone, and may be tried again, is a job too: the rest of the one it belongs to, with the
/// same input and output, in a slot of its own. Eight slots are kept for these.
///
/// - Threads: every function, by any thread of the process that made the crew.
/// - When a worker dies: the jobs it held a part of end with WorkerLostError at once, unless it may be tried again; all
///   else goes on.
/// - When the owner dies: the workers end with it.
/// - Errors: std::system_error when not one worker can be forked.
class crew {
public:
    struct terms {
        unsigned workers = 1;
        std::string name = "ForkPoolWorker"; ///< followed by a number
        os::conditions conditions = {};      ///< of each worker
        StartMethod method = StartMethod::fork;
        std::function<void()> initializer = {}; ///< what each does first; if it throws, the crew is of no use
        serial::message packed_initializer = {}; ///< the same, for workers that aren't forked from here
        std::uint64_t items = 0;                ///< a worker is replaced after so many; 0: never
        bool trace = false;                     ///< write_trace() will be asked for
        std::function<std::exception_ptr(const std::string&)> broken_by = {}; ///< a death ends it all, with this
    };

    explicit crew(terms given);
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;
    ~crew();

    [[nodiscard]] bool is_ours() const noexcept { return os::pid() == owner_; }
    [[nodiscard]] unsigned size() const noexcept { return terms_.workers; }
    /// Its workers are no copies of this process: they know nothing but what they are told.
    [[nodiscard]] bool is_distant() const noexcept { return terms_.method != StartMethod::fork; }
    [[nodiscard]] std::uint64_t items_a_worker() const noexcept { return terms_.items; }
    [[nodiscard]] std::vector<pid_t> pids();
    [[nodiscard]] PoolStats stats();
    void write_trace(const std::string& path);

    // --- jobs

    /// A slot for a job of so many items, to be filled in and started.
    [[nodiscard]] unsigned reserve(std::uint64_t items, const manner& how);
    [[nodiscard]] unsigned reserve(std::uint64_t items, std::uint64_t chunk) { return reserve(items, manner{.chunk = chunk}); }
    [[nodiscard]] job& at(unsigned j) noexcept { return board_.job_at(j); }
    [[nodiscard]] board& on() noexcept { return board_; }

    /// Room for a job's input or results that workers reach by its offset; kept warm for the next job.
    [[nodiscard]] std::byte* room_for_input(unsigned j, std::uint64_t bytes) { return room(tickets_[j].input, bytes); }
    [[nodiscard]] std::byte* room_for_index(unsigned j, std::uint64_t bytes) { return room(tickets_[j].index, bytes); }
    [[nodiscard]] std::byte* room_for_output(unsigned j, std::uint64_t bytes) { return room(tickets_[j].output, bytes); }
    /// Held until the job is over.
    void keep(unsigned j, std::vector<memory::holding> shares) { tickets_[j].shares = std::move(shares); }

    void start(unsigned j, unsigned party = 0);
    /// `results_in_place`: on failure too, nobody works on the job any more when this returns.
    [[nodiscard]] outcome wait(unsigned j, bool results_in_place);
    /// Of a job that has been waited for: what its workers have logged.
    [[nodiscard]] log_reader take_log(unsigned j);
    /// The job is over, and its results have been taken.
    void release(unsigned j);
    /// The same, and if it isn't over, what is left of it is dropped.
    void give_up(unsigned j);
    /// A slot that was reserved and never started.
    void abandon(unsigned j);

    /// Instead of start, wait and release: what becomes of it is found in `rest`.
    void start_detached(unsigned j, unsigned party, std::shared_ptr<remains> rest);
    /// Whether it is there now. Moves it there if the job is over.
    [[nodiscard]] bool found(unsigned j, remains& rest);
    [[nodiscard]] bool found_locked(unsigned j, remains& rest);
    /// The collector shows from now on how far such a job has come, until it is found; the last line is its callback's.
    void show(unsigned j, std::shared_ptr<remains> rest, std::shared_ptr<progress_line> line) {
        const locked held(lock_);
        shown_.push_back({j, std::move(rest), std::move(line)});
    }
    /// Needs no lock, and may be wrong.
    [[nodiscard]] bool seems_over(unsigned j, const remains& rest) const noexcept {
        return rest.there.load(std::memory_order_acquire) || settled(j) || terminated_.load();
    }
    /// It goes no further. False if it was over.
    bool cancel(unsigned j, remains& rest);

    // --- single tasks

    /// Appends a task. `fill(entry&)` writes all but the arguments.
    template <typename Fill>
    [[nodiscard]] placed append(line& to, const packed_input& input, const manner& how, Fill fill);
    [[nodiscard]] line& standing_line() noexcept { return standing_; }
    /// Nothing more is appended.
    void end_line(line& over);
    [[nodiscard]] std::exception_ptr why_lost(const placed& task);
    /// It won't be done. False if somebody is on it, or it is over.
    bool cancel(const placed& task);
    /// The caller has gone: its arguments stay until the task is over.
    void keep_input(const placed& task, std::unique_ptr<kept_input> input);

    // --- heirs

    /// Forks so many workers, or fewer when there is no room, that do what is opened for the party returned.
    [[nodiscard]] unsigned summon(unsigned heirs, bool may_be_replaced);
    /// They have done their work, or it isn't wanted any more. `wait`: until they have ended.
    void disband(unsigned party, bool wait);
    /// They have all that there will be: they leave when it is done.
    void dismiss(unsigned party) { board_.dismiss(party); }

    // --- waiting

    /// Waits until done(), which is called with the lock held and must not take it. False when the time is up.
    template <typename Done>
    bool wait_until(Done done, const os::deadline& until = os::deadline::never());
    /// From now on a thread attends to the crew when nobody else does, and runs callbacks.
    void start_collector();
    /// `settled` has callbacks to run when it has arrived.
    void call_back(std::shared_ptr<call_base> settled);
    [[nodiscard]] bool is_collector() const noexcept { return collector_.is_current(); }

    void close();     ///< workers leave when all that was started is done
    void terminate(int signal = 0); ///< workers end now; what is outstanding fails with CancelledError
    void join();      ///< waits until all workers have ended
    void dissolve();  ///< terminate(), join(), and the last callbacks
    [[nodiscard]] bool ended() const noexcept { return closing_.load() || terminated_.load(); }
    [[nodiscard]] bool terminated() const noexcept { return terminated_.load(); }
    /// Why no job can be done any more, if so.
    [[nodiscard]] std::exception_ptr broken();
    /// All that is outstanding ends with that, and all that comes.
    void break_up(const std::string& why, int signal);

private:
    enum class slot : std::uint32_t { free, filling, active, draining };

    struct ticket {
        std::atomic<slot> state{slot::free};
        std::atomic<bool> lost{false}; ///< `why` is set, for good
        std::exception_ptr why;
        memory::holding input, index, output;
        std::vector<memory::holding> shares;

        unsigned party = 0;
        manner how;
        unsigned origin = max_jobs;                 ///< of which job it is a rest
        std::atomic<std::uint64_t> rests{0};        ///< a bit a slot
        std::atomic<std::uint32_t> rests_to_come{0}; ///< that have no slot yet
        std::unordered_map<std::uint64_t, unsigned> deaths; ///< by item
        log_reader gathered;                        ///< of rests that are over
        std::shared_ptr<stream> tasks;              ///< it is made of these
        std::shared_ptr<remains> detached;          ///< nobody waits for it
    };

    struct employee {
        process::running process;
        unsigned party = 0;
        bool relieved = false;
        std::uint64_t overtime = 0; ///< it was killed because it hadn't met this
    };

    struct party_of_heirs {
        bool taken = false;
        bool disbanded = false;
        bool replaced = false; ///< its dead are
        unsigned present = 0;
    };

    struct leftover {
        unsigned origin;
        std::uint64_t begin, end;
    };

    struct showing {
        unsigned j; ///< its slot, unless it has been found
        std::shared_ptr<remains> rest;
        std::shared_ptr<progress_line> line;
    };

    /// What some thread waits for.
    class expectation {
    public:
        virtual bool met() = 0;

    protected:
        ~expectation() = default;
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
            crew_.next_turn();
        }

    private:
        crew& crew_;
        locked& held_;
    };

    // Waiting (crew.hpp)
    void attend(locked& held, const os::deadline& until);
    void next_turn() noexcept {
        turns_.fetch_add(1);
        os::wake_all(turns_);
    }
    void look_up() noexcept { ///< whoever waits looks again at what it waits for
        next_turn();
        bell_.ring();
    }
    [[nodiscard]] bool any_met();
    void collect();
    [[nodiscard]] std::size_t draw();
    void stop_collector();

    // Workers (crew.hpp)
    void start_worker(unsigned w, unsigned party);
    [[nodiscard]] unsigned free_station(unsigned from) const noexcept;
    [[nodiscard]] unsigned standing() const noexcept;
    [[nodiscard]] bool all_gone() const noexcept;
    void free_party(unsigned party) noexcept;

    // Slots (slots.hpp)
    [[nodiscard]] static std::byte* room(memory::holding& kept, std::uint64_t bytes);
    [[nodiscard]] unsigned find_slot(unsigned from, unsigned to);
    [[nodiscard]] unsigned take_slot();
    void prepare(unsigned j, std::uint64_t items, const manner& how);
    [[nodiscard]] bool settled(unsigned j) const noexcept;
    [[nodiscard]] bool all_complete(unsigned j) const noexcept;
    [[nodiscard]] bool work_is_left() const noexcept;
    [[nodiscard]] outcome how_it_ended(unsigned j);
    void drop_rest(unsigned j);
    void tidy();
    void free_slot(unsigned j);
    void seal(stream& over);

    // Losses (losses.hpp)
    void bury_worker(unsigned w);
    void bury_heir(unsigned w, unsigned party, int exitcode, pid_t pid);
    void find_unfit();
    void give_all_up(unsigned party, const std::exception_ptr& why);
    void break_up_locked(const std::string& why, int signal);
    void account_for(unsigned j, unsigned w, const chunk& held, int exitcode, pid_t pid);
    void account_for_tasks(unsigned j, unsigned w, const chunk& held, int exitcode, pid_t pid);
    [[nodiscard]] std::exception_ptr loss(unsigned w, const std::string& where, std::optional<std::size_t> item, int exitcode,
                                          pid_t pid) const;
    [[nodiscard]] bool was_overtime(unsigned w) const noexcept;
    void lose(unsigned j, std::exception_ptr why);
    void have_done(unsigned origin, std::uint64_t begin, std::uint64_t end);
    void place_rests();
    void gather_rests(unsigned j);
    void end_overtime();
    void relieve_the_spent();
    [[nodiscard]] os::deadline next_look(const os::deadline& until) const noexcept;

    static constexpr std::uint64_t bell_key = ~std::uint64_t{0};
    static constexpr std::uint64_t warm = 32 << 20; ///< larger rooms aren't kept
    static constexpr unsigned every_party = max_parties;
    static constexpr unsigned ordinary = max_jobs - 8; ///< slots; those above are for rests
    static constexpr unsigned most_deaths = 3;         ///< an item on which so many workers died isn't tried again

    const terms terms_;
    const pid_t owner_ = os::pid();
    board board_;
    memory::handle<track[]> tracks_; ///< none, unless terms_.trace
    os::doorbell bell_;
    os::poll_set watch_;

    os::private_lock lock_; // around all below, but for what is atomic
    std::vector<employee> workers_; // by station
    std::array<ticket, max_jobs> tickets_;
    std::array<party_of_heirs, max_parties> parties_;
    std::deque<leftover> rests_; // for which there was no slot
    std::vector<expectation*> waiting_;
    line standing_;
    std::vector<std::shared_ptr<stream>> used_streams_; // whose entries may be warm
    std::vector<std::shared_ptr<call_base>> to_call_back_;
    std::vector<showing> shown_;
    unsigned next_slot_ = 0;
    unsigned workers_started_ = 0;
    bool attended_ = false;
    std::exception_ptr broken_; // why no job can be done any more
    os::thread collector_;
    bool collector_leaves_ = false;
    std::atomic<std::uint32_t> turns_{0}; // changes when the attendant has looked around, or leaves
    std::atomic<bool> closing_{false};
    std::atomic<bool> terminated_{false};
};

inline void stream::clear() noexcept {
    for (std::uint32_t i = 0; i < used_; ++i) {
        entry& task = at(i);
        const fate how = task.now();
        if ((how != fate::parcel && how != fate::failed) || task.value == 0) continue;
        try {
            const auto unwanted = memory::holding::receive(std::exchange(task.value, 0));
            if (how == fate::parcel) static_cast<void>(shares_named_in(unwanted));
        } catch (const std::exception&) {
            // It was taken, and let go.
        }
    }
    used_ = 0;
    sealed_ = false;
    shortest_timeout_ = 0;
    notes_.clear();
    kept_.clear();
}

template <typename Done>
bool crew::wait_until(Done done, const os::deadline& until) {
    class mine final : public expectation {
    public:
        explicit mine(Done& f) noexcept : done_(f) {}
        bool met() override { return done_(); }

    private:
        Done& done_;
    } hoped_for(done);
    locked held(lock_);
    if (done()) return true;
    waiting_.push_back(&hoped_for);
    struct leaving {
        crew& all;
        expectation* who;
        locked& held;
        ~leaving() {
            if (!held.owns_lock()) held.lock();
            std::erase(all.waiting_, who);
        }
    } const at_end{*this, &hoped_for, held};
    for (;;) {
        if (done()) return true;
        if (until.passed()) return false;
        if (attended_) {
            const std::uint32_t seen = turns_.load();
            held.unlock();
            os::sleep_on(turns_, seen, until);
            held.lock();
            continue;
        }
        bool sleeps = false;
        {
            const attendance turn(*this, held);
            board_.announce_owner_sleeps();
            // Between announcing and sleeping one must look again. For the others as well, who count on this thread.
            sleeps = !any_met();
            if (sleeps) attend(held, until);
        }
        if (!sleeps) { // what another thread waits for is there: it must get at it first
            held.unlock();
            os::spin_for([] { return false; });
            held.lock();
        }
    }
}

} // namespace multiprocessing::pool
