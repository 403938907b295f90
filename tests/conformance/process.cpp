// CPython's _TestProcess and _TestSubclassingProcess, under fork. T002, T024 and T027 to T029 are of the other start
// methods. T025 has no counterpart: who starts a thread in C++ joins it, or the program is wrong.
#include <multiprocessing/process.hpp>

#include <csignal>
#include <cstdio>
#include <iterator>
#include <list>
#include <string>
#include <tuple>
#include <vector>

#include <sys/syscall.h>
#include <unistd.h>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

template <typename... Args>
void tell(const testing::story& story, fmt::format_string<Args...> text, Args&&... args) {
    story.tell(fmt::format(text, std::forward<Args>(args)...));
}

bool is_active(const mp::Process& process) {
    for (const auto& child : mp::active_children())
        if (child.pid() == process.pid()) return true;
    return false;
}

[[noreturn]] void sleep_for_ever() {
    for (;;) ::pause();
}

} // namespace

TEST_CASE("T001: the current process is alive, isn't daemonic, has a key and knows its pid", "[conformance][process]") {
    const auto current = mp::current_process();
    REQUIRE(current.is_alive());
    REQUIRE_FALSE(current.daemon());
    REQUIRE(current.authkey().size() == 32);
    REQUIRE(current.ident() == ::getpid());
    REQUIRE(current.exitcode() == std::nullopt);
    REQUIRE(current.name() == "MainProcess");
}

