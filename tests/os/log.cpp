#include <multiprocessing/os/log.hpp>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include <sys/wait.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

namespace {

std::atomic<int> allocations{0};

} // namespace

// Replaced for the whole program, to count.
void* operator new(std::size_t size) {
    ++allocations;
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

/// What `body` writes to stderr.
template <typename Body>
std::string on_stderr(Body body) {
    const auto file = os::make_memory_file("stderr");
    const os::descriptor before(::dup(STDERR_FILENO));
    ::dup2(file.get(), STDERR_FILENO);
    body();
    ::dup2(before.get(), STDERR_FILENO);
    std::string text(1 << 16, '\0');
    ::lseek(file.get(), 0, SEEK_SET);
    text.resize(os::read_all(file.get(), std::as_writable_bytes(std::span(text))));
    return text;
}

struct unspeakable {};

} // namespace

template <>
struct fmt::formatter<unspeakable> : fmt::formatter<int> {
    auto format(const unspeakable&, fmt::format_context& context) const -> decltype(context.out()) {
        throw std::runtime_error("can't be said");
    }
};

TEST_CASE("a line tells level, process and text", "[os][log]") {
    REQUIRE(on_stderr([] { os::log(os::log_level::warning, "worker {} ended with {}", 4711, -9); }) ==
            "[WARNING/MainProcess] worker 4711 ended with -9\n");
    os::name("Process-1:2");
    REQUIRE(on_stderr([] { os::log(os::log_level::error, "{}", "text"); }) == "[ERROR/Process-1:2] text\n");
    os::name("MainProcess");
}

TEST_CASE("what is below the level isn't shown", "[os][log]") {
    const auto each_level = [] {
        os::log(os::log_level::debug, "d");
        os::log(os::log_level::info, "i");
        os::log(os::log_level::warning, "w");
        os::log(os::log_level::error, "e");
        os::log(os::log_level::none, "n");
    };
    const std::string d = "[DEBUG/MainProcess] d\n", i = "[INFO/MainProcess] i\n", w = "[WARNING/MainProcess] w\n",
                      e = "[ERROR/MainProcess] e\n";
    const os::log_level before = os::level();
    os::level(os::log_level::debug);
    CHECK(on_stderr(each_level) == d + i + w + e);
    os::level(os::log_level::info);
    CHECK(on_stderr(each_level) == i + w + e);
    os::level(os::log_level::warning);
    CHECK(on_stderr(each_level) == w + e);
    os::level(os::log_level::error);
    CHECK(on_stderr(each_level) == e);
    os::level(os::log_level::none);
    CHECK(on_stderr(each_level).empty());
    os::level(before);
}

TEST_CASE("the environment sets the level, and the program overrules it", "[os][log]") {
    const char* const set_outside = std::getenv("MULTIPROCESSING_LOG");
    const std::string before = set_outside != nullptr ? set_outside : "";
    const auto level_of = [](const char* text) {
        ::setenv("MULTIPROCESSING_LOG", text, 1);
        os::detail::shown_level = 0; // as in a new process
        return os::level();
    };
    CHECK(level_of("debug") == os::log_level::debug);
    CHECK(level_of("info") == os::log_level::info);
    CHECK(level_of("warning") == os::log_level::warning);
    CHECK(level_of("error") == os::log_level::error);
    CHECK(level_of("none") == os::log_level::none);
    CHECK(level_of("DEBUG") == os::log_level::debug);
    CHECK(level_of("verbose") == os::log_level::warning);
    CHECK(level_of("") == os::log_level::warning);
    ::unsetenv("MULTIPROCESSING_LOG");
    os::detail::shown_level = 0;
    CHECK(os::level() == os::log_level::warning);

    ::setenv("MULTIPROCESSING_LOG", "debug", 1);
    os::detail::shown_level = 0;
    os::level(os::log_level::error);
    CHECK(os::level() == os::log_level::error);

    if (set_outside != nullptr)
        ::setenv("MULTIPROCESSING_LOG", before.c_str(), 1);
    else
        ::unsetenv("MULTIPROCESSING_LOG");
    os::detail::shown_level = 0;
}

TEST_CASE("a line too long is cut where it shows, and is still a line", "[os][log]") {
    const std::string text(5000, 'x');
    const std::string written = on_stderr([&] { os::log(os::log_level::error, "{}", text); });
    REQUIRE(written.size() == 1024);
    REQUIRE(written.ends_with("xxx...\n"));
    REQUIRE(written.starts_with("[ERROR/MainProcess] xxx"));

    const std::string prefix = "[ERROR/MainProcess] ";
    const std::string just_fits(1024 - prefix.size() - 1, 'y');
    REQUIRE(on_stderr([&] { os::log(os::log_level::error, "{}", just_fits); }) == prefix + just_fits + "\n");

    os::name(std::string(3000, 'n'));
    REQUIRE(on_stderr([&] { os::log(os::log_level::error, "text"); }).size() == 1024);
    os::name("MainProcess");
}

TEST_CASE("a line is one write: readers at the other end of a datagram socket get it whole", "[os][log]") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
    const os::descriptor here(ends[0]), there(ends[1]), before(::dup(STDERR_FILENO));
    ::dup2(there.get(), STDERR_FILENO);
    os::log(os::log_level::error, "{} and {} and {}", 1, "two", 3.5);
    ::dup2(before.get(), STDERR_FILENO);
    char datagram[2000];
    const auto length = ::recv(here.get(), datagram, sizeof datagram, MSG_DONTWAIT);
    REQUIRE(std::string(datagram, static_cast<std::size_t>(length)) == "[ERROR/MainProcess] 1 and two and 3.5\n");
    REQUIRE(::recv(here.get(), datagram, sizeof datagram, MSG_DONTWAIT) == -1);
}

TEST_CASE("logging allocates nothing and leaves errno alone", "[os][log]") {
    const std::string text(5000, 'x');
    int allocated = -1, code = 0;
    (void)on_stderr([&] {
        errno = ESRCH;
        const int before = allocations;
        os::log(os::log_level::error, "{} {} {:>40} {:f} {}", 42, "text", "wide", 2.5, text);
        os::log(os::log_level::debug, "{}", text);
        allocated = allocations - before;
        code = errno;
    });
    REQUIRE(allocated == 0);
    REQUIRE(code == ESRCH);
}

TEST_CASE("logging waits for no lock of stdio's", "[os][log]") {
    const std::string written = on_stderr([] {
        std::atomic<int> step{0};
        std::thread holder([&] {
            ::flockfile(stderr);
            step = 1;
            while (step != 2) ::sched_yield();
            ::funlockfile(stderr);
        });
        while (step != 1) ::sched_yield();
        os::log(os::log_level::error, "not held up");
        step = 2;
        holder.join();
    });
    REQUIRE(written == "[ERROR/MainProcess] not held up\n");
}

TEST_CASE("a line that can't be written or formatted is lost, and nothing else", "[os][log]") {
    REQUIRE(on_stderr([] { os::log(os::log_level::error, "{}", unspeakable()); }).empty());

    const os::descriptor before(::dup(STDERR_FILENO));
    auto pipe = os::make_pipe();
    pipe.read.reset();
    ::dup2(pipe.write.get(), STDERR_FILENO);
    errno = 0;
    os::log(os::log_level::error, "nobody reads this"); // a SIGPIPE would end this program
    const int code = errno;
    ::close(STDERR_FILENO);
    os::log(os::log_level::error, "nobody reads this either");
    ::dup2(before.get(), STDERR_FILENO);
    REQUIRE(code == 0);
}
