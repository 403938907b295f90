#include <multiprocessing/shared/shareable_list.hpp>

#include <filesystem>
#include <string>

#include "support/catch.hpp"
#include "support/run_program.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
using mp::shared_memory::ListItem;
using mp::shared_memory::ShareableList;
using mp::shared_memory::ShareableListOptions;
using mp::shared_memory::SharedMemory;
using namespace std::string_literals;

static_assert(mp::memory::MadeOfHandles<ShareableList>);

namespace {

std::vector<std::byte> bytes(std::string_view text) {
    const auto all = std::as_bytes(std::span(text));
    return {all.begin(), all.end()};
}
bool is(const ListItem& item, const std::string& text) { return item == ListItem(text); }

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
std::string in_python(const std::string& name, const std::string& program) {
    return python(fmt::format(R"(
from multiprocessing import shared_memory, resource_tracker
l = shared_memory.ShareableList(name='{}')
resource_tracker.unregister(l.shm._name, 'shared_memory')
{}
l.shm.close()
)",
                              name, program));
}

} // namespace

TEST_CASE("items of every type are got as they were given", "[shared][shareable_list]") {
    const ShareableList list({"howdy", bytes("HoWdY"), -273.154, 100, nullptr, true, 42, false, ""});
    REQUIRE(list.size() == 9);
    REQUIRE(is(list[0], "howdy"));
    REQUIRE(list[1] == ListItem(bytes("HoWdY")));
    REQUIRE(std::get<double>(list[2]) == -273.154);
    REQUIRE(std::get<std::int64_t>(list[3]) == 100);
    REQUIRE(list[4] == ListItem(nullptr));
    REQUIRE(list[5] == ListItem(true));
    REQUIRE(list[-3] == ListItem(42));
    REQUIRE(list[-2] == ListItem(false));
    REQUIRE(is(list[-1], ""));
    REQUIRE(list.format() == "8s8sdqxxxxxx?xxxxxxxx?qxxxxxxx?8s");
    REQUIRE(list.to_vector().size() == 9);
    int n = 0;
    for (const ListItem& item : list) n += item == list[n] ? 1 : 100;
    REQUIRE(n == 9);
    REQUIRE(list.count(42) == 1);
    REQUIRE(list.count("nothing") == 0);
    REQUIRE(list.index(42) == 6);
    REQUIRE_THROWS_AS(list.index(43), mp::ValueError);
}

TEST_CASE("items change, also their type, where there is room", "[shared][shareable_list]") {
    const ShareableList list({1, "12345678", nullptr, "end"});
    list.set(0, "text");
    REQUIRE(is(list[0], "text"));
    list.set(0, "12345678");
    REQUIRE(is(list[0], "12345678"));
    REQUIRE_THROWS_WITH(list.set(0, "123456789"), "item 0 has room for 8 bytes, not 9");
    REQUIRE(is(list[0], "12345678"));
    list.set(1, std::string(16, 'x')); // it has room for 16
    REQUIRE_THROWS_AS(list.set(1, std::string(17, 'x')), mp::ValueError);
    list.set(2, 2.5);
    list.set(-1, nullptr);
    REQUIRE(list.to_vector() == std::vector<ListItem>{"12345678"s, std::string(16, 'x'), 2.5, nullptr});
    REQUIRE(list.format() == "8s16sdxxxxxx?x");
    REQUIRE_THROWS_AS(list.get(4), std::out_of_range);
    REQUIRE_THROWS_AS(list[-5], std::out_of_range);
    REQUIRE_THROWS_AS(list.set(4, 1), std::out_of_range);
}

TEST_CASE("null characters at the end stay, and letters of several bytes have room", "[shared][shareable_list]") {
    const auto tail = "ab\0\0"s;
    const ShareableList list({tail, bytes(tail), "\0\0\0\0\0\0\0\0"s, "äöüäöü", 1});
    REQUIRE(is(list[0], tail));
    REQUIRE(list[1] == ListItem(bytes(tail)));
    REQUIRE(is(list[2], std::string(8, '\0')));
    REQUIRE(is(list[3], "äöüäöü"));
    list.set(4, tail);
    REQUIRE(is(list[4], tail));
    list.set(4, "12345\0\0\0"s); // fills its room
    REQUIRE(is(list[4], "12345\0\0\0"s));
}

TEST_CASE("an empty list", "[shared][shareable_list]") {
    const ShareableList none;
    REQUIRE(none.size() == 0);
    REQUIRE(none.empty());
    REQUIRE(none.format().empty());
    REQUIRE_THROWS_AS(none[0], std::out_of_range);
    REQUIRE_THROWS_AS(none[-1], std::out_of_range);
    REQUIRE(none.begin() == none.end());
    const ShareableList same(ShareableListOptions{.name = none.shm().name()});
    REQUIRE(same.empty());
}

