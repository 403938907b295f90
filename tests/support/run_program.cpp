#include "support/run_program.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace testing {
namespace {

struct pipe_pair {
    int read = -1;
    int write = -1;

    pipe_pair() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
        read = ends[0];
        write = ends[1];
    }
    pipe_pair(const pipe_pair&) = delete;
    pipe_pair& operator=(const pipe_pair&) = delete;
    ~pipe_pair() {
        close_write();
        if (read >= 0) ::close(read);
    }
    void close_write() {
        if (write >= 0) ::close(write);
        write = -1;
    }
};

// False at the end of the file.
bool take(int fd, std::string& into) {
    char buffer[4096];
    const auto count = ::read(fd, buffer, sizeof buffer);
    if (count < 0) return errno == EINTR;
    into.append(buffer, static_cast<std::size_t>(count));
    return count > 0;
}

} // namespace

program_result run_program(const std::vector<std::string>& command, std::chrono::milliseconds limit) {
    using clock = std::chrono::steady_clock;
    const auto deadline = clock::now() + limit;
    pipe_pair out, err;

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, out.write, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err.write, STDERR_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_t pid = 0;
    program_result result;
    const int failure = ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        result.exit_code = 127;
        result.err = command.front() + ": " + std::generic_category().message(failure);
        return result;
    }
    out.close_write();
    err.close_write();

    // Until both pipes end: a program's last words may come from a child that outlives it.
    pollfd both[2] = {{out.read, POLLIN, 0}, {err.read, POLLIN, 0}};
    while (both[0].fd >= 0 || both[1].fd >= 0) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
        if (left <= 0) {
            result.timed_out = true;
            ::kill(pid, SIGKILL);
            break;
        }
        if (::poll(both, 2, static_cast<int>(left)) < 0) continue;
        if (both[0].revents != 0 && !take(out.read, result.out)) both[0].fd = -1;
        if (both[1].revents != 0 && !take(err.read, result.err)) both[1].fd = -1;
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    return result;
}

namespace {

constexpr const char* program_flag = "--run-as-program";
const program* programs = nullptr; // they register themselves before main()

} // namespace

program::program(const char* name, int (*main)()) : name_(name), main_(main), next_(programs) { programs = this; }

program_result program::run(const std::vector<std::string>& arguments) const {
    std::vector<std::string> command{"/proc/" + std::to_string(::getpid()) + "/exe", program_flag, name_};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_program(command);
}

void program::run_if_asked(int argc, char** argv) {
    if (argc < 3 || std::strcmp(argv[1], program_flag) != 0) return;
    for (const program* each = programs; each != nullptr; each = each->next_)
        if (std::strcmp(each->name_, argv[2]) == 0) std::exit(each->main_());
    std::exit(127);
}

} // namespace testing
