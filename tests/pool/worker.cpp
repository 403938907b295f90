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
// pool must say WorkerLostError or give the right result, have its workers again, and leave no object.

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
        if (!killed && k > 60) {
            REQUIRE(lost > 0);
            return k;
        }
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
    kill_worker_at_every_step([](mp::Pool& pool) {
        const auto out = pool.map([](int x) { return std::string(static_cast<std::size_t>(x) * 100, 'x'); },
                                  testing::count_up(0, 12), 2);
        for (std::size_t i = 0; i < 12; ++i) REQUIRE(out.at(i).size() == i * 100);
    });
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
