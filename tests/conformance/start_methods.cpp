// What holds of a Process however it is started: rows of CPython's _TestProcess that its start methods share, TestStartMethod,
// TestForkServer and test_spawn's main-guard rows. What a target needs travels as an argument.
#include <multiprocessing/process.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <list>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"
#include "support/census.hpp"
#include "support/run_program.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
namespace os = multiprocessing::os;
using mp::StartMethod;
using namespace std::chrono_literals;

namespace testing {
void print_as_preload();
}

namespace {

/// Text that a child writes and its parent reads.
class note {
public:
    void write(std::string_view text) const {
        const auto n = text.copy(text_.get(), room - 1);
        text_[n] = '\0';
        written_->store(1);
        os::wake_all(*written_);
    }
    std::string read() const { return text_.get(); }
    void wait() const {
        while (written_->load() == 0) os::sleep_on(*written_, 0, os::deadline::never());
    }

private:
    friend struct memory::access;
    static constexpr std::size_t room = 4096;
    memory::handle<char[]> text_ = memory::handle<char[]>::create(room);
    memory::handle<std::atomic<std::uint32_t>> written_ = memory::handle<std::atomic<std::uint32_t>>::create(0u);

public:
    note() = default;
    explicit note(memory::nothing_t) noexcept : text_(), written_() {}
    auto parts() noexcept { return std::tie(text_, written_); }
};

using counter = memory::handle<std::atomic<int>>;

/// For each method, with what it makes once and keeps (the fork server) made before anything is counted.
StartMethod each_method() {
    const auto method = GENERATE(StartMethod::fork, StartMethod::spawn, StartMethod::forkserver);
    if (method == StartMethod::forkserver) {
        mp::Process first({.start_method = method}, [] {});
        first.start();
        first.join();
        testing::settle();
    }
    return method;
}

template <typename... Given>
int exitcode_of(mp::ProcessOptions options, Given&&... given) {
    mp::Process p(std::move(options), std::forward<Given>(given)...);
    p.start();
    p.join();
    return p.exitcode().value_or(-99);
}

[[noreturn]] void sleep_for_ever() {
    for (;;) ::pause();
}

/// One in the commons, made before main(): in a spawned process it must be in the family's.
const auto global = memory::handle<int>::create(42);

/// Before main() nobody has called freeze_support().
const bool refused_before_main = [] {
    try {
        mp::Process p({.start_method = StartMethod::spawn}, [] {});
        p.start();
    } catch (const mp::ValueError& error) {
        return std::string_view(error.what()).find("freeze_support") != std::string_view::npos;
    }
    return false;
}();

int open_descriptors() {
    DIR* all = ::opendir("/proc/self/fd");
    int n = -3; // ".", "..", and its own
    while (::readdir(all) != nullptr) ++n;
    ::closedir(all);
    return n;
}

/// Dies with its children's starts on the way.
template <StartMethod Method>
int start_and_die() {
    std::vector<mp::Process> all;
    for (int i = 0; i < 3; ++i) {
        all.emplace_back(mp::ProcessOptions{.daemon = true, .start_method = Method}, sleep_for_ever);
        all.back().start();
    }
    ::raise(SIGKILL);
    return 0;
}
const testing::program dying[] = {
    {"start by fork and die", start_and_die<StartMethod::fork>},
    {"start by spawn and die", start_and_die<StartMethod::spawn>},
    {"start by forkserver and die", start_and_die<StartMethod::forkserver>},
};

/// Whose preload and children print, without a line's end.
const testing::program printing("preload that prints", [] {
    mp::set_forkserver_preload(&testing::print_as_preload);
    for (int i = 0; i < 2; ++i)
        if (exitcode_of({.start_method = StartMethod::forkserver}, [] { std::fputs("child;", stdout); }) != 0) return 1;
    return 0;
});
const testing::program by_each_method("a process by each method", [] {
    for (const auto method : {StartMethod::fork, StartMethod::spawn, StartMethod::forkserver})
        if (exitcode_of({.start_method = method}, [] {}) != 0) return 1;
    return 0;
});

struct mixed {
    int number = 0;
    std::string text;
    std::vector<std::map<std::string, double>> many;
};

} // namespace

