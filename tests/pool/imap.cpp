#include <multiprocessing/pool/imap.hpp>

#include <algorithm>
#include <csignal>
#include <numeric>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <multiprocessing/pool/pool.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"
#include "support/count_up.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

namespace {

int square(int x) { return x * x; }
int picky(int x) {
    if (x == 3) throw std::out_of_range("three");
    if (x == 5) ::raise(SIGKILL);
    return x;
}
std::string shout(const std::string& s) { return s + "!"; }

// Endless; knows how far it was read, and throws at some point if it is told to.
struct counter {
    int* read;
    int throws_at = -1;
    struct iterator {
        using value_type = int;
        using difference_type = std::ptrdiff_t;
        counter* from = nullptr;
        int at = 0;
        int operator*() const {
            if (at == from->throws_at) throw std::domain_error("the input");
            *from->read = at + 1;
            return at;
        }
        iterator& operator++() { return ++at, *this; }
        void operator++(int) { ++at; }
        friend bool operator==(const iterator&, std::unreachable_sentinel_t) { return false; }
    };
    iterator begin() { return {this, 0}; }
    std::unreachable_sentinel_t end() const { return {}; }
};

std::uint64_t objects() { return memory::family::here().objects(); }

} // namespace

TEST_CASE("imap gives the results in order, and then is at its end", "[pool][imap][T106][T107][T114]") {
    mp::Pool pool(2);
    auto all = pool.imap(square, testing::count_up(0, 10));
    for (int i = 0; i < 10; ++i) REQUIRE(all.next() == i * i);
    REQUIRE_THROWS_AS(all.next(), mp::StopIteration);
    REQUIRE_THROWS_AS(all.next(1s), mp::StopIteration);
    const auto in = testing::count_up(0, 1000);
    int expected = 0;
    for (const int x : pool.imap(square, in, 100)) {
        REQUIRE(x == expected * expected);
        ++expected;
    }
    REQUIRE(expected == 1000);
    auto none = pool.imap(square, std::vector<int>{});
    REQUIRE_THROWS_AS(none.next(), mp::StopIteration);
    for (int x : pool.imap_unordered(square, std::vector<int>{})) FAIL(x);
    REQUIRE(pool.imap(shout, {std::string(1000, 'x')}).next().size() == 1001);
    int n = 0;
    for (auto nothing : pool.imap([](int) {}, in)) n += nothing == std::monostate();
    REQUIRE(n == 1000);
}

TEST_CASE("imap_unordered gives all results, as they come", "[pool][imap][T110]") {
    mp::Pool pool(2);
    for (const int chunk : {1, 7}) {
        std::vector<int> got;
        for (const int x : pool.imap_unordered(square, testing::count_up(0, 500), chunk)) got.push_back(x);
        std::sort(got.begin(), got.end());
        REQUIRE(got == pool.map(square, testing::count_up(0, 500)));
    }
    // One that takes for ever keeps no other back.
    auto gate = memory::handle<std::atomic<int>>::create(0);
    const auto place = memory::commons::here().offset_of(&*gate);
    auto some = pool.imap_unordered(
        [](const std::pair<int, std::uint64_t>& item) {
            while (item.first == 0 && memory::commons::here().at<std::atomic<int>>(item.second)->load() == 0) ::usleep(100);
            return item.first;
        },
        std::vector<std::pair<int, std::uint64_t>>{{0, place}, {1, place}, {2, place}, {3, place}});
    int sum = 0;
    for (int i = 0; i < 3; ++i) sum += some.next();
    REQUIRE(sum == 6);
    REQUIRE_THROWS_AS(some.next(1ms), mp::TimeoutError);
    *gate = 1;
    REQUIRE(some.next() == 0);
}

