// CPython's Pool and ProcessPoolExecutor, and joblib where it is installed; timed by themselves, each in its turn.
#include "work.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>

#include <support/elsewhere.hpp>

namespace {

// Its functions take as long as ours: by calibration, for they are Python's.
constexpr const char* script = R"(
import multiprocessing, sys, time
from concurrent.futures import ProcessPoolExecutor
try:
    import joblib
except ImportError:
    joblib = None

def burn(x, rounds):
    for _ in range(rounds):
        x = x * 0.999999 + 1e-9
    return x
begin = time.perf_counter()
burn(1.0, 1000000)
PER_US = 1 / (time.perf_counter() - begin)

def square(x):
    return x * x
def microsecond(x):
    return burn(x, int(PER_US))
def skewed(x):
    return burn(x, int(PER_US * (1000 if x < 0 else 10)))
def louder(s):
    return s + '!'
def doubled(v):
    return [2 * x for x in v]
def same(b):
    return b
FUNCTIONS = [square, microsecond, skewed, square, louder, doubled, same]

def items(what, n, dear):
    if what == 4:
        return ['a text of some length, %d' % i for i in range(n)]
    if what == 5:
        return [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0] for i in range(n)]
    v = [1.0 + i % 1000 for i in range(n)]
    if dear:
        v[n - n // 100:] = [-1.0] * (n // 100)
    return v

def chunk(n):
    return max(1, n // 8) if n > 100 else 1

def made_and_mapped(who, v):
    begin = time.perf_counter()
    if who == 0:
        fresh = context.Pool(2)
        fresh.map(square, v)
    else:
        fresh = ProcessPoolExecutor(2, mp_context=context)
        list(fresh.map(square, v))
    spent = time.perf_counter() - begin
    if who == 0:
        fresh.terminate()
        fresh.join()
    else:
        fresh.shutdown()
    return spent

def answer(who, what, n, calls, rested, dear):
    f = FUNCTIONS[what]
    if what == 3:
        return -1 if who == 2 else sum(made_and_mapped(who, [1.0, 2.0]) for i in range(calls)) / calls
    if what == 6:
        block = b'x' * n
        run = [lambda: pool.apply(same, (block,)), lambda: executor.submit(same, block).result(), None][who]
    else:
        key = (what, n, dear)
        if key not in kept:
            kept.clear()
            kept[key] = items(what, n, dear)
        v = kept[key]
        run = [lambda: pool.map(f, v), lambda: list(executor.map(f, v, chunksize=chunk(n))),
               lambda: parallel(joblib.delayed(f)(x) for x in v)][who]
        if who == 2 and n > 10000:
            return -1
    if run is None:
        return -1
    run()
    if rested:
        time.sleep(0.001)
    begin = time.perf_counter()
    for i in range(calls):
        run()
    return (time.perf_counter() - begin) / calls

if __name__ == '__main__':
    context = multiprocessing.get_context('fork')
    pool = context.Pool(2)
    executor = ProcessPoolExecutor(2, mp_context=context)
    kept = {}
    if joblib:
        parallel = joblib.Parallel(2)
        parallel.__enter__()
    while True: # line by line: iterating would read ahead
        line = sys.stdin.readline()
        if not line:
            break
        words = line.split()
        if words[0] == 'who':
            print('3' if joblib else '2', flush=True)
        else:
            print(1e6 * answer(*(int(word) for word in words)), flush=True)
    pool.terminate()
    executor.shutdown()
)";

constexpr const char* names[] = {"CPython Pool", "CPython executor", "joblib"};

} // namespace

std::vector<contender> python() {
    const auto program = std::make_shared<elsewhere>(std::vector<std::string>{"python3", "-c", script});
    const auto said = program->ask("who");
    const int count = said ? std::atoi(said->c_str()) : 0;
    if (count == 0) std::printf("left out: CPython, for there is no python3\n");
    if (count < 3) std::printf("left out: joblib, which python3 doesn't find\n");
    std::vector<contender> all;
    for (int who = 0; who < count; ++who)
        all.push_back({.name = names[who], .elsewhere = [program, who](const question& asked) {
                           if (asked.items > 1'000'000 && asked.what != subject::block) return -1.0; // it takes seconds, and GiB
                           std::ostringstream line;
                           line << who << ' ' << static_cast<int>(asked.what) << ' ' << asked.items << ' '
                                << (asked.calls + 9) / 10 << ' ' << asked.rested << ' ' << asked.dear_at_end;
                           const auto answer = program->ask(line.str());
                           return answer ? std::atof(answer->c_str()) : -1.0;
                       }});
    return all;
}
