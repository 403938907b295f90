// Floor 9, pool/task: what a worker does with a chunk: where items come from, what is called, where results go.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <exception>
#include <iterator>
#include <memory> // std::construct_at
#include <span>
#include <type_traits>
#include <utility>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/os/throw_site.hpp>
#include <multiprocessing/pool/board.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/pool/log.hpp>
#include <multiprocessing/pool/parcel.hpp>
#include <multiprocessing/pool/shares.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/exception.hpp>
#include <multiprocessing/serial/types.hpp>

namespace multiprocessing::pool {

/// Values whose bytes are all there is to them: they stand in shared memory as they are, and are never packed.
/// (std::pair<int, int> is one, although its assignment isn't trivial.)
template <typename T>
concept Plain = Serializable<T> && std::is_trivially_copy_constructible_v<T> && std::is_trivially_destructible_v<T> &&
                alignof(T) <= 64;

/// Nanoseconds on the monotonic clock.
[[nodiscard]] inline std::uint64_t now() noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

/// What packing and unpacking cost. A look at the clock costs as much as a short string, so of cheap items one in 32 is measured,
/// and those between are taken to be like it; dear ones are measured each.
class transfer_watch {
public:
    void begin_item() noexcept {
        if (on_) end_item();
        on_ = left_out_ >= to_leave_out_;
        if (!on_) ++left_out_;
    }
    void start() noexcept {
        if (on_) since_ = now();
    }
    void stop() noexcept {
        if (on_) item_ += now() - since_;
    }
    /// Nanoseconds, of all items.
    [[nodiscard]] std::uint64_t total() noexcept {
        if (on_) end_item();
        return all_ + left_out_ * last_;
    }

private:
    void end_item() noexcept {
        constexpr std::uint64_t dear = 2'000;
        all_ += item_ * (1 + left_out_);
        left_out_ = 0;
        to_leave_out_ = ++measured_ < 2 || item_ >= dear ? 0 : 31; // the first of a chunk isn't like the others
        last_ = item_;
        item_ = 0;
        on_ = false;
    }

    bool on_ = false;
    std::uint64_t measured_ = 0;
    std::uint64_t left_out_ = 0; // since the last that was measured
    std::uint64_t to_leave_out_ = 0;
    std::uint64_t since_ = 0;
    std::uint64_t item_ = 0;
    std::uint64_t last_ = 0;
    std::uint64_t all_ = 0;
};

/// What a worker has at hand while it works on a chunk.
struct desk {
    board& all;
    unsigned j;
    unsigned w;
    memory::seat owner;
    log_writer& log;
    const chunk& work;
    os::doorbell* bell = nullptr; ///< the owner's
    transfer_watch transfer = {};

    [[nodiscard]] job& which() const noexcept { return all.job_at(j); }
};

/// What job::run is the number of (callable.hpp).
using chunk_function = void (*)(desk&);

// --- where the items are

/// A plain array in the commons.
template <typename T>
struct items_in_array {
    using item_type = T;
    static constexpr bool packed = false;
    explicit items_in_array(const job& which) noexcept : first_(memory::commons::here().at<const T>(which.input)) {}

    template <typename F>
    decltype(auto) call(F& f, std::uint64_t i, transfer_watch&) const {
        T item(first_[i]);
        return call_with(f, item);
    }

private:
    const T* first_;
};

/// Packed items in the commons, one after the other, and where each of them ends. Where job::shared is set, each begins
/// with the shares that it names (shares.hpp).
template <typename T>
struct items_in_archive {
    using item_type = T;
    static constexpr bool packed = true;
    explicit items_in_archive(const job& which) noexcept
        : bytes_(memory::commons::here().at<const std::byte>(which.input)),
          ends_(memory::commons::here().at<const std::uint64_t>(which.input_index)), shared_(which.shared != 0) {}

    template <typename F>
    decltype(auto) call(F& f, std::uint64_t i, transfer_watch& watch) const {
        const std::uint64_t begin = i == 0 ? 0 : ends_[i - 1];
        const std::span bytes(bytes_ + begin, ends_[i] - begin);
        watch.start();
        T item = shared_ ? unpack_with_shares<T>(bytes) : serial::unpack<T>(bytes);
        watch.stop();
        return call_with(f, item);
    }

private:
    const std::byte* bytes_;
    const std::uint64_t* ends_;
    bool shared_;
};

/// Items in private memory that the worker inherited: an iterator with random access over them, or, when
/// `Indirect`, over iterators to them.
template <typename Iterator, typename T, bool Indirect>
struct items_inherited {
    using item_type = T;
    static constexpr bool packed = false;
    explicit items_inherited(const job& which) noexcept : first_(*reinterpret_cast<const Iterator*>(which.input)) {}

    template <typename F>
    decltype(auto) call(F& f, std::uint64_t i, transfer_watch&) const {
        const auto n = static_cast<std::iter_difference_t<Iterator>>(i);
        if constexpr (Indirect)
            return call_on(f, *first_[n]);
        else
            return call_on(f, first_[n]);
    }

private:
    // The worker's copy of the caller's memory is its own, so what can't be copied can be given away all the same.
    template <typename F, typename Reference>
    static decltype(auto) call_on(F& f, Reference&& found) {
        if constexpr (handing_of<F, T> == handing::away && std::is_lvalue_reference_v<Reference>) {
            if constexpr (std::is_invocable_v<F&, const T&>) {
                return std::invoke(f, std::as_const(found)); // no copy but what f makes itself
            } else if constexpr (std::copy_constructible<T>) {
                T item(found);
                return call_with(f, item);
            } else {
                return call_with(f, const_cast<T&>(found));
            }
        } else {
            T item(std::forward<Reference>(found));
            return call_with(f, item);
        }
    }

