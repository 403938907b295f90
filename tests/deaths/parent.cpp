// A parent is killed by SIGKILL: its daemonic children and theirs end, whatever they are doing; the others go on.
#include <multiprocessing/process.hpp>

#include <csignal>
#include <functional>
#include <thread>
#include <vector>

#include <unistd.h>

#include "process/story.hpp"
#include "support/catch.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

[[noreturn]] void sleep_for_ever() {
    for (;;) ::pause();
}

[[noreturn]] void compute_for_ever() {
    for (volatile bool stop = false; !stop;) {}
    std::abort();
}

/// A parent to be killed, and the end of a pipe that it and all its descendants hold.
struct family {
    testing::story alive;
    mp::Process parent;

    explicit family(const std::function<void(const testing::story&)>& body) : parent([this, body] { body(alive); }) {
        parent.start();
    }

    /// Waits until nobody of it lives any more; that it takes no more than a second is the watchdog's to judge. True if
    /// nobody had anything to say before.
    bool ends() { return alive.hear_all().empty(); }
};

} // namespace

TEST_CASE("daemonic children end when their parent is killed, whatever they do", "[deaths][process]") {
    using work = void (*)();
    const work doing = GENERATE(as<work>(), sleep_for_ever, compute_for_ever);
    family all([&](const testing::story& alive) {
        for (int i = 0; i < 4; ++i) {
            mp::Process p({.daemon = true}, [&] {
                alive.tell("!");
                doing();
            });
            p.start();
        }
        sleep_for_ever();
    });
    REQUIRE(all.alive.hear(4) == "!!!!");
    all.parent.kill();
    REQUIRE(all.ends());
    all.parent.join();
}

TEST_CASE("daemonic children end with a parent killed at any moment of their start", "[deaths][process]") {
    const int rounds = MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER() ? 20 : 200;
    for (int i = 0; i < rounds; ++i) {
        family all([&](const testing::story& alive) {
            alive.tell("!");
            for (;;) {
                mp::Process p({.daemon = true}, sleep_for_ever);
                p.start();
                p.kill();
                mp::Process q({.daemon = true}, sleep_for_ever);
                q.start();
                q.join(1ms);
                q.kill();
            }
        });
        REQUIRE(all.alive.hear(1) == "!");
        all.parent.join(std::chrono::microseconds(37 * i % 3000));
        all.parent.kill();
        REQUIRE(all.ends());
        all.parent.join();
    }
}

TEST_CASE("a daemonic child started by a thread that has ended ends with its parent, not with the thread",
          "[deaths][process]") {
    testing::gate gate;
    family all([&](const testing::story& alive) {
        std::thread([&] {
            mp::Process p({.daemon = true}, [&] {
                gate.wait();
                alive.tell("after the thread");
                sleep_for_ever();
            });
            p.start();
        }).join();
        gate.open();
        sleep_for_ever();
    });
    REQUIRE(all.alive.hear(16) == "after the thread");
    all.parent.kill();
    REQUIRE(all.ends());
    all.parent.join();
}
TEST_CASE("daemonic grandchildren end too", "[deaths][process]") {
    family all([&](const testing::story& alive) {
        mp::Process child({.daemon = true, .allow_children = true}, [&] {
            mp::Process grandchild([&] { // daemonic, as its maker
                alive.tell("!");
                sleep_for_ever();
            });
            grandchild.start();
            sleep_for_ever();
        });
        child.start();
        sleep_for_ever();
    });
    REQUIRE(all.alive.hear(1) == "!");
    all.parent.kill();
    REQUIRE(all.ends());
    all.parent.join();
}

TEST_CASE("a child that isn't daemonic goes on", "[deaths][process]") {
    testing::gate gate;
    family all([&](const testing::story& alive) {
        mp::Process p([&] {
            alive.tell("!");
            gate.wait();
            alive.tell(mp::parent_process()->is_alive() ? "wrong" : "done");
        });
        p.start();
        sleep_for_ever();
    });
    REQUIRE(all.alive.hear(1) == "!");
    all.parent.kill();
    all.parent.join();
    gate.open();
    REQUIRE(all.alive.hear_all() == "done");
}

TEST_CASE("a parent that is terminated, or crashes, takes its daemonic children with it", "[deaths][process]") {
    testing::let_signals_kill();
    const int number = GENERATE(SIGTERM, SIGSEGV, SIGABRT);
    family all([&](const testing::story& alive) {
        mp::Process p({.daemon = true}, [&] {
            alive.tell("!");
            sleep_for_ever();
        });
        p.start();
        static_cast<void>(p.join(1h));
    });
    REQUIRE(all.alive.hear(1) == "!");
    ::kill(*all.parent.pid(), number);
    REQUIRE(all.ends());
    all.parent.join();
}
