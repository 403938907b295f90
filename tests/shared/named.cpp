#include <multiprocessing/shared/named.hpp>

#include <csignal>
#include <filesystem>
#include <string>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"
#include "support/run_program.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using mp::shared_memory::SharedMemory;
using mp::shared_memory::SharedMemoryOptions;

static_assert(memory::MadeOfHandles<SharedMemory>);

namespace {

bool exists(const std::string& name) { return std::filesystem::exists("/dev/shm/" + name); }

std::errc error_of(const SharedMemoryOptions& options) {
    try {
        const SharedMemory made(options);
        return {};
    } catch (const std::system_error& error) {
        return static_cast<std::errc>(error.code().value());
    }
}
std::string own_name(const char* what) { return fmt::format("mp-test-{}-{}", ::getpid(), what); }

/// What a python program says; its error output shows where it fails.
std::string python(const std::string& program) {
    const auto result = testing::run_program({"python3", "-c", program});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    REQUIRE(result.err.empty());
    return result.out;
}
bool there_is_python() {
    return testing::run_program({"python3", "-c", "import multiprocessing.shared_memory"}).exit_code == 0;
}
const char* const attach_in_python = R"(
from multiprocessing import shared_memory, resource_tracker
def attach(name):
    m = shared_memory.SharedMemory(name)
    resource_tracker.unregister(m._name, 'shared_memory')
    return m
)";

} // namespace

TEST_CASE("what is written to a shared memory is seen by who attaches it", "[shared][named]") {
    const SharedMemory mine({.create = true, .size = 100});
    REQUIRE(mine.name().starts_with("psm_"));
    REQUIRE(mine.name().size() == 12);
    REQUIRE(mine.size() == 100);
    REQUIRE(mine.buf().size() == 100);
    REQUIRE(exists(mine.name()));
    mine.buf()[7] = std::byte{42};
    const SharedMemory theirs({.name = mine.name(), .size = 5}); // a size is ignored
    REQUIRE(theirs.size() == 100);
    REQUIRE(theirs.buf()[7] == std::byte{42});
    theirs.buf()[99] = std::byte{43};
    REQUIRE(mine.buf()[99] == std::byte{43});
    REQUIRE(fmt::format("{}", mine) == fmt::format("SharedMemory('{}', size=100)", mine.name()));
}

TEST_CASE("a name may be chosen, with or without a slash, once", "[shared][named]") {
    const std::string name = own_name("chosen");
    {
        const SharedMemory mine({.name = '/' + name, .create = true, .size = 1});
        REQUIRE(mine.name() == name);
        REQUIRE(error_of({.name = name, .create = true, .size = 1}) == std::errc::file_exists);
        REQUIRE(exists(name)); // a create that fails destroys nothing
    }
    REQUIRE_FALSE(exists(name));
    REQUIRE(error_of({.name = name}) == std::errc::no_such_file_or_directory);
    const std::string odd = own_name("a:b c\n");
    const SharedMemory strange({.name = odd, .create = true, .size = 1});
    REQUIRE(SharedMemory({.name = odd}).size() == 1);
}

TEST_CASE("arguments that can't be", "[shared][named]") {
    REQUIRE_THROWS_AS(SharedMemory(SharedMemoryOptions{}), mp::ValueError);
    REQUIRE_THROWS_AS(SharedMemory({.create = true}), mp::ValueError);
    REQUIRE_THROWS_AS(SharedMemory({.create = true, .size = ~std::size_t{0}}), mp::ValueError);
    REQUIRE_THROWS_AS(SharedMemory({.name = "/"}), mp::ValueError);
    REQUIRE_THROWS_AS(SharedMemory({.name = std::string("a\0b", 3)}), mp::ValueError);
    REQUIRE_THROWS_AS(SharedMemory({.name = "a/b"}), mp::ValueError);
    REQUIRE_THROWS_AS(SharedMemory({.name = std::string(300, 'x'), .create = true, .size = 1}), mp::ValueError);
    REQUIRE_THROWS_WITH(SharedMemory({.name = "a/b"}), "the name of a shared memory must not have a slash in it: a/b");
}

TEST_CASE("the name goes with the creator's last handle, the memory with the last mapping", "[shared][named]") {
    std::string name;
    std::optional<SharedMemory> theirs;
    {
        const SharedMemory mine({.create = true, .size = 10});
        name = mine.name();
        const SharedMemory copy = mine;
        theirs.emplace(SharedMemoryOptions{.name = name});
        { const SharedMemory another({.name = name}); }
        REQUIRE(exists(name)); // who attaches never owns
        mine.buf()[0] = std::byte{1};
    }
    REQUIRE_FALSE(exists(name));
    REQUIRE(theirs->buf()[0] == std::byte{1});
}

TEST_CASE("close lets go, unlink takes the name away once", "[shared][named]") {
    SharedMemory mine({.create = true, .size = 10});
    SharedMemory copy = mine;
    const std::string name = mine.name();
    mine.close();
    mine.close();
    REQUIRE(mine.buf().empty());
    REQUIRE(mine.size() == 10);
    REQUIRE(mine.name() == name);
    REQUIRE(copy.buf().size() == 10);
    REQUIRE(exists(name));
    mine.unlink();
    REQUIRE_FALSE(exists(name));
    REQUIRE(copy.buf().size() == 10);
    REQUIRE_THROWS_AS(mine.unlink(), std::system_error);
    // Another one of that name isn't touched by the first one's end.
    const SharedMemory second({.name = name, .create = true, .size = 5});
    copy.close();
    REQUIRE(exists(name));
    // As Python programs have it.
    SharedMemory last({.create = true, .size = 10});
    last.close();
    last.unlink();
    REQUIRE_FALSE(exists(last.name()));
}