    Iterator first_;
};

// --- where the results go

/// To their places in an array of the commons.
template <typename R>
struct results_to_array {
    static constexpr bool packed = false;
    explicit results_to_array(desk& at) noexcept : first_(memory::commons::here().at<R>(at.which().output)) {}
    template <typename Value>
    void put(desk&, std::uint64_t i, Value&& value) const {
        std::construct_at(first_ + i, static_cast<R>(std::forward<Value>(value)));
    }

private:
    R* first_;
};

/// Packed, to the worker's log. A value with shared objects in it goes in a parcel of its own, and the log has its name.
template <typename R>
struct results_to_log {
    static constexpr bool packed = true;
    explicit results_to_log(desk&) noexcept {}
    void put(desk& at, std::uint64_t i, const R& value) const {
        at.transfer.start();
        append(at, i, value);
        at.transfer.stop();
    }

private:
    static void append(desk& at, std::uint64_t i, const R& value) {
        std::vector<memory::holding> shares;
        const auto written = at.log.append(at.j, at.work, i, [&](std::span<std::byte> room) {
            const std::uint64_t size = pack_sharing(room, value, shares);
            return shares.empty() ? std::optional(size) : std::nullopt;
        });
        if (written) return;
        const memory::holding parcel = pack_parcel(value, shares);
        at.which().parcels.store(1);
        at.log.make_room(at.j, at.work, sizeof(memory::object_name));
        deliver(at.all.station_of(at.w), at.owner, parcel,
                [&](memory::object_name name) {
                    at.log.append(at.j, at.work, i | log_record::parcel, [&](std::span<std::byte> room) {
                        if (room.size() >= sizeof name) std::memcpy(room.data(), &name, sizeof name);
                        return std::optional<std::uint64_t>(sizeof name);
                    });
                    return true;
                },
                shares);
    }
};

/// Nowhere.
struct results_dropped {
    static constexpr bool packed = false;
    explicit results_dropped(desk&) noexcept {}
};

// --- failures

/// The error that an item ended with, packed, behind its number.
struct failure_head {
    std::uint64_t item;
    std::uint64_t size;
};

/// In job::error when there was no memory left to say more.
inline constexpr memory::object_name unspeakable = ~memory::object_name{0};

/// Hands what was thrown to the owner: `commit(name)` writes the name of an object that tells it, as in deliver();
/// `speechless()` is called instead when there is no memory for one. Inside a `catch`, with the site that watched.
template <typename Commit, typename Speechless>
void report(station& place, memory::seat owner, std::uint64_t item, const os::throw_site& site, Commit commit,
            Speechless speechless) noexcept {
    try {
        const auto bytes = serial::pack(serial::capture(std::current_exception(), site.backtrace()));
        const memory::holding parcel = memory::holding::make(sizeof(failure_head) + bytes.size());
        auto* head = ::new (parcel.payload()) failure_head{item, bytes.size()};
        std::memcpy(head + 1, bytes.data(), bytes.size());
        parcel.publish();
        deliver(place, owner, parcel, commit);
    } catch (...) {
        speechless();
    }
}

/// The same, written to `where`, unless something stands there already.
inline void report(station& place, memory::seat owner, std::uint64_t item, const os::throw_site& site,
                   std::atomic<memory::object_name>& where) noexcept {
    const auto write = [&where](memory::object_name name) {
        memory::object_name none = 0;
        return where.compare_exchange_strong(none, name);
    };
    report(place, owner, item, site, write, [&] { write(unspeakable); });
}

/// What report() wrote down, as an exception.
[[nodiscard]] inline std::exception_ptr reported(const memory::holding& failure) {
    const auto* head = static_cast<const failure_head*>(failure.payload());
    const std::uint64_t room = failure.size() - sizeof(failure_head);
    const std::uint64_t size = head->size < room ? head->size : room;
    try {
        serial::rethrow(serial::unpack<serial::thrown>(std::span(reinterpret_cast<const std::byte*>(head + 1), size)));
    } catch (...) {
        return std::current_exception();
    }
}

/// The first failure of a job is kept, and the rest of the job dropped.
inline void fail_job(desk& at, std::uint64_t item, const os::throw_site& site) noexcept {
    job& which = at.which();
    report(at.all.station_of(at.w), at.owner, item, site, which.error);
    which.dropped.store(1);
    MULTIPROCESSING_STEP(job_dropped);
}

// --- the loop

/// Runs a chunk. One instance for each combination; its address is what travels.
template <typename F, typename Items, typename Results>
void run_chunk(desk& at) {
    job& which = at.which();
    station& here = at.all.station_of(at.w);
    const std::uint64_t first = which.first;
    const std::uint64_t timeout = which.timeout;
    std::uint64_t i = at.work.begin;
    os::throw_site site;
    try {
        site.watch([&] {
            auto&& f = get_callable<F>(which.callable);
            const Items items(which);
            Results results(at);
            for (; i < at.work.end; ++i) {
                if (which.dropped.load(std::memory_order_relaxed) != 0) return;
                here.item.store(i, std::memory_order_relaxed);
                if (timeout != 0) here.due.store(now() + timeout, std::memory_order_relaxed);
                if constexpr (Items::packed || Results::packed) at.transfer.begin_item();
                if constexpr (std::is_same_v<Results, results_dropped>)
                    static_cast<void>(items.call(f, first + i, at.transfer));
                else
                    results.put(at, first + i, items.call(f, first + i, at.transfer));
            }
        });
    } catch (...) {
        fail_job(at, first + i, site);
    }
    if (timeout != 0) here.due.store(0, std::memory_order_relaxed);
}

} // namespace multiprocessing::pool
