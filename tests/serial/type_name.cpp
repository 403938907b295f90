#include <multiprocessing/serial/type_name.hpp>

#include <array>
#include <bitset>
#include <chrono>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <support/catch.hpp>

using multiprocessing::serial::fingerprint;
using multiprocessing::serial::type_name;

namespace {
struct hidden {};
} // namespace

namespace outer {
struct along {};
template <typename T, typename U = int>
struct pair_of {
    struct inner {};
};
enum class color { red };
} // namespace outer

TEST_CASE("a type's name is what one would write, whoever compiles it", "[serial][type_name]") {
    CHECK(type_name<int>() == "int");
    CHECK(type_name<unsigned long>() == "unsigned long");
    CHECK(type_name<long long>() == "long long");
    CHECK(type_name<unsigned short>() == "unsigned short");
    CHECK(type_name<char8_t>() == "char8_t");
    CHECK(type_name<std::string>() == "std::string");
    CHECK(type_name<std::wstring>() == "std::basic_string<wchar_t>");
    CHECK(type_name<std::vector<std::string>>() == "std::vector<std::string>");
    CHECK(type_name<std::list<unsigned>>() == "std::list<unsigned int>");
    CHECK(type_name<std::map<int, std::vector<std::vector<unsigned long>>>>() ==
          "std::map<int, std::vector<std::vector<unsigned long>>>");
    CHECK(type_name<std::array<short, 3>>() == "std::array<short, 3>");
    CHECK(type_name<std::bitset<8>>() == "std::bitset<8>");
    CHECK(type_name<std::shared_ptr<const int>>() == "std::shared_ptr<const int>");
    CHECK(type_name<std::variant<std::monostate, char>>() == "std::variant<std::monostate, char>");
    CHECK(type_name<std::filesystem::path>() == "std::filesystem::path");
    CHECK(type_name<std::chrono::system_clock::time_point>() ==
          "std::chrono::time_point<std::chrono::system_clock, std::chrono::duration<long, std::ratio<1, 1000000000>>>");
    CHECK(type_name<const char*>() == "const char*");
    CHECK(type_name<int[3]>() == "int[3]");
    CHECK(type_name<hidden>() == "{anonymous}::hidden");
    CHECK(type_name<outer::along>() == "outer::along");
    CHECK(type_name<outer::color>() == "outer::color");
    CHECK(type_name<outer::pair_of<long>>() == "outer::pair_of<long>");
    CHECK(type_name<outer::pair_of<std::string, char>::inner>() == "outer::pair_of<std::string, char>::inner");
}

TEST_CASE("fingerprints differ as names do, and are the same from every compiler", "[serial][type_name]") {
    STATIC_REQUIRE(fingerprint<int>() != fingerprint<unsigned>());
    STATIC_REQUIRE(fingerprint<long>() != fingerprint<long long>());
    STATIC_REQUIRE(fingerprint<std::vector<int>>() != fingerprint<std::list<int>>());
    STATIC_REQUIRE(fingerprint<std::string>() == fingerprint<std::basic_string<char>>());
#if defined(__x86_64__)
    STATIC_REQUIRE(fingerprint<std::vector<std::string>>() == 0x8bcdca001b162dd);
#endif
}
