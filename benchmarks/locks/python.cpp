// CPython's Lock, RLock, Semaphore, Event, Condition, Value and RawArray, timed by themselves, each in its turn.
#include "contender.hpp"

#include <cstdio>
#include <sstream>

#include <support/elsewhere.hpp>

namespace {

constexpr const char* script = R"(
import multiprocessing, os, statistics, sys, time

multiprocessing.set_start_method('fork')
from multiprocessing import Process, RawArray, RawValue

def cores(text):
    return {int(core) for core in text.split(',')}

def pair(who, n):
    lock, n = getattr(multiprocessing, who)(), int(n) // 5
    acquire, release = lock.acquire, lock.release
    begin = time.perf_counter()
    for i in range(n):
        acquire()
        release()
    return (time.perf_counter() - begin) / n * 1e9, 0

def turns(where, lock, ready, begun, over, done, i, work):
    os.sched_setaffinity(0, cores(where))
    acquire, release = lock.acquire, lock.release
    n = 0
    ready[i] = 1
    while not begun.value:
        os.sched_yield()
    while not over.value:
        for _ in range(20):
            acquire()
            n += 1
            release()
            for _ in range(work):
                pass
    done[i] = n

def fight(who, seconds, work, *places):
    lock, begun, over = getattr(multiprocessing, who)(), RawValue('b', 0), RawValue('b', 0)
    ready, done = RawArray('b', len(places)), RawArray('q', len(places))
    everybody = [Process(target=turns, args=(where, lock, ready, begun, over, done, i, int(work) // 50))
                 for i, where in enumerate(places)]
    for p in everybody:
        p.start()
    while not all(ready):
        time.sleep(1e-4)
    begin = time.perf_counter()
    begun.value = 1
    time.sleep(float(seconds))
    over.value = 1
    spent = time.perf_counter() - begin
    for p in everybody:
        p.join()
    return sum(done) / spent / 1e6, min(done) / max(max(done), 1)

class Event:
    def __init__(self):
        self.e = multiprocessing.Event()
    def tell(self):
        self.e.set()
    def wait(self):
        self.e.wait()
    def rearm(self):
        self.e.clear()

class Condition:
    def __init__(self):
        self.c, self.told = multiprocessing.Condition(), RawValue('b', 0)
    def tell(self):
        with self.c:
            self.told.value = 1
            self.c.notify()
    def wait(self):
        with self.c:
            self.c.wait_for(lambda: self.told.value)
            self.told.value = 0
    def rearm(self):
        pass

class Semaphore:
    def __init__(self):
        self.s = multiprocessing.Semaphore(0)
    def tell(self):
        self.s.release()
    def wait(self):
        self.s.acquire()
    def rearm(self):
        pass

def waiter(bell, n, core, ready, told, times):
    os.sched_setaffinity(0, cores(core))
    for i in range(n):
        ready.value = i + 1
        bell.wait()
        times[i] = time.perf_counter() - told.value
        bell.rearm()

def wake(who, n, rest, here, there):
    bell, n, rest = globals()[who](), int(n), float(rest)
    ready, told, times, telling = RawValue('q', 0), RawValue('d', 0), RawArray('d', n), []
    p = Process(target=waiter, args=(bell, n, there, ready, told, times))
    p.start()
    os.sched_setaffinity(0, cores(here))
    for i in range(n):
        while ready.value != i + 1:
            os.sched_yield()
        until = time.perf_counter() + rest
        while time.perf_counter() < until:
            pass
        begin = told.value = time.perf_counter()
        bell.tell()
        telling.append(time.perf_counter() - begin)
    p.join()
    return statistics.median(times) * 1e6, statistics.median(telling) * 1e6

def answer(there, back, n, core):
    os.sched_setaffinity(0, cores(core))
    for i in range(n):
        there.wait()
        back.tell()

def trip(who, n, here, other):
    there, back, n = globals()[who](), globals()[who](), int(n)
    p = Process(target=answer, args=(there, back, n + n // 10, other))
    p.start()
    os.sched_setaffinity(0, cores(here))
    for i in range(n + n // 10):
        if i == n // 10:
            begin = time.perf_counter()
        there.tell()
        back.wait()
    spent = time.perf_counter() - begin
    p.join()
    return spent / n * 1e6, 0

def load(n):
    for i in range(n):
        value.value

def add(n):
    for i in range(n):
        with value.get_lock():
            value.value += 1

def element(n):
    for i in range(n):
        array[i & 1023]

def repeat(who, n):
    n = int(n) // 50
    begin = time.perf_counter()
    globals()[who](n)
    return (time.perf_counter() - begin) / n * 1e9, 0

if __name__ == '__main__':
    value, array = multiprocessing.Value('q', 0), RawArray('q', 1024)
    everywhere = os.sched_getaffinity(0)
    while True: # line by line: iterating would read ahead
        line = sys.stdin.readline()
        if not line:
            break
        who, question, *rest = line.split()
        print(*globals()[question](who, *rest), flush=True)
        os.sched_setaffinity(0, everywhere)
)";

} // namespace

contenders python() {
    const auto program = std::make_shared<elsewhere>(std::vector<std::string>{"python3", "-c", script});
    if (!program->ask("Lock pair 1000")) {
        std::printf("left out: CPython, for there is no python3\n");
        return {};
    }
    const auto asking = [program](const std::string& who) {
        return [program, who](const std::string& question) {
            numbers found;
            std::istringstream(program->ask(who + " " + question).value_or("")) >> found.first >> found.second;
            return found;
        };
    };
    return {.locks = {{"CPython, Lock", {}, asking("Lock")},
                      {"CPython, RLock", {}, asking("RLock")},
                      {"CPython, Semaphore(1)", {}, asking("Semaphore")}},
            .doorbells = {{"CPython, Event", {}, false, asking("Event")},
                          {"CPython, Condition", {}, false, asking("Condition")},
                          {"CPython, Semaphore", {}, true, asking("Semaphore")}},
            .values = {{"CPython, Value: load", {}, asking("load")},
                       {"CPython, Value: +=", {}, asking("add")},
                       {"CPython, RawArray: element", {}, asking("element")}}};
}
