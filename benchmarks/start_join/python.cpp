// CPython's Process by each of its start methods, timed by itself.
#include "contender.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>

#include <unistd.h>

namespace {

constexpr const char* script = R"(
import multiprocessing, sys, time

def nothing():
    pass

if __name__ == '__main__':
    rounds, gib = int(sys.argv[1]), int(sys.argv[2])
    held = bytearray(gib << 30)
    for i in range(0, len(held), 4096):
        held[i] = 1
    for method in ('fork', 'spawn', 'forkserver'):
        context = multiprocessing.get_context(method)
        times = []
        for i in range(rounds + 1):
            begin = time.perf_counter()
            p = context.Process(target=nothing)
            p.start()
            p.join()
            times.append(time.perf_counter() - begin)
        print(method, *(t * 1e6 for t in times[1:]))
)";

} // namespace

std::vector<python_result> python(int rounds, int gib) {
    char path[] = "/tmp/start_join-XXXXXX.py";
    const int file = ::mkstemps(path, 3);
    if (file < 0) return {};
    std::vector<python_result> all;
    const std::string text = script;
    if (::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
        const std::string command =
            std::string("python3 ") + path + " " + std::to_string(rounds) + " " + std::to_string(gib) + " 2>/dev/null";
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> said(::popen(command.c_str(), "r"), &::pclose);
        std::string output;
        char part[4096];
        while (said && std::fgets(part, sizeof part, said.get()) != nullptr) output += part;
        std::istringstream lines(output);
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            python_result one;
            words >> one.name;
            one.name = "CPython, " + one.name;
            for (double t = 0; words >> t;) one.microseconds.push_back(t);
            if (!one.microseconds.empty()) all.push_back(std::move(one));
        }
    }
    ::close(file);
    ::unlink(path);
    return all;
}
