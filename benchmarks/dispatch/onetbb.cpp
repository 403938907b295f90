// oneTBB's task_group, on two threads: whoever waits does the tasks itself. A task and its result share this program's memory.
#include "work.hpp"

#include <cstdio>

#if defined(BENCHMARKS_HAVE_TBB)

#include <memory>

#include <tbb/task_arena.h>
#include <tbb/task_group.h>

std::vector<contender> onetbb() {
    const auto two = std::make_shared<tbb::task_arena>(2);
    return {{.name = "oneTBB task_group",
             .round_trip =
                 [two](int times) {
                     two->execute([&] {
                         tbb::task_group group;
                         for (int i = 0; i < times; ++i) {
                             int result = 0;
                             group.run([&result, i] { result = next(i); });
                             group.wait();
                             if (result != i + 1) throw i;
                         }
                     });
                 },
             .outstanding =
                 [two](int tasks) {
                     two->execute([&] {
                         std::vector<int> results(static_cast<std::size_t>(tasks));
                         tbb::task_group group;
                         for (int i = 0; i < tasks; ++i) group.run([&results, i] { results[static_cast<std::size_t>(i)] = next(i); });
                         group.wait();
                         for (int i = 0; i < tasks; ++i)
                             if (results[static_cast<std::size_t>(i)] != i + 1) throw i;
                     });
                 }}};
}

#else

std::vector<contender> onetbb() {
    std::printf("left out: oneTBB, which wasn't found when this was built\n");
    return {};
}

#endif