TEST_CASE("a name that others have taken away and used again isn't taken from them", "[shared][named]") {
    const std::string name = own_name("again");
    {
        const SharedMemory mine({.name = name, .create = true, .size = 10});
        mp::os::unlink_named_memory('/' + name); // another program
        mp::os::resize_file(mp::os::create_named_memory('/' + name).get(), 5);
    }
    REQUIRE(exists(name));
    SharedMemory({.name = name}).unlink();
}

TEST_CASE("a segment that has no size yet isn't attached, and not destroyed", "[shared][named]") {
    const std::string name = own_name("empty");
    { const auto made = mp::os::create_named_memory('/' + name); }
    REQUIRE_THROWS_AS(SharedMemory({.name = name}), mp::ValueError);
    REQUIRE(exists(name));
    mp::os::unlink_named_memory('/' + name);
}

TEST_CASE("a child writes through its handle, and by name; its end takes nothing away", "[shared][named]") {
    const SharedMemory mine({.create = true, .size = 10});
    testing::children crowd;
    crowd.start([&] {
        mine.buf()[1] = std::byte{1};
        SharedMemory({.name = mine.name()}).buf()[2] = std::byte{2};
        SharedMemory copy = mine;
        copy.close();
    });
    REQUIRE(crowd.join());
    REQUIRE(exists(mine.name()));
    REQUIRE(mine.buf()[1] == std::byte{1});
    REQUIRE(mine.buf()[2] == std::byte{2});
}

TEST_CASE("when its creator is killed, the last of the family to let go takes the name away", "[shared][named]") {
    const std::string name = own_name("orphan");
    testing::children crowd;
    auto ready = memory::handle<std::atomic<int>>::create(0);
    const pid_t creator = crowd.start([&] {
        const SharedMemory its({.name = name, .create = true, .size = 10});
        testing::children its_own;
        its_own.start([&] {
            SharedMemory heir = its;
            *ready = 1;
            while (*ready != 2) ::usleep(100);
            // Of this process's two handles; the other one is its parent's, which it was forked with.
            heir.close();
            const_cast<SharedMemory&>(its).close();
            *ready = 3;
            ::_exit(0);
        });
        for (;;) ::pause();
    });
    while (*ready != 1) ::usleep(100);
    crowd.kill(creator);
    REQUIRE(exists(name));
    *ready = 2;
    while (*ready != 3) ::usleep(100);
    REQUIRE_FALSE(exists(name));
    memory::family::here().bury_the_dead();
}

TEST_CASE("when its creator is killed and nobody else has it, who notices takes the name away", "[shared][named]") {
    const std::string name = own_name("lonely");
    const std::string taken = own_name("taken");
    testing::children crowd;
    auto ready = memory::handle<std::atomic<int>>::create(0);
    const pid_t creator = crowd.start([&] {
        const SharedMemory its({.name = name, .create = true, .size = 10});
        const SharedMemory another({.name = taken, .create = true, .size = 10});
        *ready = 1;
        for (;;) ::pause();
    });
    while (*ready != 1) ::usleep(100);
    // Somebody else has the second name by then.
    ::shm_unlink(("/" + taken).c_str());
    const SharedMemory theirs({.name = taken, .create = true, .size = 20});
    crowd.kill(creator);
    memory::family::here().bury_the_dead();
    REQUIRE_FALSE(exists(name));
    REQUIRE(exists(taken));
}

TEST_CASE("a process that leaves by exit takes its names away, whatever it still holds", "[shared][named]") {
    const std::string name = own_name("exit");
    testing::children crowd;
    crowd.start([&] {
        new SharedMemory({.name = name, .create = true, .size = 10});
        mp::os::run_at_exit();
        ::_exit(exists(name) ? 1 : 0);
    });
    REQUIRE(crowd.join());
}

TEST_CASE("python attaches what was made here, and leaves it", "[shared][named]") {
    if (!there_is_python()) return;
    const SharedMemory mine({.create = true, .size = 5000});
    mine.buf()[4999] = std::byte{77};
    const auto said = python(fmt::format(R"({}
m = attach('{}')
print(m.size, m.buf[4999])
m.buf[0] = 78
m.close()
)",
                                         attach_in_python, mine.name()));
    REQUIRE(said == "5000 77\n");
    REQUIRE(mine.buf()[0] == std::byte{78});
    REQUIRE(exists(mine.name()));
}

TEST_CASE("what python made is attached here, and left there", "[shared][named]") {
    if (!there_is_python()) return;
    const std::string name = own_name("python");
    python(fmt::format(R"(
from multiprocessing import shared_memory, resource_tracker
m = shared_memory.SharedMemory('{}', create=True, size=100)
resource_tracker.unregister(m._name, 'shared_memory')
m.buf[99] = 5
m.close()
)",
                       name));
    {
        const SharedMemory theirs({.name = name});
        REQUIRE(theirs.size() == 100);
        REQUIRE(theirs.buf()[99] == std::byte{5});
    }
    REQUIRE(exists(name));
    SharedMemory({.name = name}).unlink();
    REQUIRE_FALSE(exists(name));
}
