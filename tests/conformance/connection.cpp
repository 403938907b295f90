// What CPython's _TestConnection, _TestPoll and _TestPicklingConnections ask (T138 to T149, T157 to T161, T030), under each start method.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

std::vector<std::byte> bytes(const std::string& text) {
    std::vector<std::byte> all(text.size());
    if (!text.empty()) std::memcpy(all.data(), text.data(), text.size());
    return all;
}

void echo(mp::Connection c) {
    for (auto message = c.recv_bytes(); !message.empty(); message = c.recv_bytes()) c.send_bytes(message);
    c.close();
}

bool readable(int fd) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
}

} // namespace

TEST_CASE("an echo: values and bytes come back", "[conformance][connection]") { // T138, T141, T142
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    auto [here, there] = mp::Pipe();
    auto p = ctx.Process(echo, std::move(there));
    p.start();
    there.close();
    for (const std::size_t n : {std::size_t{1}, std::size_t{100}, std::size_t{5000}, std::size_t{16} << 20}) {
        const auto message = bytes(std::string(n, 'x'));
        here.send_bytes(message);
        REQUIRE(here.recv_bytes() == message);
    }
    REQUIRE(here.fileno() >= 0);
    here.send_bytes({});
    REQUIRE_THROWS_AS(here.recv_bytes(), mp::EOFError);
    REQUIRE(here.poll());
    REQUIRE_THROWS_AS(here.recv<int>(), mp::EOFError);
    p.join();
}

TEST_CASE("values keep their type; another one is a TypeError with both names", "[conformance][connection]") {
    auto [a, b] = mp::Pipe();
    a.send(42);
    a.send(std::string("text"));
    a.send(std::map<std::string, int>{{"x", 1}});
    REQUIRE(b.recv<int>() == 42);
    REQUIRE_THROWS_AS(b.recv<int>(), mp::TypeError);
    REQUIRE((b.recv<std::map<std::string, int>>().at("x") == 1));
    a.send(std::string("text"));
    REQUIRE_THROWS_WITH(b.recv<double>(), testing::contains("string") && testing::contains("double"));
    a.send_bytes(bytes("raw"));
    REQUIRE_THROWS_AS(b.recv<int>(), mp::TypeError);
    REQUIRE_FALSE(b.poll());
    REQUIRE_FALSE(b.try_recv_for<int>(10ms));
    a.send(1);
    REQUIRE(b.try_recv_for<int>(1h) == 1);
    // As Python programs have it.
    a.send({42, nullptr, "hello"});
    REQUIRE(b.recv() == mp::Object({42, nullptr, "hello"}));
    a.send("text");
    REQUIRE(b.recv() == "text");
    a.send("text");
    REQUIRE(b.recv<std::string>() == "text");
    a.send(5);
    REQUIRE(b.recv() == 5);
    a.send(mp::dict{{"x", 1}});
    REQUIRE(b.recv()["x"] == 1);
    a.send(std::pair(1, 2));
    REQUIRE_THROWS_AS(b.recv(), mp::TypeError);
    a.send_bytes("text");
    REQUIRE(b.recv_bytes() == bytes("text"));
    a.send_bytes(std::string("text"), 1, 2);
    REQUIRE(b.recv_bytes() == bytes("ex"));
    a.send_bytes(std::vector<int>{1, 2});
    REQUIRE(b.recv_bytes().size() == 2 * sizeof(int));
}

TEST_CASE("recv_bytes_into, at an offset; BufferTooShort carries the message", "[conformance][connection]") { // T139
    auto [a, b] = mp::Pipe();
    std::array<std::byte, 10> buffer{};
    a.send_bytes(bytes("hello"));
    REQUIRE(b.recv_bytes_into(buffer) == 5);
    REQUIRE(std::memcmp(buffer.data(), "hello\0\0\0\0", 10) == 0);
    a.send_bytes(bytes("abc"));
    REQUIRE(b.recv_bytes_into(buffer, 7) == 3);
    REQUIRE(std::memcmp(buffer.data(), "hello\0\0abc", 10) == 0);
    a.send_bytes(bytes("longer than ten"));
    try {
        b.recv_bytes_into(buffer);
        FAIL("it fits");
    } catch (const mp::BufferTooShort& e) {
        REQUIRE(e.message() == bytes("longer than ten"));
    }
    REQUIRE_THROWS_AS(b.recv_bytes_into(buffer, -1), mp::ValueError);
    REQUIRE_THROWS_AS(b.recv_bytes_into(buffer, 11), mp::ValueError);
    a.send_bytes(bytes("12345"));
    REQUIRE_THROWS_AS(b.recv_bytes(4), mp::ValueError);
    REQUIRE_THROWS_AS(b.recv_bytes(-1), mp::ValueError);
    a.send_bytes(bytes("1234"));
    REQUIRE(b.recv_bytes(4) == bytes("1234"));
}

