// Servers of one family: who counts, who waits, who is told.
#include <multiprocessing/manager/base_manager.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <multiprocessing/manager/kept_references.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/process/exit.hpp>
#include <multiprocessing/process/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/synchronize.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"

namespace mp = multiprocessing;
namespace manager = multiprocessing::manager;
namespace serial = multiprocessing::serial;
using namespace std::chrono_literals;

namespace {

/// A lock as one writes it who has no better one: it knows its holder, and releases it when that dies.
class plain_lock final : public manager::servant {
public:
    static std::shared_ptr<manager::servant> make(const serial::message&, const manager::caller&) {
        return std::make_shared<plain_lock>();
    }

    serial::message call(std::string_view method, const serial::message& arguments, const manager::caller& who) override {
        if (method == "acquire") {
            for (;;) {
                {
                    const std::lock_guard guard(lock_);
                    if (holder_ == 0) {
                        holder_ = who.client;
                        return {};
                    }
                }
                if (!who.is_there()) throw mp::EOFError("nobody is there");
                std::this_thread::sleep_for(1ms);
            }
        }
        const std::lock_guard guard(lock_);
        if (method == "release") {
            if (holder_ != who.client) throw mp::ValueError("not held");
            holder_ = 0;
            return {};
        }
        if (method == "gone") return serial::pack_message(gone_);
        if (method == "who") return serial::pack_message(std::tuple(who.client, who.thread, std::int64_t{who.pid}, who.is_remote));
        if (method == "echo") return arguments;
        manager::refuse("plain_lock", method);
    }
    void client_gone(std::uint64_t client) noexcept override {
        const std::lock_guard guard(lock_);
        ++gone_;
        if (holder_ == client) holder_ = 0;
    }

private:
    std::mutex lock_;
    std::uint64_t holder_ = 0;
    int gone_ = 0;
};

struct cell {
    int value = 0;
    void set(int v) { value = v; }
    int get() const { return value; }
    int slowly(int ms) { // not safe among threads, and seen to be called by one at a time
        const int before = value;
        std::this_thread::sleep_for(std::chrono::milliseconds(ms));
        value = before + 1;
        return value;
    }
    std::vector<char> much(std::size_t n) const { return std::vector<char>(n, 'x'); }
    std::size_t size_of(const std::vector<char>& all) const { return all.size(); }
    mp::Lock lock() const { return the_lock; }
    void keep(mp::Proxy<cell> other) { kept = std::move(other); }
    int kept_value() const { return kept.call<&cell::get>(); }
    mp::Proxy<cell> give() const { return kept; }
    mp::Lock the_lock;
    mp::Proxy<cell> kept;
};

struct waiter { // its methods wait for each other
    void put(int x) {
        const std::lock_guard guard(lock);
        items.push_back(x);
        some.notify_one();
    }
    int get() {
        std::unique_lock guard(lock);
        some.wait(guard, [&] { return !items.empty(); });
        const int x = items.back();
        items.pop_back();
        return x;
    }
    std::mutex lock;
    std::condition_variable some;
    std::vector<int> items;
};

struct started : mp::BaseManager {
    explicit started(mp::ManagerOptions options = {}) : mp::BaseManager(std::move(options)) {
        register_type<cell>("cell")
            .method<&cell::set>("set")
            .method<&cell::get>("get")
            .method<&cell::slowly>("slowly")
            .method<&cell::much>("much")
            .method<&cell::size_of>("size_of")
            .method<&cell::lock>("lock")
            .method<&cell::keep>("keep")
            .method<&cell::kept_value>("kept_value")
            .method<&cell::give>("give");
        register_type<waiter>("waiter").method<&waiter::put>("put").method<&waiter::get>("get").concurrent();
        register_type("the_cell",
                      []() -> cell& {
                          static cell one;
                          return one;
                      })
            .method<&cell::slowly>("slowly")
            .method<&cell::get>("get");
        register_servant("plain_lock", &plain_lock::make);
        start();
    }
};

} // namespace

