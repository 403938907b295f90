// Floor 9, pool/board: the shared memory of a crew: which jobs there are, and who has claimed what of them.
#pragma once

#include <algorithm> // std::min, std::max
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory> // std::construct_at
#include <optional>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/futex.hpp>

namespace multiprocessing::pool {

/// A job is `count` items that any worker of its party may work on; workers take chunks of it themselves, from its claim
/// word. It may grow while it is open: what hasn't been appended yet can't be claimed.
///
///     claim word:    generation : 20 | worker + 1 : 11 | log2(chunk) : 5 | next : 28
///     claim record:  generation : 20 | finished   : 11 | log2(chunk) : 5 | end  : 28     one a worker and job
///
/// One compare-and-swap on the claim word moves `next` on by the chunk *and* writes down who did it, so a claim can't be
/// made without being on record. The word has room for the last claim only; whoever claims next first sees to it that the
/// last one stands in its worker's claim record (the worker does the same, usually sooner). So at any instant:
///
///     what a worker holds = its claim record, unless finished, or the claim word if that names it
///
/// and a death, between whichever two instructions, leaves exactly that for the parent to read.
///
/// | word           | who writes it                                            | a writer killed in between leaves        |
/// | -------------- | -------------------------------------------------------- | ---------------------------------------- |
/// | claim          | workers, by compare-and-swap; the parent opens and closes | a claim on record, or none              |
/// | records[w]     | worker w; whoever saw w's claim in the word, by compare-and-swap from the older value | the older value: the next claimer repeats it |
/// | done           | worker, by compare-and-swap, after it marked its record finished; the generation with it, so that one who comes late adds nothing to the next job | a count too low: the parent stops believing it (in_doubt) and reads the records |
/// | item[w]        | worker w: the item it is on                               | the item to blame                        |
/// | gift[w]        | worker w: an object it is about to hand to the parent     | an object to look for (crew.hpp)         |
/// | log[w]         | worker w: the first block of its results (log.hpp)        | the log as far as it goes                |
/// | error, unfit   | worker, by compare-and-swap from none: the first wins     | none, or the error                       |
///
/// A record of the same generation with an end further on is a later one, so a slow helper can tell that it is late, and
/// its compare-and-swap fails. A worker that slept through the end of a job finds the word closed, or of another
/// generation: its compare-and-swap fails too. What it may read without a claim (grains, grain) it reads as atomics and
/// doesn't believe; everything else is read after a claim, and while a claim is unfinished the job can't be retired.
///
/// Items are claimed by the grain: one item, unless there are more than 2^27, or the caller asked for a chunk size.
///
/// A party is the workers that look at the same jobs: party 0 stands as long as the board does, the others are heirs
/// that were forked for what they work on.
///
/// Growth: a claim costs one compare-and-swap, and a look at another worker's line; publishing, nothing per worker but
/// a word for each 64 of them.
struct job {
    // Written by workers: for each claim, and for each chunk that is done.
    alignas(64) std::atomic<std::uint64_t> claim;
    alignas(64) std::atomic<std::uint64_t> done; ///< generation : 20 | items : 44
    std::atomic<float> cost;                     ///< nanoseconds an item, as last seen; 0: not known yet

    // Looked at for each item, written once at most.
    alignas(64) std::atomic<std::uint32_t> dropped; ///< go no further: an item failed, or the caller gave up
    std::atomic<std::uint32_t> in_doubt;            ///< `done` can't be believed
    std::atomic<std::uint32_t> parcels;             ///< a log names parcels (log.hpp)
    std::atomic<std::uint64_t> error;               ///< name of the first failure (task.hpp)
    std::uint64_t first;                            ///< number of its first item: not 0 where it is the rest of another job
    std::uint64_t timeout;                          ///< nanoseconds that an item may take; 0: any time
    std::uint64_t shared;                           ///< items begin with the shares that they name (shares.hpp)
    std::uint64_t input_index;                      ///< what this, the input and the output mean is the task's affair (task.hpp)
    std::uint64_t output;

