// Clients and servers of managers that are killed at every step of a call.

#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/manager/base_manager.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/process/process.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"
#include "support/kill_at_every_step.hpp"

namespace mp = multiprocessing;
namespace manager = multiprocessing::manager;
namespace memory = multiprocessing::memory;
namespace serial = multiprocessing::serial;
using namespace std::chrono_literals;

namespace {

struct ledger {
    int n = 0;
    mp::Proxy<ledger> kept;
    int add(int k) { return n += k; }
    std::string much(std::size_t size) const { return std::string(size, 'x'); }
    void keep(mp::Proxy<ledger> other) { kept = std::move(other); }
    mp::Proxy<ledger> give() const { return kept; }
};

class watched_lock final : public manager::servant {
public:
    static std::shared_ptr<manager::servant> make(const serial::message&, const manager::caller&) {
        return std::make_shared<watched_lock>();
    }
    serial::message call(std::string_view method, const serial::message&, const manager::caller& who) override {
        while (method == "acquire") {
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
        if (method == "release") return client_gone(who.client), serial::message();
        manager::refuse("watched_lock", method);
    }
    void client_gone(std::uint64_t client) noexcept override {
        const std::lock_guard guard(lock_);
        if (holder_ == client) holder_ = 0;
    }

private:
    std::mutex lock_;
    std::uint64_t holder_ = 0;
};

void register_all(mp::BaseManager& m) {
    m.register_type<ledger>("ledger")
        .method<&ledger::add>("add")
        .method<&ledger::much>("much")
        .method<&ledger::keep>("keep")
        .method<&ledger::give>("give");
    m.register_servant("lock", &watched_lock::make);
}

/// A round of everything that a client does.
void do_everything(const mp::BaseManager& m, const manager::remote& lock) {
    auto one = m.create<ledger>("ledger");
    auto other = m.create<ledger>("ledger");
    one.call<&ledger::add>(1);
    one.call<&ledger::much>(std::size_t{5000}); // by a parcel
    lock.call("acquire", {});
    other.call<&ledger::keep>(one);
    one = {};
    other.call<&ledger::give>().call<&ledger::add>(2);
    lock.call("release", {});
}

/// Until the server is as it was: who died is noticed a moment later.
template <typename Condition>
bool comes_true(Condition condition) {
    for (int i = 0; i < 10'000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

std::size_t entries(pid_t pid, const char* what) {
    DIR* const all = ::opendir(("/proc/" + std::to_string(pid) + "/" + what).c_str());
    if (all == nullptr) return 0;
    std::size_t n = 0;
    while (::readdir(all) != nullptr) ++n;
    ::closedir(all);
    return n;
}

/// Of a process, in kilobytes.
std::size_t resident(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string word; status >> word;)
        if (word == "RssAnon:") {
            std::size_t n = 0;
            status >> n;
            return n;
        }
    return 0;
}

} // namespace

TEST_CASE("a client is killed at every step of its calls: its objects and locks are free, and the server goes on", "[deaths][manager]") {
    mp::BaseManager m({.shutdown_timeout = 60s}); // the exit code of one that was too slow isn't 0
    register_all(m);
    m.start();
    const auto lock = m.create_remote("lock", {});
    const auto mine = m.create<ledger>("ledger");
    int sum = 0;
    const unsigned steps = testing::kill_at_every_step([&] { do_everything(m, lock); },
                                                       [&](unsigned) {
                                                           INFO(testing::last_step());
                                                           lock.call("acquire", {}); // whoever held it is dead
                                                           lock.call("release", {});
                                                           REQUIRE(mine.call<&ledger::add>(1) == ++sum);
                                                           REQUIRE(comes_true([&] { return m.number_of_objects() == 2; }));
                                                       });
    CHECK(steps > 20);
    CHECK(comes_true([&] { return m.number_of_objects() == 2; }));
    m.shutdown();
    CHECK(m.exitcode() == 0);
}

TEST_CASE("the server is killed at every step of a client's calls: the client gets an answer or an EOFError", "[deaths][manager]") {
    const auto before = memory::family::here().objects();
    unsigned k = 1;
    for (bool lived = false; !lived; k += k < 40 ? 1 : 7) { // the first steps are those of its start
        INFO("killed at step " << k);
        {
            mp::BaseManager m({.shutdown_timeout = 60s});
            register_all(m);
            try {
                m.start([k] { testing::arm(k); });
            } catch (const mp::ProcessError& error) {
                REQUIRE(std::string(error.what()).find("-9") != std::string::npos);
                continue;
            }
            try {
                const auto lock = m.create_remote("lock", {});
                do_everything(m, lock);
                do_everything(m, lock);
            } catch (const mp::EOFError&) {
            }
            m.shutdown();
            lived = m.exitcode() == 0;
            if (!lived) REQUIRE(m.exitcode() == -SIGKILL);
        }
        REQUIRE(memory::family::here().objects() == before);
    }
    CHECK(k > 20);
}

TEST_CASE("a thousand clients connect, call and are killed: the server is as it was", "[deaths][manager]") {
    mp::BaseManager m({.address = "localhost:0", .authkey = "key"});
    register_all(m);
    m.start();
    const auto lock = m.create_remote("lock", {});
    const pid_t server = *m.pid();
    const std::size_t threads = entries(server, "task"); // with that of this client's line
    const auto round = [&](int clients) {
        std::vector<mp::Process> all;
        for (int i = 0; i < clients; ++i) {
            all.emplace_back([](mp::BaseManager its, manager::remote held, bool by_network) {
                if (by_network) {
                    its = mp::BaseManager({.address = its.address(), .authkey = "key"});
                    its.connect();
                    held = its.create_remote("lock", {});
                }
                for (;;) do_everything(its, held);
            }, m, lock, i % 4 == 3);
            all.back().start();
        }
        for (int i = 0; auto& each : all) {
            ::usleep(static_cast<useconds_t>(500 * (i++ % 7)));
            each.kill();
        }
        for (auto& each : all) each.join();
        lock.call("acquire", {});
        lock.call("release", {});
        return comes_true([&] { return m.number_of_objects() == 1; });
    };
    REQUIRE(round(16));
    testing::settle(); // what authenticates is loaded
    REQUIRE(comes_true([&] { return entries(server, "task") <= threads; }));
    const std::size_t descriptors = entries(server, "fd");
    const std::size_t memory_used = resident(server);
    const bool is_slow = MULTIPROCESSING_ADDRESS_SANITIZER() || MULTIPROCESSING_THREAD_SANITIZER();
    for (int i = 0; i < (is_slow ? 6 : 25); ++i) {
        INFO("round " << i);
        REQUIRE(round(40));
    }
    CHECK(comes_true([&] { return entries(server, "task") <= threads; }));
    CHECK(comes_true([&] { return entries(server, "fd") <= descriptors; }));
    if (!MULTIPROCESSING_ADDRESS_SANITIZER() && !MULTIPROCESSING_THREAD_SANITIZER()) // those keep what was freed
        CHECK(resident(server) < memory_used + 16 * 1024);
    CHECK(m.debug_info().find("lock, refcount=1") != std::string::npos);
}

TEST_CASE("the owner of a manager is killed: its server ends, and other clients are told", "[deaths][manager]") {
    auto [here, there] = mp::Pipe();
    mp::Process owner({.daemon = false}, [](mp::Connection to) {
        mp::BaseManager m;
        register_all(m);
        m.start();
        to.send(std::tuple(m.create<ledger>("ledger"), *m.pid()));
        std::this_thread::sleep_for(1h);
    }, std::move(there));
    owner.start();
    {
        const auto [one, server] = here.recv<std::tuple<mp::Proxy<ledger>, pid_t>>();
        CHECK(one.call<&ledger::add>(5) == 5);
        owner.kill();
        owner.join();
        const auto go_on = [&one = one] {
            for (;;) one.call<&ledger::add>(1);
        };
        CHECK_THROWS_AS(go_on(), mp::EOFError);
    }
}
