#include <multiprocessing/net/listener.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/net/client.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
namespace net = multiprocessing::net;
using mp::connection::Client;
using mp::connection::Listener;
using namespace std::chrono_literals;

namespace {

std::vector<std::byte> bytes(const std::string& text) {
    const auto all = std::as_bytes(std::span(text));
    return {all.begin(), all.end()};
}

bool exists(const std::string& path) {
    struct stat found {};
    return ::lstat(path.c_str(), &found) == 0;
}

/// Somebody who has connected and speaks as he likes.
class somebody {
public:
    explicit somebody(const std::string& address)
        : socket_(std::move(os::connect_to(net::address(address).endpoints(false).at(0), os::deadline::never()).value())) {}
    void says(const std::string& raw) const { os::write_all(socket_.get(), bytes(raw)); }
    /// Everything until he is hung up on.
    [[nodiscard]] std::string hears() const {
        std::string all;
        std::array<std::byte, 512> some;
        for (;;) {
            const std::size_t n = [&] {
                try {
                    return os::read_all(socket_.get(), some);
                } catch (const std::system_error&) { // a reset
                    return std::size_t{0};
                }
            }();
            all.append(reinterpret_cast<const char*>(some.data()), n);
            if (n < some.size()) return all;
        }
    }
    [[nodiscard]] bool is_hung_up_on() const {
        std::array<std::byte, 512> some;
        std::ptrdiff_t n = 0;
        do n = os::receive_some(socket_.get(), some);
        while (n > 0);
        return !os::means_later(n);
    }
    void hangs_up() { socket_.reset(); }

private:
    os::descriptor socket_;
};

/// accept() in a thread of its own, until it is closed: what it said to each who came, one line each.
class server {
public:
    explicit server(mp::connection::ListenerOptions options) : listener_(std::move(options)), thread_([this] { run(); }) {}
    ~server() { close(); }
    void close() {
        listener_.close();
        if (thread_.joinable()) thread_.join();
    }
    [[nodiscard]] std::string address() const { return listener_.address(); }
    /// After close().
    [[nodiscard]] const std::vector<std::string>& story() const { return story_; }
    [[nodiscard]] int served() const { return served_; }
    [[nodiscard]] int refused() const { return refused_; }

private:
    void run() {
        for (;;) {
            try {
                auto connection = listener_.accept();
                connection.send_bytes(connection.recv_bytes());
                ++served_;
            } catch (const mp::AuthenticationError& error) {
                story_.push_back(error.what());
                ++refused_;
            } catch (const mp::EOFError&) {
            } catch (const mp::ValueError&) {
                return; // closed
            }
        }
    }

    Listener listener_;
    std::vector<std::string> story_;
    std::atomic<int> served_{0};
    std::atomic<int> refused_{0};
    std::thread thread_;
};

bool is_served(const server& at, const net::secret& key = "secret") {
    auto connection = Client(at.address(), {.authkey = key});
    connection.send_bytes(bytes("hello"));
    return connection.recv_bytes() == bytes("hello");
}

} // namespace

