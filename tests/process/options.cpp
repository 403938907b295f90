#include <multiprocessing/process/options.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;

TEST_CASE("nothing need be said, and anything can be by its name", "[process][options]") {
    const mp::ProcessOptions none;
    REQUIRE(none.name.empty());
    REQUIRE_FALSE(none.daemon);
    REQUIRE_FALSE(none.start_method);
    REQUIRE(none.limits.empty());
    REQUIRE_FALSE(none.allow_children);

    const mp::ProcessOptions all{.name = "w1",
                                 .daemon = false,
                                 .start_method = mp::StartMethod::fork,
                                 .affinity = {0, 1},
                                 .limits = {.memory = 1'000'000'000, .cpu_time = std::chrono::minutes(5)},
                                 .nice = 5,
                                 .env = {{"OMP_NUM_THREADS", "1"}, {"LANG", "C"}},
                                 .cwd = "/tmp",
                                 .allow_children = true};
    REQUIRE(all.daemon == false);
    REQUIRE(all.affinity.size() == 2);
    REQUIRE(all.env.at("OMP_NUM_THREADS") == "1");
    REQUIRE(all.limits.cpu_time == std::chrono::seconds(300));
}
