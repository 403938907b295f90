// CPython's _TestSharedMemory, as far as it is of SharedMemory, under fork. T177 and T186 to T189 are of the resource
// tracker, which there is none of here: the creator owns the name (T188 the other way round is in tests/shared/named).
#include <multiprocessing/shared_memory.hpp>

#include <csignal>
#include <filesystem>
#include <string>
#include <system_error>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
using mp::shared_memory::SharedMemory;

namespace {

std::string name_of(const char* what) { return fmt::format("mp-test-{}-{}", ::getpid(), what); }
bool exists(const std::string& name) { return std::filesystem::exists("/dev/shm/" + name); }

} // namespace

TEST_CASE("T166: a name with a null character is refused", "[conformance][shared_memory]") {
    REQUIRE_THROWS_AS(SharedMemory({.name = std::string("\0x", 2), .create = true, .size = 1}), mp::ValueError);
    REQUIRE_THROWS_AS(SharedMemory({.name = std::string("x\0", 2)}), mp::ValueError);
}

TEST_CASE("T167: create, attach, write, read; a size is ignored when attaching", "[conformance][shared_memory]") {
    const std::string name = name_of("basics");
    const SharedMemory sms({.name = name, .create = true, .size = 512});
    REQUIRE(sms.name() == name);
    REQUIRE(sms.size() >= 512);
    REQUIRE(sms.buf().size() >= sms.size());
    REQUIRE(fmt::format("{}", sms).find(name) != std::string::npos);
    sms.buf()[0] = std::byte{42};
    const SharedMemory also({.name = name});
    REQUIRE(also.buf()[0] == std::byte{42});
    const SharedMemory same({.name = name, .size = 20 * sms.size()});
    REQUIRE(same.size() == sms.size());
}

TEST_CASE("T168, T169: no size, no name", "[conformance][shared_memory]") {
    REQUIRE_THROWS_AS(SharedMemory({.create = true, .size = 0}), mp::ValueError);
    REQUIRE_THROWS_AS(SharedMemory({.create = true, .size = static_cast<std::size_t>(-1)}), mp::ValueError);
    REQUIRE_THROWS_AS(SharedMemory({.create = false}), mp::ValueError);
}

TEST_CASE("T170 to T172: exists already, doesn't exist, is gone", "[conformance][shared_memory]") {
    const std::string name = name_of("errors");
    const auto code_of = [](auto call) {
        try {
            call();
        } catch (const std::system_error& error) {
            return error.code().value();
        }
        return 0;
    };
    const SharedMemory sms({.name = name, .create = true, .size = 16});
    REQUIRE(code_of([&] { SharedMemory({.name = name, .create = true, .size = 16}); }) == EEXIST);
    REQUIRE(code_of([&] { SharedMemory({.name = name + "-not"}); }) == ENOENT);
    sms.unlink();
    REQUIRE(code_of([&] { sms.unlink(); }) == ENOENT);
}

TEST_CASE("T173: names are made up until one is free", "[conformance][shared_memory]") {
    const SharedMemory a({.create = true, .size = 1}), b({.create = true, .size = 1});
    REQUIRE(a.name() != b.name());
    REQUIRE(a.name().starts_with("psm_"));
}

TEST_CASE("T175: a child attaches by its handle and by name", "[conformance][shared_memory]") {
    const SharedMemory sms({.create = true, .size = 16});
    const std::string name = sms.name();
    mp::Process p([=] {
        sms.buf()[0] = std::byte{1};
        SharedMemory({.name = name}).buf()[1] = std::byte{2};
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(sms.buf()[0] == std::byte{1});
    REQUIRE(sms.buf()[1] == std::byte{2});
    REQUIRE(exists(name));
}

TEST_CASE("T178: a manager, before it starts, while it runs, afterwards", "[conformance][shared_memory]") {
    mp::shared_memory::SharedMemoryManager smm;
    REQUIRE_THROWS_AS(smm.SharedMemory(9), mp::ValueError);
    smm.start();
    const auto lol = smm.ShareableList({0, 1, 2, 3, 4});
    const auto shm = smm.SharedMemory(128);
    REQUIRE(SharedMemory({.name = lol.shm().name()}).size() > 0);
    REQUIRE(SharedMemory({.name = shm.name()}).size() == 128);
    smm.shutdown();
    REQUIRE_THROWS_AS(SharedMemory({.name = lol.shm().name()}), std::system_error);
    REQUIRE_THROWS_AS(SharedMemory({.name = shm.name()}), std::system_error);
}

TEST_CASE("C11: an attach that fails destroys nothing", "[conformance][shared_memory]") {
    const std::string name = name_of("failed");
    const auto made = mp::os::create_named_memory('/' + name); // of no size: can't be attached
    REQUIRE_THROWS_AS(SharedMemory({.name = name}), mp::ValueError);
    REQUIRE(exists(name));
    mp::os::unlink_named_memory('/' + name);
}

TEST_CASE("a child that ends, by itself or killed, takes nothing away that it attached",
          "[conformance][shared_memory]") {
    const SharedMemory sms({.create = true, .size = 16});
    const std::string name = sms.name();
    for (const bool killed : {false, true}) {
        mp::Process p([=] {
            const SharedMemory attached({.name = name});
            if (killed) ::raise(SIGKILL);
        });
        p.start();
        p.join();
        REQUIRE(exists(name));
    }
}

TEST_CASE("what a child created and still holds when it ends has no name afterwards", "[conformance][shared_memory]") {
    const std::string name = name_of("child");
    mp::Process p([=] {
        static const SharedMemory kept({.name = name, .create = true, .size = 16});
        mp::exit(exists(name) ? 0 : 1);
    });
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(exists(name));
}
