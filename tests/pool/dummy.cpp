#include <multiprocessing/dummy.hpp>

#include <string>

#include "support/catch.hpp"

namespace dummy = multiprocessing::dummy;
namespace mp = multiprocessing;
using namespace std::chrono_literals;

TEST_CASE("a dummy process is a thread that looks like a process", "[dummy]") {
    std::string heard;
    dummy::Process p({.name = "w1"}, [&](const std::string& what, int n) { heard = what + std::to_string(n); }, "two", 3);
    REQUIRE(p.name() == "w1");
    REQUIRE_FALSE(p.exitcode());
    REQUIRE_THROWS_AS(p.join(), mp::ValueError);
    p.start();
    REQUIRE_THROWS_AS(p.start(), mp::ValueError);
    p.join();
    REQUIRE(heard == "two3");
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(p.is_alive());
    dummy::Event go;
    dummy::Process waiting([&] { go.wait(); });
    waiting.start();
    REQUIRE_FALSE(waiting.join(5ms));
    REQUIRE(waiting.is_alive());
    go.set();
    REQUIRE(waiting.join(60s));
}

TEST_CASE("queues, locks and pools work among threads under their dummy names", "[dummy]") {
    dummy::Queue<int> queue;
    dummy::Lock lock;
    int sum = 0;
    dummy::Process adding([&] {
        for (int i = queue.get(); i != 0; i = queue.get()) {
            const std::scoped_lock held(lock);
            sum += i;
        }
    });
    adding.start();
    for (int i = 1; i <= 10; ++i) queue.put(i);
    queue.put(0);
    adding.join();
    REQUIRE(sum == 55);
    dummy::Pool pool(2);
    REQUIRE(pool.map([](int x) { return x * x; }, {1, 2, 3}) == std::vector{1, 4, 9});
}
