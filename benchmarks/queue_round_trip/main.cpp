// How long does an answer take, from one process to another and back? (README.md)
//
//     queue_round_trip [ROUNDS] [--json FILE]

#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include <support/processes.hpp>
#include <support/report.hpp>

#include "contender.hpp"

namespace {

double microseconds_for(line& there, line& back, int n, const cores& here, const cores& other) {
    crew answering;
    answering.start(other, [&] {
        for (int i = -n / 10; i < n; ++i) back.send(there.receive());
    });
    const pinned asking(here);
    auto begin = std::chrono::steady_clock::now();
    for (int i = -n / 10; i < n; ++i) {
        if (i == 0) begin = std::chrono::steady_clock::now();
        there.send(i);
        if (back.receive() != i) std::abort();
    }
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
    answering.join();
    return spent.count() / n;
}

} // namespace

int main(int argc, char** argv) {
    report says("queue_round_trip", "How long does a question and its answer take, between two processes?", argc, argv, 7);
    std::vector<contender> all = ours();
    for (auto more : {boost_message_queue, descriptors})
        for (auto& each : more()) all.push_back(std::move(each));
    const cores two = two_cores();

    says.sheet("us a round trip of 8 bytes");
    const auto between = [](const cores& here, const cores& other) {
        return [=](const contender& who) {
            const auto there = who.make(), back = who.make();
            return microseconds_for(*there, *back, 5000, here, other);
        };
    };
    says.ask({.text = "on two cores", .goals = {{"ours, Queue", 0.6}}, .pictured = true}, all, between({two[0]}, {two[1]}));
    says.ask({.text = "unpinned", .pictured = true}, all, between({}, {}));
    says.ask({.text = "both on one core", .pictured = true}, all, between({two[0]}, {two[0]}));
    return says.finish();
}
