#include <multiprocessing/channel/stream.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>


#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/channel/frame.hpp>
#include <multiprocessing/channel/pipe.hpp>
#include <multiprocessing/channel/queue.hpp>
#include <multiprocessing/channel/wait.hpp>
#include <multiprocessing/serial/object.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
namespace channel = multiprocessing::channel;
using namespace std::chrono_literals;

namespace {

std::vector<std::byte> bytes(const std::string& text) {
    const auto all = std::as_bytes(std::span(text));
    return {all.begin(), all.end()};
}

struct two_ends {
    mp::Connection a;
    mp::Connection b;
};
two_ends connected() {
    auto [one, other] = os::make_socket_pair();
    return {channel::connection_over(std::move(one)), channel::connection_over(std::move(other))};
}

/// A connection, and the bare socket at its other end.
struct bare {
    mp::Connection connection;
    os::descriptor peer;

    void says(std::vector<int> raw) const {
        std::vector<std::byte> all;
        for (const int each : raw) all.push_back(static_cast<std::byte>(each));
        os::write_all(peer.get(), all);
    }
};
bare with_bare_peer() {
    auto [one, other] = os::make_socket_pair();
    return {channel::connection_over(std::move(one)), std::move(other)};
}

void feed(channel::frame_reader& in, std::vector<int> raw) {
    for (const int each : raw) {
        const auto room = in.room();
        REQUIRE(!room.empty());
        room[0] = static_cast<std::byte>(each);
        in.arrived(1);
    }
}

std::vector<int> header_of(std::uint64_t size) {
    std::vector<int> raw;
    const channel::frame_header header(size);
    for (const std::byte each : header.bytes()) raw.push_back(std::to_integer<int>(each));
    return raw;
}

} // namespace

