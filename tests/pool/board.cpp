#include <multiprocessing/pool/board.hpp>

#include <memory>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;
namespace pool = multiprocessing::pool;

namespace {

void prepare(pool::board& all, unsigned j, std::uint64_t items, std::uint64_t chunk = 0) {
    pool::job& which = all.job_at(j);
    const std::uint64_t grain = chunk == 0 ? items / pool::max_grains + 1 : chunk;
    which.grains = static_cast<std::uint32_t>((items + grain - 1) / grain);
    which.fixed = chunk != 0;
    which.cost = 0;
    which.dropped = 0;
    which.in_doubt = 0;
    which.error = 0;
    which.count = items;
    which.grain = grain;
}

} // namespace

TEST_CASE("every item is claimed once, in chunks as large as their cost allows", "[pool][board]") {
    pool::board all(3);
    for (const std::uint64_t items : {1ull, 2ull, 100ull, 12345ull}) {
        prepare(all, 5, items);
        all.open(5);
        REQUIRE(all.open_jobs() == 1ull << 5);
        std::uint64_t next = 0;
        unsigned w = 0;
        while (const auto c = all.claim(5, w)) {
            REQUIRE(c->begin == next);
            REQUIRE(c->end > c->begin);
            next = c->end;
            all.job_at(5).cost = 20; // ns
            REQUIRE_FALSE(all.complete(5));
            static_cast<void>(all.finish(5, w, *c));
            w = (w + 1) % 3;
        }
        REQUIRE(next == items);
        REQUIRE(all.complete(5));
        all.retire(5);
        REQUIRE(all.open_jobs() == 0);
        REQUIRE_FALSE(all.claim(5, 0));
    }
}

TEST_CASE("a chunk size that was asked for is kept, but for the last chunk", "[pool][board]") {
    pool::board all(1);
    prepare(all, 0, 95, 10);
    all.open(0);
    for (std::uint64_t begin = 0; begin < 95; begin += 10) {
        const auto c = all.claim(0, 0);
        REQUIRE(c->begin == begin);
        REQUIRE(c->end == std::min<std::uint64_t>(begin + 10, 95));
        all.job_at(0).cost = 1;
        static_cast<void>(all.finish(0, 0, *c));
    }
    REQUIRE(all.complete(0));
}

TEST_CASE("there can be more items than fit into a claim", "[pool][board]") {
    pool::board all(1);
    const std::uint64_t items = (std::uint64_t{1} << 40) + 12345;
    prepare(all, 0, items);
    all.open(0);
    std::uint64_t next = 0;
    while (const auto c = all.claim(0, 0)) {
        REQUIRE(c->begin == next);
        next = c->end;
        all.job_at(0).cost = 0.01F;
        static_cast<void>(all.finish(0, 0, *c));
    }
    REQUIRE(next == items);
    REQUIRE(all.complete(0));
}

TEST_CASE("dear items are claimed one at a time, and the rest is left to all", "[pool][board]") {
    pool::board all(2);
    prepare(all, 0, 1000);
    all.open(0);
    all.job_at(0).cost = 100'000;
    const auto c = all.claim(0, 0);
    REQUIRE(c->end - c->begin == 1);
    all.job_at(0).cost = 1; // cheap after all, it seems: but that is to be seen
    const auto d = all.claim(0, 1);
    REQUIRE(d->end - d->begin <= 4);
}

TEST_CASE("what a worker holds is known until it has finished it", "[pool][board]") {
    pool::board all(2);
    prepare(all, 0, 100, 10);
    all.open(0);
    REQUIRE_FALSE(all.held_by(0, 0));
    const auto a = all.claim(0, 0);
    const auto b = all.claim(0, 1);
    REQUIRE(all.held_by(0, 0)->begin == a->begin);
    REQUIRE(all.held_by(0, 1)->end == b->end);
    static_cast<void>(all.finish(0, 0, *a));
    REQUIRE_FALSE(all.held_by(0, 0));
    REQUIRE(all.took_part(0, 0));
    all.shut(0);
    REQUIRE_FALSE(all.claim(0, 0));
    REQUIRE_FALSE(all.complete(0));
    all.write_off(0, 1, *b);
    REQUIRE(all.complete(0));
    all.retire(0);
    prepare(all, 0, 10, 10);
    all.open(0);
    REQUIRE_FALSE(all.took_part(0, 0)); // that was another job
    REQUIRE_FALSE(all.held_by(0, 1));
}