TEST_CASE("wrong key, no key, garbage, huge headers: refused, and the server goes on", "[net][listener]") {
    for (const std::string address : {"", "127.0.0.1:0"}) {
        server at({.address = address, .authkey = "secret"});
        REQUIRE_THROWS_WITH(Client(at.address(), {.authkey = "wrong"}), "digest sent was rejected");
        {
            auto no_key = Client(at.address());
            no_key.send_bytes(bytes("hello"));
            REQUIRE(no_key.recv_bytes().size() == 11 + 8 + 40);
            REQUIRE(no_key.recv_bytes() == bytes("#FAILURE#"));
            REQUIRE_THROWS_AS(no_key.recv_bytes(), mp::EOFError);
        }
        const auto refused = [&](const std::string& raw) {
            const somebody rude(at.address());
            rude.says(raw);
            static_cast<void>(rude.hears());
            return is_served(at);
        };
        REQUIRE(refused("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        REQUIRE(refused(std::string("\0\0\1\1", 4)));                                   // 257 bytes
        REQUIRE(refused(std::string("\x7f\xff\xff\xff" "xxxx")));                       // 2 GiB
        REQUIRE(refused(std::string("\xff\xff\xff\xff\0\0\x10\0\0\0\0\0", 12)));         // 16 TiB
        REQUIRE(refused(std::string("\x80\0\0\0", 4)));                                 // a negative size
        REQUIRE(refused(std::string(100'000, 'x')));
        REQUIRE(refused(std::string("\0\0\0\x9#WELCOME#", 13)));
        REQUIRE(refused(std::string("\0\0\0\0", 4)));
        at.close();
        REQUIRE(at.refused() == 10);
        REQUIRE(at.served() == 8);
        REQUIRE(at.story()[0] == "digest received was wrong");
        REQUIRE(at.story()[1] == "digest received was wrong");
        REQUIRE_THAT(at.story()[3], testing::contains("257 bytes"));
    }
}

TEST_CASE("those who are silent or slow keep nobody out", "[net][listener]") {
    server at({.authkey = "secret"});
    std::vector<somebody> silent;
    for (int i = 0; i < 50; ++i) silent.emplace_back(at.address());
    for (std::size_t i = 0; i < 25; ++i) silent[i].says(std::string("\0", 1)); // a byte of a header
    for (std::size_t i = 25; i < 35; ++i) silent[i].says(std::string("\0\0\1\0{sha256}", 12));
    REQUIRE(is_served(at));
    for (std::size_t i = 0; i < 10; ++i) silent[i].hangs_up();
    REQUIRE(is_served(at));
    for (std::size_t i = 10; i < 50; ++i) REQUIRE_FALSE(silent[i].is_hung_up_on());
    at.close();
    REQUIRE(at.story().empty());
    REQUIRE(at.served() == 2);
    for (std::size_t i = 10; i < 50; ++i) REQUIRE(silent[i].is_hung_up_on());
}

TEST_CASE("of too many the first must go", "[net][listener]") {
    net::acceptor at(net::address("127.0.0.1:0").endpoints(true).at(0), {.authkey = "secret", .most_strangers = 4});
    const std::string address = at.where().text();
    std::vector<somebody> silent;
    for (int i = 0; i < 20; ++i) {
        silent.emplace_back(address);
        REQUIRE_FALSE(at.next(os::deadline::after(0ns)));
    }
    REQUIRE(silent[0].hears().size() == 4 + 11 + 8 + 40);
    REQUIRE(silent[15].hears().size() == 4 + 11 + 8 + 40);
    REQUIRE_FALSE(silent[16].is_hung_up_on());
    std::thread good([&] { Client(address, {.authkey = "secret"}).send(1); });
    auto next = at.next(os::deadline::never());
    good.join();
    REQUIRE(next.has_value());
    REQUIRE(next->connection.recv<int>() == 1);
    REQUIRE_THAT(next->from, testing::contains("127.0.0.1:"));
    at.close();
    REQUIRE_FALSE(at.next(os::deadline::never()));
}

TEST_CASE("who says nothing, or one byte after the other, is hung up on when his time is over", "[net][listener]") {
    server at({.authkey = "secret", .authentication_timeout = 50ms});
    const somebody silent(at.address());
    REQUIRE(silent.hears().size() == 4 + 11 + 8 + 40); // and then the end
    const somebody slow(at.address());
    slow.says(std::string("\0\0\1\0", 4));
    try {
        for (int i = 0; i < 255 && !slow.is_hung_up_on(); ++i) {
            slow.says("x");
            std::this_thread::sleep_for(5ms);
        }
    } catch (const std::system_error&) { // EPIPE
    }
    REQUIRE(slow.is_hung_up_on());
    REQUIRE(at.served() == 0);
}

TEST_CASE("a time limit on accept, and on Client", "[net][listener]") {
    Listener listener({.address = "127.0.0.1:0", .authkey = "secret"});
    REQUIRE_THROWS_AS(listener.accept(5ms), mp::TimeoutError);
    REQUIRE_FALSE(listener.try_accept_for(-1s));
    REQUIRE_FALSE(listener.try_accept_for(std::chrono::duration<double>(0.001)));
    REQUIRE_THROWS_AS(Client(listener.address(), {.authkey = "secret", .timeout = 10ms}), mp::TimeoutError); // nobody accepts
    REQUIRE_FALSE(listener.try_accept_for(5ms)); // who has gone again isn't an error

    // A backlog that is full: others wait to be connected.
    Listener narrow({.backlog = 0});
    std::vector<mp::Connection> connected;
    REQUIRE_THROWS_AS(
        [&] {
            for (int i = 0; i < 100; ++i) connected.push_back(Client(narrow.address(), {.timeout = 20ms}));
        }(),
        mp::TimeoutError);
    REQUIRE(!connected.empty());
    std::thread waiting([&] { static_cast<void>(Client(narrow.address(), {.timeout = 1h})); });
    for (std::size_t i = 0; i < connected.size() + 1; ++i) static_cast<void>(narrow.accept(1h));
    waiting.join();

    // A listener that keeps no promise.
    const os::descriptor mute = os::listen_at(net::address("127.0.0.1:0").endpoints(true).at(0), 5);
    const std::string address = os::endpoint_of(mute.get()).text();
    REQUIRE_THROWS_AS(Client(address, {.authkey = "secret", .timeout = 10ms}), mp::TimeoutError);
    std::thread rude([&] {
        for (int n = 0; n < 2;) { // the one who didn't wait, and the one below
            os::wait_readable(mute.get(), os::deadline::never());
            const auto one = os::accept_from(mute.get());
            if (!one) continue;
            static_cast<void>(os::send_some(one->socket.get(), bytes("\x7f???")));
            ++n;
        }
    });
    REQUIRE_THROWS_AS(Client(address, {.authkey = "secret"}), mp::AuthenticationError);
    rude.join();
}

TEST_CASE("close() from another thread ends accept()", "[net][listener]") {
    Listener listener;
    std::atomic<int> ended{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            try {
                static_cast<void>(listener.accept());
            } catch (const mp::ValueError&) {
                ++ended;
            }
        });
    std::this_thread::sleep_for(5ms);
    listener.close();
    for (auto& each : threads) each.join();
    REQUIRE(ended == 3);
    REQUIRE_THROWS_AS(listener.accept(), mp::ValueError);
    REQUIRE_THROWS_AS(listener.accept(1ms), mp::ValueError);
    REQUIRE_THROWS_AS(listener.try_accept_for(1ms), mp::ValueError);
    listener.close();
}

TEST_CASE("several threads accept at once", "[net][listener]") {
    Listener listener({.authkey = "secret"});
    std::atomic<int> sum{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            try {
                for (;;) {
                    auto connection = listener.accept();
                    sum += connection.recv<int>();
                    connection.send(0);
                }
            } catch (const mp::ValueError&) {
            }
        });
    for (int i = 1; i <= 20; ++i) {
        auto connection = Client(listener.address(), {.authkey = "secret"});
        connection.send(i);
        REQUIRE(connection.recv<int>() == 0);
    }
    listener.close();
    for (auto& each : threads) each.join();
    REQUIRE(sum == 210);
}

TEST_CASE("parent and forked child accept at one address; the parent removes its name", "[net][listener]") {
    Listener listener({.authkey = "secret"});
    REQUIRE_FALSE(listener.try_accept_for(0s));
    const somebody silent(listener.address());
    REQUIRE_FALSE(listener.try_accept_for(0s)); // now he is the parent's stranger
    const pid_t child = ::fork();
    if (child == 0) {
        {
            Listener mine(std::move(listener));
            mine.accept().send(1);
        }
        ::_exit(exists(listener.address()) ? 1 : 0);
    }
    auto connection = Client(listener.address(), {.authkey = "secret"});
    REQUIRE(connection.recv<int>() == 1);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(exists(listener.address()));
    REQUIRE_FALSE(silent.is_hung_up_on());
    std::thread good([&] { Client(listener.address(), {.authkey = "secret"}).send(2); });
    REQUIRE(listener.accept().recv<int>() == 2);
    good.join();
}

TEST_CASE("names in the file system come and go", "[net][listener]") {
    std::string path;
    {
        const Listener listener;
        path = listener.address();
        REQUIRE(exists(path));
        struct stat found {};
        const std::string directory = path.substr(0, path.rfind('/'));
        REQUIRE(::stat(directory.c_str(), &found) == 0);
        REQUIRE((found.st_mode & 0777) == 0700);
        REQUIRE_THROWS_AS(Listener(path), std::system_error); // which leaves it alone
        REQUIRE(exists(path));
    }
    REQUIRE_FALSE(exists(path));
    REQUIRE_FALSE(exists(path.substr(0, path.rfind('/'))));
    Listener one(path = "/tmp/mp-test-" + std::to_string(::getpid()));
    Listener other = std::move(one);
    REQUIRE(other.address() == path);
    REQUIRE_THROWS_AS(one.accept(), mp::ValueError);
    one = Listener();
    other.close();
    REQUIRE_FALSE(exists(path));
}

TEST_CASE("where nobody listens, nobody is found", "[net][client]") {
    const auto code_of = [](const std::string& address) {
        try {
            static_cast<void>(Client(address));
        } catch (const std::system_error& error) {
            return error.code();
        }
        return std::error_code();
    };
    std::string address;
    {
        const Listener listener({.address = "127.0.0.1:0"});
        address = listener.address();
    }
    REQUIRE(code_of(address) == std::errc::connection_refused);
    REQUIRE(code_of("/tmp/there-is-none/x") == std::errc::no_such_file_or_directory);
    REQUIRE(code_of(std::string("\0no-such-name-here", 18)) == std::errc::connection_refused);
    try {
        static_cast<void>(Client(address));
    } catch (const std::exception& error) {
        REQUIRE_THAT(error.what(), testing::contains(address));
    }
}

#if !MULTIPROCESSING_ADDRESS_SANITIZER() // which needs descriptors of its own to look at an object
TEST_CASE("no descriptors left: who is still a stranger makes room", "[net][listener]") {
    Listener listener({.authkey = "secret"});
    std::vector<somebody> silent;
    for (int i = 0; i < 3; ++i) silent.emplace_back(listener.address());
    REQUIRE_FALSE(listener.try_accept_for(0s));
    const pid_t child = ::fork(); // a client with descriptors of its own
    if (child == 0) {
        Client(listener.address(), {.authkey = "secret"}).send(1);
        ::_exit(0);
    }
    std::vector<os::descriptor> all;
    for (;;) {
        os::descriptor next(::dup(0));
        if (!next) break;
        all.push_back(std::move(next));
    }
    const auto before = os::level();
    os::level(os::log_level::none); // it warns
    auto connection = listener.accept();
    os::level(before);
    all.clear();
    REQUIRE(connection.recv<int>() == 1);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
}
#endif
