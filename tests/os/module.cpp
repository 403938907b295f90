#include <multiprocessing/os/module.hpp>

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <sys/mman.h>

#include "support/catch.hpp"

#if !defined(MODULE_FIXTURE) || !defined(MODULE_FIXTURE_WITHOUT_BUILD_ID)
#    error "define MODULE_FIXTURE and MODULE_FIXTURE_WITHOUT_BUILD_ID: the shared libraries of tests/os/module.cmake"
#endif

namespace os = multiprocessing::os;

namespace {

int work(int n) { return n + 1; }
int some_data = 7;
const int some_constant[] = {1, 2, 3};

const void* address_of_work() { return reinterpret_cast<const void*>(&work); }

/// A library loaded for as long as this lives.
class library {
public:
    explicit library(const char* path) : handle_(::dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
        INFO(path);
        REQUIRE(handle_ != nullptr);
    }
    ~library() { ::dlclose(handle_); }
    library(const library&) = delete;
    library& operator=(const library&) = delete;

    [[nodiscard]] const void* symbol(const char* name) const { return ::dlsym(handle_, name); }

private:
    void* handle_;
};

bool is_hex(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

} // namespace

TEST_CASE("a function of the program has a place, and the place leads back to it", "[os][module]") {
    const auto where = os::locate(address_of_work());
    REQUIRE(where.has_value());
    REQUIRE(where->path == os::executable());
    REQUIRE((is_hex(where->build_id) || where->build_id.starts_with("file-")));
    const void* const found = os::resolve(*where);
    REQUIRE(found == address_of_work());
    REQUIRE(reinterpret_cast<int (*)(int)>(reinterpret_cast<std::uintptr_t>(found))(41) == 42);
    REQUIRE(os::locate(address_of_work()) == where);
    REQUIRE(os::in_executable(address_of_work()));
}

TEST_CASE("what is not code has no place", "[os][module]") {
    const int on_stack = 0;
    const auto on_heap = std::make_unique<int>(0);
    CHECK_FALSE(os::locate(nullptr).has_value());
    CHECK_FALSE(os::locate(&on_stack).has_value());
    CHECK_FALSE(os::locate(on_heap.get()).has_value());
    CHECK_FALSE(os::locate(&some_data).has_value());
    CHECK_FALSE(os::locate(&some_constant).has_value());
    CHECK_FALSE(os::locate(reinterpret_cast<const void*>(UINTPTR_MAX)).has_value());
    for (const void* const address : {static_cast<const void*>(nullptr), static_cast<const void*>(&on_stack),
                                      static_cast<const void*>(&some_data), static_cast<const void*>(on_heap.get())})
        CHECK_FALSE(os::in_executable(address));

    // Executable memory that no module has: generated code.
    void* const generated = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_FALSE(os::locate(generated).has_value());
    CHECK_FALSE(os::in_executable(generated));
    ::munmap(generated, 4096);
}

TEST_CASE("a place that isn't code, or of another build, leads nowhere", "[os][module]") {
    const os::place good = *os::locate(address_of_work());
    const auto moved_to = [&](std::uint64_t offset) {
        os::place other = good;
        other.offset = offset;
        return os::resolve(other);
    };
    const auto distance = reinterpret_cast<std::uintptr_t>(&some_data) - reinterpret_cast<std::uintptr_t>(&work);
    CHECK(moved_to(good.offset + distance) == nullptr); // data
    CHECK(moved_to(0) == nullptr);                      // the file's header
    CHECK(moved_to(1ULL << 40) == nullptr);
    CHECK(moved_to(UINT64_MAX) == nullptr);
    CHECK(moved_to(UINT64_MAX - good.offset) == nullptr);

    os::place other = good;
    other.build_id.back() = other.build_id.back() == '0' ? '1' : '0';
    CHECK(os::resolve(other) == nullptr);
    other.build_id.clear();
    CHECK(os::resolve(other) == nullptr);
    other.build_id = good.build_id + "00";
    CHECK(os::resolve(other) == nullptr);

    other = good;
    other.path = "/somewhere/else"; // is for messages alone
    CHECK(os::resolve(other) == address_of_work());
}

TEST_CASE("a function of a shared library has a place while the library is loaded", "[os][module]") {
    const std::uint64_t before = os::modules_loaded();
    REQUIRE(os::modules_loaded() == before);
    std::uint64_t while_loaded = 0;
    os::place where;
    {
        const library loaded(MODULE_FIXTURE);
        while_loaded = os::modules_loaded();
        REQUIRE(while_loaded != before);
        const void* const answer = loaded.symbol("module_fixture_answer");
        REQUIRE(answer != nullptr);
        where = os::locate(answer).value();
        CHECK_THAT(where.path, testing::contains("module_fixture"));
        CHECK(is_hex(where.build_id));
        CHECK(where.build_id.size() == 40);
        CHECK(where.build_id != os::locate(address_of_work())->build_id);
        CHECK(os::resolve(where) == answer);
        CHECK_FALSE(os::in_executable(answer));
        CHECK_FALSE(os::locate(loaded.symbol("module_fixture_data")).has_value());
    }
    const std::uint64_t after = os::modules_loaded();
    REQUIRE(after != before);
    REQUIRE(after != while_loaded);
    REQUIRE(os::resolve(where) == nullptr);
    const library again(MODULE_FIXTURE); // to wherever
    REQUIRE(os::modules_loaded() != after);
    REQUIRE(os::resolve(where) == again.symbol("module_fixture_answer"));
}

TEST_CASE("a library linked without a build id is known by its file", "[os][module]") {
    const library loaded(MODULE_FIXTURE_WITHOUT_BUILD_ID);
    const void* const answer = loaded.symbol("module_fixture_answer");
    const os::place where = os::locate(answer).value();
    REQUIRE(where.build_id.starts_with("file-"));
    REQUIRE(is_hex(where.build_id.substr(5)));
    REQUIRE(os::resolve(where) == answer);
}

TEST_CASE("the C library is a module as well", "[os][module]") {
    const void* const code = ::dlsym(RTLD_NEXT, "getpid");
    REQUIRE(code != nullptr);
    const auto where = os::locate(code);
    REQUIRE(where.has_value());
    REQUIRE(os::resolve(*where) == code);
    REQUIRE_FALSE(os::in_executable(code));
}

namespace {

/// Notes in memory of exactly their size, so that a sanitizer sees what reads past them.
class notes {
public:
    explicit notes(std::initializer_list<std::uint32_t> words, std::size_t cut = 0)
        : size_(words.size() * 4 - cut), bytes_(new std::byte[size_]) {
        if (size_ > 0) std::memcpy(bytes_.get(), words.begin(), size_);
    }
    [[nodiscard]] std::string build_id(std::size_t alignment = 4) const {
        return os::detail::build_id_in({bytes_.get(), size_}, alignment);
    }

private:
    std::size_t size_;
    std::unique_ptr<std::byte[]> bytes_;
};

constexpr std::uint32_t gnu = 0x00554e47; // "GNU", where the lowest byte comes first
constexpr std::uint32_t build_id = NT_GNU_BUILD_ID;
constexpr std::uint32_t property = 5;

} // namespace

TEST_CASE("a build id is found among other notes, and not among damaged ones", "[os][module]") {
    if (std::uint32_t one = 1; *reinterpret_cast<const char*>(&one) != 1) return; // the notes below are little-endian
    // owner's size, value's size, type, owner, value
    CHECK(notes({4, 4, build_id, gnu, 0x04030201}).build_id() == "01020304");
    CHECK(notes({4, 3, build_id, gnu, 0x00030201}).build_id() == "010203");
    CHECK(notes({4, 4, 1, gnu, 0, 4, 4, build_id, gnu, 0x0d0c0b0a}).build_id() == "0a0b0c0d");
    CHECK(notes({8, 4, build_id, gnu, 0, 9, 4, 4, build_id, gnu, 5}).build_id() == "05000000"); // another's type 3
    CHECK(notes({4, 4, build_id, 0x00444642, 9}).build_id().empty());                           // "BFD"
    CHECK(notes({0, 0, 0, 4, 4, build_id, gnu, 5}).build_id() == "05000000");

    // In a segment aligned to 8 values are padded to 8.
    CHECK(notes({4, 4, property, gnu, 1, 0, 4, 4, build_id, gnu, 0x04030201, 0}).build_id(8) == "01020304");

    CHECK(notes({}).build_id().empty());
    CHECK(notes({4, 4}).build_id().empty());
    CHECK(notes({4, 4, build_id}).build_id().empty());
    CHECK(notes({4, 4, build_id, gnu}).build_id().empty());
    CHECK(notes({4, 4, build_id, gnu, 1}, 1).build_id().empty()); // a byte is missing
    CHECK(notes({4, 0, build_id, gnu}).build_id().empty());
    for (const std::uint32_t huge : {0x7fffffffU, 0xfffffff0U, 0xffffffffU}) {
        CHECK(notes({huge, 4, build_id, gnu, 1}).build_id().empty());
        CHECK(notes({4, huge, build_id, gnu, 1}).build_id().empty());
        CHECK(notes({huge, huge, build_id, gnu, 1}).build_id(8).empty());
    }
}

TEST_CASE("an exception in a visit passes round the loader, and leaves it unlocked", "[os][module]") {
    REQUIRE_THROWS_AS(os::detail::each_module([](const auto&) -> bool { throw std::bad_alloc(); }), std::bad_alloc);
    const library loaded(MODULE_FIXTURE); // needs the loader's lock
    REQUIRE(loaded.symbol("module_fixture_answer") != nullptr);
}
