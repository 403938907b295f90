// fork and waitpid; posix_spawn of this program, which then leaves at once, and waitpid.
#include "contender.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

pid_t started(const std::string& method) {
    if (method == "fork") {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(0);
        return child;
    }
    char program[] = "/proc/self/exe", argument[] = "--nothing";
    char* arguments[] = {program, argument, nullptr};
    pid_t child = -1;
    return ::posix_spawn(&child, program, nullptr, nullptr, arguments, environ) == 0 ? child : -1;
}

} // namespace

std::vector<contender> bare() {
    return {{"the calls alone", [](const std::string& method, int) {
                 if (method == "forkserver") return -1.0;
                 const auto begin = std::chrono::steady_clock::now();
                 const pid_t child = started(method);
                 int status = 0;
                 if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
                     std::puts("a bare process failed");
                     std::exit(1);
                 }
                 return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
             }}};
}
