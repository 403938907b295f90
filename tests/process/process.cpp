#include <multiprocessing/process/process.hpp>

#include <atomic>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/process/exit.hpp>
#include <multiprocessing/process/parent.hpp>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

namespace {

/// The exit code that a process ends with which runs this.
template <typename F>
int code_of(F body) {
    mp::Process p([&] { mp::exit(body()); });
    p.start();
    p.join();
    return p.exitcode().value_or(-99);
}

[[noreturn]] void sleep_for_ever() {
    for (;;) ::pause();
}

struct counter {
    int sum = 0;
    void add(int n) {
        sum += n;
        mp::exit(sum);
    }
};

class Named : public mp::Process {
public:
    Named() = default;
    explicit Named(std::string name) : Process({.name = std::move(name)}) {}
    void run() override {
        mp::exit(name() == mp::current_process().name() && pid() == ::getpid() && is_alive() ? 7 : 8);
    }
};

class Counted : public mp::Process {
public:
    explicit Counted(int value) : value_(value) {}
    void run() override { mp::exit(value_); }

private:
    int value_;
};

} // namespace

TEST_CASE("a target is anything that can be called, with its arguments copied or moved in", "[process]") {
    const auto code = [](mp::Process p) {
        p.start();
        p.join();
        return p.exitcode().value_or(-99);
    };
    counter fives{5};
    int seven = 7;
    REQUIRE(code(mp::Process([](std::unique_ptr<int> p) { mp::exit(*p); }, std::make_unique<int>(4))) == 4);
    REQUIRE(code(mp::Process([owned = std::make_unique<int>(9)] { mp::exit(*owned); })) == 9);
    REQUIRE(code(mp::Process(&counter::add, &fives, 2)) == 7);
    REQUIRE(code(mp::Process(&counter::add, fives, 3)) == 8);
    REQUIRE(code(mp::Process([](int& n) { mp::exit(n); }, std::ref(seven))) == 7);
    REQUIRE(code(mp::Process(
                {.name = "with options"}, [](const std::string& s) { mp::exit(static_cast<int>(s.size())); },
                "four")) == 4);
    const std::function<void()> function = [] { mp::exit(3); };
    REQUIRE(code(mp::Process(function)) == 3);
    REQUIRE(code(mp::Process(mp::ProcessOptions{.daemon = true}, function)) == 3);
    REQUIRE(fives.sum == 5); // what the child did to its copy is seen by nobody else
}

TEST_CASE("copies, moves and options are not taken for targets", "[process]") {
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<mp::Process>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<mp::Process, mp::Process&>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<mp::Process, const Named&>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<mp::Process, mp::ProcessOptions>); // protected
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<mp::Process>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<mp::Process>);
    STATIC_REQUIRE(std::is_move_constructible_v<Named>);
}

TEST_CASE("the target and its arguments are destroyed once the child is started", "[process]") {
    auto shared = std::make_shared<int>(1);
    mp::Process p([](const std::shared_ptr<int>&) {}, shared);
    REQUIRE(shared.use_count() == 2);
    p.start();
    REQUIRE(shared.use_count() == 1);
    p.join();
}

TEST_CASE("in the child arguments are destroyed before it leaves", "[process]") {
    testing::story story;
    struct last_words {
        testing::story* story;
        explicit last_words(testing::story* s) : story(s) {}
        last_words(last_words&& other) noexcept : story(std::exchange(other.story, nullptr)) {}
        ~last_words() {
            if (story != nullptr && mp::parent_process()) story->tell("over");
        }
    };
    mp::Process p([](const last_words& words) { words.story->tell("work, "); }, last_words(&story));
    p.start();
    REQUIRE(story.hear_all() == "work, over");
    p.join();
}

TEST_CASE("default names count, and go deeper with each generation", "[process]") {
    REQUIRE(code_of([] {
                const std::string mine = mp::current_process().name(); // Process-N
                const mp::Process first([] {});
                const mp::Process second([] {});
                const bool right = first.name() == mine + ":1" && second.name() == mine + ":2" &&
                                   Named().name() == "Named-" + mine.substr(8) + ":3";
                return right ? 0 : 1;
            }) == 0);
}

