#include <multiprocessing/shared/manager.hpp>

#include <filesystem>
#include <string>

#include "support/catch.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
using mp::shared_memory::ListItem;
using mp::shared_memory::ShareableList;
using mp::shared_memory::SharedMemory;
using mp::shared_memory::SharedMemoryManager;

namespace {

bool exists(const std::string& name) { return std::filesystem::exists("/dev/shm/" + name); }

} // namespace

TEST_CASE("what a manager made has no name any more when it is shut down", "[shared][manager]") {
    SharedMemoryManager manager;
    REQUIRE_THROWS_AS(manager.SharedMemory(10), mp::ValueError);
    REQUIRE_THROWS_AS(manager.ShareableList({1}), mp::ValueError);
    manager.start();
    REQUIRE_THROWS_AS(manager.start(), mp::ValueError);
    const auto memory = manager.SharedMemory(32);
    const auto list = manager.ShareableList({1, 2.5, "three"});
    const std::string gone = [&] {
        const auto dropped = manager.SharedMemory(8);
        return dropped.name();
    }();
    REQUIRE(memory.size() == 32);
    REQUIRE(SharedMemory({.name = memory.name()}).size() == 32);
    REQUIRE(ShareableList({.name = list.shm().name()})[1] == ListItem(2.5));
    REQUIRE(exists(gone)); // the manager keeps what it made
    manager.SharedMemory(8).unlink();
    testing::children crowd;
    crowd.start([&] { manager.shutdown(); }); // isn't the child's to do
    REQUIRE(crowd.join());
    REQUIRE(exists(memory.name()));

    manager.shutdown();
    for (const auto& name : {memory.name(), list.shm().name(), gone}) REQUIRE_FALSE(exists(name));
    REQUIRE(list[0] == ListItem(1)); // what is mapped stays
    REQUIRE_THROWS_AS(manager.SharedMemory(10), mp::ValueError);
    manager.shutdown();
}

TEST_CASE("a manager that goes out of scope is shut down", "[shared][manager]") {
    std::string name;
    {
        SharedMemoryManager manager;
        manager.start();
        name = manager.SharedMemory(1).name();
        REQUIRE(exists(name));
    }
    REQUIRE_FALSE(exists(name));
}
