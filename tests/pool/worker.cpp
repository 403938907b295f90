#include <multiprocessing/pool/worker.hpp>

#include <atomic>
#include <string>
#include <vector>

#include <multiprocessing/pool/pool.hpp>

#include "support/catch.hpp"
#include "support/count_up.hpp"
#include "support/steps.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;

// A worker is killed after its K-th step in shared memory, for every K there is, in the middle of jobs of each kind. Its
// pool must say WorkerLostError or give the right result, have its workers again, and leave no object. (A worker that dies
// before it has begun an item, or when it has done it, costs nothing.)

namespace {

struct plan {
    std::atomic<unsigned> step{0}; // the first worker that takes it dies there
    std::atomic<bool> survived{false};
};

// The steps of the worker before it is armed (joining the family) are other tests' affair.
mp::Pool pool_with_a_victim(plan& doomed) {
    return mp::Pool({.processes = 2}, [&doomed] {
        if (const unsigned k = doomed.step.exchange(0)) testing::arm(k);
    });
}

template <typename Job>
unsigned kill_worker_at_every_step(Job job) {
    auto shared = memory::handle<plan>::create();
    const auto before = memory::family::here().objects();
    unsigned lost = 0;
    for (unsigned k = 1;; ++k) {
        INFO("killed at step " << k);
        bool killed = false;
        {
            shared->step = k;
            mp::Pool pool = pool_with_a_victim(*shared);
            const auto pids = pool.pids();
            unsigned lost_here = 0;
            for (int round = 0; round < 3 && pool.pids() == pids; ++round) {
                try {
                    job(pool);
                } catch (const mp::WorkerLostError&) {
                    ++lost_here;
                }
            }
            REQUIRE(lost_here <= 1);
            lost += lost_here;
            killed = pool.pids() != pids;
            if (killed) job(pool); // and it goes on
            REQUIRE(pool.pids().size() == 2);
        }
        REQUIRE(memory::family::here().objects() == before);
        if (!killed && k > 60) return lost;
    }
}

} // namespace

TEST_CASE("killed at every step of a job with results in places, a worker costs one call at most", "[pool][worker][slow]") {
    kill_worker_at_every_step([](mp::Pool& pool) {
        const auto out = pool.map([](int x) { return 3 * x; }, testing::count_up(0, 24), 2);
        for (int i = 0; i < 24; ++i) REQUIRE(out.at(static_cast<std::size_t>(i)) == 3 * i);
    });
}

TEST_CASE("killed at every step of a job with results in logs, a worker costs one call at most", "[pool][worker][slow]") {
    const unsigned lost = kill_worker_at_every_step([](mp::Pool& pool) {
        const auto out = pool.map([](int x) { return std::string(static_cast<std::size_t>(x) * 100, 'x'); },
                                  testing::count_up(0, 12), 2);
        for (std::size_t i = 0; i < 12; ++i) REQUIRE(out.at(i).size() == i * 100);
    });
    REQUIRE(lost > 0);
}

TEST_CASE("killed at every step of a job that fails, a worker leaves the error or is named itself", "[pool][worker][slow]") {
    kill_worker_at_every_step([](mp::Pool& pool) {
        try {
            pool.map([](int x) { if (x == 5) throw std::runtime_error("five"); return x; }, testing::count_up(0, 10), 1);
            FAIL("it should have thrown");
        } catch (const std::runtime_error& error) {
            if (dynamic_cast<const mp::WorkerLostError*>(&error) != nullptr) throw;
            REQUIRE_THAT(error.what(), Catch::Contains("five"));
        }
    });
}

TEST_CASE("killed at every step of single tasks, a worker costs the one it was on at most", "[pool][worker][slow]") {
    kill_worker_at_every_step([](mp::Pool& pool) {
        std::vector<mp::AsyncResult<std::string>> all;
        for (int i = 0; i < 12; ++i)
            all.push_back(pool.apply_async([](std::size_t n) { return std::string(n * 20, 'x'); }, static_cast<std::size_t>(i)));
        unsigned lost = 0;
        for (std::size_t i = 0; i < 12; ++i) {
            try {
                const std::string text = all[i].get();
                REQUIRE(text.size() == i * 20);
            } catch (const mp::WorkerLostError&) {
                ++lost;
            }
        }
        REQUIRE(lost <= 1);
        if (lost != 0) throw mp::WorkerLostError("one", 0, 0);
    });
}

TEST_CASE("killed at every step, a worker costs nothing where items may be tried again", "[pool][worker][slow]") {
    const unsigned lost = kill_worker_at_every_step([](mp::Pool& pool) {
        const mp::MapOptions again{.chunksize = 2, .retries = 1};
        const auto plain = pool.map([](int x) { return 3 * x; }, testing::count_up(0, 12), again);
        const auto logged = pool.map([](int x) { return std::to_string(x); }, testing::count_up(0, 12), again);
        for (int i = 0; i < 12; ++i) {
            REQUIRE(plain.at(static_cast<std::size_t>(i)) == 3 * i);
            REQUIRE(logged.at(static_cast<std::size_t>(i)) == std::to_string(i));
        }
        REQUIRE(pool.apply_async({.retries = 1}, [](int x) { return std::string(100, 'x') + std::to_string(x); }, 7).get().size() == 101);
    });
    REQUIRE(lost == 0);
}

TEST_CASE("killed at every step of handing over shared objects, a worker leaves none behind", "[pool][worker][slow]") {
    using number = memory::handle<std::atomic<int>>;
    kill_worker_at_every_step([](mp::Pool& pool) {
        std::vector<number> in;
        for (int i = 0; i < 3; ++i) in.push_back(number::create(i));
        const auto out = pool.map([](const number& n) { auto made = number::create(0); made->store(*n + 1); return made; }, in, 1);
        for (int i = 0; i < 3; ++i) REQUIRE(*out.at(static_cast<std::size_t>(i)) == i + 1);
        const auto task = pool.apply_async([](const number& n) { return std::pair(n, number::create(5)); }, in[2]);
        const auto pair = mp::AsyncResult(task).get();
        REQUIRE(*pair.first == 2);
        REQUIRE(*pair.second == 5);
    });
}