TEST_CASE("T003: a child gets equal arguments, of any types", "[conformance][process]") {
    const std::vector<int> many{1, 2, 3};
    const std::tuple<int, std::string> mixed{4, "five"};
    mp::Process p(
        [](int number, const std::string& text, const std::vector<int>& list,
           const std::tuple<int, std::string>& tuple) {
            const bool equal = number == 1 && text == "two" && list == std::vector<int>{1, 2, 3} &&
                               tuple == std::tuple<int, std::string>{4, "five"};
            mp::exit(equal ? 0 : 3);
        },
        1, "two", many, mixed);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("T004: a process is daemonic as its maker is, unless it is told otherwise", "[conformance][process]") {
    REQUIRE_FALSE(mp::Process([] {}).daemon());
    REQUIRE(mp::Process({.daemon = true}, [] {}).daemon());
    mp::Process p({.daemon = true}, [] {
        const bool right = mp::current_process().daemon() && mp::Process([] {}).daemon() &&
                           !mp::Process({.daemon = false}, [] {}).daemon();
        mp::exit(right ? 0 : 3);
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
}

TEST_CASE("T005: the first process has no parent, and a child's is who started it", "[conformance][process]") {
    REQUIRE_FALSE(mp::parent_process());
    testing::story story;
    mp::Process p([&] { tell(story, "{} {}", mp::parent_process()->pid(), mp::parent_process()->name()); });
    p.start();
    REQUIRE(story.hear_all() == fmt::format("{} {}", ::getpid(), mp::current_process().name()));
    p.join();
}

TEST_CASE("T006: a process learns of its parent's death", "[conformance][process]") {
    testing::story story;
    mp::Process child([&] {
        mp::Process grandchild([&] {
            const auto parent = mp::parent_process();
            tell(story, "{:d}", parent->is_alive());
            tell(story, "{:d}", parent->join(60s));
            tell(story, "{:d}", parent->is_alive());
            parent->join();
            tell(story, "{:d}", mp::parent_process()->is_alive()); // asked for when it is dead already
        });
        grandchild.start();
        sleep_for_ever();
    });
    child.start();
    REQUIRE(story.hear(1) == "1");
    child.kill();
    REQUIRE(story.hear_all() == "100");
    child.join();
}

TEST_CASE("T007 to T010: before start, while it runs, and after join", "[conformance][process]") {
    testing::story story;
    testing::gate gate;
    mp::Process p(
        {.daemon = true},
        [&](const std::string& word, int number) {
            const auto me = mp::current_process();
            tell(story, "{} {} {} {} {}", word, number, me.name(), me.authkey() == mp::current_process().authkey(),
                 *me.pid());
            gate.wait();
        },
        "hello", 2);

    REQUIRE_FALSE(p.is_alive());
    REQUIRE_FALSE(is_active(p));
    REQUIRE(p.exitcode() == std::nullopt);
    REQUIRE(p.pid() == std::nullopt);
    REQUIRE(p.authkey() == mp::current_process().authkey());
    const std::string name = p.name();

    p.start();
    REQUIRE(p.is_alive());
    REQUIRE(is_active(p));
    REQUIRE(p.exitcode() == std::nullopt);
    gate.open();
    REQUIRE(story.hear_all() == fmt::format("hello 2 {} true {}", name, *p.pid()));

    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(p.is_alive());
    REQUIRE_FALSE(is_active(p));
}

TEST_CASE("T009: a child has its maker's key, or the one that it was given", "[conformance][process]") {
    const auto ours = mp::current_process().authkey();
    mp::Process same([&] { mp::exit(mp::current_process().authkey() == ours ? 0 : 3); });
    const std::vector<std::byte> key{std::byte{1}, std::byte{2}};
    mp::Process other([&] { mp::exit(mp::current_process().authkey() == key ? 0 : 3); });
    other.authkey(key);
    for (auto* p : {&same, &other}) {
        p->start();
        p->join();
        REQUIRE(p->exitcode() == 0);
    }
    REQUIRE(other.authkey() == key);
    REQUIRE(mp::current_process().authkey() == ours);
}

TEST_CASE("T011: a child's first thread isn't its parent's", "[conformance][process]") {
    testing::story story;
    mp::Process p([&] { tell(story, "{}", ::syscall(SYS_gettid)); });
    p.start();
    REQUIRE(story.hear_all() == fmt::format("{}", *p.pid()));
    REQUIRE(*p.pid() != ::getpid());
    p.join();
}

TEST_CASE("T012: join with no time, or less than none, returns at once", "[conformance][process]") {
    mp::Process p({.daemon = true}, sleep_for_ever);
    p.start();
    REQUIRE_FALSE(p.join(0s));
    REQUIRE_FALSE(p.join(-1s));
    REQUIRE_FALSE(p.join(-1.5h));
    REQUIRE(p.is_alive());
    p.kill();
    REQUIRE(p.join(std::chrono::hours::max()));
}

TEST_CASE("join with a timeout takes that long", "[conformance][process]") {
    mp::Process p({.daemon = true}, sleep_for_ever);
    p.start();
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE_FALSE(p.join(30ms));
    REQUIRE(std::chrono::steady_clock::now() - begin >= 30ms);
    p.kill();
    p.join();
}

TEST_CASE("T013: a child that handles SIGINT leaves as it wants", "[conformance][process]") {
    static volatile std::sig_atomic_t interrupted = 0;
    testing::story story;
    mp::Process p([&] {
        std::signal(SIGINT, [](int) { interrupted = 1; });
        story.tell("!");
        while (interrupted == 0) ::usleep(1000);
        mp::exit(1);
    });
    p.start();
    REQUIRE(story.hear(1) == "!");
    p.interrupt();
    p.join();
    REQUIRE(p.exitcode() == 1);
}

TEST_CASE("T014 to T016: signals end a child, and the exit code says which", "[conformance][process]") {
    testing::let_signals_kill();
    const auto [send, expected] = GENERATE(table<void (mp::Process::*)(), int>(
        {{&mp::Process::interrupt, -SIGINT}, {&mp::Process::terminate, -SIGTERM}, {&mp::Process::kill, -SIGKILL}}));
    mp::Process p({.daemon = true}, sleep_for_ever);
    p.start();
    REQUIRE(p.is_alive());
    REQUIRE(is_active(p));
    (p.*send)();
    REQUIRE(p.join(60s));
    REQUIRE_FALSE(p.is_alive());
    REQUIRE_FALSE(is_active(p));
    REQUIRE(p.exitcode() == expected);
    (p.*send)(); // nothing happens
    p.join();
    REQUIRE(p.exitcode() == expected);
}

TEST_CASE("T017: there is at least one processor", "[conformance][process]") {
    REQUIRE(mp::cpu_count() >= 1);
    REQUIRE(mp::process_cpu_count() >= 1);
}

TEST_CASE("T018: active_children is a fresh list of those that run", "[conformance][process]") {
    testing::let_signals_kill();
    REQUIRE(mp::active_children().empty());
    mp::Process p({.daemon = true}, sleep_for_ever);
    REQUIRE(mp::active_children().empty());
    p.start();
    auto list = mp::active_children();
    REQUIRE(list.size() == 1);
    REQUIRE(list.front().pid() == p.pid());
    REQUIRE(list.front().name() == p.name());
    REQUIRE(list.front().daemon());
    list.clear();
    REQUIRE(mp::active_children().size() == 1);
    mp::active_children().front().terminate(); // as good a Process as any
    p.join();
    REQUIRE(p.exitcode() == -SIGTERM);
    REQUIRE(mp::active_children().empty());
}

namespace {

void recurse(const testing::story& story, const std::string& path) {
    tell(story, "[{}]", path);
    if (path.size() >= 2) return;
    for (int i = 0; i < 2; ++i) {
        mp::Process p(recurse, std::ref(story), fmt::format("{}{}", path, i));
        p.start();
        p.join();
    }
}

} // namespace

TEST_CASE("T019: children start children, and each waits for its own", "[conformance][process]") {
    testing::story story;
    recurse(story, "");
    REQUIRE(story.hear_all() == "[][0][00][01][1][10][11]");
}

TEST_CASE("T020: a sentinel is ready when its process has ended", "[conformance][process]") {
    testing::gate gate;
    mp::Process p([&] { gate.wait(); });
    REQUIRE_THROWS_AS(p.sentinel(), mp::ValueError);
    p.start();
    const int sentinel = p.sentinel();
    REQUIRE(sentinel >= 0);
    REQUIRE_FALSE(mp::os::wait_readable(sentinel, mp::os::deadline(0s)));
    gate.open();
    REQUIRE(mp::os::wait_readable(sentinel, mp::os::deadline::never()));
    p.join();
    REQUIRE(mp::os::wait_readable(sentinel, mp::os::deadline(0s)));
}

TEST_CASE("T021: close lets go of a process that has ended", "[conformance][process]") {
    testing::gate gate;
    mp::Process p([&] { gate.wait(); });
    p.start();
    REQUIRE(p.is_alive());
    REQUIRE_THROWS_AS(p.close(), mp::ValueError);
    gate.open();
    p.join();
    REQUIRE_FALSE(p.is_alive());
    const std::string name = p.name();
    p.close();
    REQUIRE_THROWS_AS(p.is_alive(), mp::ValueError);
    REQUIRE_THROWS_AS(p.join(), mp::ValueError);
    REQUIRE_THROWS_AS(p.join(1s), mp::ValueError);
    REQUIRE_THROWS_AS(p.terminate(), mp::ValueError);
    REQUIRE_THROWS_AS(p.kill(), mp::ValueError);
    REQUIRE_THROWS_AS(p.interrupt(), mp::ValueError);
    REQUIRE_THROWS_AS(p.start(), mp::ValueError);
    REQUIRE_THROWS_AS(p.pid(), mp::ValueError);
    REQUIRE_THROWS_AS(p.ident(), mp::ValueError);
    REQUIRE_THROWS_AS(p.exitcode(), mp::ValueError);
    REQUIRE_THROWS_AS(p.sentinel(), mp::ValueError);
    p.close();
    REQUIRE(p.name() == name);
    REQUIRE_FALSE(p.daemon());
    REQUIRE_FALSE(p.authkey().empty());
    REQUIRE(to_string(p) == fmt::format("<Process name='{}' parent={} closed>", name, ::getpid()));
}

TEST_CASE("T022: 100 short children at once", "[conformance][process]") {
    std::vector<mp::Process> all;
    for (int i = 0; i < 100; ++i) {
        all.emplace_back([] {});
        all.back().start();
    }
    for (auto& p : all) {
        p.join();
        REQUIRE(p.exitcode() == 0);
    }
}

TEST_CASE("T023: 100 children terminated at once, right after their start", "[conformance][process]") {
    testing::let_signals_kill();
    std::vector<mp::Process> all;
    for (int i = 0; i < 100; ++i) {
        all.emplace_back(sleep_for_ever);
        all.back().start();
    }
    for (auto& p : all) p.terminate();
    for (auto& p : all) {
        p.join();
        REQUIRE(p.exitcode() == -SIGTERM);
    }
}

TEST_CASE("T026: closed standard streams break neither start nor exit", "[conformance][process]") {
    const int closed = GENERATE(0, 1, 2);
    INFO("descriptor " << closed);
    testing::story said;
    // In a process of its own, whose streams nobody else needs.
    mp::Process parent([&] {
        for (const int output : {1, 2}) ::dup2(said.descriptor(), output);
        ::close(closed);
        mp::Process p([] {
            std::fputs("out\n", stdout);
            std::fputs("err\n", stderr);
            ::close(1);
            ::close(2);
        });
        p.start();
        p.join();
        mp::exit(p.exitcode().value_or(99));
    });
    parent.start();
    parent.join();
    REQUIRE(parent.exitcode() == 0);
}

namespace {

/// Upper-cases what it reads, until there is nothing more.
class Shouter : public mp::Process {
public:
    explicit Shouter(std::string punctuation) : punctuation_(std::move(punctuation)) {}

    void run() override {
        requests_.write.reset();
        for (std::byte letter; mp::os::read_all(requests_.read.get(), std::span(&letter, 1)) == 1;)
            answers_.tell(std::string(1, static_cast<char>(std::toupper(static_cast<int>(letter)))) + punctuation_);
    }
    std::string ask(const std::string& question) {
        mp::os::write_all(requests_.write.get(), std::as_bytes(std::span(question)));
        return answers_.hear(2 * question.size());
    }
    void stop() { requests_.write.reset(); }

private:
    std::string punctuation_;
    mp::os::pipe_ends requests_ = mp::os::make_pipe();
    testing::story answers_;
};

} // namespace

TEST_CASE("T030: a subclass is a service, with pipes as members", "[conformance][process]") {
    Shouter shouter("!");
    shouter.start();
    REQUIRE(shouter.name().starts_with("Shouter-"));
    REQUIRE(shouter.ask("a") == "A!");
    REQUIRE(shouter.ask("bob") == "B!O!B!");
    shouter.stop();
    shouter.join();
    REQUIRE(shouter.exitcode() == 0);
}

TEST_CASE("T031: what a target throws is on stderr before the process ends, all of it and where it was thrown",
          "[conformance][process]") {
    testing::story story;
    mp::Process p({.name = "Faulty"}, [&] {
        ::dup2(story.descriptor(), STDERR_FILENO);
        throw std::out_of_range(std::string(10'000, 'x'));
    });
    p.start();
    const std::string text = story.hear_all();
    const std::string report = "Process Faulty:\n  std::out_of_range: " + std::string(10'000, 'x') + '\n';
    REQUIRE(text.substr(0, report.size()) == report);
    REQUIRE(text.substr(report.size()).starts_with("    at "));
    REQUIRE(text.ends_with('\n'));
    p.join();
    REQUIRE(p.exitcode() == 1);
}

TEST_CASE("T032: exit with a reason prints it and leaves with 1", "[conformance][process]") {
    testing::story story;
    mp::Process p([&] {
        ::dup2(story.descriptor(), STDERR_FILENO);
        mp::exit("nothing to do");
    });
    p.start();
    REQUIRE(story.hear_all() == "nothing to do\n");
    p.join();
    REQUIRE(p.exitcode() == 1);
}

TEST_CASE("T033: exit codes", "[conformance][process]") {
    const auto code_of = [](auto leave) {
        mp::Process p(leave);
        p.start();
        p.join();
        return p.exitcode().value_or(-99);
    };
    REQUIRE(code_of([] { mp::exit(true); }) == 1);
    REQUIRE(code_of([] { mp::exit(false); }) == 0);
    REQUIRE(code_of([] { mp::exit(8); }) == 8);
    REQUIRE(code_of([] { mp::exit(); }) == 0);
    REQUIRE(code_of([] { return 8; }) == 0); // what a target returns isn't asked for
}

TEST_CASE("T193: join goes on through signals", "[conformance][process]") {
    static volatile std::sig_atomic_t seen = 0;
    struct sigaction handler {
    }, before{};
    handler.sa_handler = [](int) { seen = 1; };
    ::sigaction(SIGUSR1, &handler, &before); // no SA_RESTART: calls are interrupted
    mp::Process p([parent = ::getpid()] {
        ::usleep(20'000); // most likely it waits by then
        ::kill(parent, SIGUSR1);
        ::usleep(20'000);
        mp::exit(7);
    });
    p.start();
    p.join();
    ::sigaction(SIGUSR1, &before, nullptr);
    REQUIRE(seen == 1);
    REQUIRE(p.exitcode() == 7);
}

TEST_CASE("T205: a child's stdin is empty, and its parent's goes on where it was", "[conformance][process]") {
    // In a process of its own, because stdin is put aside.
    mp::Process parent([] {
        std::FILE* const input = std::tmpfile();
        std::fputs("first\nsecond\n", input);
        std::rewind(input);
        ::dup2(::fileno(input), STDIN_FILENO);
        std::clearerr(stdin);
        char line[16];
        if (std::fgets(line, sizeof line, stdin) == nullptr || line != std::string("first\n")) mp::exit(3);
        mp::Process p([] {
            char c;
            mp::exit(std::fgetc(stdin) == EOF && ::read(STDIN_FILENO, &c, 1) == 0 ? 0 : 4);
        });
        p.start();
        p.join();
        if (p.exitcode() != 0) mp::exit(*p.exitcode());
        if (std::fgets(line, sizeof line, stdin) == nullptr || line != std::string("second\n")) mp::exit(5);
        mp::exit(std::fgets(line, sizeof line, stdin) == nullptr ? 0 : 6);
    });
    parent.start();
    parent.join();
    REQUIRE(parent.exitcode() == 0);
}

TEST_CASE("T206: text in stdio's buffer at a start is printed once", "[conformance][process]") {
    testing::story story;
    mp::Process parent([&] {
        ::dup2(story.descriptor(), STDOUT_FILENO);
        std::setvbuf(stdout, nullptr, _IOFBF, 4096);
        std::fputs("before ", stdout);
        mp::Process p([] { std::fputs("child ", stdout); });
        p.start();
        p.join();
        std::fputs("after", stdout);
    });
    parent.start();
    REQUIRE(story.hear_all() == "before child after");
    parent.join();
}

TEST_CASE("T257: what a child registers with at_exit has run when join returns", "[conformance][process]") {
    testing::story story;
    mp::at_exit([] {}); // the parent's is none of the child's business
    mp::Process p([&] {
        mp::at_exit([&] { story.tell("1"); });
        mp::at_exit([&] { story.tell("2"); });
    });
    p.start();
    p.join();
    REQUIRE(story.hear_all() == "21");
}
