// Floor 9, pool/entry: single tasks, each with its own function, arguments and outcome, in one job.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <memory>  // std::shared_ptr, std::unique_ptr
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/os/throw_site.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/pool/shares.hpp>
#include <multiprocessing/pool/task.hpp>

namespace multiprocessing::pool {

/// What becomes of a task. The low three bits of entry::fate; `wanted` beside them asks for the bell.
///
///     pending -> running -> done | parcel | failed | speechless
///        \          \-> pending (its worker died, and it may be tried again) | lost (it may not)
///         \-> cancelled
enum class fate : std::uint32_t { pending, running, done, parcel, failed, speechless, cancelled, lost };

/// A task.
///
/// | word   | who writes it                                                      | a writer killed in between leaves |
/// | ------ | ------------------------------------------------------------------ | --------------------------------- |
/// | fate   | pending -> running: the worker, by compare-and-swap; running -> ...: that worker, by exchange; pending -> cancelled, running -> pending or lost: the owner, the last two only after that worker's death | `running`, which the owner finds in the dead worker's chunk |
/// | value  | the worker, before the fate that it belongs to                     | a name that nobody reads; the parcel is recovered (parcel.hpp) |
/// | wanted | the owner's threads, before they sleep; goes with `running -> ...` | nothing: writer and sleeper are one |
///
/// The exchange tells the worker whether somebody sleeps for this very task, so that nobody is rung for another's.
struct entry {
    static constexpr std::uint32_t kind = 7;
    static constexpr std::uint32_t wanted = 8;

    // All of a task whose arguments and result take 16 bytes at most: one line, which goes to its worker and comes back.
    alignas(64) std::atomic<std::uint32_t> state;
    std::uint16_t size;   ///< bytes of arguments, if they are packed; elsewhere: see `input`
    std::uint8_t timed;   ///< `timeout` counts
    std::uint8_t shared;  ///< the arguments begin with the shares that they name
    std::uint64_t run;    ///< number of the function (callable.hpp)
    std::uint64_t callable[2];
    alignas(16) std::byte brief[16];        ///< arguments
    alignas(16) std::byte brief_result[16]; ///< a plain result

    // What others have beyond that.
    std::uint64_t input;      ///< where the arguments stand, if elsewhere; what an heir has inherited
    std::uint64_t input_size; ///< bytes there
    std::uint64_t timeout;    ///< nanoseconds it may take
    std::uint64_t value;      ///< done: bytes of a packed result below; parcel, failed: a name
    alignas(16) std::byte small[80];  ///< arguments
    alignas(16) std::byte result[80];

    static constexpr std::uint16_t elsewhere = 0xffff;

    /// Where so many bytes of arguments stand.
    [[nodiscard]] std::byte* arguments(std::size_t bytes) noexcept { return bytes <= sizeof brief ? brief : small; }
    /// Where a plain result of so many bytes stands.
    [[nodiscard]] std::byte* plain_result(std::size_t bytes) noexcept { return bytes <= sizeof brief_result ? brief_result : result; }
    [[nodiscard]] const std::byte* plain_result(std::size_t bytes) const noexcept {
        return bytes <= sizeof brief_result ? brief_result : result;
    }
    [[nodiscard]] std::span<const std::byte> packed_arguments() noexcept {
        if (size == elsewhere) return {memory::commons::here().at<const std::byte>(input), static_cast<std::size_t>(input_size)};
        return {arguments(size), std::min<std::size_t>(size, sizeof small)};
    }

