#include <multiprocessing/os/throw_site.hpp>

#include <exception>
#include <new> // std::bad_alloc
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <support/catch.hpp>

namespace os = multiprocessing::os;

namespace testing {

volatile bool yes = true;

[[gnu::noinline]] void thrower_of_things() {
    if (yes) throw std::runtime_error("out of order");
}
[[gnu::noinline]] void caller_of_throwers() {
    thrower_of_things();
    __asm__ volatile("");
}
[[gnu::noinline]] void user_of_sites(std::string& backtrace) {
    os::throw_site site;
    try {
        site.watch([] { caller_of_throwers(); });
    } catch (const std::runtime_error&) {
        backtrace = site.backtrace();
    }
}
[[gnu::noinline]] void thrower_again() {
    try {
        caller_of_throwers();
    } catch (...) {
        throw;
    }
}

struct witness {
    bool& saw;
    ~witness() { saw = true; }
};
[[gnu::noinline]] void deep_thrower(int levels, bool& undone) {
    const witness on_the_way{undone};
    if (levels == 0) throw std::runtime_error("deep");
    deep_thrower(levels - 1, undone);
    __asm__ volatile("");
}
[[gnu::noinline]] void thrower_of_text() {
    throw "text";
}
[[gnu::noinline]] void thrower_of_a_number() {
    throw 42;
}
[[gnu::noinline]] void thrower_by_pointer() {
    std::rethrow_exception(std::make_exception_ptr(std::bad_alloc()));
}

template <typename F>
std::string site_of(F f) {
    os::throw_site site;
    try {
        site.watch(f);
    } catch (...) {
    }
    return site.backtrace();
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++n;
    return n;
}

} // namespace testing

TEST_CASE("a site tells the calls that led to a throw, and no others", "[os][throw_site]") {
    std::string backtrace;
    testing::user_of_sites(backtrace);
    INFO(backtrace);
    const auto thrower = backtrace.find("testing::thrower_of_things()");
    const auto caller = backtrace.find("testing::caller_of_throwers()");
    REQUIRE(thrower != std::string::npos);
    REQUIRE(caller != std::string::npos);
    CHECK(thrower < caller);
    CHECK(backtrace.starts_with("    at testing::thrower_of_things()"));
    CHECK(backtrace.find("main") == std::string::npos);
}

TEST_CASE("what is thrown passes a site unchanged, and a result too", "[os][throw_site]") {
    os::throw_site site;
    CHECK(site.watch([] { return 7; }) == 7);
    int x = 0;
    CHECK(&site.watch([&]() -> int& { return x; }) == &x);
    CHECK(site.backtrace().empty());
    CHECK_THROWS_AS(site.watch([] { testing::thrower_of_a_number(); }), int);
    CHECK_FALSE(site.backtrace().empty());
}

TEST_CASE("what is caught further in isn't taken down", "[os][throw_site]") {
    os::throw_site site;
    site.watch([] {
        try {
            testing::caller_of_throwers();
        } catch (const std::runtime_error&) {
        }
    });
    CHECK(site.backtrace().empty());
}

TEST_CASE("what is thrown again tells where that was", "[os][throw_site]") {
    os::throw_site site;
    CHECK_THROWS_AS(site.watch([] { testing::thrower_again(); }), std::runtime_error);
    CHECK_THAT(site.backtrace(), testing::contains("testing::thrower_again()"));
}

TEST_CASE("sites nest, and each thread has its own", "[os][throw_site]") {
    os::throw_site outer;
    std::string inner, of_thread;
    try {
        outer.watch([&] {
            testing::user_of_sites(inner);
            std::thread([&] { testing::user_of_sites(of_thread); }).join();
            testing::thrower_again();
        });
    } catch (const std::runtime_error&) {
    }
    CHECK_THAT(inner, testing::contains("caller_of_throwers"));
    CHECK(inner.find("thrower_again") == std::string::npos);
    CHECK_THAT(of_thread, testing::contains("caller_of_throwers"));
    CHECK_THAT(outer.backtrace(), testing::contains("thrower_again"));
}

TEST_CASE("destructors that run on the way take nothing from it", "[os][throw_site]") {
    bool undone = false;
    const std::string site = testing::site_of([&] { testing::deep_thrower(3, undone); });
    INFO(site);
    CHECK(undone);
    // A compiler may put the throw itself into a part of the function that has no name.
    CHECK(testing::count(site, "deep_thrower") >= 3);
    CHECK(testing::count(site, "__cxa_throw") == 0);
}

TEST_CASE("anything that can be thrown has a site", "[os][throw_site]") {
    CHECK_THAT(testing::site_of([] { testing::thrower_of_text(); }), testing::contains("thrower_of_text"));
    CHECK_FALSE(testing::site_of([] { testing::thrower_of_a_number(); }).empty());
    CHECK_FALSE(testing::site_of([] { testing::thrower_by_pointer(); }).empty());
}

TEST_CASE("many throws after each other are each told for themselves", "[os][throw_site]") {
    std::vector<std::thread> threads;
    std::vector<std::string> sites(4);
    for (auto& site : sites)
        threads.emplace_back([&site] {
            for (int i = 0; i < 20; ++i) {
                bool undone = false;
                site = testing::site_of([&] { testing::deep_thrower(i % 4, undone); });
            }
        });
    for (auto& each : threads) each.join();
    for (const auto& site : sites) CHECK(testing::count(site, "deep_thrower") >= 3);
}