    // Written by the owner. The first three are looked at without a claim; the rest is read after one, and written while
    // there is none.
    alignas(64) std::atomic<std::uint32_t> grains;
    std::atomic<std::uint32_t> fixed; ///< one grain a chunk, as the caller wished
    std::atomic<std::uint32_t> hands; ///< workers of its party; 0: all there are
    std::atomic<std::uint64_t> count; ///< items; of one that grows: the most there will be
    std::uint64_t grain;              ///< items in a grain
    std::uint64_t run;                ///< what to call for a chunk (callable.hpp: code)
    std::uint64_t callable[2];        ///< its state, where that fits
    std::uint64_t input;
    std::byte small[256]; ///< input and output that need no block of their own
};
static_assert(sizeof(job) == 64 * 8);

/// One worker's lines.
struct station {
    alignas(64) std::atomic<std::uint64_t> item;
    std::atomic<std::uint64_t> gift;     ///< name
    std::atomic<std::uint64_t> gift_has_shares;
    std::atomic<std::uint64_t> due;      ///< when its item must be done, on the monotonic clock; 0: at any time
    std::atomic<std::uint32_t> spent;    ///< it has done as many items as it may
    std::atomic<std::uint32_t> relieved; ///< its successor stands: it may leave

    // What it did, for stats(); written by itself alone.
    alignas(64) std::atomic<std::uint64_t> tasks;
    std::atomic<std::uint64_t> chunks;
    std::atomic<std::uint64_t> busy;   ///< nanoseconds
    std::atomic<std::uint64_t> begun;  ///< when it began, nanoseconds on the monotonic clock
    std::atomic<std::uint64_t> bytes;  ///< packed results
    std::atomic<std::uint64_t> memory; ///< the most it has had in memory, bytes
    std::atomic<std::uint64_t> called; ///< when its start began; by the owner
    std::atomic<std::uint64_t> transfer; ///< nanoseconds of `busy` that went into packing and unpacking
};

/// In station::item: none of the chunk has been begun.
inline constexpr std::uint64_t no_item = ~std::uint64_t{0};

inline constexpr unsigned max_jobs = 64;
inline constexpr unsigned max_parties = 64;
inline constexpr unsigned max_workers = 2046;

/// What one has claimed.
struct chunk {
    std::uint64_t begin = 0; ///< items [begin, end)
    std::uint64_t end = 0;
    std::uint64_t record = 0; ///< its claim record
};

/// A view of a crew's shared memory, in the process of its owner and in its workers. Copying copies the view.
class board {
public:
    board() = default;

    /// A new board. It lives as long as some process has a view of it.
    explicit board(unsigned stations);
    /// A view of one that is there; for a process that isn't a copy of who made it.
    board(memory::handle<std::byte[]> existing, unsigned stations);
    [[nodiscard]] const memory::handle<std::byte[]>& memory() const noexcept { return memory_; }

    [[nodiscard]] unsigned workers() const noexcept { return workers_; }
    [[nodiscard]] job& job_at(unsigned j) const noexcept { return jobs_[j]; }
    [[nodiscard]] station& station_of(unsigned w) const noexcept { return stations_[w]; }
    [[nodiscard]] std::atomic<std::uint64_t>& log_of(unsigned j, unsigned w) const noexcept {
        return logs_[j * workers_ + w];
    }

    /// Where a worker that crashes writes where it was (os/crash.hpp).
    [[nodiscard]] std::span<char> last_words_of(unsigned w) const noexcept {
        return {last_words_ + w * room_for_last_words, room_for_last_words};
    }

    [[nodiscard]] static std::uint64_t generation_of(const chunk& c) noexcept { return c.record >> 44; }

    // --- the owner

    /// The job can be claimed from now on, by that party. Everything else of it has been written; the slot was retired,
    /// or is new.
    void open(unsigned j, unsigned of = 0) noexcept;
    /// An open job has so many items now, more than before. `wake`: one of those who sleep.
    void grow(unsigned j, std::uint32_t items, bool wake) noexcept;
    /// Nothing more can be claimed of it.
    void shut(unsigned j) noexcept;
    /// The slot is free for another job. Only when none of its claims is unfinished.
    void retire(unsigned j) noexcept;

    /// Whether every item was done, or everything that was claimed of a shut job is finished.
    [[nodiscard]] bool complete(unsigned j) const noexcept;
    /// Items that are done, as far as that can be believed.
    [[nodiscard]] std::uint64_t items_done(unsigned j) const noexcept { return jobs_[j].done.load() & items_mask; }
    /// What a worker holds of a job; for a dead one that is final.
    [[nodiscard]] std::optional<chunk> held_by(unsigned j, unsigned w) const noexcept;
    /// Whether the worker ever claimed anything of this job.
    [[nodiscard]] bool took_part(unsigned j, unsigned w) const noexcept;
    /// The chunk of a dead worker has been dealt with.
    void write_off(unsigned j, unsigned w, const chunk& lost) noexcept;

