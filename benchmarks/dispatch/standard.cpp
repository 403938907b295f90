// std::async, which starts a thread for each.
#include "work.hpp"

#include <future>

std::vector<contender> standard() {
    return {{"std::async",
             [](int times) {
                 for (int i = 0; i < times; ++i)
                     if (std::async(std::launch::async, next, i).get() != i + 1) throw i;
             },
             [](int tasks) {
                 std::vector<std::future<int>> all;
                 for (int i = 0; i < tasks; ++i) all.push_back(std::async(std::launch::async, next, i));
                 for (int i = 0; i < tasks; ++i)
                     if (all[static_cast<std::size_t>(i)].get() != i + 1) throw i;
             }}};
}
