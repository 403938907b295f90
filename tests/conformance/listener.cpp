// What CPython's _TestListener, _TestListenerClient and OtherTest ask (T151 to T156, T196 to T200, T208, T212, T213), and CPython
// itself at the other end.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/serialization.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"
#include "support/run_program.hpp"

namespace mp = multiprocessing;
using mp::connection::Client;
using mp::connection::Listener;
using namespace std::chrono_literals;

namespace {

std::vector<std::byte> bytes(const std::string& text) {
    const auto all = std::as_bytes(std::span(text));
    return {all.begin(), all.end()};
}

std::string abstract_name() { return std::string("\0mp-test-", 9) + std::to_string(::getpid()); }

/// Addresses of every family: one that is chosen, ports, a name that isn't in the file system.
std::vector<std::string> some_addresses() { return {"", "localhost:0", "127.0.0.1:0", "[::1]:0", abstract_name()}; }

/// The Pythons of this machine that have the module: whichever "python3" is, and others by their names.
const std::vector<std::string>& pythons() {
    static const std::vector<std::string> found = [] {
        std::vector<std::string> all;
        for (const std::string name : {"python3", "python3.8", "python3.12", "python3.13"}) {
            const auto said = testing::run_program({name, "-c", "import multiprocessing.connection, hmac"});
            if (said.exit_code == 0) all.push_back(name);
        }
        if (all.empty()) std::puts("no python3 here: nobody from CPython at the other end");
        return all;
    }();
    return found;
}

/// The address as Python writes it.
std::string in_python(const std::string& address) {
    if (address.front() == '\0') return "'\\0" + address.substr(1) + "'";
    if (address.front() == '/') return "'" + address + "'";
    const std::size_t colon = address.rfind(':');
    return "('" + address.substr(0, colon) + "', " + address.substr(colon + 1) + ")";
}

/// A program in Python that runs beside the test.
class python {
public:
    python(const std::string& which, const std::string& program)
        : thread_([this, which, program] { result_ = testing::run_program({which, "-c", program}); }) {}
    [[nodiscard]] const testing::program_result& ended() {
        if (thread_.joinable()) thread_.join();
        return result_;
    }
    ~python() { static_cast<void>(ended()); }

private:
    testing::program_result result_;
    std::thread thread_;
};

} // namespace

TEST_CASE("an address can be bound once", "[conformance][listener]") { // T151
    for (const auto& address : some_addresses()) {
        const Listener listener({.address = address});
        REQUIRE_THROWS_AS(Listener(listener.address()), std::system_error);
        try {
            const Listener again(listener.address());
        } catch (const std::system_error& error) {
            REQUIRE(error.code() == std::errc::address_in_use);
        }
    }
    for (const std::string family : {"AF_UNIX", "AF_INET", "AF_INET6"}) {
        const Listener listener({.family = family});
        Listener other({.family = family});
        REQUIRE(listener.address() != other.address());
        auto client = Client(other.address());
        REQUIRE(other.accept().writable());
    }
    REQUIRE_THROWS_AS(Listener("\\\\.\\pipe\\test"), mp::ValueError); // T212
    REQUIRE_THROWS_AS(Listener({.family = "AF_BANANA"}), mp::ValueError);
}

TEST_CASE("a client in another process, in every family, with and without a key", "[conformance][listener]") { // T153, T154
    for (const auto& address : some_addresses())
        for (const mp::net::secret& key : {mp::net::secret(), mp::net::secret(""), mp::net::secret("a key")}) {
            Listener listener({.address = address, .authkey = key});
            mp::Process p([&] {
                auto c = Client(listener.address(), {.authkey = key});
                c.send(std::string("hello"));
                c.send_bytes(c.recv_bytes());
            });
            p.start();
            auto c = listener.accept();
            REQUIRE(c.recv<std::string>() == "hello");
            c.send_bytes(bytes("echo"));
            REQUIRE(c.recv_bytes() == bytes("echo"));
            if (listener.address().find(':') != std::string::npos)
                REQUIRE(listener.last_accepted().substr(0, 4) == listener.address().substr(0, 4));
            else REQUIRE(listener.last_accepted().empty());
            p.join();
            REQUIRE(p.exitcode() == 0);
        }
}