TEST_CASE("a failure stands in its place, and what follows it comes", "[pool][imap]") {
    mp::Pool pool(2);
    auto all = pool.imap(picky, testing::count_up(0, 30));
    for (int i = 0; i < 30; ++i) {
        if (i == 3)
            REQUIRE_THROWS_AS(all.next(), std::out_of_range);
        else if (i == 5)
            try {
                static_cast<void>(all.next());
                FAIL("it died");
            } catch (const mp::WorkerLostError& lost) {
                REQUIRE(lost.item() == 5);
                REQUIRE_THAT(lost.what(), testing::contains("for item 5"));
            }
        else
            REQUIRE(all.next() == i);
    }
    REQUIRE_THROWS_AS(all.next(), mp::StopIteration);
}

TEST_CASE("what the input throws comes after what it gave", "[pool][imap][T108][T109][T111]") {
    mp::Pool pool(2);
    for (const bool ordered : {true, false}) {
        int read = 0;
        auto all = ordered ? pool.imap(square, counter{&read, 20}) : pool.imap_unordered(square, counter{&read, 20});
        std::vector<int> got;
        try {
            for (;;) got.push_back(all.next());
        } catch (const std::domain_error& error) {
            REQUIRE(dynamic_cast<const mp::RemoteError*>(&error) == nullptr);
        }
        std::sort(got.begin(), got.end());
        REQUIRE(got == pool.map(square, testing::count_up(0, 20)));
        REQUIRE_THROWS_AS(all.next(), mp::StopIteration);
    }
}

