// fork and waitpid; posix_spawn of this program, which then leaves at once.
#include "contender.hpp"

#include <cstdio>
#include <cstdlib>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void wait_for(pid_t child) {
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
        std::puts("a bare process failed");
        std::exit(1);
    }
}

} // namespace

std::vector<contender> bare() {
    return {{"fork, waitpid",
             [] {
                 const pid_t child = ::fork();
                 if (child == 0) ::_exit(0);
                 wait_for(child);
             }},
            {"posix_spawn, waitpid", [] {
                 char program[] = "/proc/self/exe", argument[] = "--nothing";
                 char* arguments[] = {program, argument, nullptr};
                 pid_t child = -1;
                 if (::posix_spawn(&child, program, nullptr, nullptr, arguments, environ) != 0) child = -1;
                 wait_for(child);
             }}};
}
