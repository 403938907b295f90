#include <multiprocessing/os/symbols.hpp>

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <multiprocessing/os/module.hpp>
#include <multiprocessing/os/self.hpp>

#include <support/catch.hpp>

namespace os = multiprocessing::os;

namespace {

[[gnu::noinline]] int nobody_elses(int x) {
    return x + 1;
}
using function = int (*)(int);
const volatile function address_of_nobody_elses = nobody_elses;

} // namespace

TEST_CASE("a function that only its own file knows has a name", "[os][symbols]") {
    const auto place = os::locate(reinterpret_cast<const void*>(address_of_nobody_elses));
    REQUIRE(place);
    const os::symbol found = os::find_symbol(os::executable(), place->offset);
    CHECK(found.name.find("nobody_elses") != std::string_view::npos);
    CHECK(found.offset == place->offset);
    CHECK(os::find_symbol(os::executable(), place->offset + 1).name == found.name);
}

TEST_CASE("what no function holds, and no file says, has no name", "[os][symbols]") {
    CHECK(os::find_symbol(os::executable(), 0).name.empty());
    CHECK(os::find_symbol(os::executable(), ~std::uint64_t{0}).name.empty());
    CHECK(os::find_symbol("/nowhere/at/all", 4711).name.empty());
    CHECK(os::find_symbol("/etc/passwd", 4711).name.empty());
    CHECK(os::find_symbol("/", 4711).name.empty());
}

TEST_CASE("a damaged file has no names, and does no harm", "[os][symbols]") {
    std::ifstream own(os::executable(), std::ios::binary);
    std::string head(4096, '\0');
    own.read(head.data(), static_cast<std::streamsize>(head.size()));
    for (int i = 0; i < 64; ++i) {
        std::string damaged = head;
        damaged[static_cast<std::size_t>(i)] = static_cast<char>(damaged[static_cast<std::size_t>(i)] ^ 0x5a);
        const auto path = std::filesystem::temp_directory_path() / fmt::format("damaged-{}-{}", os::pid(), i);
        std::ofstream(path, std::ios::binary) << damaged;
        CHECK(os::find_symbol(path, 4711).name.empty());
        std::filesystem::remove(path);
    }
}