TEST_CASE("T003: a child gets equal arguments, whatever the method", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    const auto check = [](int number, const mixed& all, std::unique_ptr<int> own) {
        const bool equal = number == 1 && all.number == 2 && all.text == "two" && all.many.size() == 2 && *own == 3 &&
                           all.many[1].at("pi") == 3.14;
        mp::exit(equal ? 0 : 3);
    };
    CHECK(exitcode_of({.start_method = method}, check, 1, mixed{2, "two", {{}, {{"pi", 3.14}}}}, std::make_unique<int>(3)) == 0);
}

TEST_CASE("T005, T009: a child knows its name, its parent, its key, and whether it is daemonic", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    const note said;
    mp::Process p({.name = "Robin", .daemon = true, .start_method = method},
                  [](const note& into) {
                      const auto me = mp::current_process();
                      const auto parent = mp::parent_process();
                      std::string key;
                      for (const auto byte : me.authkey()) key += fmt::format("{:02x}", std::to_integer<int>(byte));
                      into.write(fmt::format("{} {} {} {} {} {} {}", me.name(), me.daemon(), me.is_alive(), parent->pid(),
                                             parent->name(), parent->is_alive(), key));
                  },
                  said);
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    std::string key;
    for (const auto byte : mp::current_process().authkey()) key += fmt::format("{:02x}", std::to_integer<int>(byte));
    CHECK(said.read() == fmt::format("Robin true true {} MainProcess true {}", ::getpid(), key));
}

TEST_CASE("T014 to T016, T033: exit codes", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    CHECK(exitcode_of({.start_method = method}, [] {}) == 0);
    CHECK(exitcode_of({.start_method = method}, [](int code) { mp::exit(code); }, 7) == 7);
    CHECK(exitcode_of({.start_method = method}, [] { ::_exit(8); }) == 8);
    CHECK(exitcode_of({.start_method = method}, [] { ::raise(SIGKILL); }) == -SIGKILL);
    const note ready;
    mp::Process sleeper({.start_method = method},
                        [](const note& into) {
                            std::signal(SIGTERM, SIG_DFL);
                            into.write("ready");
                            sleep_for_ever();
                        },
                        ready);
    sleeper.start();
    CHECK(sleeper.exitcode() == std::nullopt);
    CHECK(sleeper.is_alive());
    CHECK_FALSE(sleeper.join(0s));
    ready.wait();
    sleeper.terminate();
    sleeper.join();
    CHECK(sleeper.exitcode() == -SIGTERM);
    CHECK_FALSE(sleeper.is_alive());
}

TEST_CASE("T031: what a target throws is on stderr, and the exit code is 1", "[conformance][start_methods]") {
    const auto method = GENERATE(StartMethod::fork, StartMethod::spawn); // a fork server has the stderr it was started with
    INFO(to_string(method));
    testing::story story;
    const os::descriptor before(::dup(STDERR_FILENO));
    ::dup2(story.descriptor(), STDERR_FILENO);
    const int code = exitcode_of({.name = "Faulty", .start_method = method}, [] { throw std::out_of_range("page 7"); });
    ::dup2(before.get(), STDERR_FILENO);
    const std::string text = story.hear_all();
    CHECK(code == 1);
    CHECK(text.starts_with("Process Faulty:\n  std::out_of_range: page 7\n    at "));
}

#if !MULTIPROCESSING_ADDRESS_SANITIZER() && !MULTIPROCESSING_THREAD_SANITIZER() // they tell crashes themselves
namespace testing {
[[gnu::noinline]] void writer_to_nowhere() {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
    __asm__ volatile("");
}
} // namespace testing