TEST_CASE("bytes are received into whatever lies in one piece", "[conformance][connection]") {
    mp::Connection one; // a closed one, to assign to
    REQUIRE(one.closed());
    REQUIRE_THROWS_AS(one.recv<int>(), mp::ValueError);
    mp::Connection two;
    std::tie(one, two) = mp::Pipe();
    one.send_bytes(std::vector{1, 2, 3});
    std::array<int, 4> numbers{7, 7, 7, 7};
    REQUIRE(two.recv_bytes_into(numbers, 4) == 12);
    REQUIRE(numbers == std::array{7, 1, 2, 3});
    one.send_bytes("text");
    std::string text(4, ' ');
    REQUIRE(two.recv_bytes_into(text) == 4);
    REQUIRE(text == "text");
}

TEST_CASE("several threads receive at one end, which waits for long", "[conformance][connection]") {
    auto [here, there] = mp::Pipe();
    std::atomic<int> sum{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&sum, c = there] {
            while (const int x = c.recv<int>()) sum += x;
        });
    for (int i = 1; i <= 30; ++i) {
        ::usleep(i % 10 == 0 ? 15'000 : 100); // long enough to wait by a descriptor
        here.send(i);
    }
    for (int i = 0; i < 3; ++i) here.send(0);
    for (auto& t : threads) t.join();
    REQUIRE(sum == 465);
}

TEST_CASE("poll: at once, after a timeout, with a message, which stays", "[conformance][connection]") { // T140, T157, T160
    auto [a, b] = mp::Pipe();
    REQUIRE_FALSE(b.poll());
    REQUIRE_FALSE(b.poll(-1s));
    const auto before = clock_type::now();
    REQUIRE_FALSE(b.poll(50ms));
    REQUIRE(clock_type::now() - before >= 50ms);
    a.send_bytes({});
    for (int i = 0; i < 3; ++i) REQUIRE(b.poll());
    REQUIRE(b.poll(1h));
    REQUIRE(b.recv_bytes().empty());
    REQUIRE_FALSE(b.poll());
    a.send_bytes(bytes("a"));
    a.send_bytes({});
    a.send_bytes(bytes("b"));
    REQUIRE(b.recv_bytes() == bytes("a")); // T158
    REQUIRE(b.recv_bytes().empty());
    REQUIRE(b.poll());
    REQUIRE(b.recv_bytes() == bytes("b"));
    REQUIRE_FALSE(b.poll());
}

TEST_CASE("a simplex pipe: one end receives, the other sends", "[conformance][connection]") { // T143
    auto [receiver, sender] = mp::Pipe(false);
    sender.send(1);
    REQUIRE(receiver.recv<int>() == 1);
    REQUIRE(receiver.readable());
    REQUIRE_FALSE(receiver.writable());
    REQUIRE(sender.writable());
    REQUIRE_FALSE(sender.readable());
    REQUIRE_THROWS_WITH(receiver.send(2), testing::contains("read-only"));
    REQUIRE_THROWS_WITH(sender.recv<int>(), testing::contains("write-only"));
    REQUIRE_THROWS_AS(sender.poll(), mp::ValueError);
    REQUIRE_THROWS_AS(sender.poll(1ms), mp::ValueError);
}

TEST_CASE("the parent closes the child's end at once; the pipe works", "[conformance][connection]") { // T144
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    auto [here, there] = mp::Pipe();
    auto p = ctx.Process(echo, there);
    p.start();
    there.close();
    here.send_bytes(bytes("hello"));
    REQUIRE(here.recv_bytes() == bytes("hello"));
    here.send_bytes({});
    p.join();
}

TEST_CASE("send_bytes of a part", "[conformance][connection]") { // T145
    auto [a, b] = mp::Pipe();
    const auto all = bytes("abcdefghijklmnopqrstuvwxyz");
    const auto part = [&](std::size_t from, std::size_t n) {
        return std::vector<std::byte>(all.begin() + static_cast<std::ptrdiff_t>(from),
                                      all.begin() + static_cast<std::ptrdiff_t>(from + n));
    };
    a.send_bytes(all);
    REQUIRE(b.recv_bytes() == all);
    a.send_bytes(all, 5);
    REQUIRE(b.recv_bytes() == part(5, 21));
    a.send_bytes(all, 7, 8);
    REQUIRE(b.recv_bytes() == part(7, 8));
    a.send_bytes(all, 26);
    REQUIRE(b.recv_bytes().empty());
    a.send_bytes(all, 26, 0);
    REQUIRE(b.recv_bytes().empty());
    REQUIRE_THROWS_AS(a.send_bytes(all, 27), mp::ValueError);
    REQUIRE_THROWS_AS(a.send_bytes(all, 22, 5), mp::ValueError);
    REQUIRE_THROWS_AS(a.send_bytes(all, 26, 1), mp::ValueError);
    REQUIRE_THROWS_AS(a.send_bytes(all, -1), mp::ValueError);
    REQUIRE_THROWS_AS(a.send_bytes(all, 4, -1), mp::ValueError);
}