TEST_CASE("an endless input is read as far ahead as was said", "[pool][imap][T120][T121][T123]") {
    mp::Pool pool(2);
    int read = 0;
    counter endless{&read};
    {
        auto all = pool.imap(square, endless, {.buffersize = 5});
        REQUIRE(read == 5);
        for (int i = 0; i < 100; ++i) {
            REQUIRE(all.next() == i * i);
            REQUIRE(read == i + 6);
        }
    }
    int sum = 0;
    for (const int x : pool.imap_unordered(square, endless)) {
        sum += x;
        if (x > 10'000) break;
    }
    REQUIRE(sum > 10'000);
    std::istringstream words("a bb ccc"); // can be gone through once
    struct word_range {
        std::istringstream* from;
        auto begin() { return std::istream_iterator<std::string>(*from); }
        auto end() { return std::istream_iterator<std::string>(); }
    };
    std::string text;
    for (const auto& word : pool.imap(shout, word_range{&words})) text += word;
    REQUIRE(text == "a!bb!ccc!");
    REQUIRE_THROWS_AS(pool.imap(square, {1}, {.buffersize = -1}), mp::ValueError);
    pool.close(); // after partial consumption
    pool.join();
}

TEST_CASE("a function with captures, and items that can't travel, run on heirs", "[pool][imap]") {
    mp::Pool pool(2);
    std::vector<int> table{5, 6, 7};
    {
        auto all = pool.imap([&table](std::size_t i) { return table.at(i % 3); }, std::vector<std::size_t>(2500, 1));
        table.clear();
        for (int i = 0; i < 2500; ++i) REQUIRE(all.next() == 6);
        REQUIRE_THROWS_AS(all.next(), mp::StopIteration);
    }
    const std::string text = "abc";
    auto all = pool.imap([](const std::string* s) { return s->size(); }, std::vector<const std::string*>(50, &text));
    for (const std::size_t n : all) REQUIRE(n == 3);
}

TEST_CASE("destroying the iterator cancels what hasn't begun", "[pool][imap][T122]") {
    const auto before = objects();
    {
        mp::Pool pool(1);
        auto done = memory::handle<std::atomic<int>>::create(0);
        const auto place = memory::commons::here().offset_of(&*done);
        {
            auto all = pool.imap(
                [](std::uint64_t where) {
                    ::usleep(1000);
                    return ++*memory::commons::here().at<std::atomic<int>>(where);
                },
                std::vector<std::uint64_t>(100, place), {.buffersize = 100});
            REQUIRE(all.next() == 1);
        }
        REQUIRE(pool.apply(square, 3) == 9); // comes after them
        REQUIRE(*done < 100);
        auto left = pool.imap(shout, std::vector<std::string>(100, std::string(500, 'x')));
        static_cast<void>(left.next());
        pool.terminate();
        pool.join();
        bool cancelled = false;
        try {
            for (;;) static_cast<void>(left.next());
        } catch (const mp::CancelledError&) {
            cancelled = true;
        } catch (const mp::StopIteration&) {
        }
        static_cast<void>(cancelled); // all may have been done
    }
    REQUIRE(objects() == before);
}

TEST_CASE("who is woken in place of another wakes him: workers and heirs sleep side by side", "[pool][imap]") {
    mp::Pool pool(2);
    REQUIRE(pool.map(square, {1, 2, 3}) == std::vector{1, 4, 9});
    const auto until_all_sleep = [] { std::this_thread::sleep_for(30ms); }; // if they don't yet, less is tested
    int base = 10;
    until_all_sleep();
    auto results = pool.imap([&base](int x) { return x + base; }, {1, 2, 3, 4, 5, 6}, {.buffersize = 1});
    int expected = 11;
    for (const int each : results) {
        REQUIRE(each == expected++);
        until_all_sleep(); // the standing workers have slept longer
        REQUIRE(pool.apply(square, each) == each * each);
        REQUIRE(pool.apply(square, each) == each * each);
        until_all_sleep(); // the heirs have
    }
    REQUIRE(expected == 17);
}

TEST_CASE("a fold gives what the loop gives, whatever the operation", "[pool][reduce]") {
    mp::Pool pool(2);
    const auto in = testing::count_up(0, 100'000);
    REQUIRE(pool.map_reduce([](int x) { return static_cast<long>(x); }, std::plus<>(), in, 0L) == 99'999L * 50'000L);
    REQUIRE(pool.map_reduce(square, std::plus<int>(), std::vector<int>{}, 5) == 5);
    // Doesn't commute.
    const auto join = [](std::string a, const std::string& b) { return std::move(a) + b; };
    std::string expected = ">";
    for (int i = 0; i < 3000; ++i) expected += std::to_string(i);
    REQUIRE(pool.map_reduce([](int x) { return std::to_string(x); }, join, testing::count_up(0, 3000), std::string(">")) == expected);
    long k = 3; // captured
    REQUIRE(pool.map_reduce([k](int x) { return x * k; }, std::plus<>(), testing::count_up(0, 101), 0L) == 3 * 5050);
    struct times { // can be carried to spawned workers as well
        int factor;
        int operator()(int x) const { return x * factor; }
    };
    REQUIRE(pool.map_reduce(times{2}, std::plus<>(), testing::count_up(0, 10), 0) == 90);
    mp::Pool spawned({.processes = 1, .start_method = mp::StartMethod::spawn});
    REQUIRE(spawned.map_reduce(times{2}, std::plus<>(), testing::count_up(0, 10), 0) == 90);
    REQUIRE_THROWS_AS(pool.map_reduce(picky, std::plus<>(), testing::count_up(0, 4), 0), std::out_of_range);
    REQUIRE_THROWS_AS(pool.map_reduce(picky, std::plus<>(), testing::count_up(4, 9), 0), mp::WorkerLostError);
}

TEST_CASE("a fold counts each item once, when its worker dies as well", "[pool][reduce]") {
    mp::Pool pool(2);
    auto left = memory::handle<std::atomic<int>[]>::create(10); // of each hundred, how often it kills; 3 would be too often
    auto fragile = [where = left.get()](int x) {
        if (x % 100 == 50 && where[x / 100].fetch_sub(1) > 0) ::raise(SIGKILL);
        return static_cast<long>(x);
    };
    for (int i = 0; i < 10; ++i) {
        for (std::size_t hundred = 0; hundred < 10; ++hundred) left[hundred] = static_cast<int>(hundred % 3);
        REQUIRE(pool.map_reduce(fragile, std::plus<>(), testing::count_up(0, 1000), 0L, {.retries = 10}) == 499'500);
    }
}