    /// Ends the workers' waiting once there is nothing to do: they leave.
    void dismiss(unsigned of = 0) noexcept;
    /// A party begins anew.
    void convene(unsigned of) noexcept { parties_[of].dismissed.store(0); }
    void wake_workers() noexcept;
    /// Something has changed that workers may be waiting for.
    void tell() noexcept {
        head_->news.fetch_add(1);
        wake_workers();
    }
    /// One of those who sleep. Each who is woken and finds work wakes the next before it begins: so whoever opens a job pays
    /// for one wake-up, and the kernel, which puts a woken process where there is room at that moment, isn't asked for
    /// several places at once (two workers woken by one process often shared a processor for milliseconds).
    void wake_a_worker() noexcept {
        for (unsigned i = 0; i < (workers_ + 63) / 64; ++i)
            if (asleep_[i].load() != 0) return os::wake_one(head_->news);
    }
    /// Whether a job of any party has something that nobody has claimed.
    [[nodiscard]] bool anything_to_claim() const noexcept;
    /// For who was woken, and found nothing that is his: one who sleeps was woken in place of another, since a wake-up doesn't ask for
    /// whom it is.
    void pass_on() noexcept {
        if (anything_to_claim()) wake_workers();
    }
    /// A worker that isn't there any more, or not yet.
    void clear_station(unsigned w) noexcept;

    /// The owner is about to sleep, and wants to be rung for. Look again at what is waited for afterwards.
    void announce_owner_sleeps() noexcept { head_->owner_asleep.store(1); }
    void owner_is_awake() noexcept { head_->owner_asleep.store(0); }

    // --- a worker

