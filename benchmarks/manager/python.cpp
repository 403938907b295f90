// CPython's Manager, timed by itself, each in its turn.
#include "contender.hpp"

#include <cstdio>
#include <sstream>

#include <support/elsewhere.hpp>

namespace {

constexpr const char* script = R"(
import os, sys, time
from multiprocessing import Process, RawValue, RawArray, set_start_method
from multiprocessing.managers import SyncManager

class Counter:
    def __init__(self):
        self.n = 0
    def add(self, n):
        self.n += n
        return self.n

class Manager(SyncManager):
    pass
Manager.register('Counter', Counter)

def get(c, n, keys):
    for i in range(n):
        d.get(keys[i % 1000])

def set(c, n, keys):
    value = 'v' * 32
    for i in range(n):
        d[keys[i % 1000]] = value

def half(c, n, keys):
    value = 'v' * 32
    for i in range(n):
        if i & 1:
            d[keys[i % 1000]] = value
        else:
            d.get(keys[i % 1000])

def update(c, n, keys):
    some = {key: 'v' * 32 for key in keys[:10]}
    for i in range(n):
        d.update(some)

def append(c, n, keys):
    value = 'v' * 32
    for i in range(n):
        l.append(value)
        if i % 1000 == 999:
            del l[:]

def lock(c, n, keys):
    for i in range(n):
        m.acquire()
        m.release()

def queue(c, n, keys):
    value = 'v' * 32
    for i in range(n):
        q.put(value)
        q.get()

def call(c, n, keys):
    for i in range(n):
        counter.add(1)

def client(what, c, n, ready, begun):
    keys = [f'key:{c}:{i}' for i in range(1000)]
    d.update({key: 'v' * 32 for key in keys})
    for each in (l, m, q, counter):
        str(each) # connected
    ready[c] = 1
    while not begun.value:
        os.sched_yield()
    globals()[what](c, n, keys)

if __name__ == '__main__':
    set_start_method('fork')
    manager = Manager()
    manager.start()
    d, l, m, q, counter = manager.dict(), manager.list(), manager.Lock(), manager.Queue(), manager.Counter()
    while True: # line by line: iterating would read ahead
        line = sys.stdin.readline()
        if not line:
            break
        what, clients, n = line.split()
        clients, n = int(clients), int(n)
        ready, begun = RawArray('b', clients), RawValue('b', 0)
        everybody = [Process(target=client, args=(what, c, n, ready, begun)) for c in range(clients)]
        for p in everybody:
            p.start()
        while not all(ready):
            time.sleep(1e-4)
        begin = time.perf_counter()
        begun.value = 1
        for p in everybody:
            p.join()
        spent = time.perf_counter() - begin
        print(-1 if any(p.exitcode for p in everybody) else spent / (n * clients) * 1e9, flush=True)
        d.clear()
        del l[:]
)";

const char* word_of(kind what) {
    switch (what) {
    case kind::get: return "get";
    case kind::set: return "set";
    case kind::half: return "half";
    case kind::update: return "update";
    case kind::append: return "append";
    case kind::lock: return "lock";
    case kind::queue: return "queue";
    case kind::call: return "call";
    }
    return "";
}

} // namespace

std::vector<contender> python() {
    const auto program = std::make_shared<elsewhere>(std::vector<std::string>{"python3", "-c", script});
    if (!program->ask("lock 1 10")) {
        std::printf("left out: CPython, for there is no python3\n");
        return {};
    }
    return {{"CPython",
             {kind::get, kind::set, kind::half, kind::update, kind::append, kind::lock, kind::queue, kind::call},
             100,
             {},
             [program](kind what, int clients, long n) {
                 double found = -1;
                 std::istringstream(
                     program->ask(std::string(word_of(what)) + ' ' + std::to_string(clients) + ' ' + std::to_string(n)).value_or("")) >>
                     found;
                 return found;
             }}};
}
