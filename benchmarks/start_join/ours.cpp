// A Process by each of the three start methods.
#include "contender.hpp"

#include <multiprocessing/process.hpp>
#include <multiprocessing/context.hpp>

namespace mp = multiprocessing;

namespace {

void nothing() {}

contender by(mp::StartMethod method) {
    return {"ours, " + mp::to_string(method), [method] {
                mp::Process p({.start_method = method}, nothing);
                p.start();
                p.join();
            }};
}

} // namespace

std::vector<contender> ours() {
    return {by(mp::StartMethod::fork), by(mp::StartMethod::spawn), by(mp::StartMethod::forkserver)};
}
