#include <multiprocessing/os/descriptor.hpp>

#include <atomic>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <multiprocessing/config.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;

namespace {

std::atomic<int> closes_interrupted{0};
int descriptor_to_interrupt = -1;

} // namespace

// Stands in for the C library's: closing one descriptor is interrupted, as the manual allows, after it was closed.
extern "C" int close(int fd) {
    const long result = ::syscall(SYS_close, fd);
    if (fd >= 0 && fd == descriptor_to_interrupt) {
        ++closes_interrupted;
        errno = EINTR;
        return -1;
    }
    return static_cast<int>(result);
}

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }
bool is_close_on_exec(const os::descriptor& fd) { return (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0; }

std::size_t descriptors_open() {
    std::size_t count = 0;
    DIR* const folder = ::opendir("/proc/self/fd");
    while (::readdir(folder) != nullptr) ++count;
    ::closedir(folder);
    return count;
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

std::string read_text(int fd, std::size_t most) {
    std::string text(most, '\0');
    text.resize(os::read_all(fd, std::as_writable_bytes(std::span(text))));
    return text;
}

bool sigpipe_is_pending() {
    sigset_t pending;
    sigemptyset(&pending);
    ::sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
}

bool sigpipe_is_blocked() {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    return sigismember(&blocked, SIGPIPE) == 1;
}

/// No descriptor can be opened while it lives. What needs one waits until then: Catch's messages do, and what
/// sanitizers look at when a member of an exception is called.
class descriptors_used_up {
public:
    descriptors_used_up() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const os::descriptor lowest_free(::dup(0));
        rlimit limit = before_;
        limit.rlim_cur = static_cast<rlim_t>(lowest_free.get());
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    ~descriptors_used_up() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

template <typename Call>
int error_of(Call call) {
    try {
        call();
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

} // namespace

TEST_CASE("a descriptor closes what it owns, once", "[os][descriptor]") {
    int number = -1;
    {
        const os::descriptor owner(::dup(0));
        number = owner.get();
        REQUIRE(owner);
        REQUIRE(is_open(number));
    }
    REQUIRE_FALSE(is_open(number));
    REQUIRE_FALSE(os::descriptor());
    REQUIRE(os::descriptor().get() == -1);
}

TEST_CASE("moving a descriptor hands it over and closes what was there", "[os][descriptor]") {
    os::descriptor a(::dup(0)), b(::dup(0));
    const int first = a.get(), second = b.get();
    b = std::move(a);
    REQUIRE(b.get() == first);
    REQUIRE_FALSE(a); // NOLINT: it says so itself
    REQUIRE_FALSE(is_open(second));

    os::descriptor& same = b;
    b = std::move(same);
    REQUIRE(b.get() == first);
    REQUIRE(is_open(first));

    const os::descriptor c(std::move(b));
    REQUIRE(c.get() == first);
    REQUIRE_FALSE(b); // NOLINT
}

TEST_CASE("a released descriptor stays open, a reset one doesn't", "[os][descriptor]") {
    os::descriptor owner(::dup(0));
    const int number = owner.release();
    owner.reset();
    REQUIRE(is_open(number));
    owner.reset(number);
    owner.reset(number); // the same again changes nothing
    REQUIRE(is_open(number));
    owner.reset();
    REQUIRE_FALSE(is_open(number));
}

#if !MULTIPROCESSING_THREAD_SANITIZER() // which has a close() of its own
TEST_CASE("an interrupted close() is not repeated: the number may be another file's by now", "[os][descriptor]") {
    os::descriptor owner(::dup(0));
    descriptor_to_interrupt = owner.get();
    owner.reset();
    descriptor_to_interrupt = -1;
    REQUIRE(closes_interrupted == 1);
}
#endif

TEST_CASE("every descriptor is close-on-exec from its birth", "[os][descriptor]") {
    const auto pipe = os::make_pipe();
    const auto sockets = os::make_socket_pair();
    const auto file = os::make_memory_file("a file");
    os::send_descriptor(sockets.first.get(), 0);
    const auto received = os::receive_descriptor(sockets.second.get());
    REQUIRE(is_close_on_exec(pipe.read));
    REQUIRE(is_close_on_exec(pipe.write));
    REQUIRE(is_close_on_exec(sockets.first));
    REQUIRE(is_close_on_exec(sockets.second));
    REQUIRE(is_close_on_exec(file));
    REQUIRE(is_close_on_exec(received));
    REQUIRE(is_close_on_exec(file.duplicate()));
}

TEST_CASE("a duplicate is the same open file under another number", "[os][descriptor]") {
    const auto file = os::make_memory_file("a file");
    os::descriptor again = file.duplicate();
    REQUIRE(again.get() != file.get());
    os::write_all(again.get(), bytes_of("abc"));
    REQUIRE(::lseek(file.get(), 0, SEEK_CUR) == 3); // position and all
    REQUIRE(error_of([] { (void)os::descriptor().duplicate(); }) == EBADF);
}

TEST_CASE("all bytes are written and read, however many calls that takes", "[os][descriptor]") {
    const auto pipe = os::make_pipe();
    std::string sent(3'000'001, '\0'); // many times what a pipe holds
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 % 251);
    std::thread writer([&] { os::write_all(pipe.write.get(), bytes_of(sent)); });
    const std::string received = read_text(pipe.read.get(), sent.size());
    writer.join();
    REQUIRE((received == sent));
}

TEST_CASE("reading comes back short at the end of the file only", "[os][descriptor]") {
    auto pipe = os::make_pipe();
    os::write_all(pipe.write.get(), bytes_of("hello"));
    REQUIRE(read_text(pipe.read.get(), 0).empty());
    REQUIRE(read_text(pipe.read.get(), 2) == "he");
    pipe.write.reset();
    REQUIRE(read_text(pipe.read.get(), 100) == "llo");
    REQUIRE(read_text(pipe.read.get(), 100).empty());
}

TEST_CASE("what can't be read or written says how much and where", "[os][descriptor]") {
    REQUIRE_THROWS_WITH(os::write_all(-1, bytes_of("abc")),
                        "cannot write 3 bytes to descriptor -1: Bad file descriptor");
    std::byte room[2];
    REQUIRE_THROWS_WITH(os::read_all(-1, room), "cannot read 2 bytes from descriptor -1: Bad file descriptor");
    os::write_all(-1, {}); // nothing to do
}

TEST_CASE("writing where nobody reads is an error and raises no SIGPIPE", "[os][descriptor]") {
    // Its action is the default one here: the signal would end this program.
    auto pipe = os::make_pipe();
    pipe.read.reset();
    REQUIRE(error_of([&] { os::write_all(pipe.write.get(), bytes_of("abc")); }) == EPIPE);
    auto sockets = os::make_socket_pair();
    sockets.second.reset();
    REQUIRE(error_of([&] { os::write_all(sockets.first.get(), bytes_of("abc")); }) == EPIPE);
    REQUIRE(error_of([&] { os::send_descriptor(sockets.first.get(), 0); }) == EPIPE);
    REQUIRE_FALSE(sigpipe_is_pending());
    REQUIRE_FALSE(sigpipe_is_blocked());
}

TEST_CASE("a SIGPIPE that the program has blocked and waits for stays pending", "[os][descriptor]") {
    sigset_t sigpipe, before;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    ::pthread_kill(::pthread_self(), SIGPIPE);

    auto pipe = os::make_pipe();
    pipe.read.reset();
    const int error = error_of([&] { os::write_all(pipe.write.get(), bytes_of("abc")); });
    const bool still_pending = sigpipe_is_pending(), still_blocked = sigpipe_is_blocked();

    const timespec at_once{};
    ::sigtimedwait(&sigpipe, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    REQUIRE(error == EPIPE);
    REQUIRE(still_pending);
    REQUIRE(still_blocked);
}

TEST_CASE("a memory file is empty, named for people, growable and sealable", "[os][descriptor]") {
    const auto file = os::make_memory_file("multiprocessing-test");
    struct stat status{};
    REQUIRE(::fstat(file.get(), &status) == 0);
    REQUIRE(status.st_size == 0);
    char name[100] = {};
    REQUIRE(::readlink(("/proc/self/fd/" + std::to_string(file.get())).c_str(), name, sizeof name - 1) > 0);
    REQUIRE_THAT(name, testing::contains("multiprocessing-test"));
    REQUIRE(::ftruncate(file.get(), 1 << 20) == 0);
    REQUIRE(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    REQUIRE(::ftruncate(file.get(), 0) == -1);
}

TEST_CASE("a descriptor passed to another process is the same open file there", "[os][descriptor]") {
    const auto [here, there] = os::make_socket_pair();
    auto pipe = os::make_pipe();
    const pid_t child = ::fork();
    if (child == 0) {
        pipe.write.reset();
        pipe.read.reset();
        try {
            const os::descriptor received = os::receive_descriptor(there.get());
            os::write_all(received.get(), bytes_of("from the child"));
            ::_exit(0);
        } catch (...) {
            ::_exit(1);
        }
    }
    os::send_descriptor(here.get(), pipe.write.get());
    pipe.write.reset();
    REQUIRE(read_text(pipe.read.get(), 100) == "from the child");
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
}

TEST_CASE("descriptors arrive one by one and in order", "[os][descriptor]") {
    const auto [here, there] = os::make_socket_pair();
    const auto first = os::make_memory_file("first"), second = os::make_memory_file("second");
    os::send_descriptor(here.get(), first.get());
    os::send_descriptor(here.get(), second.get());
    const auto is_same_file = [](const os::descriptor& a, const os::descriptor& b) {
        struct stat of_a{}, of_b{};
        return ::fstat(a.get(), &of_a) == 0 && ::fstat(b.get(), &of_b) == 0 && of_a.st_ino == of_b.st_ino;
    };
    REQUIRE(is_same_file(os::receive_descriptor(there.get()), first));
    REQUIRE(is_same_file(os::receive_descriptor(there.get()), second));
}

TEST_CASE("a descriptor that this process has no room for is an error that names the limit", "[os][descriptor]") {
    const auto [here, there] = os::make_socket_pair();
    os::send_descriptor(here.get(), 0);
    std::exception_ptr failure;
    (void)fmt::format("{}", 1); // a sanitizer opens a pipe when it first sees a type, and those of messages come now
    {
        const descriptors_used_up limit;
        try {
            (void)os::receive_descriptor(there.get());
        } catch (...) {
            failure = std::current_exception();
        }
    }
    REQUIRE(failure != nullptr);
    try {
        std::rethrow_exception(failure);
    } catch (const std::system_error& error) {
        REQUIRE(error.code().value() == EMFILE);
        REQUIRE_THAT(error.what(), testing::contains("RLIMIT_NOFILE"));
    }
}

TEST_CASE("two descriptors at once are refused, and neither stays open", "[os][descriptor]") {
    const auto [here, there] = os::make_socket_pair();
    char payload = 0;
    iovec part{&payload, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    const int both[2] = {0, 0};
    std::memcpy(CMSG_DATA(header), both, sizeof both);
    REQUIRE(::sendmsg(here.get(), &message, 0) == 1);

    const std::size_t before = descriptors_open();
    REQUIRE_THROWS_AS(os::receive_descriptor(there.get()), std::system_error);
    REQUIRE(descriptors_open() == before);
}

TEST_CASE("what is no descriptor, and a closed end, are told apart", "[os][descriptor]") {
    auto [here, there] = os::make_socket_pair();
    os::write_all(here.get(), bytes_of("x"));
    REQUIRE_THROWS_AS(os::receive_descriptor(there.get()), mp::ProcessError);
    here.reset();
    REQUIRE_THROWS_AS(os::receive_descriptor(there.get()), mp::EOFError);
    REQUIRE(error_of([] { os::send_descriptor(0, -1); }) != 0);
}

TEST_CASE("where the standard streams were closed, nothing of ours takes their numbers", "[os][descriptor]") {
    const pid_t child = ::fork();
    if (child == 0) {
        for (int fd = 0; fd < 3; ++fd) ::close(fd);
        const auto file = os::make_memory_file("multiprocessing-test");
        const auto pipe = os::make_pipe();
        const auto sockets = os::make_socket_pair();
        const bool clear = file.get() > 2 && pipe.read.get() > 2 && pipe.write.get() > 2 && sockets.first.get() > 2 &&
                           sockets.second.get() > 2;
        ::_exit(clear && ::fcntl(file.get(), F_GETFD) == FD_CLOEXEC ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
}