TEST_CASE("a name can be given, changed, and is what the child calls itself", "[process]") {
    testing::story story;
    mp::Process p({.name = "first"}, [&] {
        story.tell(mp::current_process().name() + ' ');
        mp::current_process().name("third");
        story.tell(mp::current_process().name());
    });
    REQUIRE(p.name() == "first");
    p.name("second");
    p.start();
    REQUIRE(p.name() == "second");
    REQUIRE(story.hear_all() == "second third");
    p.join();
}

TEST_CASE("a subclass is itself in the child, and has its class's name", "[process]") {
    Named unnamed;
    REQUIRE(unnamed.name().starts_with("Named-"));
    Named named("Bob");
    REQUIRE(named.name() == "Bob");
    for (Named* p : {&unnamed, &named}) {
        p->start();
        p->join();
        REQUIRE(p->exitcode() == 7);
    }
}

TEST_CASE("run can be called here too", "[process]") {
    int calls = 0;
    mp::Process p([&] { ++calls; });
    p.run();
    REQUIRE(calls == 1);
    p.close();
}

TEST_CASE("processes are moved before, while and after they run", "[process]") {
    testing::gate gate;
    mp::Process before([&] {
        gate.wait();
        mp::exit(5);
    });
    mp::Process p(std::move(before));
    p.start();
    std::vector<mp::Process> all;
    all.push_back(std::move(p));
    all.emplace_back([] { mp::exit(6); });
    all.back().start();
    gate.open();
    for (auto& each : all) each.join();
    REQUIRE(all[0].exitcode() == 5);
    REQUIRE(all[1].exitcode() == 6);
    all[0] = std::move(all[1]);
    REQUIRE(all[0].exitcode() == 6);
    REQUIRE_THROWS_WITH(all[1].join(), testing::contains("moved from"));
    REQUIRE_THROWS_WITH(all[1].start(), testing::contains("moved from"));
    REQUIRE(to_string(all[1]) == "<Process moved from>");
}

TEST_CASE("an object of a subclass may move while its process runs", "[process]") {
    std::vector<Counted> all;
    for (int i = 0; i < 10; ++i) { // reallocates again and again
        all.emplace_back(i);
        all.back().start();
    }
    for (int i = 0; i < 10; ++i) {
        all[static_cast<std::size_t>(i)].join();
        REQUIRE(all[static_cast<std::size_t>(i)].exitcode() == i);
    }
}

TEST_CASE("destroying a started process neither waits nor kills, and it is reaped all the same", "[process]") {
    testing::gate gate;
    testing::story story;
    {
        mp::Process p([&] {
            gate.wait();
            story.tell("done");
        });
        p.start();
    }
    REQUIRE(mp::active_children().size() == 1);
    gate.open();
    REQUIRE(story.hear_all() == "done");
    while (!mp::active_children().empty()) mp::active_children().front().join();
    REQUIRE(::waitpid(-1, nullptr, WNOHANG) == -1);
    REQUIRE(errno == ECHILD);
}

TEST_CASE("the dead that nobody asks about don't pile up", "[process]") {
    for (int i = 0; i < 20; ++i) {
        mp::Process p([] {});
        p.start();
        REQUIRE(mp::os::wait_readable(p.sentinel(), mp::os::deadline::never()));
    }
    int zombies = 0;
    for (siginfo_t one{}; ::waitid(P_ALL, 0, &one, WEXITED | WNOHANG) == 0 && one.si_pid != 0; one = {}) ++zombies;
    REQUIRE(zombies <= 2); // at each start as many are alive or unseen as were when the children were looked at last
    static_cast<void>(mp::active_children());
}

