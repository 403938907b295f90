#include <multiprocessing/shared/array.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <iterator>
#include <mutex>
#include <numeric>
#include <sstream>
#include <thread>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;

namespace {

struct large {
    std::array<int, 50> same;
    friend bool operator==(const large&, const large&) = default;
};
large filled(int with) {
    large l{};
    l.same.fill(with);
    return l;
}

static_assert(memory::MadeOfHandles<mp::Array<int>> && memory::MadeOfHandles<mp::Array<large>> &&
              memory::MadeOfHandles<mp::RawArray<int>>);
static_assert(std::ranges::contiguous_range<const mp::Array<int>> && std::ranges::sized_range<mp::RawArray<char>>);

std::uint64_t objects() { return memory::family::here().objects(); }

} // namespace

TEMPLATE_TEST_CASE("an array of n elements is zeros, also in memory that was used before", "[shared][array]",
                   mp::Array<int>, mp::RawArray<int>) {
    for (int round = 0; round < 3; ++round)
        for (const auto n : std::vector<std::size_t>{0, 1, 3, 1000, 100'000}) {
            const TestType a(n);
            REQUIRE(a.size() == n);
            REQUIRE(a.empty() == (n == 0));
            REQUIRE(std::count(a.begin(), a.end(), 0) == static_cast<std::ptrdiff_t>(n));
            std::fill(a.begin(), a.end(), 7);
        }
}

TEST_CASE("arrays are made from lists and ranges, and say of what", "[shared][array]") {
    const mp::Array a{1, 2, 3};
    static_assert(std::is_same_v<decltype(a), const mp::Array<int>>);
    REQUIRE(a.to_vector() == std::vector{1, 2, 3});
    const std::vector<double> numbers{0.5, 1.5};
    const mp::Array b(numbers);
    static_assert(std::is_same_v<decltype(b), const mp::Array<double>>);
    REQUIRE(b.to_vector() == numbers);
    const mp::RawArray c(std::deque<char>{'x', 'y'});
    REQUIRE(c.to_vector() == std::vector{'x', 'y'});
    const mp::Array<long> converted(std::array{1, 2});
    REQUIRE(converted[1] == 2);
    std::istringstream words("4 5 6");
    struct words_of { // that can be read once
        std::istream* from;
        [[nodiscard]] auto begin() const { return std::istream_iterator<int>(*from); }
        [[nodiscard]] auto end() const { return std::istream_iterator<int>(); }
    };
    const mp::Array<int> read{words_of{&words}};
    REQUIRE(read.to_vector() == std::vector{4, 5, 6});
    REQUIRE(mp::Array<int>(5).size() == 5);
    REQUIRE(mp::Array<int>{5}.size() == 1);
    REQUIRE(mp::Array<int>(std::vector<int>{}).empty());
}

TEST_CASE("copies are the same elements", "[shared][array]") {
    const auto before = objects();
    {
        mp::Array a{1, 2, 3};
        const mp::Array b = a;
        const mp::Array c(a);
        const mp::Array d{a};
        a[0] = 10;
        REQUIRE(b[0] == 10);
        REQUIRE(c[0] == 10);
        REQUIRE(d[0] == 10);
        a = mp::Array{4};
        REQUIRE(a.size() == 1);
        REQUIRE(b.size() == 3);
        const mp::RawArray own(b.span()); // elements of its own
        own[1] = 20;
        REQUIRE(b[1] == 2);
    }
    REQUIRE(objects() == before);
}

TEST_CASE("elements are got at in every way", "[shared][array]") {
    const mp::Array a{3, 1, 2};
    a.set(0, 5);
    REQUIRE(a.get(0) == 5);
    REQUIRE(a.at(1) == 1);
    a.at(1) = 6;
    REQUIRE(a[1] == 6);
    REQUIRE(*a.data() == 5);
    std::sort(a.begin(), a.end());
    const std::span<int> all = a;
    REQUIRE(all.subspan(1).front() == 5);
    REQUIRE(std::accumulate(a.begin(), a.end(), 0) == 13);
    int sum = 0;
    for (const int x : a) sum += x;
    REQUIRE(sum == 13);
    REQUIRE_THROWS_AS(a.at(3), std::out_of_range);
    REQUIRE_THROWS_AS(a.get(3), std::out_of_range);
    REQUIRE_THROWS_AS(a.set(~std::size_t{0}, 1), std::out_of_range);
    REQUIRE_THROWS_WITH(mp::RawArray<int>(2).at(2), "index 2 of an array of 2 elements");
    REQUIRE_THROWS_AS(mp::Array<int>(~std::size_t{0}), mp::ValueError);
    REQUIRE_THROWS_AS(mp::Array<char>(std::size_t{1} << 60), std::bad_alloc);
}

TEST_CASE("arrays share a lock, which with_lock holds", "[shared][array]") {
    const mp::RLock lock;
    const mp::Array<int> a(3, lock), b({1, 2}, lock), c(std::vector{1}, lock);
    REQUIRE(a.get_lock() == lock);
    REQUIRE(b.get_lock() == lock);
    REQUIRE(c.get_lock() == lock);
    REQUIRE(b.with_lock([&](std::span<int> all) {
        all[0] = a.get_lock().held_here();
        return all.size();
    }) == 2);
    REQUIRE(b[0] == 1);
    REQUIRE_FALSE(lock.locked());
    REQUIRE_THROWS_AS(b.with_lock([](std::span<int>) { throw 1; }), int);
    REQUIRE_FALSE(lock.locked());
}

TEST_CASE("arrays print as lists", "[shared][array]") {
    REQUIRE(fmt::format("{}", mp::Array{1, 2, 3}) == "[1, 2, 3]");
    REQUIRE(fmt::format("{}", mp::RawArray{0.5}) == "[0.5]");
    REQUIRE(fmt::format("{::02}", mp::Array{1, 2}) == "[01, 02]");
    REQUIRE(fmt::format("{}", mp::Array<int>(0)) == "[]");
    std::ostringstream stream;
    stream << mp::Array{1, 2, 3} << mp::RawArray<double>(0) << mp::Array{4, 5}.front() << mp::Array{4, 5}.back();
    REQUIRE(stream.str() == "[1, 2, 3][]45");
}

TEST_CASE("64 GiB of which little is touched cost little", "[shared][array]") {
    if (memory::commons::here().map().total < memory::layout::largest) return; // there is less address space
    auto& all = memory::commons::here();
    const auto before = all.resident_bytes();
    {
        const mp::Array<double> huge(std::size_t{8} << 30);
        REQUIRE(huge.size() * sizeof(double) == std::size_t{64} << 30);
        huge[0] = 1;
        huge[huge.size() / 2] = 2;
        huge[huge.size() - 1] = 3;
        REQUIRE(huge.get(huge.size() - 1) == 3);
        REQUIRE(huge.get(12345678) == 0);
        REQUIRE(all.resident_bytes() - before <= 1 << 20);
    }
    REQUIRE(all.resident_bytes() - before <= 1 << 16);
}

TEST_CASE("what a child writes its parent sees, element by element", "[shared][array]") {
    const mp::Array<int> small(100);
    const mp::Array<large> big(3);
    REQUIRE_FALSE(testing::run_and_kill_at(0, [&] {
        for (std::size_t i = 0; i < small.size(); ++i) small.set(i, static_cast<int>(i));
        big.set(1, filled(4));
    }));
    REQUIRE(small.get(99) == 99);
    REQUIRE(big.get(1) == filled(4));
    REQUIRE(big.get(0) == filled(0));
    REQUIRE(big.to_vector()[1] == filled(4));
}

TEST_CASE("large elements are never got half, from threads that set them", "[shared][array]") {
    const mp::Array<large> big(2);
    std::thread writer([=] {
        for (int i = 0; i < 5000; ++i) big.set(1, filled(i));
    });
    int torn = 0;
    for (int i = 0; i < 5000; ++i) {
        const large seen = big.get(1);
        torn += seen != filled(seen.same[0]);
    }
    writer.join();
    REQUIRE(torn == 0);
}

TEST_CASE("killed at any step of setting a large element, a process leaves it before or after", "[shared][array]") {
    const mp::Array<large> big(2);
    big.set(0, filled(1));
    const auto steps = testing::kill_at_every_step([&] { big.set(0, filled(2)); },
                                                   [&](unsigned) {
                                                       const large seen = big.get(0);
                                                       REQUIRE((seen == filled(1) || seen == filled(2)));
                                                       REQUIRE(big.get(1) == filled(0));
                                                       REQUIRE_FALSE(big.get_lock().locked());
                                                       big.set(0, filled(1));
                                                   });
    REQUIRE(steps >= 8);
}

TEST_CASE("who dies with the lock is told of once, and with_lock gives the lock back then", "[shared][array]") {
    const mp::Array<int> a(3);
    const auto let_one_die = [&] {
        testing::run_and_kill_at(0, [&] { a.with_lock([](std::span<int>) { ::raise(SIGKILL); }); });
    };
    let_one_die();
    REQUIRE_THROWS_AS(a.with_lock([](std::span<int>) {}), mp::OwnerDiedError);
    REQUIRE_FALSE(a.get_lock().locked());
    a.with_lock([](std::span<int> all) { all[0] = 1; });
    let_one_die();
    REQUIRE(a.get(0) == 1);
    REQUIRE(a.to_vector().size() == 3);
}
