#include <multiprocessing/serial/throw_site.hpp>

#include <stdexcept>
#include <thread>

#include <multiprocessing/serial/exception.hpp>

#include <support/catch.hpp>

namespace serial = multiprocessing::serial;

namespace testing {

struct witness {
    bool& saw;
    ~witness() { saw = true; }
};

// With linkage, so that the executable tells their names; kept from being inlined, or from ending in a jump.
[[gnu::noinline]] void deep_thrower(int levels, bool& undone) {
    const witness on_the_way{undone};
    if (levels == 0) throw std::runtime_error("deep");
    deep_thrower(levels - 1, undone);
    __asm__ volatile("");
}
[[gnu::noinline]] void task_that_throws(bool& undone) {
    deep_thrower(3, undone);
    __asm__ volatile("");
}
[[gnu::noinline]] void thrower_of_text() {
    throw "text";
}

} // namespace testing

namespace {

template <typename F>
std::string site_of(F&& f) {
    try {
        serial::watch_throws(f);
    } catch (...) {
        return serial::take_throw_site(std::current_exception());
    }
    return "nothing thrown";
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++n;
    return n;
}

} // namespace

TEST_CASE("an exception tells from where it was thrown, though all that is undone", "[serial][throw_site]") {
    bool undone = false;
    const std::string site = site_of([&] { testing::task_that_throws(undone); });
    INFO(site);
    CHECK(undone);
    // A compiler may put the throw itself into a part of the function that has no name.
    CHECK(count(site, "deep_thrower") >= 3);
    CHECK(count(site, "task_that_throws") == 1);
    CHECK(site.find("deep_thrower") < site.find("task_that_throws"));
    CHECK(count(site, "__cxa_throw") == 0);
    CHECK(count(site, "watch_throws") == 0);
    CHECK(site.ends_with("\n"));
}

TEST_CASE("what is caught inside isn't told", "[serial][throw_site]") {
    CHECK(site_of([] {
              try {
                  bool undone = false;
                  testing::task_that_throws(undone);
              } catch (const std::runtime_error&) {
              }
          }) == "nothing thrown");
    // and isn't mistaken for what is thrown next, where nobody watches
    try {
        throw std::logic_error("unwatched");
    } catch (...) {
        CHECK(serial::take_throw_site(std::current_exception()).empty());
    }
}

TEST_CASE("an exception that passes several watchers tells its first throw", "[serial][throw_site]") {
    bool undone = false;
    const std::string outer = site_of([&] {
        try {
            serial::watch_throws([&] { testing::task_that_throws(undone); });
        } catch (...) {
            throw;
        }
    });
    INFO(outer);
    CHECK(count(outer, "task_that_throws") == 1);
}

TEST_CASE("an exception thrown again before anybody watches tells where it was thrown again", "[serial][throw_site]") {
    const std::string site = site_of([] {
        try {
            bool undone = false;
            testing::task_that_throws(undone);
        } catch (...) {
            throw;
        }
    });
    INFO(site);
    CHECK(count(site, "task_that_throws") == 0);
    CHECK_FALSE(site.empty());
}

TEST_CASE("it can be asked once, and of the right exception alone", "[serial][throw_site]") {
    bool undone = false;
    try {
        serial::watch_throws([&] { testing::task_that_throws(undone); });
    } catch (...) {
        CHECK(serial::take_throw_site(std::make_exception_ptr(1)).empty());
        CHECK(serial::take_throw_site(nullptr).empty());
        CHECK_FALSE(serial::take_throw_site(std::current_exception()).empty());
        CHECK(serial::take_throw_site(std::current_exception()).empty());
    }
}

TEST_CASE("anything that can be thrown is watched", "[serial][throw_site]") {
    CHECK_THAT(site_of([] { testing::thrower_of_text(); }), testing::contains("thrower_of_text"));
    CHECK_FALSE(site_of([] { throw 42; }).empty());
    CHECK_FALSE(site_of([] { std::rethrow_exception(std::make_exception_ptr(std::bad_alloc())); }).empty());
}

TEST_CASE("a watched function's result is its own", "[serial][throw_site]") {
    int x = 1;
    int& reference = serial::watch_throws([&]() -> int& { return x; });
    CHECK(&reference == &x);
    CHECK(serial::watch_throws([] { return std::string("moved"); }) == "moved");
    CHECK(*serial::watch_throws([] { return std::make_unique<int>(3); }) == 3);
    serial::watch_throws([] {});
}

TEST_CASE("threads watch for themselves", "[serial][throw_site]") {
    std::vector<std::thread> threads;
    std::vector<std::string> sites(4);
    for (auto& site : sites)
        threads.emplace_back([&site] {
            for (int i = 0; i < 20; ++i) {
                bool undone = false;
                site = site_of([&] { testing::task_that_throws(undone); });
            }
        });
    for (auto& each : threads) each.join();
    for (const auto& site : sites) CHECK(count(site, "task_that_throws") == 1);
}

TEST_CASE("a captured exception carries it", "[serial][throw_site]") {
    bool undone = false;
    try {
        serial::watch_throws([&] { testing::task_that_throws(undone); });
    } catch (...) {
        const auto it = serial::unpack<serial::thrown>(serial::pack(serial::capture(std::current_exception())));
        CHECK_THAT(it.traceback, testing::contains("task_that_throws"));
        CHECK(it.message == "deep");
    }
}
