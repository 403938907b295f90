// CPython's queues and pipe, timed by themselves: once for each setting, for a round takes as long as ten of the others'.
#include "contender.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include <unistd.h>

namespace {

constexpr const char* script = R"(
import multiprocessing, os, sys, time

def pin(core):
    if core >= 0:
        os.sched_setaffinity(0, {core})

def produce(kind, q, size, n, core, ready, go):
    pin(core)
    message = b'x' * size
    ready.release()
    go.wait()
    put = q.send_bytes if kind == 'Pipe' else q.put
    for i in range(n):
        put(message)

def consume(kind, q, size, n, core, ready, go):
    pin(core)
    ready.release()
    go.wait()
    get = q.recv_bytes if kind == 'Pipe' else q.get
    for i in range(n):
        get()

if __name__ == '__main__':
    kind, size, n, pairs, where = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    context = multiprocessing.get_context('fork')
    ready, go = context.Semaphore(0), context.Event()
    if kind == 'Pipe':
        reader, writer = context.Pipe(False)
    else:
        reader = writer = context.Queue(1000) if kind == 'Queue' else context.SimpleQueue()
    core = {'two': lambda i: i % 2, 'unpinned': lambda i: -1, 'one': lambda i: 0}[where]
    all = [context.Process(target=produce if i % 2 == 0 else consume,
                           args=(kind, writer if i % 2 == 0 else reader, size, n, core(i), ready, go))
           for i in range(2 * pairs)]
    for p in all: p.start()
    for p in all: ready.acquire()
    begin = time.perf_counter()
    go.set()
    for p in all: p.join()
    print((time.perf_counter() - begin) * 1e9 / (n * pairs))
)";

class script_file {
public:
    script_file() {
        const int file = ::mkstemps(path_, 3);
        if (file < 0) return;
        const std::string text = script;
        there_ = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
        ::close(file);
    }
    ~script_file() { ::unlink(path_); }
    [[nodiscard]] const char* path() const { return there_ ? path_ : nullptr; }

private:
    char path_[32] = "/tmp/queue_throughput-XXXXXX.py";
    bool there_ = false;
};

} // namespace

double python(const std::string& kind, std::size_t size, std::size_t n, int pairs, const char* where) {
    static const script_file file;
    if (file.path() == nullptr) return 0;
    const std::string command = std::string("python3 ") + file.path() + " " + kind + " " + std::to_string(size) + " " +
                                std::to_string(n) + " " + std::to_string(pairs) + " " + where + " 2>/dev/null";
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> said(::popen(command.c_str(), "r"), &::pclose);
    double nanoseconds = 0;
    if (!said || std::fscanf(said.get(), "%lf", &nanoseconds) != 1) return 0;
    return nanoseconds;
}
