// Two threads of oneTBB: parallel_for, which finds the size of its shares itself.
#include "work.hpp"

#include <cstdio>

#if defined(BENCHMARKS_HAVE_TBB)

#include <memory>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

namespace {

template <typename F>
void split(tbb::task_arena& two, F f, const std::vector<double>& in, std::vector<double>& out) {
    two.execute([&] {
        tbb::parallel_for(
            tbb::blocked_range<std::size_t>(0, in.size()),
            [&](const tbb::blocked_range<std::size_t>& part) {
                for (std::size_t i = part.begin(); i != part.end(); ++i) out[i] = f(in[i]);
            },
            tbb::auto_partitioner());
    });
}

} // namespace

std::vector<contender> onetbb() {
    const auto two = std::make_shared<tbb::task_arena>(2);
    return {{.name = "oneTBB", .map = [two](subject which, const std::vector<double>& in, std::vector<double>& out) {
                 switch (which) {
                 case subject::microsecond: return split(*two, microsecond, in, out);
                 case subject::skewed: return split(*two, skewed, in, out);
                 default: return split(*two, square, in, out);
                 }
             }}};
}

#else

std::vector<contender> onetbb() {
    std::printf("left out: oneTBB, which wasn't found when this was built\n");
    return {};
}

#endif
