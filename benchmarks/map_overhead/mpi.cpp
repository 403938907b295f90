// MPI: two ranks, the caller being one; scatter, work, gather. They are a program of their own (mpi_ranks.cpp).
#include "work.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>

#include <support/elsewhere.hpp>

#if defined(BENCHMARKS_MPI_RANKS)

std::vector<contender> mpi() {
    const auto program = std::make_shared<elsewhere>(
        std::vector<std::string>{BENCHMARKS_MPIEXEC, "--allow-run-as-root", "--oversubscribe", "-np", "2", BENCHMARKS_MPI_RANKS});
    if (!program->ask("who")) {
        std::printf("left out: MPI, whose %s doesn't start two ranks\n", BENCHMARKS_MPIEXEC);
        return {};
    }
    return {{.name = "MPI", .elsewhere = [program](const question& asked) {
                 if (asked.what > subject::skewed) return -1.0;
                 std::ostringstream line;
                 line << static_cast<int>(asked.what) << ' ' << asked.items << ' ' << asked.calls << ' ' << asked.rested << ' '
                      << asked.dear_at_end;
                 const auto answer = program->ask(line.str());
                 return answer ? std::atof(answer->c_str()) : -1.0;
             }}};
}

#else

std::vector<contender> mpi() {
    std::printf("left out: MPI, which wasn't found when this was built\n");
    return {};
}

#endif