TEST_CASE("a list is found by the name of its memory, which may be chosen", "[shared][shareable_list]") {
    const std::string name = fmt::format("mp-test-{}-list", ::getpid());
    const ShareableList list({1, 2, 3}, {.name = name});
    const ShareableList same({.name = name});
    same.set(0, 10);
    REQUIRE(list[0] == ListItem(10));
    const auto items = list.to_vector();
    const ShareableList copy{std::span<const ListItem>(items)}; // of its own
    copy.set(0, 20);
    REQUIRE(list[0] == ListItem(10));
    testing::children crowd;
    crowd.start([&] { list.set(1, "child"); });
    REQUIRE(crowd.join());
    REQUIRE(is(same[1], "child"));
    REQUIRE_THROWS_AS(ShareableList(ShareableListOptions{.name = name + "-not"}), std::system_error);
    REQUIRE_THROWS_AS(ShareableList(ShareableListOptions{}), mp::ValueError);
}

TEST_CASE("what isn't a list, or was damaged, is refused and never read past", "[shared][shareable_list]") {
    const SharedMemory odd({.create = true, .size = 4});
    REQUIRE_THROWS_AS(ShareableList({.name = odd.name()}), mp::ValueError);
    const SharedMemory noise({.create = true, .size = 200});
    unsigned random = 7;
    for (int round = 0; round < 2000; ++round) {
        const ShareableList good({1, "two", 3.0, nullptr});
        const auto memory = good.shm().buf();
        for (int i = 0; i < 3; ++i) {
            random = random * 1664525 + 1013904223;
            const std::size_t at = (random >> 8) % memory.size();
            random = random * 1664525 + 1013904223;
            memory[at] = static_cast<std::byte>(random >> 16);
        }
        try {
            static_cast<void>(good.to_vector());
            static_cast<void>(good.format());
            good.set(1, "2");
            const ShareableList same({.name = good.shm().name()});
        } catch (const mp::ValueError&) {
        } catch (const std::out_of_range&) {}
    }
}

TEST_CASE("python reads and changes a list that was made here", "[shared][shareable_list]") {
    if (!there_is_python()) return;
    const ShareableList list({"howdy", bytes("by\0tes"), 2.5, 100, nullptr, true, "äöüäöü", "ab", "12345678"});
    const auto& name = list.shm().name();
    REQUIRE(in_python(name, "print(list(l), len(l))") ==
            "['howdy', b'by', 2.5, 100, None, True, 'äöüäöü', 'ab', '12345678'] 9\n");
    in_python(name, R"(
l[0] = 'longer'
l[1] = b'bytes'
l[2] = None
l[3] = -1
l[4] = 'now str'
l[7] = 'abcdefgh'
)");
    REQUIRE(list.to_vector() == std::vector<ListItem>{"longer"s, bytes("bytes"), nullptr, -1, "now str"s, true,
                                                      "äöüäöü"s, "abcdefgh"s, "12345678"s});
    list.set(0, "x");
    REQUIRE(in_python(name, "print(l[0], l.count('x'), l.index(True))") == "x 1 5\n");
}

TEST_CASE("a list that python made is read and changed here", "[shared][shareable_list]") {
    if (!there_is_python()) return;
    const std::string name = fmt::format("mp-test-{}-python", ::getpid());
    python(fmt::format(R"(
from multiprocessing import shared_memory, resource_tracker
l = shared_memory.ShareableList(['howdy', b'HoWdY', -273.154, 100, None, True, 42, 'x' * 20], name='{}')
resource_tracker.unregister(l.shm._name, 'shared_memory')
l.shm.close()
)",
                       name));
    ShareableList list({.name = name});
    REQUIRE(list.to_vector() ==
            std::vector<ListItem>{"howdy"s, bytes("HoWdY"), -273.154, 100, nullptr, true, 42, std::string(20, 'x')});
    REQUIRE(list.format() == "8s8sdqxxxxxx?xxxxxxxx?q24s");
    list.set(0, "bye");
    list.set(6, "text");
    list.set(7, std::string(24, 'y'));
    REQUIRE(in_python(name, "print(l[0], l[6], l[7])") == "bye text " + std::string(24, 'y') + "\n");
    list.shm().unlink();
}

TEST_CASE("large items", "[shared][shareable_list]") {
    const std::string million(1'000'000, 'm');
    const ShareableList list({million, std::string(999'999, 'n')});
    REQUIRE(is(list[0], million));
    REQUIRE(is(list[1], std::string(999'999, 'n')));
    REQUIRE_THROWS_AS(ShareableList({std::string(10'000'000, 'x')}), mp::ValueError);
    if (there_is_python()) REQUIRE(in_python(list.shm().name(), "print(len(l[0]), len(l[1]))") == "1000000 999999\n");
}
