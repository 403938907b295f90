// What does a task cost that does nothing? (README.md)
//
//     dispatch [ROUNDS] [--json FILE]

#include <chrono>
#include <utility>
#include <vector>

#include <support/report.hpp>

#include "work.hpp"

namespace {

double nanoseconds_each(const contender& who, bool outstanding, int n) {
    if (n > who.most_tasks) return -1;
    if (who.elsewhere) return who.elsewhere(outstanding, n);
    const auto& f = outstanding ? who.outstanding : who.round_trip;
    if (!f) return -1;
    if (who.turn) who.turn(true);
    const auto begin = std::chrono::steady_clock::now();
    f(n);
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    if (who.turn) who.turn(false);
    return spent.count() / n;
}

} // namespace

int main(int argc, char** argv) {
    report says("dispatch", "What does a task cost that does nothing?", argc, argv, 15);
    std::vector<contender> all = prototype(); // and ours: forked before other contenders have threads
    for (const auto others : {ours, onetbb, standard, python})
        for (auto& each : others()) all.push_back(std::move(each));
    says.yardstick("two processes that spin");

    says.sheet("ns a task");
    const auto asking = [](bool outstanding, int tasks) {
        return [=](const contender& who) { return nanoseconds_each(who, outstanding, tasks); };
    };
    says.ask({.text = "one task and its result after the other",
              .goals = {{"ours, Pool", 1000}, {"ours, Pool", 1. / 70, "CPython Pool"}},
              .pictured = true},
             all, asking(false, 2000));
    says.ask({.text = "1e4 tasks outstanding",
              .goals = {{"ours, Pool", 60}, {"ours, Pool", 1, "oneTBB task_group"}, {"ours, Pool", 1. / 400, "CPython Pool"}},
              .pictured = true},
             all, asking(true, 10'000));
    says.ask({.text = "1e5 tasks outstanding"}, all, asking(true, 100'000));
    return says.finish();
}