TEST_CASE("by spawn and forkserver, too: an address and a key travel", "[conformance][listener]") {
    for (const auto method : {mp::StartMethod::spawn, mp::StartMethod::forkserver}) {
        Listener listener({.authkey = mp::current_process().authkey()});
        mp::Process p({.start_method = method},
                      [](const std::string& address) {
                          auto c = Client(address, {.authkey = mp::current_process().authkey()});
                          c.send(c.recv<int>() + 1);
                      },
                      listener.address());
        p.start();
        auto c = listener.accept();
        c.send(1);
        REQUIRE(c.recv<int>() == 2);
        p.join();
    }
    testing::settle();
}

TEST_CASE("an accepted connection is given to a process, by every start method", "[conformance][listener]") { // T161
    for (const auto method : {mp::StartMethod::fork, mp::StartMethod::spawn, mp::StartMethod::forkserver})
        for (const auto& address : some_addresses()) {
            Listener listener({.address = address});
            auto client = Client(listener.address());
            auto accepted = listener.accept();
            auto [here, there] = mp::Pipe();
            mp::Process p({.start_method = method},
                          [](mp::Connection c, mp::Connection same, std::vector<mp::Connection> others) {
                              if (!(c == same) || others.size() != 2 || others[0] == c) mp::exit(3);
                              same.close();
                              c.send(c.recv<int>() + others[1].recv<int>());
                          },
                          accepted, accepted, std::vector{mp::Connection(there), mp::Connection(there)});
            p.start();
            accepted.close();
            there.close();
            client.send(1);
            here.send(2);
            REQUIRE(client.recv<int>() == 3);
            REQUIRE_THROWS_AS(client.recv<int>(), mp::EOFError); // nobody keeps a copy
            p.join();
            REQUIRE(p.exitcode() == 0);
        }
    // Of a message that is there in part nobody else would learn.
    auto [one, other] = mp::os::make_socket_pair();
    auto begun = mp::channel::connection_over(std::move(one));
    mp::os::write_all(other.get(), bytes(std::string(2, '\0')));
    REQUIRE_FALSE(begun.try_recv_for<int>(1ms));
    mp::Process refused({.start_method = mp::StartMethod::spawn}, [](mp::Connection) {}, begun);
    REQUIRE_THROWS_AS(refused.start(), mp::NotPortableError);
}

TEST_CASE("what is closed can't be used", "[conformance][listener]") { // T152
    Listener listener;
    auto client = Client(listener.address());
    auto accepted = listener.accept();
    listener.close();
    REQUIRE_THROWS_AS(listener.accept(), mp::ValueError);
    client.send(1);
    REQUIRE(accepted.recv<int>() == 1); // who is connected stays so
    client.close();
    REQUIRE_THROWS_AS(client.send(1), mp::ValueError);
    REQUIRE_THROWS_AS(client.poll(), mp::ValueError);
    REQUIRE_THROWS_AS(accepted.recv<int>(), mp::EOFError);
    REQUIRE_THROWS_AS(accepted.send(1), mp::BrokenPipeError);
    REQUIRE_THROWS_AS(Client(listener.address()), std::system_error);
}

TEST_CASE("a client sends and ends before it is accepted", "[conformance][listener]") { // T155
    for (const auto& address : some_addresses()) {
        Listener listener({.address = address});
        mp::Process p([&] { Client(listener.address()).send(std::string("hello")); });
        p.start();
        p.join();
        auto c = listener.accept();
        REQUIRE(c.recv<std::string>() == "hello");
        REQUIRE_THROWS_AS(c.recv<std::string>(), mp::EOFError);
    }
}

TEST_CASE("the accepting side sends first", "[conformance][listener]") { // T156
    for (const auto& address : some_addresses()) {
        Listener listener({.address = address});
        auto c = Client(listener.address());
        auto a = listener.accept();
        REQUIRE_FALSE(c.poll());
        a.send_bytes(bytes("hello"));
        REQUIRE(c.poll(1h));
        REQUIRE(c.recv_bytes() == bytes("hello"));
        REQUIRE_FALSE(c.poll());
    }
}