TEST_CASE("an object is there until its last proxy is gone, in whatever process or message that is", "[manager][server]") {
    started m;
    CHECK(m.number_of_objects() == 0);
    auto a = m.create<cell>("cell");
    auto b = a;
    CHECK(m.number_of_objects() == 1);
    a = {};
    CHECK(m.number_of_objects() == 1);
    mp::Queue<mp::Proxy<cell>> queue;
    queue.put(b);
    b.call<&cell::set>(7);
    b = {};
    CHECK(m.number_of_objects() == 1); // the queue has it
    b = queue.get();
    CHECK(b.call<&cell::get>() == 7);

    mp::Event done;
    mp::Process child([](mp::Proxy<cell> mine, mp::Event until) {
        mine.call<&cell::set>(8);
        until.wait();
    }, b, done);
    child.start();
    CHECK(m.number_of_objects() == 1);
    b = {};
    CHECK(m.number_of_objects() == 1); // the child has it
    done.set();
    child.join();
    CHECK(m.number_of_objects() == 0);
    CHECK(m.debug_info().empty());
}

TEST_CASE("objects may hold proxies of each other, of their own server and of another one", "[manager][server]") {
    started m;
    started other;
    auto a = m.create<cell>("cell");
    auto b = m.create<cell>("cell");
    auto c = other.create<cell>("cell");
    b.call<&cell::set>(5);
    c.call<&cell::set>(6);
    a.call<&cell::keep>(b);
    CHECK(a.call<&cell::kept_value>() == 5);
    b = {};
    CHECK(m.number_of_objects() == 2);
    CHECK(a.call<&cell::kept_value>() == 5);
    CHECK(a.call<&cell::give>().call<&cell::get>() == 5);
    a.call<&cell::keep>(c);
    CHECK(m.number_of_objects() == 1);
    CHECK(a.call<&cell::kept_value>() == 6);
    c = {};
    CHECK(other.number_of_objects() == 1);
    CHECK(a.call<&cell::give>().call<&cell::get>() == 6);
    a = {};
    CHECK(m.number_of_objects() == 0);
    CHECK(other.number_of_objects() == 0);
}

