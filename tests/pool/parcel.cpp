#include <multiprocessing/pool/parcel.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;
namespace pool = multiprocessing::pool;

TEST_CASE("what is delivered is the owner's, what was refused is nobody's", "[pool][parcel]") {
    const auto me = memory::family::here().self();
    const auto before = memory::family::here().objects();
    auto shelf = memory::handle<std::atomic<memory::object_name>>::create(memory::object_name{0});
    auto place = memory::handle<pool::station>::create();
    testing::run_and_kill_at(0, [&] {
        for (int i = 0; i < 2; ++i) {
            auto object = memory::handle<int>::create(i);
            pool::deliver(*place, me, object, [&](memory::object_name name) {
                memory::object_name none = 0;
                return shelf->compare_exchange_strong(none, name); // the second is refused
            });
        }
    });
    REQUIRE(memory::family::here().objects() == before + 3);
    REQUIRE(*memory::handle<int>(memory::holding::receive(*shelf)) == 0);
    REQUIRE(memory::family::here().objects() == before + 2);
}

TEST_CASE("killed at every step of a delivery, a worker leaves an object that stands, or none", "[pool][parcel]") {
    const auto me = memory::family::here().self();
    const auto before = memory::family::here().objects();
    auto shelf = memory::handle<std::atomic<memory::object_name>>::create(memory::object_name{0});
    auto place = memory::handle<pool::station>::create();
    unsigned stood = 0;
    const auto steps = testing::kill_at_every_step(
        [&] {
            auto object = memory::handle<int>::create(4711);
            pool::deliver(*place, me, object, [&](memory::object_name name) {
                shelf->store(name);
                return true;
            });
        },
        [&](unsigned) {
            pool::recover_parcel(*place, [&](memory::object_name name) { return *shelf == name; });
            if (*shelf != 0) {
                ++stood;
                REQUIRE(*memory::handle<int>(memory::holding::receive(shelf->exchange(0))) == 4711);
            }
            REQUIRE(memory::family::here().objects() == before + 2);
        });
    REQUIRE(steps > 10);
    REQUIRE(stood > 0);
}
