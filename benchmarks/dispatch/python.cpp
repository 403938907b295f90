// CPython's Pool and ProcessPoolExecutor, timed by themselves, each in its turn.
#include "work.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>

#include <support/elsewhere.hpp>

namespace {

constexpr const char* script = R"(
import multiprocessing, sys, time
from concurrent.futures import ProcessPoolExecutor

def next_one(x):
    return x + 1

def run(executor, outstanding, n):
    if executor and outstanding:
        for each in [of_futures.submit(next_one, i) for i in range(n)]:
            each.result()
    elif executor:
        for i in range(n):
            of_futures.submit(next_one, i).result()
    elif outstanding:
        for each in [pool.apply_async(next_one, (i,)) for i in range(n)]:
            each.get()
    else:
        for i in range(n):
            pool.apply(next_one, (i,))

if __name__ == '__main__':
    context = multiprocessing.get_context('fork')
    pool = context.Pool(2)
    of_futures = ProcessPoolExecutor(2, mp_context=context)
    of_futures.submit(next_one, 1).result()
    while True: # line by line: iterating would read ahead
        line = sys.stdin.readline()
        if not line:
            break
        executor, outstanding, n = (int(word) for word in line.split())
        begin = time.perf_counter()
        run(executor, outstanding, n)
        print(1e9 * (time.perf_counter() - begin) / n, flush=True)
    pool.terminate()
    of_futures.shutdown()
)";

} // namespace

std::vector<contender> python() {
    const auto program = std::make_shared<elsewhere>(std::vector<std::string>{"python3", "-c", script});
    if (!program->ask("0 0 1")) {
        std::printf("left out: CPython, for there is no python3\n");
        return {};
    }
    const auto asking = [program](int who) {
        return [program, who](bool outstanding, int tasks) {
            std::ostringstream line;
            line << who << ' ' << outstanding << ' ' << tasks;
            const auto answer = program->ask(line.str());
            return answer ? std::atof(answer->c_str()) : -1.0;
        };
    };
    return {{.name = "CPython Pool", .elsewhere = asking(0), .most_tasks = 10'000, .most_rounds = 3},
            {.name = "CPython executor", .elsewhere = asking(1), .most_tasks = 10'000, .most_rounds = 3}};
}