TEST_CASE("close, then every use is an error", "[conformance][connection]") { // T149
    auto [a, b] = mp::Pipe();
    auto copy = a;
    REQUIRE_FALSE(a.closed());
    a.close();
    a.close();
    REQUIRE(a.closed());
    REQUIRE_THROWS_AS(a.send(1), mp::ValueError);
    REQUIRE_THROWS_AS(a.recv<int>(), mp::ValueError);
    REQUIRE_THROWS_AS(a.poll(), mp::ValueError);
    REQUIRE_THROWS_AS(a.fileno(), mp::ValueError);
    copy.send(5); // the end is open as long as one handle is
    REQUIRE(b.recv<int>() == 5);
    copy.send(6);
    copy = std::move(b); // and that was the last one
    REQUIRE(copy.recv<int>() == 6);
    REQUIRE_THROWS_AS(copy.recv<int>(), mp::EOFError);
    REQUIRE_THROWS_AS(copy.send(1), mp::BrokenPipeError);
}

TEST_CASE("fileno is readable whenever there is something to receive", "[conformance][connection]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    auto [a, b] = mp::Pipe();
    const int fd = b.fileno();
    REQUIRE_FALSE(readable(fd));
    for (int round = 0; round < 3; ++round) {
        a.send(1);
        a.send(2);
        REQUIRE(readable(fd));
        REQUIRE(b.recv<int>() == 1);
        REQUIRE(readable(fd));
        REQUIRE(b.recv<int>() == 2);
        REQUIRE_FALSE(readable(fd));
    }
    REQUIRE(b.fileno() == fd);
    auto p = ctx.Process([](mp::Connection c) { c.send(3); }, a);
    p.start();
    pollfd one{fd, POLLIN, 0};
    REQUIRE(::poll(&one, 1, -1) == 1);
    REQUIRE(b.recv<int>() == 3);
    p.join();
    REQUIRE_FALSE(b.poll());
    static_cast<void>(b.fileno());
    REQUIRE_FALSE(readable(fd));
    a.close();
    REQUIRE(readable(fd));
    REQUIRE_THROWS_AS(b.recv<int>(), mp::EOFError);
}

TEST_CASE("T162: an end that only receives, or only sends, is that in a child too", "[conformance][connection]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    auto [ours, theirs] = mp::Pipe();
    auto [answers, answer] = mp::Pipe(false);
    auto [question, questions] = mp::Pipe(false);
    auto child = ctx.Process(
        [](mp::Connection way, mp::Connection out) {
            auto in = way.recv<mp::Connection>(); // one goes as an argument, and one in a message
            if (!in.readable() || in.writable() || out.readable() || !out.writable()) mp::exit(1);
            try {
                in.send(1);
                mp::exit(2);
            } catch (const std::exception&) {}
            try {
                static_cast<void>(out.recv<int>());
                mp::exit(3);
            } catch (const std::exception&) {}
            out.send(in.recv<std::string>() + ", yes");
        },
        theirs, answer);
    child.start();
    theirs.close();
    answer.close();
    ours.send(question);
    question.close();
    questions.send(std::string("is it so?"));
    CHECK(answers.recv<std::string>() == "is it so?, yes");
    CHECK_THROWS_AS(answers.recv<int>(), mp::EOFError);
    child.join();
    CHECK(child.exitcode() == 0);
}

TEST_CASE("connections travel through connections and queues", "[conformance][connection]") { // T161
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    auto [a, b] = mp::Pipe();
    mp::Queue<mp::Connection> offices;
    auto p = ctx.Process([](mp::Connection c, mp::Queue<mp::Connection> to) {
        auto [mine, yours] = mp::Pipe();
        c.send(yours);
        yours.close();
        mine.send(std::string("hello"));
        to.put(mine);
    }, b, offices);
    p.start();
    auto theirs = a.recv<mp::Connection>();
    REQUIRE(theirs.recv<std::string>() == "hello");
    p.join();
    auto mine = offices.get();
    mine.send(7);
    REQUIRE(theirs.recv<int>() == 7);
    mine.close();
    REQUIRE_THROWS_AS(theirs.recv<int>(), mp::EOFError);
}

TEST_CASE("threads at both ends, with more than may be on its way", "[conformance][connection]") {
    auto [a, b] = mp::Pipe();
    std::thread sender([end = a]() mutable {
        for (int i = 0; i < 10'000; ++i) end.send(i);
    });
    for (int i = 0; i < 10'000; ++i) REQUIRE(b.recv<int>() == i);
    sender.join();
}

TEST_CASE("a connection is printed with its number, and with what it can do", "[conformance][connection]") {
    auto [here, there] = mp::Pipe(false);
    const auto end_of = [](const std::string& text) { return text.substr(text.find(':')); };
    REQUIRE(to_string(here).substr(0, 17) == "<Connection at 0x");
    REQUIRE(end_of(to_string(here)) == ": read-only>");
    REQUIRE(end_of(to_string(there)) == ": write-only>");
    REQUIRE(to_string(there) != to_string(here));
    REQUIRE(end_of(to_string(mp::Pipe().first)) == ": read-write>");
    here.close();
    REQUIRE(fmt::format("{}", here) == "<Connection: closed>");
}
