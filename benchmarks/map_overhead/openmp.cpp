// Two threads of OpenMP: static shares, and guided ones.
#include "work.hpp"

#include <cstdio>

#if defined(_OPENMP)

namespace {

template <typename F>
void in_shares(F f, const std::vector<double>& in, std::vector<double>& out) {
    const auto n = static_cast<std::ptrdiff_t>(in.size());
#pragma omp parallel for schedule(static) num_threads(2)
    for (std::ptrdiff_t i = 0; i < n; ++i) out[static_cast<std::size_t>(i)] = f(in[static_cast<std::size_t>(i)]);
}

template <typename F>
void guided(F f, const std::vector<double>& in, std::vector<double>& out) {
    const auto n = static_cast<std::ptrdiff_t>(in.size());
#pragma omp parallel for schedule(guided) num_threads(2)
    for (std::ptrdiff_t i = 0; i < n; ++i) out[static_cast<std::size_t>(i)] = f(in[static_cast<std::size_t>(i)]);
}

template <typename Schedule>
auto with(Schedule schedule) {
    return [schedule](subject which, const std::vector<double>& in, std::vector<double>& out) {
        switch (which) {
        case subject::microsecond: return schedule(microsecond, in, out);
        case subject::skewed: return schedule(skewed, in, out);
        default: return schedule(square, in, out);
        }
    };
}

} // namespace

std::vector<contender> openmp() {
    return {{.name = "openmp static", .map = with([](auto f, const auto& in, auto& out) { in_shares(f, in, out); })},
            {.name = "openmp guided", .map = with([](auto f, const auto& in, auto& out) { guided(f, in, out); })}};
}

#else

std::vector<contender> openmp() {
    std::printf("left out: OpenMP, which wasn't found when this was built\n");
    return {};
}

#endif
