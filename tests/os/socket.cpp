#include <multiprocessing/os/socket.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/os/poll.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
using namespace std::chrono_literals;

namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

} // namespace

TEST_CASE("an endpoint is told as it is written", "[os][socket]") {
    REQUIRE(os::endpoint().text().empty());
    REQUIRE(os::endpoint::of_path("/tmp/a name").text() == "/tmp/a name");
    REQUIRE(os::endpoint::of_path(std::string_view("\0a\0b", 4)).text() == std::string("\0a\0b", 4));
    REQUIRE(os::endpoint::of_path(std::string(107, 'x')).text() == std::string(107, 'x'));
    REQUIRE_THROWS_AS(os::endpoint::of_path(std::string(108, 'x')), mp::ValueError);
    REQUIRE(os::endpoint::of_host("127.0.0.1", "80", false).at(0).text() == "127.0.0.1:80");
    REQUIRE(os::endpoint::of_host("::1", "80", false).at(0).text() == "[::1]:80");
    REQUIRE(os::endpoint::of_host("", "80", true, os::endpoint::family::inet6).at(0).text() == "[::]:80");
    try {
        static_cast<void>(os::endpoint::of_host("127.0.0.1", "80", false, os::endpoint::family::inet6));
        FAIL("an IPv4 address isn't of the family IPv6");
    } catch (const std::system_error& error) {
        REQUIRE(error.code() == std::errc::host_unreachable);
    }
}

TEST_CASE("sockets are made, found, and told from whom", "[os][socket]") {
    const os::descriptor listening = os::listen_at(os::endpoint::of_host("127.0.0.1", "0", true).at(0), 5);
    const os::endpoint where = os::endpoint_of(listening.get());
    REQUIRE_FALSE(os::accept_from(listening.get()));
    const os::descriptor client = std::move(os::connect_to(where, os::deadline::after(1h)).value());
    REQUIRE(os::wait_readable(listening.get(), os::deadline::never()));
    const auto accepted = os::accept_from(listening.get());
    REQUIRE(accepted.has_value());
    REQUIRE(accepted->from.text() == os::endpoint_of(client.get()).text());
    for (const int fd : {listening.get(), client.get(), accepted->socket.get()})
        REQUIRE((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    REQUIRE((::fcntl(client.get(), F_GETFL) & O_NONBLOCK) == 0);
    timeval limit{1, 1};
    socklen_t size = sizeof limit;
    REQUIRE(::getsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, &size) == 0); // of the deadline nothing remains
    REQUIRE((limit.tv_sec == 0 && limit.tv_usec == 0));

    std::array<std::byte, 8> some;
    REQUIRE(os::means_later(os::receive_some(accepted->socket.get(), some)));
    REQUIRE(os::send_all(client.get(), bytes("ab"), bytes("cd")) == 0);
    REQUIRE(os::read_all(accepted->socket.get(), std::span(some).first(4)) == 4);
    REQUIRE(some[3] == std::byte{'d'});
    REQUIRE(os::send_some(client.get(), bytes("e")) == 1);
    std::array<os::watched, 2> all{{{listening.get()}, {accepted->socket.get()}}};
    os::wait_for_any(all, os::deadline::never());
    REQUIRE_FALSE(all[0].ready);
    REQUIRE(all[1].ready);
    std::array<os::watched, 1> one{{{listening.get()}}};
    os::wait_for_any(one, os::deadline::after(1ms));
    REQUIRE_FALSE(one[0].ready);
}

TEST_CASE("all is sent, also by a nonblocking socket and to somebody slow; nobody is an error", "[os][socket]") {
    auto [one, other] = os::make_socket_pair();
    REQUIRE(::fcntl(one.get(), F_SETFL, O_NONBLOCK) == 0);
    const std::vector<std::byte> head(100), large(3 << 20);
    std::vector<std::byte> got(head.size() + large.size());
    std::thread reader([&other = other, &got] { static_cast<void>(os::read_all(other.get(), got)); });
    REQUIRE(os::send_all(one.get(), head, large) == 0);
    reader.join();
    other.reset();
    REQUIRE(os::send_all(one.get(), head, large) == EPIPE);
    REQUIRE(os::send_some(one.get(), head) == -EPIPE);
    std::array<std::byte, 8> some;
    REQUIRE(os::receive_some(one.get(), some) == 0);
}

TEST_CASE("a private directory of somebody who was killed goes when the next one is made; one of the living stays", "[os][socket][deaths]") {
    const os::private_directory living;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const os::private_directory mine;
        const os::descriptor socket = os::listen_at(os::endpoint::of_path(mine.path() + "/listener"), 1);
        if (::write(ends[1], mine.path().data(), mine.path().size()) < 0) ::_exit(1);
        ::raise(SIGKILL);
    }
    ::close(ends[1]);
    std::string path(100, '\0');
    path.resize(static_cast<std::size_t>(std::max<ssize_t>(::read(ends[0], path.data(), path.size()), 0)));
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    REQUIRE(path.size() > 9);
    REQUIRE(::access((path + "/listener").c_str(), F_OK) == 0);
    std::string of_another = path.substr(0, path.size() - 6) + "XXXXXX";
    REQUIRE(::mkdtemp(of_another.data()) != nullptr);
    const os::private_directory next;
    CHECK(::rmdir(of_another.c_str()) == 0); // it was still there
    REQUIRE(::access(path.c_str(), F_OK) == -1);
    REQUIRE(::access(living.path().c_str(), F_OK) == 0);
    REQUIRE(::access(next.path().c_str(), F_OK) == 0);
}

TEST_CASE("TCP sockets find out that the other machine has vanished", "[os][socket]") {
    const os::descriptor listening = os::listen_at(os::endpoint::of_host("127.0.0.1", "0", true, os::endpoint::family::any).at(0), 1);
    const auto connected = os::connect_to(os::endpoint_of(listening.get()), os::deadline::never());
    auto taken = os::accept_from(listening.get());
    while (!taken) taken = os::accept_from(listening.get());
    for (const int socket : {connected->get(), taken->socket.get()}) {
        int is = 0;
        socklen_t size = sizeof is;
        REQUIRE(::getsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &is, &size) == 0);
        REQUIRE(is != 0);
    }
}

TEST_CASE("a private directory is this user's, and goes with its object", "[os][socket]") {
    std::string path;
    {
        os::private_directory mine;
        path = mine.path();
        struct stat found {};
        REQUIRE(::stat(path.c_str(), &found) == 0);
        REQUIRE((found.st_mode & 0777) == 0700);
        const os::private_directory moved = std::move(mine);
        REQUIRE(moved.path() == path);
    }
    REQUIRE(::access(path.c_str(), F_OK) == -1);
    const char* const before = std::getenv("TMPDIR");
    const std::string kept = before != nullptr ? before : "";
    ::setenv("TMPDIR", std::string(100, 'x').c_str(), 1); // too long for a socket's name
    REQUIRE(os::private_directory().path().substr(0, 8) == "/tmp/mp-");
    if (before != nullptr) ::setenv("TMPDIR", kept.c_str(), 1);
    else ::unsetenv("TMPDIR");
}