TEST_CASE("a frame's header is CPython's", "[channel][frame]") {
    REQUIRE(header_of(0) == std::vector{0, 0, 0, 0});
    REQUIRE(header_of(5) == std::vector{0, 0, 0, 5});
    REQUIRE(header_of(0x01020304) == std::vector{1, 2, 3, 4});
    REQUIRE(header_of(0x7fffffff) == std::vector{0x7f, 0xff, 0xff, 0xff});
    REQUIRE(header_of(0x80000000) == std::vector{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0});
    REQUIRE(header_of(0x0102030405060708) == std::vector{0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("frames are found byte by byte, and what a header says isn't believed", "[channel][frame]") {
    channel::frame_reader in;
    REQUIRE_FALSE(in.has_begun());
    feed(in, {0, 0});
    REQUIRE(in.has_begun());
    feed(in, {0, 2, 'a'});
    REQUIRE(in.size() == 2);
    REQUIRE_FALSE(in.is_whole());
    feed(in, {'b'});
    REQUIRE(in.is_whole());
    REQUIRE(in.room().empty());
    REQUIRE(in.take() == bytes("ab"));
    REQUIRE_FALSE(in.has_begun());
    feed(in, {0, 0, 0, 0});
    REQUIRE(in.is_whole());
    REQUIRE(in.take().empty());
    feed(in, {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 'c'}); // longer than it need be
    REQUIRE(in.take() == bytes("c"));

    feed(in, {0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
    REQUIRE(in.size() == 0x7fffffffffffffff);
    std::size_t arrived = 0;
    for (int i = 0; i < 5; ++i) {
        const std::size_t room = in.room().size();
        REQUIRE(room <= std::max<std::size_t>(arrived, 64 << 10));
        in.arrived(room);
        arrived += room;
    }
    channel::frame_reader negative;
    REQUIRE_THROWS_AS(feed(negative, {0xff, 0xff, 0xff, 0xfe}), mp::ProcessError);
    channel::frame_reader endless;
    REQUIRE_THROWS_AS(feed(endless, {0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}), mp::ProcessError);
}

TEST_CASE("a Connection over a socket does what one over a pipe does", "[channel][stream]") {
    auto [a, b] = connected();
    REQUIRE(a.readable());
    REQUIRE(a.writable());
    a.send(42);
    a.send(std::string("text"));
    a.send(std::map<std::string, std::vector<int>>{{"x", {1, 2}}});
    a.send(mp::Object{1, nullptr, "three"});
    REQUIRE(b.recv<int>() == 42);
    REQUIRE_THROWS_WITH(b.recv<int>(), testing::contains("string") && testing::contains("int"));
    REQUIRE((b.recv<std::map<std::string, std::vector<int>>>().at("x") == std::vector{1, 2}));
    REQUIRE(b.recv().repr() == "[1, None, 'three']");

    a.send_bytes(bytes("raw"));
    REQUIRE_THROWS_AS(b.recv<int>(), mp::TypeError);
    a.send_bytes({});
    REQUIRE_THROWS_AS(b.recv<int>(), mp::TypeError);
    REQUIRE_FALSE(b.try_recv_for<int>(1ms));
    b.send(3.5);
    REQUIRE(a.try_recv_for<double>(1h) == 3.5);

    std::array<std::byte, 10> buffer{};
    a.send_bytes(bytes("xhellox"), 1, 5);
    REQUIRE(b.recv_bytes_into(buffer, 5) == 5);
    REQUIRE(std::memcmp(buffer.data(), "\0\0\0\0\0hello", 10) == 0);
    a.send_bytes(bytes("longer than ten"));
    try {
        b.recv_bytes_into(buffer);
        FAIL("it fits");
    } catch (const mp::BufferTooShort& e) {
        REQUIRE(e.message() == bytes("longer than ten"));
    }
    REQUIRE_THROWS_AS(b.recv_bytes_into(buffer, 11), mp::ValueError);
    REQUIRE_THROWS_AS(a.send_bytes(bytes("x"), 2), mp::ValueError);
    REQUIRE_THROWS_AS(b.recv_bytes(-1), mp::ValueError);

    const auto copy = b;
    REQUIRE(copy == b);
    REQUIRE_FALSE(a == b);
    b.close();
    REQUIRE(b.closed());
    REQUIRE_THROWS_AS(b.recv<int>(), mp::ValueError);
    REQUIRE_THROWS_AS(b.fileno(), mp::ValueError);
    REQUIRE_FALSE(a.poll());
}

TEST_CASE("large messages both ways, by threads at one end", "[channel][stream]") {
    auto [a, b] = connected();
    std::string large(5 << 20, 'x');
    large.back() = 'z';
    std::thread sender([&a = a, &large] { a.send_bytes(bytes(large)); });
    REQUIRE(b.recv_bytes() == bytes(large));
    sender.join();

    // Each message goes to one of those who receive, whole.
    constexpr int each = 300;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
        threads.emplace_back([&a = a, t] {
            for (int i = 0; i < each; ++i) a.send(std::string(static_cast<std::size_t>(i * 37), static_cast<char>('a' + t)));
        });
    std::atomic<int> good{0};
    for (int t = 0; t < 2; ++t)
        threads.emplace_back([&good, from = b]() mutable {
            for (;;) {
                const auto text = from.recv<std::string>();
                if (text == "end") return;
                if (text.find_first_not_of(text.empty() ? 'a' : text[0]) == std::string::npos) ++good;
            }
        });
    for (int t = 0; t < 3; ++t) threads[static_cast<std::size_t>(t)].join();
    a.send(std::string("end"));
    a.send(std::string("end"));
    for (std::size_t t = 3; t < 5; ++t) threads[t].join();
    REQUIRE(good == 3 * each);
}

TEST_CASE("the end of the other end: EOFError after what was sent, BrokenPipeError", "[channel][stream]") {
    auto [a, b] = connected();
    a.send(1);
    a.close();
    REQUIRE(b.poll());
    REQUIRE(b.recv<int>() == 1);
    REQUIRE(b.poll());
    REQUIRE_THROWS_AS(b.recv<int>(), mp::EOFError);
    REQUIRE_THROWS_AS(b.try_recv_for<int>(1h), mp::EOFError);
    REQUIRE_THROWS_AS(b.send(1), mp::BrokenPipeError);
    REQUIRE_THROWS_AS(b.send_bytes(bytes("x")), mp::BrokenPipeError);

    auto [c, d] = connected(); // with something that it didn't read, which the system calls a reset
    c.send(1);
    d.send(2);
    c.close();
    int received = 0;
    try {
        received = d.recv<int>();
        received = d.recv<int>();
    } catch (const mp::EOFError&) {
        received = 3;
    }
    REQUIRE(received == 3);

    auto [connection, peer] = with_bare_peer();
    os::write_all(peer.get(), bytes(std::string("\0\0\0\x05" "abc", 7)));
    peer.reset();
    REQUIRE_THROWS_WITH(connection.recv_bytes(), testing::contains("middle"));
}

TEST_CASE("what is there of a message is kept when the time is up", "[channel][stream]") {
    const auto with = with_bare_peer();
    auto connection = with.connection;
    with.says({0, 0});
    REQUIRE(connection.poll());
    REQUIRE_FALSE(connection.try_recv_for<int>(5ms));
    REQUIRE_FALSE(connection.poll());
    with.says({0, 3, 'a'});
    REQUIRE_FALSE(connection.try_recv_for<int>(5ms));
    with.says({'b', 'c', 0, 0, 0, 1, 'd'});
    REQUIRE(connection.recv_bytes() == bytes("abc"));
    REQUIRE(connection.poll());
    REQUIRE(connection.recv_bytes() == bytes("d"));

    // Also of one that comes faster than it can be read, and has no end.
    std::atomic<bool> enough{false};
    std::thread sender([&] {
        os::write_all(with.peer.get(), bytes("\x7f\xff\xff\xff"));
        const std::vector<std::byte> much(1 << 20);
        while (!enough) os::write_all(with.peer.get(), much);
    });
    const bool is_whole = connection.try_recv_for<int>(5ms).has_value();
    enough = true;
    const bool is_whole_later = connection.try_recv_for<int>(5ms).has_value();
    std::thread reader([&] { // so that the sender comes to its end
        try {
            static_cast<void>(connection.recv_bytes());
        } catch (const mp::EOFError&) {
        }
    });
    sender.join();
    REQUIRE(::shutdown(with.peer.get(), SHUT_WR) == 0);
    reader.join();
    REQUIRE_FALSE(is_whole);
    REQUIRE_FALSE(is_whole_later);
}

TEST_CASE("a message that is too long, or none, ends receiving; sending goes on", "[channel][stream]") {
    {
        const auto with = with_bare_peer();
        auto connection = with.connection;
        with.says({0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o'});
        REQUIRE_THROWS_WITH(connection.recv_bytes(4), testing::contains("bad message length"));
        REQUIRE_FALSE(connection.readable());
        REQUIRE(connection.writable());
        REQUIRE_THROWS_AS(connection.recv_bytes(), mp::ValueError);
        REQUIRE_THROWS_AS(connection.poll(), mp::ValueError);
        connection.send_bytes(bytes("x"));
        std::array<std::byte, 5> got{};
        REQUIRE(os::read_all(with.peer.get(), got) == 5);
        REQUIRE(got[4] == std::byte{'x'});
    }
    {
        const auto with = with_bare_peer();
        auto connection = with.connection;
        with.says({0x80, 0, 0, 0});
        REQUIRE_THROWS_AS(connection.recv_bytes(), mp::ProcessError);
        REQUIRE_FALSE(connection.readable());
    }
    { // an announced size costs nothing
        auto [connection, peer] = with_bare_peer();
        os::write_all(peer.get(), bytes(std::string("\xff\xff\xff\xff\0\0\x10\0\0\0\0\0" "abc", 15))); // 16 TiB
        REQUIRE_FALSE(connection.try_recv_for<int>(5ms));
        peer.reset();
        REQUIRE_THROWS_AS(connection.recv_bytes(), mp::EOFError);
    }
    { // values that aren't what they say
        const auto with = with_bare_peer();
        auto connection = with.connection;
        with.says({0, 0, 0, 9, 'm', 'p', 'v', 'a', 'l', 'u', 'e', 1, 7});
        REQUIRE_THROWS_AS(connection.recv<int>(), mp::ProcessError);
        with.says({0, 0, 0, 4, 0x80, 4, 'N', '.'}); // pickle's None
        REQUIRE_THROWS_AS(connection.recv(), mp::TypeError);
    }
}

TEST_CASE("shared objects can't go over a socket, nor can a socket go elsewhere", "[channel][stream]") {
    auto [a, b] = connected();
    auto [p, q] = mp::Pipe();
    const mp::Queue<int> queue;
    REQUIRE_THROWS_WITH(a.send(queue), testing::contains("socket"));
    REQUIRE_THROWS_AS(a.send(std::tuple(1, q)), mp::NotPortableError);
    REQUIRE_THROWS_WITH(p.send(a), testing::contains("argument of a Process"));
    REQUIRE_FALSE(q.poll());
    mp::Queue<mp::Connection> connections;
    REQUIRE_THROWS_AS(connections.put(b), mp::NotPortableError);
    REQUIRE_THROWS_AS(a.send(b), mp::NotPortableError);
    a.send(1);
    REQUIRE(b.recv<int>() == 1);
    // Who claims to send one is refused, also where it is none.
    mp::serial::writer forged;
    forged.number(channel::value_mark);
    mp::serial::write_tag<mp::Queue<int>>(forged);
    forged.number(std::uint32_t{0});
    a.send_bytes(std::move(forged).take());
    REQUIRE_THROWS_AS(b.recv<mp::Queue<int>>(), mp::ProcessError);
    connections.put(q); // pipes travel as ever
    REQUIRE(connections.get() == q);
}

TEST_CASE("a nonblocking socket makes no difference", "[channel][stream]") {
    auto [one, other] = os::make_socket_pair();
    timeval a_moment{0, 1000};
    REQUIRE(::setsockopt(one.get(), SOL_SOCKET, SO_RCVTIMEO, &a_moment, sizeof a_moment) == 0);
    REQUIRE(::setsockopt(other.get(), SOL_SOCKET, SO_SNDTIMEO, &a_moment, sizeof a_moment) == 0);
    auto a = channel::connection_over(std::move(one)), b = channel::connection_over(std::move(other));
    REQUIRE_FALSE(a.poll(-1s));
    REQUIRE_FALSE(a.try_recv_for<int>(5ms));
    std::thread sender([&b] { b.send_bytes(std::vector<std::byte>(2 << 20)); }); // more than there is room for
    REQUIRE(a.recv_bytes().size() == 2 << 20);
    sender.join();
}

TEST_CASE("wait takes sockets, pipes and descriptors together", "[channel][stream][wait]") {
    auto [a, b] = connected();
    auto [c, d] = connected();
    auto [p, q] = mp::Pipe();
    using mp::connection::Waitable;
    const std::vector<Waitable> all{b, d, q};
    REQUIRE(mp::connection::wait(all, 1ms).empty());
    c.send(1);
    REQUIRE(mp::connection::wait(all) == std::vector<Waitable>{d});
    p.send(1);
    a.close();
    REQUIRE(mp::connection::wait(all) == all);
    REQUIRE_THROWS_AS(mp::connection::wait({b, b}), mp::ValueError);
}

TEST_CASE("a forked child has the connection too", "[channel][stream]") {
    auto [a, b] = connected();
    a.send(20);
    if (const pid_t child = ::fork(); child == 0) {
        b.send(b.recv<int>() + 1);
        ::_exit(0);
    }
    b.close();
    REQUIRE(a.recv<int>() == 21);
    REQUIRE_THROWS_AS(a.recv<int>(), mp::EOFError); // when the child, too, has ended
    int status = 0;
    REQUIRE(::wait(&status) > 0);
    REQUIRE(status == 0);
}

TEST_CASE("a sender that is killed halfway is an EOFError, after what it had sent", "[channel][stream]") {
    auto [connection, peer] = with_bare_peer();
    if (const pid_t child = ::fork(); child == 0) {
        os::write_all(peer.get(), bytes(std::string("\0\0\0\1" "a" "\0\0\0\5" "bc", 11)));
        ::raise(SIGKILL);
    }
    peer.reset();
    REQUIRE(connection.recv_bytes() == bytes("a"));
    REQUIRE_THROWS_WITH(connection.recv_bytes(), testing::contains("middle"));
    REQUIRE_THROWS_AS(connection.send(1), mp::BrokenPipeError);
    REQUIRE(::wait(nullptr) > 0);
}
