#include <multiprocessing/shared/cell.hpp>

#include <array>
#include <thread>

#include "support/catch.hpp"

namespace shared = multiprocessing::shared;

namespace {

struct three {
    unsigned char bytes[3];
};
struct many {
    std::array<int, 33> same; // not a whole number of words
};
many filled(int with) {
    many m{};
    m.same.fill(with);
    return m;
}

static_assert(sizeof(shared::cell<int>) == 4 && alignof(shared::cell<std::array<float, 2>>) == 8);

} // namespace

TEST_CASE("a cell gives back what was put in, whatever its size", "[shared][cell]") {
    shared::cell<int> small(1);
    small.store(2);
    REQUIRE(small.load() == 2);
    REQUIRE(small.in_place() == 2);
    REQUIRE(small.replace([](int x) { return x + 1; }) == std::pair(2, 3));
    shared::cell<three> odd(three{{1, 2, 3}});
    odd.store({{4, 5, 6}});
    REQUIRE(odd.load().bytes[2] == 6);
    odd.in_place().bytes[0] = 7;
    REQUIRE(odd.load().bytes[0] == 7);
    shared::cell<many> large(filled(1));
    for (int i = 2; i < 10; ++i) {
        large.store(filled(i));
        REQUIRE(large.load().same == filled(i).same);
    }
    REQUIRE(large.replace([](const many& m) { return filled(m.same[0] + 1); }).second.same[32] == 10);
}

TEST_CASE("one who writes and many who read a large cell", "[shared][cell]") {
    shared::cell<many> large(filled(0));
    std::atomic<int> torn{0}, backwards{0};
    const auto read = [&] {
        int last = 0;
        for (int i = 0; i < 20'000; ++i) {
            const many seen = large.load();
            for (const int x : seen.same)
                if (x != seen.same[0]) ++torn;
            if (seen.same[0] < last) ++backwards;
            last = seen.same[0];
        }
    };
    std::thread one(read), other(read);
    for (int i = 0; i < 20'000; ++i) large.store(filled(i));
    one.join();
    other.join();
    REQUIRE(torn == 0);
    REQUIRE(backwards == 0);
}