TEST_CASE("where a process crashes is on stderr, and the exit code is the signal", "[conformance][start_methods]") {
    const auto method = GENERATE(StartMethod::fork, StartMethod::spawn); // a fork server has the stderr it was started with
    INFO(to_string(method));
    testing::let_signals_kill();
    testing::story story;
    const os::descriptor before(::dup(STDERR_FILENO));
    ::dup2(story.descriptor(), STDERR_FILENO);
    const int code = exitcode_of({.name = "Crasher", .start_method = method, .limits = {.core_size = 0}},
                                 [] { testing::writer_to_nowhere(); });
    ::dup2(before.get(), STDERR_FILENO);
    const std::string text = story.hear_all();
    CHECK(code == -SIGSEGV);
    CHECK(text.starts_with("Process Crasher (pid "));
    CHECK_THAT(text, testing::contains("got SIGSEGV at address 0x0:\n    at testing::writer_to_nowhere()+0x"));
}
#endif

TEST_CASE("a shared object stays the same in the child, and is freed when both have let go", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    const auto objects = memory::family::here().objects();
    {
        auto hits = counter::create(0);
        const auto add = [](const counter& into, int n) { into->fetch_add(n); };
        CHECK(exitcode_of({.start_method = method}, add, hits, 5) == 0);
        CHECK(exitcode_of({.start_method = method}, add, hits, 6) == 0);
        CHECK(hits->load() == 11);

        // The child alone holds it for a while; then nobody does.
        auto only = counter::create(0);
        const note ready;
        mp::Process keeper({.start_method = method},
                           [](const counter& kept, const note& into) {
                               kept->store(1);
                               into.write("ready");
                               sleep_for_ever();
                           },
                           std::move(only), ready);
        keeper.start();
        ready.wait();
        keeper.kill();
        keeper.join();
    }
    CHECK(memory::family::here().objects() == objects);
}

TEST_CASE("a global object in common memory is in the family's memory in every process", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    auto total = counter::create(0);
    const auto look = [](const counter& into) {
        if (!memory::commons::here().contains(global.get(), sizeof(int))) mp::exit(3);
        if (!memory::commons::here().contains(into.get(), sizeof(int))) mp::exit(4);
        into->store(*global);
        const auto another = global; // counts in this process
        static_cast<void>(memory::handle<int>::create(*another));
    };
    CHECK(exitcode_of({.start_method = method}, look, total) == 0);
    CHECK(total->load() == 42);
}

TEST_CASE("the conditions of a process hold in it, or its start fails", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    const note said;
    CHECK(exitcode_of({.start_method = method, .nice = 2, .env = {{"MULTIPROCESSING_TEST_COLOUR", "green"}}, .cwd = "/usr"},
                      [](const note& into) {
                          std::array<char, 512> here{};
                          const char* const colour = std::getenv("MULTIPROCESSING_TEST_COLOUR");
                          into.write(fmt::format("{} {} {}", colour == nullptr ? "none" : colour,
                                                 ::getcwd(here.data(), here.size()), ::getpriority(PRIO_PROCESS, 0) >= 2));
                      },
                      said) == 0);
    CHECK(said.read() == "green /usr true");
    mp::Process nowhere({.start_method = method, .cwd = "/nowhere/at/all"}, [] {});
    CHECK_THROWS_WITH(nowhere.start(), testing::contains("/nowhere/at/all"));
}

TEST_CASE("T019: children start children, by the method that was chosen", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    auto leaves = counter::create(0);
    struct tree {
        static void grow(const counter& into, int height, StartMethod by) {
            if (height == 0) {
                into->fetch_add(1);
                return;
            }
            std::list<mp::Process> children;
            for (int i = 0; i < 2; ++i) children.emplace_back(mp::ProcessOptions{.start_method = by}, &tree::grow, into, height - 1, by);
            for (auto& child : children) child.start();
            for (auto& child : children) {
                child.join();
                if (child.exitcode() != 0) mp::exit(3);
            }
        }
    };
    CHECK(exitcode_of({.start_method = method}, &tree::grow, leaves, 2, method) == 0);
    CHECK(leaves->load() == 4);
}