TEST_CASE("large and empty messages, and handles of the family, go both ways", "[manager][server]") {
    started m;
    const auto c = m.create<cell>("cell");
    for (const std::size_t n : std::vector<std::size_t>{0, 1, 900, 1100, 100'000, 5'000'000}) {
        CHECK(c.call<&cell::much>(n).size() == n);
        CHECK(c.call<&cell::size_of>(std::vector<char>(n)) == n);
    }
    auto lock = c.call<&cell::lock>();
    lock.acquire();
    CHECK(c.call<&cell::lock>().locked());
    lock.release();

    const auto raw = m.create_remote("plain_lock", {});
    CHECK(raw.ask<int>("echo", 5) == 5);
    CHECK(raw.ask<mp::Proxy<cell>>("echo", c) == c);
    CHECK_THROWS_AS(raw.call(std::string(256, 'x'), {}), mp::ValueError);
    CHECK(raw.ask<int>("echo", 5) == 5); // and goes on
    CHECK_THROWS_AS(manager::remote().call("x", {}), mp::ValueError);
    CHECK_THROWS_AS(mp::Proxy<cell>().call<&cell::get>(), mp::ValueError);
}

TEST_CASE("calls of many threads are served at once; those of one object one at a time, unless it is concurrent", "[manager][server]") {
    started m;
    const auto c = m.create<cell>("cell");
    const auto w = m.create<waiter>("waiter");
    const auto one = m.create<cell>("the_cell");
    const auto same = m.create<cell>("the_cell"); // one object, given out twice
    std::vector<std::thread> all;
    for (int i = 0; i < 4; ++i) all.emplace_back([&, i] { (i % 2 == 0 ? one : same).call<&cell::slowly>(2); });
    std::atomic<int> sum = 0;
    for (int i = 0; i < 4; ++i) all.emplace_back([&] { c.call<&cell::slowly>(2); });
    for (int i = 0; i < 4; ++i) all.emplace_back([&] { sum += w.call<&waiter::get>(); });
    std::this_thread::sleep_for(10ms); // the getters wait; whether they do doesn't matter
    for (int i = 0; i < 4; ++i) w.call<&waiter::put>(10);
    for (auto& each : all) each.join();
    CHECK(sum == 40);
    CHECK(c.call<&cell::get>() == 4);
    CHECK(one.call<&cell::get>() == 4);
}

TEST_CASE("a servant knows who calls, and is told once when a client is gone", "[manager][server]") {
    started m;
    const auto lock = m.create_remote("plain_lock", {});
    const auto [client, thread, pid, is_remote] = lock.ask<std::tuple<std::uint64_t, std::uint64_t, std::int64_t, bool>>("who", 0);
    CHECK(pid == ::getpid());
    CHECK_FALSE(is_remote);
    std::tuple<std::uint64_t, std::uint64_t, std::int64_t, bool> other;
    std::thread([&] { other = lock.ask<decltype(other)>("who", 0); }).join();
    CHECK(std::get<0>(other) == client);
    CHECK(std::get<1>(other) != thread);

    mp::Event held;
    mp::Process child([](manager::remote its, mp::Event ready) {
        its.call("acquire", {});
        ready.set();
        std::this_thread::sleep_for(1h);
    }, lock, held);
    child.start();
    held.wait();
    CHECK_THROWS_AS(lock.call("release", {}), mp::ValueError);
    child.kill();
    child.join();
    lock.call("acquire", {}); // its holder is dead
    lock.call("release", {});
    CHECK(lock.ask<int>("gone", 0) == 1);
}

TEST_CASE("a client that is killed in a call that waits doesn't get what it waited for", "[manager][server]") {
    started m;
    const auto lock = m.create_remote("plain_lock", {});
    lock.call("acquire", {});
    mp::Event about_to;
    mp::Process child([](manager::remote its, mp::Event ready) {
        ready.set();
        its.call("acquire", {});
        std::this_thread::sleep_for(1h);
    }, lock, about_to);
    child.start();
    about_to.wait();
    std::this_thread::sleep_for(10ms); // so that it waits, most of the time
    child.kill();
    child.join();
    lock.call("release", {});
    lock.call("acquire", {});
    lock.call("release", {});
}

TEST_CASE("the server is killed: who waits, and who comes later, gets an EOFError that names it", "[manager][server]") {
    started m;
    const auto lock = m.create_remote("plain_lock", {});
    const auto idle = m.create<cell>("cell");
    mp::Event held;
    mp::Process holder([](manager::remote its, mp::Event ready) {
        its.call("acquire", {});
        ready.set();
        std::this_thread::sleep_for(1h);
    }, lock, held);
    holder.start();
    held.wait();
    std::thread killer([pid = *m.pid()] {
        std::this_thread::sleep_for(30ms);
        ::kill(pid, SIGKILL);
    });
    CHECK_THROWS_AS(lock.call("acquire", {}), mp::EOFError); // asleep when it dies
    killer.join();
    m.join();
    CHECK(m.exitcode() == -SIGKILL);
    try {
        idle.call<&cell::get>();
        FAIL("nobody can have answered");
    } catch (const mp::EOFError& error) {
        CHECK(std::string(error.what()).find("(pid " + std::to_string(*m.pid()) + ")") != std::string::npos);
    }
    CHECK_THROWS_AS(m.create<cell>("cell"), mp::EOFError);
    holder.kill();
    holder.join();
}

TEST_CASE("a server can run in this process, for this one and its children", "[manager][server]") {
    mp::BaseManager m;
    m.register_type<cell>("cell").method<&cell::set>("set").method<&cell::get>("get");
    CHECK_THROWS_AS(m.shutdown(), mp::ValueError);
    {
        mp::Server server = m.get_server();
        CHECK_THROWS_AS(m.start(), mp::ProcessError);
        CHECK(server.address().empty());
        std::thread serving([&] { server.serve_forever(); });
        auto here = m.create<cell>("cell");
        here.call<&cell::set>(1);
        mp::Process child([](mp::BaseManager its, mp::Proxy<cell> by) {
            by.call<&cell::set>(by.call<&cell::get>() + 1);
            its.create<cell>("cell").call<&cell::set>(9);
        }, m, here);
        child.start();
        child.join();
        CHECK(child.exitcode() == 0);
        CHECK(here.call<&cell::get>() == 2);
        CHECK(m.number_of_objects() == 1);
        server.stop();
        serving.join();
        CHECK_THROWS_AS(server.serve_forever(), mp::ValueError);
    }
    CHECK_THROWS_AS(m.create<cell>("cell"), mp::EOFError);
}

TEST_CASE("a server that never served tells those who wait for it", "[manager][server]") {
    mp::BaseManager m;
    m.register_type<cell>("cell");
    std::optional<mp::Process> child;
    {
        const mp::Server server = m.get_server();
        mp::Event about_to;
        child.emplace([](mp::BaseManager its, mp::Event ready) {
            ready.set();
            try {
                its.create<cell>("cell").call<&cell::get>();
            } catch (const mp::EOFError&) {
                mp::exit(7);
            }
        }, m, about_to);
        child->start();
        about_to.wait();
        std::this_thread::sleep_for(20ms); // so that it waits, most of the time
    }
    child->join();
    CHECK(child->exitcode() == 7);
}

TEST_CASE("what a family can't take out of itself says so", "[manager][server]") {
    started m;
    const auto c = m.create<cell>("cell");
    CHECK_THROWS_AS(serial::pack(c), mp::NotPortableError); // bytes that anybody may keep
    const manager::for_the_network medium;
    CHECK_THROWS_AS(serial::pack_message(c), mp::NotPortableError); // the server has no address
}

TEST_CASE("references are found in bytes: whole ones of that server alone", "[manager][server]") {
    constexpr std::uint64_t id = 0x1122'3344'5566'7788;
    const auto written = [](std::uint64_t server, std::uint64_t number, manager::way by = manager::way::address) {
        serial::writer out;
        manager::write_address(out, by, server, "localhost:50000", number);
        return std::move(out).take();
    };
    const auto found_in = [&](std::vector<std::byte> bytes) {
        std::vector<std::uint64_t> numbers;
        manager::for_each_reference(bytes, id, [&](std::byte& by, std::uint64_t number) {
            by = static_cast<std::byte>(manager::way::granted);
            numbers.push_back(number);
        });
        return numbers;
    };
    std::vector<std::byte> all(3, std::byte{0x88});
    for (const auto& each : {written(id, 7), written(id + 1, 8), written(id, 9, manager::way::granted), written(id, 10, manager::way::keyed)})
        all.insert(all.end(), each.begin(), each.end());
    const std::size_t end_of_9 = 3 + 3 * written(id, 7).size();
    all.insert(all.end(), 2, std::byte{1});
    CHECK(found_in(all) == std::vector<std::uint64_t>{7, 9});
    for (std::size_t n = 0; n < all.size(); ++n) {
        const std::size_t whole = (n >= 3 + written(id, 7).size() ? 1U : 0U) + (n >= end_of_9 ? 1U : 0U);
        REQUIRE(found_in({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)}).size() == whole); // nothing beyond the end is read
    }
    std::vector<std::byte> overstated = written(id, 7);
    overstated[9] = overstated[16] = std::byte{0xff}; // the address's size
    CHECK(found_in(overstated).empty());
}
