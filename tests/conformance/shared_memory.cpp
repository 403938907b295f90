// CPython's _TestSharedMemory, as far as it is of SharedMemory, under each start method. T177 and T186 to T189 are of the
// resource tracker, which there is none of here: the creator owns the name (T188 the other way round is in tests/shared/named).
#include <multiprocessing/shared_memory.hpp>

#include <csignal>
#include <filesystem>
#include <string>
#include <system_error>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

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
    REQUIRE(SharedMemory(name).buf()[0] == std::byte{42}); // Python's arguments in its order
    REQUIRE_THROWS_AS(SharedMemory(name, true, 512), std::system_error);
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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const SharedMemory sms({.create = true, .size = 16});
    const std::string name = sms.name();
    auto p = ctx.Process(
        [](SharedMemory by_handle, const std::string& called) {
            by_handle.buf()[0] = std::byte{1};
            SharedMemory({.name = called}).buf()[1] = std::byte{2};
        },
        sms, name);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(sms.buf()[0] == std::byte{1});
    REQUIRE(sms.buf()[1] == std::byte{2});
    REQUIRE(exists(name));
}

TEST_CASE("T174: a handle that has travelled attaches by name, and can't when that is gone",
          "[conformance][shared_memory]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const SharedMemory sms({.create = true, .size = 16});
    sms.unlink();
    auto p = ctx.Process(
        [](SharedMemory by_handle) {
            try {
                by_handle.buf()[0] = std::byte{1};
            } catch (const std::system_error& error) {
                mp::exit(error.code() == std::errc::no_such_file_or_directory ? 2 : 3);
            }
        },
        sms);
    p.start();
    p.join();
    const bool inherited = ctx.method() == mp::StartMethod::fork; // what was mapped already stays
    REQUIRE(p.exitcode() == (inherited ? 0 : 2));
    REQUIRE(sms.buf()[0] == std::byte{inherited});
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
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const SharedMemory sms({.create = true, .size = 16});
    const std::string name = sms.name();
    for (const bool killed : {false, true}) {
        auto p = ctx.Process(
            [](SharedMemory by_handle, const std::string& called, bool dies) {
                const SharedMemory attached({.name = called});
                attached.buf()[0] = by_handle.buf()[0];
                if (dies) ::raise(SIGKILL);
            },
            sms, name, killed);
        p.start();
        p.join();
        REQUIRE(p.exitcode() == (killed ? -SIGKILL : 0));
        REQUIRE(exists(name));
    }
}

TEST_CASE("what a child created and still holds when it ends has no name afterwards", "[conformance][shared_memory]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const std::string name = name_of("child");
    auto p = ctx.Process(
        [](const std::string& chosen) {
            static const SharedMemory kept({.name = chosen, .create = true, .size = 16});
            mp::exit(exists(chosen) ? 0 : 1);
        },
        name);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE_FALSE(exists(name));
}
