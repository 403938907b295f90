#include <multiprocessing/os/crash.hpp>

#include <csignal>
#include <cstdlib>
#include <span>
#include <string>

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/descriptor.hpp>

#include <support/catch.hpp>

namespace os = multiprocessing::os;

#if !MULTIPROCESSING_ADDRESS_SANITIZER() && !MULTIPROCESSING_THREAD_SANITIZER() // they tell crashes themselves

namespace {

volatile int* volatile nowhere = nullptr;
volatile int zero = 0;

[[gnu::noinline]] void writer_to_nowhere() {
    *nowhere = 1;
    __asm__ volatile("");
}
[[gnu::noinline]] void caller_of_writers() {
    writer_to_nowhere();
    __asm__ volatile("");
}
[[gnu::noinline]] int digger(int depth) {
    volatile char hole[4096];
    hole[0] = static_cast<char>(depth);
    if (zero != 0) return 0;
    return digger(depth + 1) + hole[0];
}
[[gnu::noinline]] void breaker_of_heaps() {
    // Zeros: malloc looks for its own marks just before what it is given, and marks left by others would lead it elsewhere.
    char* volatile block = static_cast<char*>(std::calloc(64, 1));
    block = block + 8;
    std::free(block); // malloc ends the process, out of its own middle
    __asm__ volatile("");
}

struct ended {
    int code = 0;
    std::string said;
    std::string last_words;
};

/// How a child ends that runs this, prepared to crash.
template <typename Body>
ended end_of(Body body) {
    constexpr std::size_t room = 4096;
    void* const shared = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const std::span words(static_cast<char*>(shared), room);
    auto ends = os::make_pipe();
    os::child child = os::fork_child();
    if (child.pid() == 0) {
        for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) std::signal(number, SIG_DFL); // Catch's
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::dup2(ends.write.get(), STDERR_FILENO);
        os::name("Crasher");
        os::leave_last_words_in(words);
        os::tell_crashes();
        body();
        os::leave(0);
    }
    ends.write.reset();
    ended how;
    for (std::string part(512, '\0');; part.resize(512)) {
        part.resize(os::read_all(ends.read.get(), std::as_writable_bytes(std::span(part))));
        if (part.empty()) break;
        how.said += part;
    }
    child.wait(os::deadline::never());
    how.code = child.exitcode().value_or(-99);
    how.last_words = os::read_last_words(words);
    ::munmap(shared, room);
    return how;
}

} // namespace

TEST_CASE("a crash is told with the calls that led to it, and is one all the same", "[os][crash]") {
    const ended how = end_of([] { caller_of_writers(); });
    INFO(how.said);
    INFO(how.last_words);
    CHECK(how.code == -SIGSEGV);
    CHECK(how.said.starts_with("Process Crasher (pid "));
    CHECK_THAT(how.said, testing::contains(") got SIGSEGV at address 0x0:\n    at (anonymous namespace)::writer_to_nowhere()+0x"));
    CHECK_THAT(how.said, testing::contains("    at (anonymous namespace)::caller_of_writers()+0x"));
    CHECK_THAT(how.last_words, testing::contains("    at (anonymous namespace)::writer_to_nowhere()+0x"));
    CHECK_THAT(how.last_words, testing::contains("    at (anonymous namespace)::caller_of_writers()+0x"));
    CHECK(how.last_words.find("on_crash") == std::string::npos);
}

TEST_CASE("every kind of crash is told", "[os][crash]") {
    CHECK(end_of([] { std::abort(); }).code == -SIGABRT);
    CHECK_THAT(end_of([] { std::abort(); }).said, testing::contains("got SIGABRT:\n"));
    for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
        const ended sent = end_of([number] { ::kill(::getpid(), number); ::pause(); });
        CHECK(sent.code == -number);
        CHECK_THAT(sent.said, testing::contains("got " + multiprocessing::detail::signal_name(number) + ":\n"));
        CHECK_FALSE(sent.last_words.empty());
    }
    const ended trap = end_of([] { __builtin_trap(); });
    CHECK((trap.code == -SIGILL || trap.code == -SIGTRAP));
}

TEST_CASE("a stack that overflows is told too", "[os][crash]") {
    const ended how = end_of([] { std::exit(digger(0)); });
    CHECK(how.code == -SIGSEGV);
    CHECK_THAT(how.said, testing::contains("digger(int)"));
    CHECK_THAT(how.last_words, testing::contains("digger(int)"));
}

TEST_CASE("a damaged heap makes nobody hang", "[os][crash]") {
    const ended how = end_of([] { breaker_of_heaps(); });
    CHECK(how.code == -SIGABRT);
    CHECK_THAT(how.last_words, testing::contains("breaker_of_heaps"));
}

TEST_CASE("a signal that the program handles is left to it", "[os][crash]") {
    const ended how = end_of([] {
        std::signal(SIGSEGV, [](int) { ::_exit(7); });
        os::tell_crashes();
        caller_of_writers();
    });
    CHECK(how.code == 7);
    CHECK(how.said.empty());
}

TEST_CASE("who doesn't crash says nothing", "[os][crash]") {
    const ended how = end_of([] {});
    CHECK(how.code == 0);
    CHECK(how.said.empty());
    CHECK(how.last_words.empty());
    CHECK(end_of([] { ::kill(::getpid(), SIGKILL); }).said.empty());
}

#endif

TEST_CASE("last words that are damaged are read as far as they go", "[os][crash]") {
    const auto read = [](std::string_view text) { return os::read_last_words(std::span(text.data(), text.size())); };
    CHECK(read("").empty());
    CHECK(read("\n\n\n").empty());
    CHECK(read("0x /x\n0xzz /x\nx 1\n0x12\n").empty());
    CHECK(read("0x12 /nowhere") == "    at /nowhere+0x12\n");
    CHECK(read(std::string_view("0x12 /nowhere\0 0x13 /x\n", 24)) == "    at /nowhere+0x12\n");
}