TEST_CASE("calls in the wrong state say which rule was broken", "[process]") {
    mp::Process p([] {});
    REQUIRE_THROWS_WITH(p.join(), "can only join a started process");
    REQUIRE_THROWS_WITH(p.terminate(), "can only terminate a started process");
    REQUIRE_THROWS_WITH(p.kill(), "can only kill a started process");
    REQUIRE_THROWS_WITH(p.interrupt(), "can only interrupt a started process");
    REQUIRE_THROWS_WITH(p.sentinel(), "process not started");
    p.daemon(true);
    REQUIRE(p.daemon());
    p.start();
    REQUIRE_THROWS_WITH(p.start(), "cannot start a process twice");
    REQUIRE_THROWS_WITH(p.daemon(false), "process has already started");
    p.join();
    REQUIRE_THROWS_AS(p.start(), mp::ValueError);
    p.close();
    REQUIRE_THROWS_WITH(p.join(), "process object is closed");

    auto me = mp::current_process();
    REQUIRE_THROWS_WITH(me.start(), "cannot start a process twice");
    REQUIRE_THROWS_WITH(me.join(), "can only join a child process");
    REQUIRE_THROWS_WITH(me.terminate(), "can only terminate a child process");
    REQUIRE_THROWS_AS(me.sentinel(), mp::ValueError);
    me.close(); // nothing happens
    REQUIRE(me.is_alive());
}

TEST_CASE("a process can't join, ask or signal one that isn't its child", "[process]") {
    mp::Process sibling({.daemon = true}, sleep_for_ever);
    sibling.start();
    const auto parent = mp::current_process();
    mp::Process unstarted([] {});
    mp::Process* myself = nullptr;
    mp::Process p([&] {
        const auto refuses = [](auto call) {
            try {
                call();
                return false;
            } catch (const mp::ValueError& error) {
                return std::string_view(error.what()).find("child process") != std::string_view::npos;
            }
        };
        const bool right = refuses([&] { sibling.join(); }) && refuses([&] { sibling.join(1s); }) &&
                           refuses([&] { static_cast<void>(sibling.is_alive()); }) &&
                           refuses([&] { sibling.kill(); }) &&
                           refuses([&] { static_cast<void>(sibling.exitcode()); }) &&
                           refuses([&] { myself->join(); }) && refuses([&] { static_cast<void>(parent.is_alive()); });
        const bool known = sibling.name().starts_with("Process-") && sibling.pid() > 0 &&
                           parent.pid() == mp::parent_process()->pid() &&
                           parent.name() == mp::parent_process()->name() &&
                           to_string(sibling).find(" unknown daemon>") != std::string::npos && myself->is_alive() &&
                           myself->pid() == ::getpid();
        bool foreign = false;
        try {
            unstarted.start();
        } catch (const mp::ValueError&) {
            foreign = true;
        }
        sibling.close(); // this process's copy
        mp::exit((right ? 0 : 1) + (known ? 0 : 2) + (foreign ? 0 : 4));
    });
    myself = &p;
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(sibling.is_alive());
    sibling.kill();
    sibling.join();
}

