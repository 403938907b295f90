// The ranks of MPI (mpi.cpp): rank 0 is asked by lines, and answers with microseconds a call.
//
// They sleep until they are asked, so that they don't spin while others are measured.
#include <array>
#include <chrono>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <mpi.h>

#include "work.hpp"

namespace {

struct request {
    int what = -1; // less than 0: that was all
    int items = 0, calls = 0, rested = 0, dear = 0;
};

request await_request(int rank) {
    request next;
    if (rank == 0) {
        std::string line;
        while (std::getline(std::cin, line)) {
            if (line == "who") {
                std::cout << "MPI" << std::endl;
                continue;
            }
            std::istringstream(line) >> next.what >> next.items >> next.calls >> next.rested >> next.dear;
            break;
        }
    }
    MPI_Request sent;
    MPI_Ibcast(&next, 5, MPI_INT, 0, MPI_COMM_WORLD, &sent);
    for (int there = 0; there == 0;) {
        MPI_Test(&sent, &there, MPI_STATUS_IGNORE);
        if (there == 0) std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    return next;
}

double apply(int what, double x) {
    switch (static_cast<subject>(what)) {
    case subject::microsecond: return microsecond(x);
    case subject::skewed: return skewed(x);
    default: return square(x);
    }
}

} // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0, ranks = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    std::vector<double> in, out;
    for (request asked = await_request(rank); asked.what >= 0; asked = await_request(rank)) {
        std::vector<int> counts, places;
        for (int r = 0, at = 0; r < ranks; ++r) {
            counts.push_back(asked.items / ranks + (r < asked.items % ranks ? 1 : 0));
            places.push_back(at);
            at += counts.back();
        }
        if (rank == 0) {
            const question like{"", subject::square, static_cast<std::size_t>(asked.items), 1, false, asked.dear != 0};
            in.resize(like.items);
            out.resize(like.items);
            for (std::size_t i = 0; i < like.items; ++i) in[i] = item(like, i);
        }
        const int mine = counts[static_cast<std::size_t>(rank)];
        std::vector<double> part(static_cast<std::size_t>(mine)), done(part.size());
        const auto map = [&] {
            MPI_Scatterv(in.data(), counts.data(), places.data(), MPI_DOUBLE, part.data(), mine, MPI_DOUBLE, 0, MPI_COMM_WORLD);
            if (static_cast<subject>(asked.what) == subject::square) // the loop itself, so that it is as good as the others'
                for (std::size_t i = 0; i < part.size(); ++i) done[i] = square(part[i]);
            else
                for (std::size_t i = 0; i < part.size(); ++i) done[i] = apply(asked.what, part[i]);
            MPI_Gatherv(done.data(), mine, MPI_DOUBLE, out.data(), counts.data(), places.data(), MPI_DOUBLE, 0, MPI_COMM_WORLD);
        };
        map();
        if (asked.rested != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < asked.calls; ++i) map();
        const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
        if (rank == 0) std::cout << spent.count() / asked.calls << std::endl;
    }
    MPI_Finalize();
}