    [[nodiscard]] std::uint64_t open_jobs(unsigned of = 0) const noexcept {
        return parties_[of].open.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool dismissed(unsigned of = 0) const noexcept {
        return parties_[of].dismissed.load(std::memory_order_acquire) != 0;
    }

    /// Takes the next chunk of a job; nothing when none is left.
    /// Not more than `most` items, unless a single grain is.
    [[nodiscard]] std::optional<chunk> claim(unsigned j, unsigned w, std::uint64_t most = ~std::uint64_t{0}) noexcept;
    /// The chunk is done. True if the owner sleeps and has something to look at.
    [[nodiscard]] bool finish(unsigned j, unsigned w, const chunk& done) noexcept;
    /// Where a worker says that it can't begin.
    [[nodiscard]] std::atomic<memory::object_name>& unfit() const noexcept { return head_->unfit; }
    [[nodiscard]] bool owner_sleeps() const noexcept { return head_->owner_asleep.load() != 0; }

    /// A number that changes whenever there may be something new to do.
    [[nodiscard]] std::uint32_t news() const noexcept { return head_->news.load(std::memory_order_acquire); }
    /// Waits until the news differ. True if it slept, and just before that it calls about_to_sleep(). More workers than there are
    /// processors would look out for news in each other's way: the rest sleep at once.
    template <typename F>
    bool await_news(unsigned w, std::uint32_t seen, F about_to_sleep) noexcept;
    bool await_news(unsigned w, std::uint32_t seen) noexcept {
        return await_news(w, seen, [] {});
    }

private:
    struct head {
        alignas(64) std::atomic<std::uint32_t> news; ///< workers sleep on it
        alignas(64) std::atomic<std::uint32_t> owner_asleep;
        std::atomic<memory::object_name> unfit; ///< what the initializer of a worker threw, the first time
    };

    struct party {
        std::atomic<std::uint64_t> open; ///< a bit a job; only the owner writes it, so no late worker can hide a new job
        std::atomic<std::uint32_t> dismissed;
    };

    using word = std::uint64_t;
    static constexpr std::size_t room_for_last_words = 2048;
    static constexpr unsigned next_bits = 28;
    static constexpr word next_mask = (word{1} << next_bits) - 1;
    static constexpr word closed = next_mask; // more than any job has grains
    static constexpr word finished = 1;       // in a claim record's middle field
    static constexpr unsigned items_bits = 44;
    static constexpr word items_mask = (word{1} << items_bits) - 1;

    struct decoded {
        word generation, who, shift, next;
    };
    static constexpr word encode(const decoded& d) noexcept {
        return d.generation << 44 | d.who << 33 | d.shift << 28 | d.next;
    }
    static constexpr decoded decode(word w) noexcept {
        return {w >> 44, w >> 33 & 0x7ff, w >> 28 & 0x1f, w & next_mask};
    }
    static constexpr word record_of(const decoded& claimed) noexcept {
        return encode({claimed.generation, 0, claimed.shift, claimed.next});
    }
    static constexpr std::uint64_t bit(unsigned i) noexcept { return std::uint64_t{1} << (i % 64); }

    [[nodiscard]] std::atomic<word>& record(unsigned j, unsigned w) const noexcept {
        return records_[j * workers_ + w];
    }
    void put_on_record(unsigned j, word claimed) const noexcept;
    [[nodiscard]] word choose_shift(const job& which, std::uint32_t grains, word last) const noexcept;
    [[nodiscard]] chunk chunk_of(const job& which, word record) const noexcept;

    memory::handle<std::byte[]> memory_;
    unsigned workers_ = 0;
    head* head_ = nullptr;
    party* parties_ = nullptr;
    std::atomic<std::uint64_t>* asleep_ = nullptr; // a bit a worker: set twice or cleared twice does no harm
    job* jobs_ = nullptr;
    station* stations_ = nullptr;
    std::atomic<word>* records_ = nullptr;
    std::atomic<std::uint64_t>* logs_ = nullptr;
    char* last_words_ = nullptr;
};

/// The most grains a job can have: `next` may overshoot by a chunk, and must stay below `closed`.
inline constexpr std::uint64_t max_grains = (std::uint64_t{1} << 27) - 1;

inline board::board(unsigned stations) : board({}, stations) {
    for (unsigned j = 0; j < max_jobs; ++j) jobs_[j].claim.store(encode({0, 0, 0, closed}), std::memory_order_relaxed);
}

inline board::board(memory::handle<std::byte[]> existing, unsigned stations) : memory_(std::move(existing)), workers_(stations) {
    const unsigned workers = stations;
    const std::size_t sleep_words = (workers + 63) / 64;
    std::size_t at = 0;
    const auto take = [&](std::size_t bytes) {
        const std::size_t begin = at;
        at += (bytes + 63) / 64 * 64;
        return begin;
    };
    const auto head_at = take(sizeof(head));
    const auto parties_at = take(sizeof(party) * max_parties);
    const auto asleep_at = take(8 * sleep_words);
    const auto stations_at = take(sizeof(station) * workers);
    const auto records_at = take(sizeof(word) * max_jobs * workers);
    const auto logs_at = take(sizeof(std::uint64_t) * max_jobs * workers);
    const auto jobs_at = take(sizeof(job) * max_jobs);
    const auto last_words_at = take(room_for_last_words * workers);
    if (!memory_) memory_ = memory::handle<std::byte[]>::create(at); // zeros: a valid board, but for the jobs' claims
    if (memory_.size() < at) throw ProcessError("this isn't the board of a pool");
    std::byte* base = memory_.get();
    head_ = reinterpret_cast<head*>(base + head_at);
    parties_ = reinterpret_cast<party*>(base + parties_at);
    asleep_ = reinterpret_cast<std::atomic<std::uint64_t>*>(base + asleep_at);
    stations_ = reinterpret_cast<station*>(base + stations_at);
    records_ = reinterpret_cast<std::atomic<word>*>(base + records_at);
    logs_ = reinterpret_cast<std::atomic<std::uint64_t>*>(base + logs_at);
    jobs_ = reinterpret_cast<job*>(base + jobs_at);
    last_words_ = reinterpret_cast<char*>(base + last_words_at);
}

inline void board::open(unsigned j, unsigned of) noexcept {
    const decoded old = decode(jobs_[j].claim.load(std::memory_order_relaxed));
    const word generation = (old.generation + 1) & 0xfffff;
    jobs_[j].done.store(generation << items_bits);
    jobs_[j].claim.store(encode({generation, 0, 0, 0}), std::memory_order_release);
    parties_[of].open.fetch_or(bit(j));
    MULTIPROCESSING_STEP(job_open);
    head_->news.fetch_add(1);
    if (of == 0)
        wake_a_worker();
    else
        wake_workers(); // one may be of another party, and find nothing
}

inline void board::grow(unsigned j, std::uint32_t items, bool wake) noexcept {
    jobs_[j].grains.store(items, std::memory_order_release);
    head_->news.fetch_add(1);
    if (wake) wake_a_worker();
}

// The fence that pairs with the one in await_news is in the fetch_add before: either the worker sees the news, or its
// bit is seen here.
inline void board::wake_workers() noexcept {
    for (unsigned i = 0; i < (workers_ + 63) / 64; ++i)
        if (asleep_[i].load() != 0) return os::wake_all(head_->news);
}

inline bool board::anything_to_claim() const noexcept {
    for (unsigned p = 0; p < max_parties; ++p)
        for (std::uint64_t open = open_jobs(p); open != 0; open &= open - 1) {
            const job& each = jobs_[std::countr_zero(open)];
            if (decode(each.claim.load(std::memory_order_acquire)).next < each.grains.load(std::memory_order_relaxed)) return true;
        }
    return false;
}

inline void board::shut(unsigned j) noexcept {
    word seen = jobs_[j].claim.load();
    do {
        put_on_record(j, seen);
    } while (decode(seen).next != closed &&
             !jobs_[j].claim.compare_exchange_weak(seen, encode({decode(seen).generation, 0, 0, closed})));
}

inline void board::retire(unsigned j) noexcept {
    shut(j); // before anything of the job is written again: a late worker's claim must fail
    for (unsigned p = 0; p < max_parties; ++p)
        if ((parties_[p].open.load(std::memory_order_relaxed) & bit(j)) != 0) parties_[p].open.fetch_and(~bit(j));
}

inline void board::clear_station(unsigned w) noexcept {
    station& place = stations_[w];
    asleep_[w / 64].fetch_and(~bit(w));
    place.due.store(0);
    place.spent.store(0);
    place.relieved.store(0);
}

inline void board::put_on_record(unsigned j, word claimed) const noexcept {
    const decoded c = decode(claimed);
    if (c.who == 0) return;
    const unsigned w = static_cast<unsigned>(c.who - 1);
    if (w >= workers_) return;
    word stands = record(j, w).load(std::memory_order_acquire);
    const decoded s = decode(stands);
    if (s.generation == c.generation && s.next >= c.next) return; // this one, or a later one
    if (jobs_[j].claim.load(std::memory_order_acquire) != claimed) return; // somebody went on, so it has been done
    record(j, w).compare_exchange_strong(stands, record_of(c));
    MULTIPROCESSING_STEP(claim_on_record);
}

// A chunk should take long enough that claiming it doesn't show, and leave enough for the others that all end together.
inline board::word board::choose_shift(const job& which, std::uint32_t grains, word last) const noexcept {
    const decoded before = decode(last);
    if (which.fixed.load(std::memory_order_relaxed) != 0) return 0;
    const float cost = which.cost.load(std::memory_order_relaxed);
    if (!(cost > 0)) return 0; // nothing known: one, to see what it costs
    constexpr float long_enough = 50'000; // ns; a claim that is fought over costs 0.1 to 0.15 us
    constexpr float short_enough = 5'000; // towards the end chunks shrink to this, not to single items
    constexpr word growth = 2;            // four times the last one at most: what was seen may not hold for what comes
    const word left = grains - before.next; // and not a grain more: the job may grow yet
    const word hands = which.hands.load(std::memory_order_relaxed);
    const word share = left / (2 * (hands != 0 ? hands : workers_));
    const word floor = static_cast<word>(short_enough / cost);
    const word ceiling = static_cast<word>(std::min(long_enough / cost, 1e8F));
    const word wanted = std::clamp<word>(std::min(ceiling, std::max(share, floor)), 1, left);
    return std::min<word>(static_cast<word>(std::bit_width(wanted) - 1), before.who == 0 ? 0 : before.shift + growth);
}

inline chunk board::chunk_of(const job& which, word record) const noexcept {
    const decoded c = decode(record);
    const word begin = c.next - (word{1} << c.shift);
    const word count = which.count.load(std::memory_order_relaxed);
    return {std::min(begin * which.grain, count), std::min(c.next * which.grain, count), record};
}

inline std::optional<chunk> board::claim(unsigned j, unsigned w, std::uint64_t most) noexcept {
    job& which = jobs_[j];
    word seen = which.claim.load(std::memory_order_acquire);
    for (;;) {
        const decoded now = decode(seen);
        const std::uint32_t grains = which.grains.load(std::memory_order_relaxed);
        if (now.next >= grains) return std::nullopt;
        put_on_record(j, seen);
        word shift = choose_shift(which, grains, seen);
        if (shift != 0 && most >> shift == 0) shift = static_cast<word>(std::bit_width(most | 1) - 1);
        const decoded mine{now.generation, w + 1, shift, now.next + (word{1} << shift)};
        if (!which.claim.compare_exchange_weak(seen, encode(mine), std::memory_order_acq_rel)) continue;
        MULTIPROCESSING_STEP(claimed);
        word stands = record(j, w).load(std::memory_order_relaxed);
        if (stands != record_of(mine)) record(j, w).compare_exchange_strong(stands, record_of(mine));
        MULTIPROCESSING_STEP(claim_recorded);
        return chunk_of(which, record_of(mine));
    }
}

inline bool board::finish(unsigned j, unsigned w, const chunk& done) noexcept {
    job& which = jobs_[j];
    const word items = done.end - done.begin;
    const word count = which.count.load(std::memory_order_relaxed); // before the claim is given up: afterwards another job may stand here
    decoded r = decode(done.record);
    r.who = finished;
    record(j, w).store(encode(r));
    MULTIPROCESSING_STEP(claim_finished);
    word seen = which.done.load(std::memory_order_relaxed);
    do {
        if (seen >> items_bits != r.generation) return false; // the owner read the records, and has gone on
    } while (!which.done.compare_exchange_weak(seen, seen + items));
    MULTIPROCESSING_STEP(done_counted);
    const bool last = (seen & items_mask) + items >= count;
    return (last || which.in_doubt.load() != 0 || which.dropped.load() != 0) && owner_sleeps();
}

inline bool board::complete(unsigned j) const noexcept {
    const job& which = jobs_[j];
    if ((which.done.load() & items_mask) >= which.count.load(std::memory_order_relaxed)) return true;
    const word seen = which.claim.load();
    const decoded now = decode(seen);
    if (now.next < which.grains.load(std::memory_order_relaxed)) return false;
    if (which.in_doubt.load() == 0 && now.next != closed) return false;
    put_on_record(j, seen);
    for (unsigned w = 0; w < workers_; ++w)
        if (held_by(j, w)) return false;
    return true;
}

inline std::optional<chunk> board::held_by(unsigned j, unsigned w) const noexcept {
    const word seen = jobs_[j].claim.load();
    if (decode(seen).who == w + 1) put_on_record(j, seen);
    const word stands = record(j, w).load();
    const decoded r = decode(stands);
    if (r.generation != decode(seen).generation || r.next == 0 || r.who == finished) return std::nullopt;
    return chunk_of(jobs_[j], stands);
}

inline bool board::took_part(unsigned j, unsigned w) const noexcept {
    const decoded r = decode(record(j, w).load());
    return r.next != 0 && r.generation == decode(jobs_[j].claim.load()).generation;
}

inline void board::write_off(unsigned j, unsigned w, const chunk& lost) noexcept {
    decoded r = decode(lost.record);
    r.who = finished;
    record(j, w).store(encode(r));
}

inline void board::dismiss(unsigned of) noexcept {
    parties_[of].dismissed.store(1);
    head_->news.fetch_add(1);
    os::wake_all(head_->news);
}

template <typename F>
bool board::await_news(unsigned w, std::uint32_t seen, F about_to_sleep) noexcept {
    if (news() != seen) return false;
    if (w < 2 * os::most_spinners() && os::spin_for([&] { return news() != seen; })) return false;
    about_to_sleep();
    asleep_[w / 64].fetch_or(bit(w));
    MULTIPROCESSING_STEP(worker_announced);
    while (head_->news.load() == seen) os::sleep_on(head_->news, seen, os::deadline::never());
    asleep_[w / 64].fetch_and(~bit(w));
    MULTIPROCESSING_STEP(worker_awake);
    return true;
}

} // namespace multiprocessing::pool