TEST_CASE("a daemonic process may start others only if it was allowed to", "[process]") {
    const bool allowed = GENERATE(false, true);
    mp::Process p({.daemon = true, .allow_children = allowed}, [] {
        mp::Process child([] {});
        try {
            child.start();
        } catch (const mp::ValueError& error) {
            mp::exit(std::string_view(error.what()).starts_with("daemonic processes are not allowed to have children")
                         ? 1
                         : 2);
        }
        child.join();
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == (allowed ? 0 : 1));
}

TEST_CASE("a process prints as in Python", "[process]") {
    testing::let_signals_kill();
    const auto parent = ::getpid();
    mp::Process p({.name = "P", .daemon = true}, sleep_for_ever);
    REQUIRE(fmt::format("{}", p) == fmt::format("<Process name='P' parent={} initial daemon>", parent));
    p.start();
    REQUIRE(fmt::format("{}", p) ==
            fmt::format("<Process name='P' pid={} parent={} started daemon>", *p.pid(), parent));
    p.terminate();
    p.join();
    REQUIRE(fmt::format("{}", p) ==
            fmt::format("<Process name='P' pid={} parent={} stopped exitcode=-SIGTERM daemon>", *p.pid(), parent));
    p.close();
    REQUIRE(fmt::format("{}", p) == fmt::format("<Process name='P' parent={} closed daemon>", parent));
    REQUIRE(fmt::format("{}", mp::current_process()) == "<_MainProcess name='MainProcess' parent=None started>");

    Named subclass("S");
    REQUIRE(fmt::format("{:>60}", subclass).ends_with(fmt::format("  <Named name='S' parent={} initial>", parent)));
    subclass.start();
    subclass.join();
    REQUIRE(to_string(subclass) ==
            fmt::format("<Named name='S' pid={} parent={} stopped exitcode=7>", *subclass.pid(), parent));

    REQUIRE(code_of([] {
                return to_string(mp::current_process()) == fmt::format("<Process name='{}' parent={} started>",
                                                                       mp::current_process().name(), ::getppid())
                           ? 0
                           : 1;
            }) == 0);
}

TEST_CASE("the conditions of a process hold in it and nowhere else", "[process]") {
    char before[4096];
    REQUIRE(::getcwd(before, sizeof before) != nullptr);
    const auto processors = mp::process_cpu_count();
    constexpr bool sanitized =
        MULTIPROCESSING_ADDRESS_SANITIZER() || MULTIPROCESSING_THREAD_SANITIZER(); // they map terabytes
    const std::optional<std::uint64_t> memory = sanitized ? std::nullopt : std::optional<std::uint64_t>(64'000'000);
    mp::Process p({.affinity = {0},
                   .limits = {.memory = memory, .open_files = 64, .core_size = 0},
                   .nice = 3,
                   .env = {{"MULTIPROCESSING_TEST_COLOUR", "green"}},
                   .cwd = "/"},
                  [] {
                      if (mp::process_cpu_count() != 1) mp::exit(3);
                      try {
                          const std::vector<char> large(sanitized ? 0 : std::size_t{1} << 30);
                          const char* volatile seen = large.data(); // else a compiler may leave the vector out
                          if (!sanitized && seen != nullptr) mp::exit(4);
                      } catch (const std::bad_alloc&) {}
                      rlimit files{};
                      if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur != 64 || files.rlim_max != 64)
                          mp::exit(5);
                      if (::getpriority(PRIO_PROCESS, 0) < 3) mp::exit(6);
                      const char* colour = std::getenv("MULTIPROCESSING_TEST_COLOUR");
                      if (colour == nullptr || colour != std::string("green")) mp::exit(7);
                      char here[4096];
                      if (::getcwd(here, sizeof here) == nullptr || here != std::string("/")) mp::exit(8);
                  });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    char after[4096];
    REQUIRE(::getcwd(after, sizeof after) != nullptr);
    REQUIRE(std::string(before) == after);
    REQUIRE(std::getenv("MULTIPROCESSING_TEST_COLOUR") == nullptr);
    REQUIRE(mp::process_cpu_count() == processors);
}