TEST_CASE("threads that claim jobs opened and retired without end do every item once", "[pool][board]") {
    constexpr unsigned workers = 3;
    constexpr std::uint64_t items = 200;
    pool::board all(workers);
    std::vector<std::atomic<unsigned>> times(items);
    std::vector<std::thread> threads;
    for (unsigned w = 0; w < workers; ++w)
        threads.emplace_back([&all, &times, w] {
            for (;;) {
                const auto seen = all.news();
                bool worked = false;
                if (all.open_jobs() != 0)
                    while (const auto c = all.claim(0, w)) {
                        for (auto i = c->begin; i < c->end; ++i) ++times[i];
                        all.job_at(0).cost = 100;
                        static_cast<void>(all.finish(0, w, *c));
                        worked = true;
                    }
                if (worked) continue;
                if (all.dismissed()) return;
                all.await_news(w, seen);
            }
        });
    bool right = true;
    for (int round = 0; round < 2000; ++round) {
        for (auto& n : times) n = 0;
        prepare(all, 0, items - static_cast<std::uint64_t>(round % 7));
        all.open(0);
        while (!all.complete(0)) std::this_thread::yield();
        all.retire(0);
        for (std::uint64_t i = 0; i < items; ++i) right = right && times[i] == (i < all.job_at(0).count ? 1u : 0u);
    }
    all.dismiss();
    for (auto& t : threads) t.join();
    REQUIRE(right);
}

TEST_CASE("killed at every step of claiming and finishing, a worker leaves on record exactly what it held", "[pool][board]") {
    constexpr std::uint64_t items = 64;
    auto marks = memory::handle<std::uint8_t[]>::create(items);
    pool::board all(2);
    const auto run = [&](unsigned w, unsigned other) {
        // Two stations in turn, so that each claim has another's to put on record first.
        for (unsigned turn = 0;; ++turn) {
            const unsigned me = turn % 2 == 0 ? w : other;
            const auto c = all.claim(0, me);
            if (!c) return;
            for (auto i = c->begin; i < c->end; ++i) ++marks[i];
            all.job_at(0).cost = 10'000;
            static_cast<void>(all.finish(0, me, *c));
        }
    };
    prepare(all, 0, items);
    all.open(0);
    const auto steps = testing::kill_at_every_step(
        [&] { run(0, 1); },
        [&](unsigned) {
            std::vector<bool> held(items, false);
            for (unsigned w = 0; w < 2; ++w)
                if (const auto c = all.held_by(0, w)) {
                    for (auto i = c->begin; i < c->end; ++i) held[i] = true;
                    all.write_off(0, w, *c);
                }
            all.job_at(0).in_doubt = 1;
            const auto rest = all.claim(0, 0);
            const std::uint64_t claimed = rest ? rest->begin : items;
            for (std::uint64_t i = 0; i < claimed; ++i) REQUIRE((marks[i] == 1 || held[i]));
            for (std::uint64_t i = claimed; i < items; ++i) REQUIRE((marks[i] == 0 && !held[i]));
            if (rest) static_cast<void>(all.finish(0, 0, *rest));
            while (const auto c = all.claim(0, 1)) static_cast<void>(all.finish(0, 1, *c));
            REQUIRE(all.complete(0));
            all.retire(0);
            for (std::uint64_t i = 0; i < items; ++i) marks[i] = 0;
            prepare(all, 0, items);
            all.open(0);
        });
    REQUIRE(steps > 50);
}
