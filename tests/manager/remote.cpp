// Servers that are reached by an address: by other programs, with a key.
#include <multiprocessing/manager/base_manager.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

#include <unistd.h>

#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/process/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/serial/object.hpp>
#include <multiprocessing/synchronize.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"
#include "support/run_program.hpp"

namespace mp = multiprocessing;
namespace manager = multiprocessing::manager;
namespace serial = multiprocessing::serial;
using namespace std::chrono_literals;

namespace {

struct shelf {
    std::vector<std::string> items;
    mp::Proxy<shelf> next;
    mp::Lock lock;

    std::size_t put(std::string item) {
        items.push_back(std::move(item));
        return items.size();
    }
    std::string get() {
        if (items.empty()) throw mp::Empty("the shelf is empty");
        std::string item = items.back();
        items.pop_back();
        return item;
    }
    void link(mp::Proxy<shelf> to) { next = std::move(to); }
    mp::Proxy<shelf> linked() const { return next; }
    std::string from_the_next() const { return next.call<&shelf::get>(); }
    mp::Lock its_lock() const { return lock; }
    mp::Object echo(const mp::Object& x) const { return x; }
    std::string much(std::size_t n) const { return std::string(n, 'x'); }
};

class holding_lock final : public manager::servant {
public:
    static std::shared_ptr<manager::servant> make(const serial::message&, const manager::caller&) {
        return std::make_shared<holding_lock>();
    }
    serial::message call(std::string_view method, const serial::message&, const manager::caller& who) override {
        while (method == "acquire") {
            if (take(who.client)) return {};
            if (!who.is_there()) throw mp::EOFError("nobody is there");
            std::this_thread::sleep_for(1ms);
        }
        if (method == "release") return client_gone(who.client), serial::message();
        if (method == "is_remote") return serial::pack_message(who.is_remote);
        manager::refuse("holding_lock", method);
    }
    void client_gone(std::uint64_t client) noexcept override {
        const std::lock_guard guard(lock_);
        if (holder_ == client) holder_ = 0;
    }

private:
    bool take(std::uint64_t client) {
        const std::lock_guard guard(lock_);
        if (holder_ != 0) return false;
        holder_ = client;
        return true;
    }
    std::mutex lock_;
    std::uint64_t holder_ = 0;
};

struct shop : mp::BaseManager {
    explicit shop(mp::ManagerOptions options) : mp::BaseManager(std::move(options)) {
        register_type<shelf>("shelf")
            .method<&shelf::put>("put")
            .method<&shelf::get>("get")
            .method<&shelf::link>("link")
            .method<&shelf::linked>("linked")
            .method<&shelf::from_the_next>("from_the_next")
            .method<&shelf::its_lock>("its_lock")
            .method<&shelf::echo>("echo")
            .method<&shelf::much>("much");
        register_type("the_shelf",
                      []() -> shelf& {
                          static shelf one;
                          return one;
                      })
            .method<&shelf::put>("put")
            .method<&shelf::get>("get");
        register_servant("lock", &holding_lock::make);
    }
};

std::string socket_path() { return "/tmp/mp-manager-" + std::to_string(::getpid()); }

/// Where the managers of these tests listen.
mp::ManagerOptions each_address() {
    const bool is_unix = GENERATE(false, true);
    return {.address = is_unix ? socket_path() : "localhost:0", .authkey = "abracadabra"};
}

mp::BaseManager connected_to(const mp::BaseManager& server) {
    mp::BaseManager client({.address = server.address(), .authkey = "abracadabra"});
    client.connect();
    return client;
}

/// Until the server counts so many: those who died over a network are noticed a moment later.
bool comes_to_have(const mp::BaseManager& m, std::size_t n) {
    for (int i = 0; i < 5000; ++i) {
        if (m.number_of_objects() == n) return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

} // namespace

TEST_CASE("T135: a manager is reached by its address and key; calls, errors and counts are as within the family", "[manager][remote]") {
    shop server(each_address());
    server.start();
    testing::settle(); // what it takes to authenticate anybody is loaded by now, and stays
    {
        const auto client = connected_to(server);
        const auto other = connected_to(server);
        CHECK(client == server);
        const auto a = client.create<shelf>("shelf");
        CHECK(a.call<&shelf::put>("one") == 1);
        CHECK(a.call<std::size_t>("put", "two") == 2);
        CHECK(a.call<&shelf::get>() == "two");
        CHECK(a.call<&shelf::get>() == "one");
        CHECK_THROWS_AS(a.call<&shelf::get>(), mp::Empty);
        CHECK_THROWS_AS(a.call("get"), mp::RemoteError);
        CHECK_THROWS_AS(a.call("erase"), mp::ValueError);
        CHECK_THROWS_AS(a.call("put", 1), mp::TypeError);
        CHECK_THROWS_AS(client.create("unknown"), mp::ValueError);
        CHECK(a.call<&shelf::much>(std::size_t{3'000'000}).size() == 3'000'000);
        const std::vector<mp::Object> values{nullptr, true, 2.25, "hall\xc3\xa5", mp::Object({1, 2})};
        for (const mp::Object& value : values)
            CHECK(a.call<mp::Object>("echo", value) == value);

        // Proxies in calls: of the same server, by whatever way they came.
        const auto b = other.create<shelf>("shelf");
        const auto c = server.create<shelf>("shelf");
        a.call<&shelf::link>(b);
        b.call<&shelf::put>("b's");
        CHECK(a.call<&shelf::from_the_next>() == "b's");
        CHECK(a.call<&shelf::linked>() == b);
        a.call<&shelf::linked>().call<&shelf::put>("again");
        CHECK(a.call<&shelf::from_the_next>() == "again");
        c.call<&shelf::link>(a);
        CHECK(c.call<&shelf::linked>() == a);
        c.call<&shelf::linked>().call<&shelf::put>("a's");
        CHECK(c.call<&shelf::from_the_next>() == "a's");
        CHECK(server.number_of_objects() == 3);

        CHECK_THROWS_AS(a.call<&shelf::its_lock>(), mp::NotPortableError);
        CHECK_THROWS_AS(a.call("put", mp::Lock()), mp::NotPortableError);
        CHECK_FALSE(server.create_remote("lock", {}).ask<bool>("is_remote", 0));
        CHECK(client.create_remote("lock", {}).ask<bool>("is_remote", 0));
    }
    CHECK(comes_to_have(server, 0));
}

TEST_CASE("who doesn't know the key isn't served; where nobody listens is an error", "[manager][remote]") {
    std::string address;
    {
        shop server(each_address());
        server.start();
        address = server.address();
        mp::BaseManager wrong({.address = address, .authkey = "open sesame"});
        CHECK_THROWS_AS(wrong.connect(), mp::AuthenticationError);
        CHECK_THROWS_AS(wrong.create("shelf"), mp::ValueError);
        CHECK_THROWS_AS(mp::BaseManager().connect(), mp::ValueError);
        mp::BaseManager second({.address = address});
        CHECK_THROWS_AS(second.start(), std::system_error); // it is taken
        connected_to(server).create<shelf>("shelf").call<&shelf::put>("x");
    }
    mp::BaseManager late({.address = address, .authkey = "abracadabra"});
    CHECK_THROWS_AS(late.connect(), std::system_error);
}

TEST_CASE("garbage and silence at the port are survived, before and after the challenge", "[manager][remote]") {
    shop server(each_address());
    server.start();
    const auto client = connected_to(server);
    const auto a = client.create<shelf>("shelf");
    const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };

    mp::Connection silent = mp::connection::Client(server.address());
    mp::Connection noisy = mp::connection::Client(server.address());
    try {
        for (int i = 0; i < 10; ++i) noisy.send_bytes(bytes("GET / HTTP/1.0\r\n\r\n"));
    } catch (const std::exception&) {
        // it is hung up on
    }
    const auto known = [&] { return mp::connection::Client(server.address(), {.authkey = "abracadabra"}); };
    mp::Connection mute = known();
    mp::Connection rude = known();
    rude.send_bytes(bytes("no greeting"));
    CHECK_THROWS_AS(rude.recv_bytes(), mp::EOFError);

    const auto greeted = [&] {
        mp::Connection c = known();
        serial::writer hello;
        manager::write_greeting(hello, {.id = 5, .pid = 1, .name = "a test"});
        c.send_bytes(std::move(hello).take());
        CHECK(manager::read_greeting(c.recv_bytes()).pid == *server.pid());
        return c;
    };
    mp::Connection odd = greeted();
    odd.send_bytes(bytes("no request"));
    const auto answer = odd.recv_bytes();
    serial::reader in(answer);
    CHECK_THROWS_AS(static_cast<void>(manager::read_answer(in)), mp::ProcessError);
    // A request that claims 2^60 bytes of arguments, and one that drops what it never had.
    serial::writer huge;
    huge.number(a.remote().number());
    huge.number(std::uint64_t{1});
    huge.number(std::uint8_t{1});
    huge.number(std::uint8_t{3});
    huge.bytes("put", 3);
    huge.count(std::size_t{1} << 60);
    odd.send_bytes(std::move(huge).take());
    CHECK(odd.recv_bytes().size() > 1);
    serial::writer drop;
    manager::write_request(drop, {0, 1, false, manager::front::drop}, serial::pack_message(a.remote().number()));
    odd.send_bytes(std::move(drop).take());
    serial::writer half;
    half.number(std::uint64_t{1});
    greeted().send_bytes(std::move(half).take()); // and hangs up

    CHECK(a.call<&shelf::put>("it goes on") == 1);
    CHECK(server.create<shelf>("shelf").call<&shelf::put>("for all") == 1);
}

TEST_CASE("a client over the network is killed: what it held is released, and what it referred to is gone", "[manager][remote]") {
    shop server(each_address());
    server.start();
    const auto lock = server.create_remote("lock", {});
    mp::Queue<mp::Proxy<shelf>> out;
    mp::Event ready;
    {
        const auto client = connected_to(server);
        const manager::remote by_network = client.create_remote("lock", {});
        mp::Process child([](std::string address, mp::Event told) {
            mp::BaseManager mine({.address = address, .authkey = "abracadabra"});
            mine.connect();
            const auto its = mine.create<shelf>("shelf");
            its.call<&shelf::put>("x");
            told.set();
            std::this_thread::sleep_for(1h);
        }, server.address(), ready);
        child.start();
        ready.wait();
        CHECK(server.number_of_objects() == 3);

        // A forked copy of a reference counts for itself.
        mp::Event acquired;
        mp::Process holder([](manager::remote its, mp::Event told) {
            its.call("acquire", {});
            told.set();
            std::this_thread::sleep_for(1h);
        }, by_network, acquired);
        holder.start();
        acquired.wait();
        holder.kill();
        holder.join();
        by_network.call("acquire", {});
        by_network.call("release", {});
        child.kill();
        child.join();
        CHECK(comes_to_have(server, 2));
    }
    CHECK(comes_to_have(server, 1));
    lock.call("acquire", {});
}

TEST_CASE("proxies and managers over the network travel to children that are no copies, with their key", "[manager][remote]") {
    shop server({.address = "localhost:0", .authkey = "abracadabra"});
    server.start();
    const auto client = connected_to(server);
    const auto a = client.create<shelf>("shelf");
    mp::Process child({.start_method = mp::StartMethod::spawn},
                      [](mp::BaseManager its, mp::Proxy<shelf> by_network) {
                          by_network.call<&shelf::put>("from the child");
                          its.create<shelf>("the_shelf").call<&shelf::put>("by its manager");
                      },
                      client, a);
    child.start();
    child.join();
    CHECK(child.exitcode() == 0);
    CHECK(a.call<&shelf::get>() == "from the child");
    CHECK(server.create<shelf>("the_shelf").call<&shelf::get>() == "by its manager");
    CHECK_THROWS_AS(serial::pack(a), mp::NotPortableError); // the key would be in the bytes
    server.shutdown();
}

TEST_CASE("the server is killed: clients over the network get an EOFError at once", "[manager][remote]") {
    shop server(each_address());
    server.start();
    const auto client = connected_to(server);
    const auto lock = client.create_remote("lock", {});
    server.create_remote("lock", {}).call("acquire", {}); // another one
    lock.call("acquire", {});
    const auto other = connected_to(server);
    std::thread killer([pid = *server.pid()] {
        std::this_thread::sleep_for(30ms);
        ::kill(pid, SIGKILL);
    });
    mp::Process waiting([](std::string address) {
        mp::BaseManager mine({.address = address, .authkey = "abracadabra"});
        try {
            mine.connect();
            const auto its = mine.create_remote("lock", {});
            for (;;) its.call("is_remote", {});
        } catch (const std::exception&) {
        }
    }, server.address());
    const auto go_on = [&] {
        for (;;) lock.call("is_remote", {});
    };
    CHECK_THROWS_AS(go_on(), mp::EOFError);
    killer.join();
    waiting.start();
    waiting.join();
    CHECK(waiting.exitcode() == 0);
    CHECK_THROWS_AS(client.create("shelf"), mp::EOFError);
    server.join();
    ::unlink(socket_path().c_str()); // which a killed server leaves
}

TEST_CASE("T136: the address can be bound again right after shutdown", "[manager][remote]") {
    std::string address = socket_path();
    if (GENERATE(false, true)) {
        shop first({.address = "localhost:0", .authkey = "abracadabra"});
        first.start();
        address = first.address();
        connected_to(first).create<shelf>("shelf").call<&shelf::put>("x");
    }
    for (int i = 0; i < 3; ++i) {
        shop server({.address = address, .authkey = "abracadabra", .shutdown_timeout = 60s});
        server.start();
        const auto client = connected_to(server);
        CHECK(client.create<shelf>("shelf").call<&shelf::put>("x") == 1);
        server.shutdown();
        CHECK(server.exitcode() == 0);
        CHECK_THROWS_AS(client.create<shelf>("shelf"), mp::EOFError);
    }
}

// Played by a second program, which is this one run again.
TEST_CASE("client of another program", "[.][elsewhere]") {
    const char* const address = std::getenv("MANAGER_ADDRESS");
    REQUIRE(address != nullptr);
    mp::BaseManager client({.address = address, .authkey = "abracadabra"});
    client.connect();
    const auto the_one = client.create<shelf>("the_shelf");
    CHECK(the_one.call<&shelf::get>() == "for the other program");
    the_one.call<&shelf::put>("back");
    CHECK_THROWS_AS(client.create<shelf>("shelf").call<&shelf::get>(), mp::Empty);
}

TEST_CASE("A143: another program shares the manager's objects, with a server of get_server() as with one of start()", "[manager][remote]") {
    shop server({.address = "localhost:0", .authkey = "abracadabra"});
    std::optional<mp::Server> here;
    std::thread serving;
    if (GENERATE(false, true)) {
        here.emplace(server.get_server());
        serving = std::thread([&] { here->serve_forever(); });
    } else {
        server.start();
    }
    const auto the_one = server.create<shelf>("the_shelf");
    the_one.call<&shelf::put>("for the other program");
    REQUIRE(::setenv("MANAGER_ADDRESS", server.address().c_str(), 1) == 0);
    const auto other = testing::run_program({"/proc/" + std::to_string(::getpid()) + "/exe", "client of another program"});
    INFO(other.out << other.err);
    CHECK(other.exit_code == 0);
    CHECK(the_one.call<&shelf::get>() == "back");
    if (here) {
        // A client over the network can end it too.
        const auto client = connected_to(server);
        static_cast<void>(client);
        here->stop();
        serving.join();
    }
}