TEST_CASE("T020: a sentinel is ready when its process has ended", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    mp::Process p({.start_method = method}, sleep_for_ever);
    p.start();
    CHECK_FALSE(os::wait_readable(p.sentinel(), os::deadline::after(0ns)));
    p.kill();
    CHECK(os::wait_readable(p.sentinel(), os::deadline::never()));
    CHECK(p.join(0s));
    CHECK(p.exitcode() == -SIGKILL);
}

TEST_CASE("T023: many children terminated at once, right after their start", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    std::list<mp::Process> children;
    for (int i = 0; i < 20; ++i) children.emplace_back(mp::ProcessOptions{.start_method = method}, sleep_for_ever);
    for (auto& child : children) child.start();
    for (auto& child : children) child.kill();
    for (auto& child : children) {
        child.join();
        CHECK(child.exitcode() == -SIGKILL);
    }
}

TEST_CASE("T024, T216: a spawned child has no descriptors but its own, however many siblings it has",
          "[conformance][start_methods]") {
    const auto method = GENERATE(StartMethod::spawn, StartMethod::forkserver);
    INFO(to_string(method));
    const int stray = ::fcntl(STDIN_FILENO, F_DUPFD, 200); // not close-on-exec
    std::list<mp::Process> siblings;
    std::vector<std::string> counts;
    for (int round = 0; round < 3; ++round) {
        const note said;
        CHECK(exitcode_of({.start_method = method},
                          [](const note& into, int fd) {
                              into.write(fmt::format("{} {}", open_descriptors(), ::fcntl(fd, F_GETFD) == -1 ? "closed" : "open"));
                          },
                          said, stray) == 0);
        counts.push_back(said.read());
        if (round == 0 && method == StartMethod::forkserver) testing::settle(); // it has started its server
        for (int i = 0; i < 3; ++i) {
            siblings.emplace_back(mp::ProcessOptions{.start_method = method}, sleep_for_ever);
            siblings.back().start();
        }
    }
    for (auto& each : siblings) each.kill();
    for (auto& each : siblings) each.join();
    ::close(stray);
    CHECK_THAT(counts[0], testing::contains("closed"));
    CHECK(counts[0] == counts[1]);
    CHECK(counts[1] == counts[2]);
}

TEST_CASE("T205: a child's stdin is empty", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    CHECK(exitcode_of({.start_method = method}, [] { mp::exit(std::getchar() == EOF ? 0 : 3); }) == 0);
}

TEST_CASE("T006: a daemonic process ends when its parent is killed, also while it computes", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    testing::story alive; // its other end closes when the last of them is gone
    const note ready;
    mp::Process parent({.start_method = StartMethod::fork}, [&] {
        mp::Process child({.daemon = true, .start_method = method},
                          [](const note& into) {
                              into.write(std::to_string(::getpid()));
                              for (volatile unsigned long n = 0;;) n = n + 1;
                          },
                          ready);
        child.start();
        sleep_for_ever();
    });
    parent.start();
    ready.wait();
    const auto pid = static_cast<pid_t>(std::stol(ready.read()));
    CHECK(os::is_alive(pid, 0));
    const auto started = os::start_time(pid);
    parent.kill();
    parent.join();
    while (os::is_alive(pid, started)) { // the watchdog ends it if need be
        const timespec moment{0, 1'000'000};
        ::nanosleep(&moment, nullptr);
    }
}

TEST_CASE("a parent that is killed right after starting daemonic processes leaves none", "[conformance][start_methods]") {
    for (const testing::program& each : dying)
        for (int round = 0; round < 10; ++round) {
            const auto said = each.run(); // until nobody has its stdout any more
            REQUIRE_FALSE(said.timed_out);
            REQUIRE(said.signal == SIGKILL);
            REQUIRE(said.err.empty());
        }
}