TEST_CASE("the halves of the challenge, over any connection", "[conformance][listener]") { // T196 to T200
    using mp::connection::answer_challenge;
    using mp::connection::deliver_challenge;
    auto [a, b] = mp::Pipe();
    for (const std::string digest : {"sha256", "md5", "", "sha3_384"}) {
        std::thread other([&b = b] { answer_challenge(b, "key"); });
        deliver_challenge(a, "key", digest);
        other.join();
    }
    b.send_bytes(bytes("something bogus"));
    REQUIRE_THROWS_WITH(deliver_challenge(a, "some key"), "digest received was wrong");
    static_cast<void>(b.recv_bytes());
    REQUIRE(b.recv_bytes() == bytes("#FAILURE#"));
    b.send_bytes(bytes("#CHALLENGE#" + std::string(19, 'x')));
    REQUIRE_THROWS_WITH(answer_challenge(a, "some key"), testing::contains("too short"));
    b.send_bytes(bytes("#CHALLENGE#" + std::string(20, 'x')));
    b.send_bytes(bytes("something bogus"));
    REQUIRE_THROWS_WITH(answer_challenge(a, "some key"), "digest sent was rejected");
    b.send_bytes(bytes(std::string(300, 'x')));
    REQUIRE_THROWS_AS(deliver_challenge(a, "some key"), mp::ValueError);
    REQUIRE_THROWS_AS(deliver_challenge(a, {}), mp::ValueError);
    REQUIRE_THROWS_AS(answer_challenge(a, std::nullopt), mp::ValueError);
}

TEST_CASE("wait over four sockets, until all have ended", "[conformance][listener][wait]") { // T208
    Listener listener({.address = "127.0.0.1:0"});
    std::vector<mp::Process> processes;
    for (int p = 0; p < 4; ++p) {
        processes.emplace_back([&listener, p] {
            auto c = Client(listener.address());
            for (int i = 0; i < 10; ++i) c.send(10 * p + i);
        });
        processes.back().start();
    }
    std::vector<mp::Connection> readers;
    for (int p = 0; p < 4; ++p) readers.push_back(listener.accept());
    std::vector<int> got;
    while (!readers.empty())
        for (auto& ready : mp::connection::wait(readers)) {
            try {
                got.push_back(ready.recv<int>());
            } catch (const mp::EOFError&) {
                std::erase(readers, ready);
            }
        }
    std::sort(got.begin(), got.end());
    REQUIRE(got.size() == 40);
    for (int i = 0; i < 40; ++i) REQUIRE(got[static_cast<std::size_t>(i)] == i);
    for (auto& each : processes) each.join();
}

TEST_CASE("signals interrupt neither accept() nor a large message", "[conformance][listener]") { // T194
    struct sigaction action {}, before {};
    action.sa_handler = [](int) {};
    REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
    Listener listener({.address = "localhost:0", .authkey = "key"});
    const pthread_t self = ::pthread_self();
    std::thread other([&] {
        for (int i = 0; i < 5; ++i) ::pthread_kill(self, SIGUSR1);
        auto c = Client(listener.address(), {.authkey = "key"});
        for (int i = 0; i < 5; ++i) ::pthread_kill(self, SIGUSR1);
        c.send_bytes(std::vector<std::byte>(4 << 20));
        for (int i = 0; i < 5; ++i) ::pthread_kill(self, SIGUSR1);
        static_cast<void>(c.recv_bytes());
    });
    auto c = listener.accept();
    const auto large = c.recv_bytes();
    c.send_bytes(large);
    other.join();
    ::sigaction(SIGUSR1, &before, nullptr);
    REQUIRE(large.size() == 4 << 20);
}

