// How long does it take to start a process that does nothing, and to join it? (README.md)
//
//     start_join [ROUNDS [GIB...]] [--json FILE]      GIB: what the parent holds in private memory, each touched

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/context.hpp>

#include <support/report.hpp>

#include "contender.hpp"

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--nothing") == 0) return 0; // what posix_spawn starts
    multiprocessing::freeze_support(argc, argv);
    report says("start_join", "How long does it take to start a process that does nothing, and to join it?", argc, argv, 50);
    says.yardstick("the calls alone");
    says.rest(0);
    std::vector<int> sizes;
    for (const std::string& size : says.arguments()) sizes.push_back(std::atoi(size.c_str()));
    if (sizes.empty()) sizes = {0, 1};

    std::vector<contender> all = ours();
    for (auto more : {bare, python})
        for (auto& each : more()) all.push_back(std::move(each));

    says.sheet("us from start to the end of join");
    for (const int gib : sizes) {
        std::vector<char> held(static_cast<std::size_t>(gib) << 30);
        for (std::size_t i = 0; i < held.size(); i += 4096) held[i] = 1;
        for (const std::string method : {"fork", "spawn", "forkserver"}) {
            std::vector<goal> goals;
            if (method == "fork" && gib == 0) goals = {{"ours", 1.15, "the calls alone"}, {"ours", 1. / 8, "CPython"}};
            if (method == "spawn") goals = {{"ours", 1.1, "the calls alone"}};
            if (method == "forkserver") goals = {{"ours", 350}};
            says.ask({.text = fmt::format("{}, by a parent that holds {}", method, gib == 0 ? "little" : fmt::format("{} GiB", gib)),
                      .goals = goals,
                      .pictured = true},
                     all, [&](const contender& who) { return who.start_and_join(method, gib); });
        }
    }
    return says.finish();
}