TEST_CASE("what can't travel is refused by start, with a sentence, and can be told so again", "[conformance][start_methods]") {
    const auto method = GENERATE(StartMethod::spawn, StartMethod::forkserver);
    INFO(to_string(method));
    int x = 1;
    mp::Process captures({.start_method = method}, [&x] { x = 2; });
    CHECK_THROWS_AS(captures.start(), mp::NotPortableError);
    CHECK_THROWS_AS(captures.start(), mp::NotPortableError);
    CHECK(captures.exitcode() == std::nullopt);

    struct service : mp::Process {
        explicit service(mp::ProcessOptions options) : Process(std::move(options)) {}
        void run() override {}
    };
    service derived({.start_method = method});
    CHECK_THROWS_WITH(derived.start(), testing::contains("a service can't be started by " + to_string(method)));
    CHECK(mp::active_children().empty());
}

TEST_CASE("T002: set_executable says which program is run, and why it can't be", "[conformance][start_methods]") {
    mp::set_executable("/nowhere/at/all");
    mp::Process p({.start_method = StartMethod::spawn}, [] {});
    try {
        p.start();
        FAIL("it was started");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == ENOENT);
        CHECK_THAT(error.what(), testing::contains("/nowhere/at/all"));
    }
    mp::set_executable(os::executable());
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    mp::set_executable("");
}

TEST_CASE("T214: a program that doesn't expect it spawns nothing", "[conformance][start_methods]") {
    CHECK(refused_before_main);
    mp::process::detail::freeze_support_called = false;
    for (const auto method : {StartMethod::spawn, StartMethod::forkserver}) {
        mp::Process p({.start_method = method}, [] {});
        CHECK_THROWS_WITH(p.start(), testing::contains("freeze_support(argc, argv)"));
    }
    mp::process::detail::freeze_support_called = true;
}

TEST_CASE("T217, T218, T220: the method is chosen once, and children choose the same", "[conformance][start_methods]") {
    CHECK(mp::get_all_start_methods() == std::vector<std::string>{"fork", "spawn", "forkserver"});
    mp::process::choose_start_method({});
    CHECK(exitcode_of({.start_method = StartMethod::spawn}, [] {}) == 0); // chooses nothing
    mp::set_start_method("spawn");
    CHECK_THROWS_WITH(mp::set_start_method("fork"), testing::contains("context has already been set"));
    CHECK_THROWS_WITH(mp::set_start_method("spoon"), testing::contains("cannot find context for 'spoon'"));
    CHECK(mp::get_start_method() == "spawn");
    const note said;
    CHECK(exitcode_of({}, [](const note& into) { into.write(mp::get_start_method()); }, said) == 0);
    CHECK(said.read() == "spawn");
    mp::set_start_method(StartMethod::fork, true);
    CHECK(mp::get_start_method() == "fork");
    mp::process::choose_start_method({});
    CHECK(mp::get_start_method() == "fork");
    CHECK_THROWS_AS(mp::set_start_method("spawn"), mp::ValueError); // asking was a choice
    mp::process::choose_start_method({});
}

TEST_CASE("a child of a fork server has the server for its kernel's parent, and this process for its own",
          "[conformance][start_methods]") {
    const note one, other;
    const auto tell = [](const note& into) { into.write(fmt::format("{} {}", ::getppid(), mp::parent_process()->pid())); };
    CHECK(exitcode_of({.start_method = StartMethod::forkserver}, tell, one) == 0);
    testing::settle();
    CHECK(exitcode_of({.start_method = StartMethod::forkserver}, tell, other) == 0);
    CHECK(one.read() == other.read());
    CHECK(one.read().ends_with(fmt::format(" {}", ::getpid())));
    CHECK_FALSE(one.read().starts_with(fmt::format("{} ", ::getpid())));
}

