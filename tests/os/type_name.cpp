#include <multiprocessing/os/type_name.hpp>

#include <stdexcept>
#include <vector>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

namespace {
struct hidden {};
template <typename T>
struct holder {
    struct inner {};
};
} // namespace

TEST_CASE("types have the names that programs give them", "[os][type_name]") {
    REQUIRE(os::type_name(typeid(int)) == "int");
    REQUIRE(os::type_name(typeid(std::string)) == "std::string");
    REQUIRE(os::type_name(typeid(std::runtime_error)) == "std::runtime_error");
    REQUIRE(os::type_name(typeid(holder<std::string>)) == "(anonymous namespace)::holder<std::string>");
}

TEST_CASE("short names leave out where a type stands and what it is made of", "[os][type_name]") {
    struct local {};
    const auto nested = [](int) {
        struct deeper {};
        return os::short_type_name(typeid(deeper));
    };
    REQUIRE(os::short_type_name(typeid(int)) == "int");
    REQUIRE(os::short_type_name(typeid(std::runtime_error)) == "runtime_error");
    REQUIRE(os::short_type_name(typeid(std::vector<std::string>)) == "vector");
    REQUIRE(os::short_type_name(typeid(hidden)) == "hidden");
    REQUIRE(os::short_type_name(typeid(holder<std::vector<hidden>>::inner)) == "inner");
    REQUIRE(os::short_type_name(typeid(local)) == "local");
    REQUIRE(nested(1) == "deeper");
}

TEST_CASE("the type of what is being handled", "[os][type_name]") {
    try {
        throw std::out_of_range("x");
    } catch (const std::exception&) {
        REQUIRE(os::current_exception_type() == "std::out_of_range");
    }
    try {
        throw hidden();
    } catch (...) {
        REQUIRE(os::current_exception_type() == "(anonymous namespace)::hidden");
    }
}
