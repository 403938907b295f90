// CPython's Process by each of its start methods, timed by itself, each in its turn.
#include "contender.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include <unistd.h>

#include <support/elsewhere.hpp>

namespace {

constexpr const char* script = R"(
import multiprocessing, sys, time

def nothing():
    pass

if __name__ == '__main__':
    held = bytearray(0)
    while True: # line by line: iterating would read ahead
        line = sys.stdin.readline()
        if not line:
            break
        method, gib = line.split()
        if len(held) != int(gib) << 30:
            held = bytearray(int(gib) << 30)
            for i in range(0, len(held), 4096):
                held[i] = 1
        context = multiprocessing.get_context(method)
        begin = time.perf_counter()
        p = context.Process(target=nothing)
        p.start()
        p.join()
        print((time.perf_counter() - begin) * 1e6, flush=True)
)";

/// In a file: what spawn and forkserver start reads it again.
class in_a_file {
public:
    in_a_file() {
        const int file = ::mkstemps(path_, 3);
        if (file < 0) return;
        const std::string text = script;
        if (::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::puts("left out: CPython");
        ::close(file);
    }
    in_a_file(const in_a_file&) = delete;
    in_a_file& operator=(const in_a_file&) = delete;
    ~in_a_file() { ::unlink(path_); }
    [[nodiscard]] std::string path() const { return path_; }

private:
    char path_[32] = "/tmp/start_join-XXXXXX.py";
};

} // namespace

std::vector<contender> python() {
    const auto file = std::make_shared<in_a_file>();
    const auto program = std::make_shared<elsewhere>(std::vector<std::string>{"python3", file->path()});
    if (!program->ask("fork 0")) {
        std::puts("left out: CPython, for there is no python3");
        return {};
    }
    return {{"CPython", [file, program](const std::string& method, int gib) {
                 const auto answer = program->ask(method + " " + std::to_string(gib));
                 return answer ? std::atof(answer->c_str()) : -1.0;
             }}};
}