TEST_CASE("T027, T028: a fork server takes no notice of Ctrl-C, and one that was killed is replaced", "[conformance][start_methods]") {
    const note said;
    const auto tell = [](const note& into) { into.write(std::to_string(::getppid())); };
    REQUIRE(exitcode_of({.start_method = StartMethod::forkserver}, tell, said) == 0);
    testing::settle();
    const auto server = static_cast<pid_t>(std::stol(said.read()));
    ::kill(server, SIGINT);
    const note again;
    CHECK(exitcode_of({.start_method = StartMethod::forkserver}, tell, again) == 0);
    CHECK(again.read() == said.read());

    const note ready;
    auto done = counter::create(0);
    const note go;
    mp::Process outlives({.start_method = StartMethod::forkserver},
                         [](const note& into, const note& wait_for, const counter& finished) {
                             into.write("ready");
                             wait_for.wait();
                             finished->store(1);
                         },
                         ready, go, done);
    outlives.start();
    ready.wait();
    ::kill(server, SIGKILL);
    const note fresh;
    CHECK(exitcode_of({.start_method = StartMethod::forkserver}, tell, fresh) == 0);
    CHECK(fresh.read() != said.read());
    go.write("go");
    outlives.join();
    CHECK(done->load() == 1);
    CHECK(outlives.exitcode() == 255); // who could have said is gone
    testing::settle();
}

namespace testing {
int preloaded = 0;
void preload() { preloaded = 42; }
void print_as_preload() { std::fputs("preload;", stdout); } // into a pipe: stdio keeps it
} // namespace testing

TEST_CASE("what a fork server has preloaded is there in each process that it forks", "[conformance][start_methods]") {
    // In a process of its own, whose server isn't there yet.
    mp::Process user({.start_method = StartMethod::fork}, [] {
        mp::set_forkserver_preload(&testing::preload);
        for (int i = 0; i < 2; ++i)
            if (const int code = exitcode_of({.start_method = StartMethod::forkserver}, [] { mp::exit(testing::preloaded); }); code != 42)
                mp::exit(code == 0 ? 1 : code);
    });
    user.start();
    user.join();
    CHECK(user.exitcode() == 0);
    CHECK(testing::preloaded == 0);
}

TEST_CASE("T258: what a preload printed is printed once", "[conformance][start_methods]") {
    const auto said = printing.run();
    CHECK(said.exit_code == 0);
    CHECK(said.out == "preload;child;child;");
    CHECK(said.err.empty());
}

TEST_CASE("T261: a very long command line of the parent is no obstacle", "[conformance][start_methods]") {
    const auto said = by_each_method.run(std::vector<std::string>(10, std::string(100'000, 'x')));
    CHECK(said.exit_code == 0);
    CHECK(said.err.empty());
}

TEST_CASE("a spawned process has no signal blocked, and dies of what kills it", "[conformance][start_methods]") {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    mp::Process p({.start_method = StartMethod::spawn}, sleep_for_ever);
    p.start();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    p.terminate();
    p.join();
    CHECK(p.exitcode() == -SIGTERM);
}

TEST_CASE("children killed at any moment of their start leave nothing behind", "[conformance][start_methods]") {
    const StartMethod method = each_method();
    INFO(to_string(method));
    const auto objects = memory::family::here().objects();
    const auto members = memory::family::here().members_alive();
    for (int round = 0; round < 40; ++round) {
        const note ready;
        mp::Process p({.start_method = method}, [](const note& into) { into.write("here"); sleep_for_ever(); }, ready);
        p.start();
        const timespec moment{0, (round * 97'000L) % 4'000'000};
        ::nanosleep(&moment, nullptr);
        p.kill();
        p.join();
        CHECK(p.exitcode() == -SIGKILL);
    }
    CHECK(memory::family::here().objects() == objects);
    CHECK(memory::family::here().members_alive() == members);
}
