// A Process by each of the three start methods.
#include "contender.hpp"

#include <chrono>

#include <multiprocessing/context.hpp>
#include <multiprocessing/process.hpp>

namespace mp = multiprocessing;

namespace {

void nothing() {}

mp::StartMethod called(const std::string& method) {
    for (const auto each : {mp::StartMethod::fork, mp::StartMethod::spawn})
        if (mp::to_string(each) == method) return each;
    return mp::StartMethod::forkserver;
}

} // namespace

std::vector<contender> ours() {
    return {{"ours", [](const std::string& method, int) {
                 const auto begin = std::chrono::steady_clock::now();
                 mp::Process p({.start_method = called(method)}, nothing);
                 p.start();
                 p.join();
                 return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
             }}};
}