    [[nodiscard]] fate now() const noexcept { return static_cast<fate>(state.load(std::memory_order_acquire) & kind); }
    [[nodiscard]] bool over() const noexcept { return now() >= fate::done; }
};
static_assert(sizeof(entry) == 4 * 64);

/// What entry::run is the number of.
using entry_function = void (*)(desk&, entry&);

/// The task is over. Rings if somebody sleeps for it.
inline void settle(desk& at, entry& task, fate how) noexcept {
    const std::uint32_t before = task.state.exchange(static_cast<std::uint32_t>(how));
    MULTIPROCESSING_STEP(task_settled);
    if ((before & entry::wanted) != 0 && at.all.owner_sleeps() && at.bell != nullptr) at.bell->ring();
}

/// Has the line of an entry brought here, to be written: it stands in the cache of another processor, or in none, and a locked
/// instruction waits for every line that is on its way.
inline void fetch_ahead(const entry& task) noexcept { __builtin_prefetch(&task, 1); }

/// The chunk function of jobs that are made of entries. `input`: an array of them.
inline void run_entries(desk& at) {
    job& which = at.which();
    entry* tasks = memory::commons::here().at<entry>(which.input) + which.first;
    station& here = at.all.station_of(at.w);
    // Most likely this worker's next: the others take the ones before it.
    const std::uint64_t next = at.work.begin + which.hands.load(std::memory_order_relaxed);
    if (next < which.grains.load(std::memory_order_relaxed)) fetch_ahead(tasks[next]);
    for (std::uint64_t i = at.work.begin; i < at.work.end; ++i) {
        if (which.dropped.load(std::memory_order_relaxed) != 0) return;
        here.item.store(i, std::memory_order_relaxed);
        entry& task = tasks[i];
        std::uint32_t seen = task.state.load(std::memory_order_acquire);
        while ((seen & entry::kind) == static_cast<std::uint32_t>(fate::pending) &&
               !task.state.compare_exchange_weak(seen, static_cast<std::uint32_t>(fate::running) | (seen & entry::wanted))) {}
        if ((seen & entry::kind) != static_cast<std::uint32_t>(fate::pending)) continue; // cancelled
        MULTIPROCESSING_STEP(task_running);
        at.transfer.begin_item();
        const bool timed = task.timed != 0;
        if (timed) here.due.store(now() + task.timeout);
        reinterpret_cast<entry_function>(code_address(task.run))(at, task);
        if (timed) here.due.store(0);
    }
}

/// In a worker: what the task returned, on its way to the owner.
template <typename R>
void put_result(desk& at, entry& task, R&& value) {
    using V = std::remove_cvref_t<R>;
    if constexpr (Plain<V> && sizeof(V) <= sizeof(task.result) && alignof(V) <= 16) {
        ::new (static_cast<void*>(task.plain_result(sizeof(V)))) V(std::forward<R>(value));
        settle(at, task, fate::done);
    } else {
        at.transfer.start();
        std::vector<memory::holding> shares;
        const std::size_t size = pack_sharing(std::span(task.result), value, shares);
        if (size <= sizeof(task.result) && shares.empty()) {
            task.value = size;
            at.transfer.stop();
            return settle(at, task, fate::done);
        }
        deliver(
            at.all.station_of(at.w), at.owner, pack_parcel(value, shares),
            [&](memory::object_name name) {
                task.value = name;
                at.transfer.stop();
                settle(at, task, fate::parcel);
                return true;
            },
            shares);
    }
}

/// In the owner: what put_result() wrote. `parcel` is held already, if there is one.
template <typename R>
[[nodiscard]] R take_result(const entry& task, const memory::holding& parcel) {
    if (parcel) return unpack_parcel<R>(parcel);
    if constexpr (Plain<R> && sizeof(R) <= sizeof(task.result) && alignof(R) <= 16)
        return *reinterpret_cast<const R*>(task.plain_result(sizeof(R)));
    else
        return serial::unpack<R>(std::span(task.result).first(std::min<std::uint64_t>(task.value, sizeof task.result)));
}

/// Whether arguments stand in an entry as they are.
template <typename Item>
inline constexpr bool stands_in_entry = Plain<Item> && sizeof(Item) <= sizeof(entry::small) && alignof(Item) <= 16;

/// In a worker: f(arguments), and what comes of it.
template <typename F, typename Item>
void run_entry_on(desk& at, entry& task, F& f, Item& item) {
    if constexpr (std::is_void_v<result_of<F, Item>>) {
        call_with(f, item);
        settle(at, task, fate::done);
    } else {
        put_result(at, task, call_with(f, item));
    }
}

/// A task whose arguments travel (`Inherited`: whose worker has inherited them, at the address in `input`).
template <typename F, typename Item, bool Inherited>
void run_entry(desk& at, entry& task) {
    os::throw_site site;
    try {
        site.watch([&] {
            auto&& f = get_callable<F>(task.callable);
            if constexpr (Inherited) {
                run_entry_on(at, task, f, *reinterpret_cast<Item*>(task.input));
            } else if constexpr (stands_in_entry<Item>) {
                Item item(*reinterpret_cast<const Item*>(task.arguments(sizeof(Item))));
                run_entry_on(at, task, f, item);
            } else {
                const std::span<const std::byte> bytes = task.packed_arguments();
                at.transfer.start();
                Item item = task.shared != 0 ? unpack_with_shares<Item>(bytes) : serial::unpack<Item>(bytes);
                at.transfer.stop();
                run_entry_on(at, task, f, item);
            }
        });
    } catch (...) {
        report(
            at.all.station_of(at.w), at.owner, 0, site,
            [&](memory::object_name name) {
                task.value = name;
                settle(at, task, fate::failed);
                return true;
            },
            [&] { settle(at, task, fate::speechless); });
    }
}

/// What must stay until a task is over.
struct kept_input {
    memory::holding large;               ///< where its arguments stand if they don't fit
    std::vector<memory::holding> shares; ///< in what they name
    std::shared_ptr<void> heritage;      ///< or what an heir has inherited, and its replacement must find
};

/// Arguments on their way to a worker.
struct packed_input {
    alignas(16) std::byte small[sizeof(entry::small)];
    std::size_t size = 0;
    bool shared = false;
    std::unique_ptr<kept_input> kept = {}; ///< most tasks have nothing of the kind
};

template <typename Item>
void pack_input(packed_input& to, const Item& item) {
    if constexpr (stands_in_entry<Item>) {
        ::new (static_cast<void*>(to.small)) Item(item);
        to.size = sizeof(Item);
    } else {
        std::vector<memory::holding> shares;
        const std::size_t size = pack_sharing(std::span(to.small), item, shares);
        to.shared = !shares.empty();
        if (size <= sizeof to.small && !to.shared) {
            to.size = size;
            return;
        }
        const std::size_t names = to.shared ? size_of_names(shares.size()) : 0;
        memory::holding large = memory::holding::make(names + size);
        auto* bytes = static_cast<std::byte*>(large.payload());
        if (to.shared) write_names(bytes, shares);
        if (pack_sharing(std::span(bytes + names, size), item, shares) != size)
            throw ValueError("an argument isn't packed the same way twice: its save() must depend on its value alone");
        large.publish();
        to.size = names + size;
        if (!to.kept) to.kept = std::make_unique<kept_input>();
        to.kept->large = std::move(large);
        to.kept->shares = std::move(shares);
    }
}

} // namespace multiprocessing::pool