TEST_CASE("a process that computes longer than it may ends by SIGXCPU", "[process][slow]") {
    mp::Process p({.limits = {.cpu_time = 1s, .core_size = 0}}, [] {
        for (volatile bool stop = false; !stop;) {}
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == -SIGXCPU);
}

TEST_CASE("a condition that can't be met makes start throw, and it can be tried again", "[process]") {
    mp::Process p({.cwd = "/no/such/place"}, [] {});
    try {
        p.start();
        FAIL("started");
    } catch (const std::system_error& error) {
        REQUIRE(error.code() == std::errc::no_such_file_or_directory);
        REQUIRE(error.what() == fmt::format("cannot start {}: cannot change to the directory /no/such/place: {}",
                                            p.name(), error.code().message()));
    }
    REQUIRE(p.pid() == std::nullopt);
    REQUIRE_THROWS_AS(p.start(), std::system_error);
    REQUIRE(mp::active_children().empty());

    mp::Process nowhere({.affinity = {4000}}, [] {});
    REQUIRE_THROWS_AS(nowhere.start(), std::system_error);
    mp::Process negative({.affinity = {-1}}, [] {});
    REQUIRE_THROWS_WITH(negative.start(), testing::contains("there is no processor -1"));
}

TEST_CASE("when there can't be another process, start throws and can be tried again", "[process]") {
    REQUIRE(code_of([] {
                if (::getuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return 10; // root has no such limit
                rlimit processes{};
                ::getrlimit(RLIMIT_NPROC, &processes);
                const rlimit none{0, processes.rlim_max};
                ::setrlimit(RLIMIT_NPROC, &none);
                mp::Process p([](std::unique_ptr<int> code) { mp::exit(*code); }, std::make_unique<int>(42));
                try {
                    p.start();
                    return 11;
                } catch (const std::system_error& error) {
                    if (error.code() != std::errc::resource_unavailable_try_again) return 12;
                }
                if (p.is_alive() || p.pid()) return 13;
                ::setrlimit(RLIMIT_NPROC, &processes);
                p.start();
                p.join();
                return p.exitcode().value_or(14);
            }) == 42);
}

TEST_CASE("Q15: grandchildren don't keep a sentinel from being ready", "[process]") {
    testing::gate gate;
    mp::Process p([&] {
        mp::Process grandchild([&] { gate.wait(); });
        grandchild.start();
        ::_exit(0); // without waiting for it
    });
    p.start();
    REQUIRE(p.join(60s));
    gate.open();
}

TEST_CASE("Q20: a child that somebody else reaped has ended", "[process]") {
    SECTION("by waitpid") {
        mp::Process p([] {});
        p.start();
        REQUIRE(::waitpid(*p.pid(), nullptr, 0) == *p.pid());
        p.join();
        REQUIRE_FALSE(p.is_alive());
        REQUIRE(p.exitcode() == 255);
    }
    SECTION("by ignoring SIGCHLD") {
        REQUIRE(code_of([] {
                    std::signal(SIGCHLD, SIG_IGN);
                    mp::Process p([] {});
                    p.start();
                    p.join();
                    return !p.is_alive() && p.exitcode() == 255 && mp::active_children().empty() ? 0 : 1;
                }) == 0);
    }
}

TEST_CASE("many threads start, ask and wait at once", "[process]") {
    const int rounds = MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER() ? 5 : 20;
    auto runs = memory::handle<std::atomic<int>>::create(0);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) {
                mp::Process p([&] { ++*runs; });
                p.start();
                static_cast<void>(mp::active_children());
                p.join();
                if (p.exitcode() != 0) ++wrong;
            }
        });
    for (auto& thread : threads) thread.join();
    REQUIRE(wrong == 0);
    REQUIRE(*runs == 4 * rounds);
}

TEST_CASE("C21: many threads wait for one process, and all see the same end", "[process]") {
    testing::gate gate;
    mp::Process p([&] {
        gate.wait();
        mp::exit(9);
    });
    p.start();
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            if (t % 2 == 0)
                p.join();
            else
                while (p.is_alive()) std::this_thread::yield();
            if (p.exitcode() == 9) ++right;
        });
    gate.open();
    for (auto& thread : threads) thread.join();
    REQUIRE(right == 8);
}

TEST_CASE("T262: a process with threads forks, and both sides go on", "[process]") {
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) std::this_thread::yield();
    });
    mp::Process p([] { mp::exit(3); }); // that there is a warning is tested in os/child
    p.start();
    p.join();
    stop = true;
    other.join();
    REQUIRE(p.exitcode() == 3);
}

TEST_CASE("a child outlives the thread that started it", "[process]") {
    const bool daemon = GENERATE(false, true);
    testing::gate gate;
    mp::Process p({.daemon = daemon}, [&] {
        gate.wait();
        mp::exit(5);
    });
    std::thread([&] { p.start(); }).join();
    REQUIRE_FALSE(p.join(20ms));
    gate.open();
    p.join();
    REQUIRE(p.exitcode() == 5);
}

TEST_CASE("what a child held of the family's memory is free when its end is seen", "[process]") {
    auto& family = memory::family::here();
    static_cast<void>(family.self());
    const auto members = family.members_alive();
    const auto objects = family.objects();
    mp::Process p([] {
        static auto held = memory::handle<int[]>::create(1000);
        ::kill(::getpid(), SIGKILL);
    });
    p.start();
    p.join();
    REQUIRE(family.members_alive() == members);
    REQUIRE(family.objects() == objects);
}

TEST_CASE("10000 processes killed leave no descriptor, no zombie and no thread", "[process][slow]") {
    const int rounds = MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER() ? 300 : 10'000;
    for (int i = 0; i < rounds; ++i) {
        mp::Process p(sleep_for_ever);
        p.start();
        p.kill();
        if (i % 2 == 0) p.join(); // the others are left to whoever reaps
    }
    for (auto& p : mp::active_children()) p.join();
    // the census compares descriptors, zombies and threads
}
