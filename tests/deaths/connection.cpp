// What dies at the ends of a pipe.

#include <csignal>
#include <string>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/connection.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

namespace {

// Of those who die here nobody is told: they are reaped at the end, and not buried.
struct player {
    pid_t pid = 0;

    template <typename Body>
    static player start(Body body) {
        memory::birth birth;
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            try {
                body();
            } catch (...) {
                ::_exit(42);
            }
            ::_exit(0);
        }
        birth.in_parent(child);
        return {child};
    }
    void kill() const { ::kill(pid, SIGKILL); }
    int wait() const {
        int status = 0;
        while (::waitpid(pid, &status, 0) < 0) {}
        memory::family::here().bury_the_dead();
        return status;
    }
};

std::uint64_t objects() { return memory::family::here().objects(); }

} // namespace

TEST_CASE("a sender killed at any step of send(): at its burial who polls is told of what it had sent", "[deaths][connection]") {
    auto ends = mp::Pipe();
    auto& here = ends.first;
    auto& there = ends.second;
    int received = 0;
    for (unsigned k = 1;; ++k) {
        pollfd mine{here.fileno(), POLLIN, 0};
        const bool killed = testing::run_and_kill_at(k, [&] { there.send(1); });
        INFO("killed at step " << k << ", " << testing::last_step());
        REQUIRE((::poll(&mine, 1, 0) == 1 || !here.poll()));
        while (here.poll()) received += here.recv<int>();
        if (!killed) break;
    }
    REQUIRE(received > 1);
}

TEST_CASE("the other end is killed: what it had sent is received, then EOFError; sending is BrokenPipeError", "[deaths][connection]") {
    const auto before = objects();
    for (const useconds_t rest : {0u, 20'000u}) {
        auto ends = mp::Pipe();
        auto& here = ends.first;
        auto& there = ends.second;
        const auto other = player::start([&] {
            here.close();
            there.send(std::string("last words"));
            ::usleep(rest);
            ::raise(SIGKILL);
        });
        there.close();
        REQUIRE(here.recv<std::string>() == "last words");
        REQUIRE_THROWS_AS(here.recv<std::string>(), mp::EOFError); // asleep when it dies
        REQUIRE(here.poll());
        REQUIRE_THROWS_AS(here.send(1), mp::BrokenPipeError);
        other.wait();
    }
    REQUIRE(objects() == before);
}

TEST_CASE("an end lives as long as one of those who hold it", "[deaths][connection]") {
    auto ends = mp::Pipe();
    auto& here = ends.first;
    auto& there = ends.second;
    const auto first = player::start([&] {
        here.close();
        ::pause();
    });
    const auto second = player::start([&] {
        here.close();
        static_cast<void>(there.recv<int>());
        there.send(1);
        ::pause();
    });
    there.close();
    first.kill();
    first.wait();
    REQUIRE_FALSE(here.poll(20ms));
    here.send(0);
    REQUIRE(here.recv<int>() == 1);
    second.kill();
    REQUIRE_THROWS_AS(here.recv<int>(), mp::EOFError);
    second.wait();
}

TEST_CASE("who waits for room learns that nobody will make any", "[deaths][connection]") {
    auto ends = mp::Pipe();
    auto& here = ends.first;
    auto& there = ends.second;
    const auto other = player::start([&] {
        here.close();
        ::usleep(20'000);
        ::raise(SIGKILL);
    });
    there.close();
    const auto fill = [&] {
        for (int i = 0; i < 2000; ++i) here.send(i); // more than there is room for
    };
    REQUIRE_THROWS_AS(fill(), mp::BrokenPipeError);
    other.wait();
}

TEST_CASE("fileno becomes readable when the other end is killed", "[deaths][connection]") {
    if (MULTIPROCESSING_PORTABLE()) return;
    auto ends = mp::Pipe();
    auto& here = ends.first;
    auto& there = ends.second;
    const auto other = player::start([&] {
        here.close();
        ::pause();
    });
    there.close();
    const int fd = here.fileno();
    REQUIRE_FALSE(mp::os::wait_readable(fd, mp::os::deadline::after(5ms)));
    other.kill();
    REQUIRE(mp::os::wait_readable(fd, mp::os::deadline::never()));
    REQUIRE(here.poll());
    REQUIRE_THROWS_AS(here.recv<int>(), mp::EOFError);
    other.wait();
}

TEST_CASE("killed at any step of a conversation, one end leaves the other with the message or the end", "[deaths][connection]") {
    const auto before = objects();
    for (unsigned k = 1;; ++k) {
        auto ends = mp::Pipe();
        auto& here = ends.first;
        auto& there = ends.second;
        memory::birth birth;
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            here.close();
            static_cast<void>(there.fileno());
            testing::arm(k);
            try {
                for (int i = 0; i < 3; ++i) there.send(there.recv<std::string>() + "!");
            } catch (...) {
                ::_exit(42);
            }
            testing::disarm();
            ::_exit(0);
        }
        birth.in_parent(child);
        there.close();
        int answers = 0;
        bool ended = false;
        try {
            const std::string large(10'000, 'x');
            here.send(std::string("a"));
            here.send(large);
            here.send(std::string("c"));
            for (; answers < 3; ++answers) {
                const std::string answer = here.recv<std::string>();
                REQUIRE(answer.ends_with('!'));
            }
        } catch (const mp::EOFError&) {
            ended = true;
        } catch (const mp::BrokenPipeError&) {
            ended = true;
        }
        int status = 0;
        while (::waitpid(child, &status, 0) < 0) {}
        memory::bury(birth.slot());
        INFO("killed at step " << k);
        here.close();
        REQUIRE(objects() == before);
        if (!WIFSIGNALED(status)) {
            REQUIRE(WEXITSTATUS(status) == 0);
            REQUIRE_FALSE(ended);
            REQUIRE(k > 20);
            break;
        }
    }
}

TEST_CASE("a connection on its way in a message is open", "[deaths][connection]") {
    const auto before = objects();
    {
        auto others = mp::Pipe();
        auto& a = others.first;
        auto& b = others.second;
        auto ends = mp::Pipe();
        auto& here = ends.first;
        auto& there = ends.second;
        const auto other = player::start([&] {
            b.send(there);
            ::raise(SIGKILL);
        });
        there.close();
        other.wait();
        REQUIRE_FALSE(here.poll(20ms));
        here.send(5);
        {
            auto theirs = a.recv<mp::Connection>();
            REQUIRE(theirs.recv<int>() == 5);
        }
        REQUIRE(here.poll());
        REQUIRE_THROWS_AS(here.recv<int>(), mp::EOFError);
    }
    REQUIRE(objects() == before);
}
