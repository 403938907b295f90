// std::async, which starts a thread for each.
#include "work.hpp"

#include <future>

std::vector<contender> standard() {
    return {{.name = "std::async",
             .round_trip = [](int times) {
                 for (int i = 0; i < times; ++i)
                     if (std::async(std::launch::async, next, i).get() != i + 1) throw i;
             },
             .outstanding = [](int tasks) {
                 std::vector<std::future<int>> all;
                 for (int i = 0; i < tasks; ++i) all.push_back(std::async(std::launch::async, next, i));
                 for (int i = 0; i < tasks; ++i)
                     if (all[static_cast<std::size_t>(i)].get() != i + 1) throw i;
             },
             .most_tasks = 10'000,
             .most_rounds = 3}};
}