TEST_CASE("CPython is the client", "[conformance][listener][python]") { // T200
    for (const auto& which : pythons())
        for (const std::string& address : {std::string(), std::string("127.0.0.1:0"), abstract_name()})
            for (const bool has_key : {false, true}) {
                CAPTURE(which, address, has_key);
                Listener listener({.address = address,
                                   .authkey = has_key ? mp::net::secret("s3cret") : mp::net::secret()});
                python client(which, "from multiprocessing.connection import Client\n"
                                     "c = Client(" + in_python(listener.address()) + (has_key ? ", authkey=b's3cret'" : "") + ")\n"
                                     "c.send_bytes(b'from Python')\n"
                                     "c.send_bytes(b'')\n"
                                     "m = c.recv_bytes()\n"
                                     "c.send_bytes(m[::-1])\n"
                                     "c.send_bytes(b'x' * 3000000)\n"
                                     "assert len(c.recv_bytes()) == 2000000\n"
                                     "try: c.recv_bytes()\n"
                                     "except EOFError: print('end')\n");
                auto c = listener.accept();
                REQUIRE(c.recv_bytes() == bytes("from Python"));
                REQUIRE(c.recv_bytes().empty());
                c.send_bytes(bytes("abc"));
                REQUIRE(c.recv_bytes() == bytes("cba"));
                REQUIRE(c.recv_bytes() == std::vector<std::byte>(3'000'000, std::byte{'x'}));
                c.send_bytes(std::vector<std::byte>(2'000'000));
                c.close();
                const auto& end = client.ended();
                REQUIRE(end.err == "");
                REQUIRE(end.out == "end\n");
            }
}

TEST_CASE("CPython is the listener", "[conformance][listener][python]") {
    for (const auto& which : pythons())
        for (const std::string family : {"AF_UNIX", "AF_INET"})
            for (const bool has_key : {false, true}) {
                CAPTURE(which, family, has_key);
                Listener meeting; // where it tells its address
                python listener(which, "from multiprocessing.connection import Client, Listener\n"
                                       "l = Listener(None, '" + family + "'" + (has_key ? ", authkey=b's3cret'" : "") + ")\n"
                                       "a = l.address if isinstance(l.address, str) else '%s:%d' % l.address\n"
                                       "Client('" + meeting.address() + "').send_bytes(a.encode())\n"
                                       "c = l.accept()\n"
                                       "m = c.recv_bytes()\n"
                                       "while m:\n"
                                       "    c.send_bytes(m)\n"
                                       "    m = c.recv_bytes()\n"
                                       "c.close()\n");
                std::string address(200, ' ');
                address.resize(meeting.accept().recv_bytes_into(std::as_writable_bytes(std::span(address))));
                auto c = Client(address, {.authkey = has_key ? mp::net::secret("s3cret") : mp::net::secret()});
                for (const std::size_t n : std::initializer_list<std::size_t>{1, 100, 16384, 16385, 1'000'000}) {
                    c.send_bytes(std::vector<std::byte>(n, std::byte{'y'}));
                    REQUIRE(c.recv_bytes() == std::vector<std::byte>(n, std::byte{'y'}));
                }
                c.send_bytes({});
                REQUIRE_THROWS_AS(c.recv_bytes(), mp::EOFError);
                REQUIRE(listener.ended().err == "");
            }
}

TEST_CASE("CPython with the wrong key, on either side", "[conformance][listener][python]") {
    for (const auto& which : pythons()) {
        CAPTURE(which);
        {
            Listener listener({.authkey = "right"});
            python client(which, "from multiprocessing.connection import Client\n"
                                 "Client('" + listener.address() + "', authkey=b'wrong')\n");
            REQUIRE_THROWS_WITH(listener.accept(), "digest received was wrong");
            REQUIRE_THAT(client.ended().err, testing::contains("AuthenticationError: digest sent was rejected"));
        }
        Listener meeting;
        python listener(which, "from multiprocessing.connection import Client, Listener\n"
                               "l = Listener(authkey=b'right')\n"
                               "Client('" + meeting.address() + "').send_bytes(l.address.encode())\n"
                               "try: l.accept()\n"
                               "except Exception as e: print(type(e).__name__, e)\n");
        std::string address(200, ' ');
        address.resize(meeting.accept().recv_bytes_into(std::as_writable_bytes(std::span(address))));
        REQUIRE_THROWS_WITH(Client(address, {.authkey = "wrong"}), "digest sent was rejected");
        REQUIRE_THAT(listener.ended().out, testing::contains("AuthenticationError digest received was wrong"));
    }
}
