// Pool(2) and ProcessPoolExecutor(2).
#include "work.hpp"

#include <memory>

#include <multiprocessing/futures.hpp>
#include <multiprocessing/pool.hpp>

namespace mp = multiprocessing;

std::vector<contender> ours() {
    const auto pool = std::make_shared<mp::Pool>(2);
    const auto executor = std::make_shared<mp::futures::ProcessPoolExecutor>(2);
    const auto threads = std::make_shared<mp::pool::ThreadPool>(2);
    return {{.name = "ours, Pool",
             .round_trip = [pool](int times) {
                 for (int i = 0; i < times; ++i)
                     if (pool->apply(next, i) != i + 1) throw i;
             },
             .outstanding = [pool](int tasks) {
                 std::vector<mp::AsyncResult<int>> all;
                 all.reserve(static_cast<std::size_t>(tasks));
                 for (int i = 0; i < tasks; ++i) all.push_back(pool->apply_async(next, i));
                 for (int i = 0; i < tasks; ++i)
                     if (all[static_cast<std::size_t>(i)].get() != i + 1) throw i;
             }},
            {.name = "ours, executor",
             .round_trip = [executor](int times) {
                 for (int i = 0; i < times; ++i)
                     if (executor->submit(next, i).result() != i + 1) throw i;
             },
             .outstanding = [executor](int tasks) {
                 std::vector<mp::futures::Future<int>> all;
                 all.reserve(static_cast<std::size_t>(tasks));
                 for (int i = 0; i < tasks; ++i) all.push_back(executor->submit(next, i));
                 for (int i = 0; i < tasks; ++i)
                     if (all[static_cast<std::size_t>(i)].result() != i + 1) throw i;
             }},
            {.name = "ours, ThreadPool",
             .round_trip = [threads](int times) {
                 for (int i = 0; i < times; ++i)
                     if (threads->apply(next, i) != i + 1) throw i;
             },
             .outstanding = [threads](int tasks) {
                 std::vector<mp::AsyncResult<int>> all;
                 all.reserve(static_cast<std::size_t>(tasks));
                 for (int i = 0; i < tasks; ++i) all.push_back(threads->apply_async(next, i));
                 for (int i = 0; i < tasks; ++i)
                     if (all[static_cast<std::size_t>(i)].get() != i + 1) throw i;
             }}};
}
