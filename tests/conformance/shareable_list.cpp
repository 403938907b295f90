// CPython's tests of ShareableList, under each start method. X013, pickling, is of handles here.
#include <multiprocessing/shared_memory.hpp>

#include <string>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;
using mp::shared_memory::ListItem;
using mp::shared_memory::ShareableList;
using namespace std::string_literals;

namespace {

std::vector<std::byte> bytes(std::string_view text) {
    const auto all = std::as_bytes(std::span(text));
    return {all.begin(), all.end()};
}

} // namespace

TEST_CASE("T179: get, set, negative indices, iteration, format", "[conformance][shareable_list]") {
    const ShareableList sl({"howdy", bytes("HoWdY"), -273.154, 100, nullptr, true, 42});
    REQUIRE(sl.format() == "8s8sdqxxxxxx?xxxxxxxx?q");
    REQUIRE(sl.size() == 7);
    std::vector<ListItem> all;
    for (const ListItem& item : sl) all.push_back(item);
    REQUIRE(all == std::vector<ListItem>{"howdy"s, bytes("HoWdY"), -273.154, 100, nullptr, true, 42});
    REQUIRE(sl[-1] == ListItem(42));
    REQUIRE(sl[-7] == ListItem("howdy"s));
    sl.set(4, "some"); // T181
    REQUIRE(sl[4] == ListItem("some"s));
    REQUIRE(sl.format() == "8s8sdq8sxxxxxxx?q");
    sl.set(-1, 43);
    REQUIRE(sl[6] == ListItem(43));
    sl[-1] = 44;
    REQUIRE(sl[6] == 44);
    sl[6] = sl[2];
    REQUIRE(sl[6] == -273.154);
    REQUIRE(sl[0] == "howdy");
}

TEST_CASE("T180: an index that there isn't", "[conformance][shareable_list]") {
    const ShareableList sl({1, 2});
    REQUIRE_THROWS_AS(sl[7], std::out_of_range);
    REQUIRE_THROWS_AS(sl[-3], std::out_of_range);
    REQUIRE_THROWS_AS(sl.set(7, 2), std::out_of_range);
}

TEST_CASE("T182: what doesn't fit changes nothing; eight bytes of UTF-8 fit, nine don't",
          "[conformance][shareable_list]") {
    const ShareableList sl({1, "x", 2});
    REQUIRE_THROWS_AS(sl.set(1, "far too many"), mp::ValueError);
    REQUIRE(sl.to_vector() == std::vector<ListItem>{1, "x"s, 2});
    sl.set(1, "12345ùx"); // eight
    REQUIRE(sl[1] == ListItem("12345ùx"s));
    REQUIRE_THROWS_AS(sl.set(1, "123456ùx"), mp::ValueError);
    REQUIRE(sl[0] == ListItem(1));
    REQUIRE(sl[2] == ListItem(2));
}

TEST_CASE("T183: count and index", "[conformance][shareable_list]") {
    const ShareableList sl({42, "x", 42, true});
    REQUIRE(sl.count(42) == 2);
    REQUIRE(sl.count("y") == 0);
    REQUIRE(sl.index("x") == 1);
    REQUIRE_THROWS_AS(sl.index(100), mp::ValueError);
}

TEST_CASE("T184: a copy of the items is independent, another handle isn't", "[conformance][shareable_list]") {
    const ShareableList sl({"howdy", 1});
    const auto items = sl.to_vector();
    const ShareableList copy{std::span<const ListItem>(items)};
    const ShareableList same({.name = sl.shm().name()});
    REQUIRE(copy.shm().name() != sl.shm().name());
    same.set(0, "x");
    REQUIRE(sl[0] == ListItem("x"s));
    REQUIRE(copy[0] == ListItem("howdy"s));
}

TEST_CASE("T185: an empty list", "[conformance][shareable_list]") {
    const ShareableList none;
    REQUIRE(none.size() == 0);
    REQUIRE(none.format().empty());
    REQUIRE_THROWS_AS(none[0], std::out_of_range);
}

TEST_CASE("C27, otherwise: null characters at the end stay", "[conformance][shareable_list]") {
    const ShareableList sl({"?\0"s, bytes("\x03\x02\x01\0\0\0"s)});
    REQUIRE(sl[0] == ListItem("?\0"s));
    REQUIRE(sl[1] == ListItem(bytes("\x03\x02\x01\0\0\0"s)));
}

TEST_CASE("a child reads and changes a list", "[conformance][shareable_list]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const ShareableList sl({"howdy", 1});
    auto p = ctx.Process(
        [](ShareableList list, const std::string& name) {
            const bool right = list[0] == ListItem("howdy"s) && ShareableList({.name = name})[1] == ListItem(1);
            list.set(1, 2);
            mp::exit(right ? 0 : 1);
        },
        sl, sl.shm().name());
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(sl[1] == ListItem(2));
}
