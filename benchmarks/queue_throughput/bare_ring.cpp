// The least there can be for many producers and consumers: a ring of cells, each claimed by one step of a counter. Who dies between
// his claim and his message stops everybody for ever, and messages have one size.
#include "contender.hpp"

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

/// Looks for about 20 us, then sleeps; who has changed something wakes all, if there is anybody.
struct alignas(64) nap {
    std::atomic<std::uint32_t> changes{0}, sleepers{0};

    template <typename Ready>
    void until(Ready ready) {
        for (int i = 0; i < 2000; ++i) {
            if (ready()) return;
            i % 20 == 19 ? static_cast<void>(::sched_yield()) : __builtin_ia32_pause();
        }
        for (bool over = false; !over;) {
            sleepers.fetch_add(1);
            const std::uint32_t seen = changes.load();
            over = ready();
            if (!over) ::syscall(SYS_futex, &changes, FUTEX_WAIT, seen, nullptr, nullptr, 0);
            sleepers.fetch_sub(1);
        }
    }
    void over() {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (sleepers.load(std::memory_order_relaxed) == 0) return;
        changes.fetch_add(1);
        ::syscall(SYS_futex, &changes, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
};

/// A cell's turn is its position when it is free, one more when it is full, a round more when it is free again.
struct bare_ring {
    static constexpr std::uint64_t cells = 1024;
    struct cell {
        std::atomic<std::uint64_t> turn;
    };

    alignas(64) std::atomic<std::uint64_t> tail{0};
    alignas(64) std::atomic<std::uint64_t> head{0};
    nap items, space;
    std::uint64_t stride;

    static std::size_t bytes_for(std::size_t size) { return sizeof(bare_ring) + cells * stride_for(size); }
    static std::uint64_t stride_for(std::size_t size) { return (sizeof(cell) + size + 63) / 64 * 64; }

    cell& at(std::uint64_t position) {
        return *reinterpret_cast<cell*>(reinterpret_cast<char*>(this + 1) + position % cells * stride);
    }
    static char* body(cell& c) { return reinterpret_cast<char*>(&c + 1); }

    /// So many cells in a row whose turn has come, for this process alone.
    bool claim(std::atomic<std::uint64_t>& end, std::uint64_t turn, std::uint64_t n, std::uint64_t& first) {
        first = end.load(std::memory_order_relaxed);
        for (;;) {
            for (std::uint64_t i = 0; i < n; ++i) {
                const auto late = static_cast<std::int64_t>(at(first + i).turn.load(std::memory_order_acquire) - (first + i + turn));
                if (late < 0) return false;
                if (late > 0) break; // somebody was faster, as the counter will show
            }
            if (end.compare_exchange_weak(first, first + n, std::memory_order_relaxed)) return true;
        }
    }
    void send(const char* message, std::size_t size, std::uint64_t n) {
        std::uint64_t first = 0;
        if (!claim(tail, 0, n, first)) space.until([&] { return claim(tail, 0, n, first); });
        for (std::uint64_t i = 0; i < n; ++i) {
            std::memcpy(body(at(first + i)), message, size);
            at(first + i).turn.store(first + i + 1, std::memory_order_release);
        }
        items.over();
    }
    void receive(char* message, std::size_t size, std::uint64_t n) {
        std::uint64_t first = 0;
        if (!claim(head, 1, n, first)) items.until([&] { return claim(head, 1, n, first); });
        for (std::uint64_t i = 0; i < n; ++i) {
            std::memcpy(message, body(at(first + i)), size);
            at(first + i).turn.store(first + i + cells, std::memory_order_release);
        }
        space.over();
    }
};

struct bare_line final : line {
    bare_line(std::size_t size, bool batches) : bytes(bare_ring::bytes_for(size)), many(batches) {
        void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED) std::abort();
        ring = new (memory) bare_ring;
        ring->stride = bare_ring::stride_for(size);
        for (std::uint64_t i = 0; i < bare_ring::cells; ++i) ring->at(i).turn.store(i);
    }
    ~bare_line() override { ::munmap(ring, bytes); }
    void send(const char* message, std::size_t size) override { ring->send(message, size, 1); }
    void receive(char* message, std::size_t size) override { ring->receive(message, size, 1); }
    void send_many(const char* message, std::size_t size, std::size_t n) override {
        many ? ring->send(message, size, n) : line::send_many(message, size, n);
    }
    void receive_many(char* message, std::size_t size, std::size_t n) override {
        many ? ring->receive(message, size, n) : line::receive_many(message, size, n);
    }
    bare_ring* ring;
    std::size_t bytes;
    bool many;
};

contender bare(const char* name, bool many) {
    return {name, [many](std::size_t size) -> std::unique_ptr<line> {
                if (size > 1024) return nullptr;
                return std::make_unique<bare_line>(size, many);
            }};
}

} // namespace

std::vector<contender> bare_rings() { return {bare("bare ring", false), bare("bare ring, 64 at a time", true)}; }
