#include "support/watchdog.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <dirent.h>
#include <execinfo.h> // backtrace
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <multiprocessing/config.hpp>

#include "support/census.hpp"
#include "support/run_program.hpp"

namespace testing {
namespace {

constexpr const char* examiner_flag = "--examine-hanging-test";

// Everything that the handler needs, made beforehand: a signal handler can't allocate.
struct {
    timer_t timer{};
    bool ready = false;
    pid_t watched = 0;
    int seconds = 60;
    char pid[16] = {};
    char mark[32] = {};
    char message[1024] = {};
} state;

// SIGRTMAX: nobody's default for anything. A directed SIGALRM would collide with tests that use alarm().
int alarm_signal() { return SIGRTMAX; }

void write_out(std::string_view text) {
    // Nothing is to be done if stderr is gone.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

void time_is_up(int) {
    if (::getpid() != state.watched) return; // somebody signals his own children with it
    write_out(state.message);
    void* frames[64];
    ::backtrace_symbols_fd(frames, ::backtrace(frames, 64), STDERR_FILENO);
    // The rest needs memory, and this thread may hold malloc's lock: another program does it. _Fork where there is one,
    // because fork() would wait for that lock too.
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); // gdb may be only a relative
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    const pid_t examiner = ::_Fork();
#else
    const pid_t examiner = ::fork();
#endif
    if (examiner == 0) {
        ::execl("/proc/self/exe", "examiner", examiner_flag, state.pid, state.mark, static_cast<char*>(nullptr));
        ::_exit(127);
    }
    while (::waitpid(examiner, nullptr, 0) < 0 && errno == EINTR) {}
    ::kill(state.watched, SIGKILL); // if the examiner didn't
}

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line, '\0');
    while (!line.empty() && line.back() == '\n') line.pop_back();
    return line;
}

std::vector<std::string> threads_of(pid_t pid) {
    std::vector<std::string> ids;
    DIR* const directory = ::opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
    if (directory == nullptr) return ids;
    while (const dirent* const entry = ::readdir(directory)) {
        if (entry->d_name[0] != '.') ids.emplace_back(entry->d_name);
    }
    ::closedir(directory);
    return ids;
}

void describe(pid_t pid) {
    const std::string process = "/proc/" + std::to_string(pid);
    for (const std::string& thread : threads_of(pid)) {
        const std::string task = process + "/task/" + thread;
        std::fprintf(stderr, "  process %d thread %s (%s): in %s, system call %s\n", pid, thread.c_str(),
                     text_of(task + "/comm").c_str(), text_of(task + "/wchan").c_str(),
                     text_of(task + "/syscall").c_str());
        const std::string stack = text_of(task + "/stack"); // for root alone
        if (!stack.empty()) std::fprintf(stderr, "%s\n", stack.c_str());
    }
}

void examine(pid_t hanging, const std::string& mark) {
    const std::vector<pid_t> family = family_of(hanging, mark);
    std::fprintf(stderr, "watchdog: the processes of the test, its own first:\n");
    for (const pid_t pid : family) describe(pid);
    constexpr std::size_t enough = 4;
    for (std::size_t i = 0; i < family.size() && i < enough; ++i) {
        const auto told = run_program({"gdb", "-nx", "-batch", "-p", std::to_string(family[i]), "-ex",
                                       "thread apply all backtrace"},
                                      std::chrono::seconds(20));
        if (told.exit_code != 0) break; // there is no gdb, or it may not look
        std::fprintf(stderr, "watchdog: gdb on process %d:\n%s\n", family[i], told.out.c_str());
    }
    std::fflush(stderr);
    // From the youngest: a parent that lives could answer the death of a child by starting another.
    ::kill(hanging, SIGSTOP);
    for (auto pid = family.rbegin(); pid != family.rend(); ++pid) ::kill(*pid, SIGKILL);
}

int limit() {
    int seconds = MULTIPROCESSING_THREAD_SANITIZER() ? 180 : 60;
    if (const char* const wish = std::getenv("MULTIPROCESSING_TEST_TIMEOUT")) seconds = std::atoi(wish);
    return seconds > 0 ? seconds : 60;
}

void prepare() {
    state.watched = ::getpid();
    state.seconds = limit();
    std::snprintf(state.pid, sizeof state.pid, "%d", state.watched);
    std::snprintf(state.mark, sizeof state.mark, "%s", family_mark().c_str());
    void* frame[1];
    ::backtrace(frame, 1); // its first call loads a library, which the handler must not do

    struct sigaction action{};
    action.sa_handler = time_is_up;
    action.sa_flags = SA_RESTART;
    ::sigaction(alarm_signal(), &action, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = alarm_signal();
    if (::timer_create(CLOCK_MONOTONIC, &event, &state.timer) != 0) {
        std::perror("the watchdog has no timer");
        std::exit(1);
    }
    state.ready = true;
}

void set_timer(int seconds) {
    itimerspec time{};
    time.it_value.tv_sec = seconds;
    ::timer_settime(state.timer, 0, &time, nullptr);
}

} // namespace

void watch(const char* test_case) {
    if (!state.ready) prepare();
    std::snprintf(state.message, sizeof state.message, "\nwatchdog: \"%s\" still runs after %d seconds, in\n", test_case,
                  state.seconds);
    set_timer(state.seconds);
}

void stop_watching() {
    if (state.ready && ::getpid() == state.watched) set_timer(0);
}

void examine_if_asked(int argc, char** argv) {
    if (argc != 4 || std::strcmp(argv[1], examiner_flag) != 0) return;
    pid_t hanging = 0;
    std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), hanging);
    examine(hanging, argv[3]);
    std::exit(0);
}

} // namespace testing
