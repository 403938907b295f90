#include <multiprocessing/shared/value.hpp>

#include <array>
#include <complex>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"
#include "sync/children.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;

namespace {

struct large { // 200 bytes that always say the same
    std::array<int, 50> same;
};
large filled(int with) {
    large l{};
    l.same.fill(with);
    return l;
}
bool whole(const large& l) {
    for (const int i : l.same)
        if (i != l.same[0]) return false;
    return true;
}

struct point {
    float x, y;
};
struct odd {
    char text[3];
};
enum class colour : char { red, green };

static_assert(memory::MadeOfHandles<mp::Value<int>> && memory::MadeOfHandles<mp::RawValue<large>>);
static_assert(mp::shared::is_one_piece<double> && mp::shared::is_one_piece<point> && mp::shared::is_one_piece<colour> &&
              mp::shared::is_one_piece<bool>);
static_assert(!mp::shared::is_one_piece<odd> && !mp::shared::is_one_piece<large>);

std::uint64_t objects() { return memory::family::here().objects(); }

} // namespace

TEST_CASE("a Value holds what it was given, or zero", "[shared][value]") {
    const mp::Value<int> zero;
    REQUIRE(zero.load() == 0);
    const mp::Value<int> five(5);
    REQUIRE(five == 5);
    const mp::Value half(0.5);
    static_assert(std::is_same_v<decltype(half), const mp::Value<double>>);
    REQUIRE(half.load() == 0.5);
    REQUIRE(mp::Value(true).load());
    REQUIRE(mp::Value(colour::green).load() == colour::green);
    REQUIRE(mp::Value(point{1, 2}).load().y == 2);
    REQUIRE(std::string(mp::Value(odd{{'a', 'b', 0}}).load().text) == "ab");
    REQUIRE(whole(mp::Value(filled(7)).load()));
    REQUIRE(mp::Value<large>().load().same[49] == 0);
}

TEST_CASE("copies share the value; assigning a value changes it, assigning a Value doesn't", "[shared][value]") {
    const auto before = objects();
    {
        mp::Value<int> a(1);
        mp::Value<int> b = a;
        b = 2;
        REQUIRE(a == 2);
        const mp::Value<int> c(3);
        a = c;
        REQUIRE(a == 3);
        REQUIRE(b == 2);
        a.store(b);
        REQUIRE(c == 2);
    }
    REQUIRE(objects() == before);
}

TEMPLATE_TEST_CASE("arithmetic of numbers", "[shared][value]", int, long long, unsigned, short, double, float) {
    const mp::Value<TestType> v(10);
    REQUIRE((v += 5) == 15);
    REQUIRE((v -= 3) == 12);
    REQUIRE((v *= 2) == 24);
    REQUIRE((v /= 4) == 6);
    REQUIRE(++v == 7);
    REQUIRE(v++ == 7);
    REQUIRE(v-- == 8);
    REQUIRE(--v == 6);
    REQUIRE(v.fetch_add(4) == 6);
    REQUIRE(v.fetch_sub(1) == 10);
    REQUIRE(v.exchange(20) == 9);
    REQUIRE(v.update([](TestType x) { return static_cast<TestType>(x + 1); }) == 21);
    TestType expected = 20;
    REQUIRE_FALSE(v.compare_exchange(expected, 30));
    REQUIRE(expected == 21);
    REQUIRE(v.compare_exchange(expected, 30));
    REQUIRE(v.load() == 30);
}

TEST_CASE("bits, and numbers that wrap around", "[shared][value]") {
    const mp::Value<unsigned> bits(0b1100u);
    REQUIRE((bits |= 0b0011u) == 0b1111u);
    REQUIRE((bits &= 0b0110u) == 0b0110u);
    REQUIRE((bits ^= 0b0101u) == 0b0011u);
    REQUIRE(bits.fetch_or(0b100u) == 0b0011u);
    REQUIRE(bits.fetch_and(0b101u) == 0b0111u);
    REQUIRE(bits.fetch_xor(0b1u) == 0b0101u);
    REQUIRE(bits == 0b0100u);
    const mp::Value<signed char> narrow(127);
    REQUIRE(++narrow == -128);
    REQUIRE(--narrow == 127);
    const mp::Value<std::uint64_t> wide(~std::uint64_t{0});
    REQUIRE(++wide == 0);
}

TEST_CASE("a large value has operators if its type has", "[shared][value]") {
    const mp::Value<std::complex<double>> z({1, 2});
    REQUIRE((z += {1, 1}) == std::complex<double>(2, 3));
    REQUIRE((z *= {0, 1}) == std::complex<double>(-3, 2));
    std::complex<double> expected(0, 0);
    REQUIRE_FALSE(z.compare_exchange(expected, {5, 5}));
    REQUIRE(z.compare_exchange(expected, {5, 5}));
    REQUIRE(z.exchange({6, 6}) == std::complex<double>(5, 5));
    REQUIRE(z.update([](auto x) { return x + 1.0; }) == std::complex<double>(7, 6));
}

TEST_CASE("operators are atomic, from threads and processes together", "[shared][value]") {
    const mp::Value<int> count(0);
    const mp::Value<double> sum(0);
    const mp::Value<std::complex<double>> large_sum;
    const mp::Value<int> under_lock(0);
    constexpr int rounds = 1000;
    const auto add = [=] {
        for (int i = 0; i < rounds; ++i) {
            ++count;
            sum += 1;
            large_sum += {1, -1};
            under_lock.with_lock([](int& x) { ++x; });
        }
    };
    testing::children crowd;
    for (int i = 0; i < 2; ++i)
        crowd.start([=] {
            std::thread other(add);
            add();
            other.join();
        });
    std::thread other(add);
    add();
    other.join();
    REQUIRE(crowd.join());
    REQUIRE(count == 6 * rounds);
    REQUIRE(sum.load() == 6 * rounds);
    REQUIRE(large_sum.load() == std::complex<double>(6 * rounds, -6 * rounds));
    REQUIRE(under_lock == 6 * rounds);
}

TEST_CASE("value() is the shared memory, and get_lock() is there to use it", "[shared][value]") {
    const mp::RLock lock;
    const mp::Value<int> a(1, lock), b(2, lock);
    REQUIRE(a.get_lock() == lock);
    REQUIRE(b.get_lock() == lock);
    {
        std::scoped_lock guard(a.get_lock());
        std::swap(a.value(), b.value());
    }
    REQUIRE(a == 2);
    REQUIRE(b == 1);
    const mp::Value<large> l(filled(1), lock);
    {
        std::scoped_lock guard(l.get_lock());
        l.value().same.fill(2);
        l.store(filled(l.value().same[3] + 1)); // takes the lock a second time
        REQUIRE(l.value().same[0] == 3);
    }
    REQUIRE(l.load().same[49] == 3);
    const mp::Value<int> own(0);
    REQUIRE_FALSE(own.get_lock() == lock);
    REQUIRE(own.get_lock() == mp::Value<int>(own).get_lock());
}

TEST_CASE("with_lock returns what the function does, and changes nothing if that throws", "[shared][value]") {
    const mp::Value<large> l(filled(1));
    REQUIRE(l.with_lock([](large& x) { return x.same[0]++; }) == 1);
    REQUIRE(l.load().same[0] == 2);
    REQUIRE(l.with_lock([](const large& x) { return std::to_string(x.same[0]); }) == "2");
    const auto fail = [](large& x) {
        x = filled(9);
        throw std::string("no");
    };
    REQUIRE_THROWS_AS(l.with_lock(fail), std::string);
    REQUIRE(l.load().same[0] == 2);
    REQUIRE_FALSE(l.get_lock().locked());
    const mp::Value<int> small(4);
    small.with_lock([&](int& x) {
        x *= 2;
        REQUIRE(small.get_lock().held_here());
        REQUIRE(small == 4);
    });
    REQUIRE(small == 8);
}

TEST_CASE("200 bytes are never read torn, whoever writes and however often", "[shared][value]") {
    const mp::Value<large> l(filled(0));
    testing::children writers;
    for (int w = 0; w < 2; ++w)
        writers.start([=] {
            for (int i = 0; i < 20000; ++i) l.store(filled(i));
        });
    std::thread thread([=] {
        for (int i = 0; i < 5000; ++i) l.with_lock([&](large& x) { x = filled(-i); });
    });
    int torn = 0;
    for (int i = 0; i < 50000; ++i) torn += !whole(l.load());
    thread.join();
    REQUIRE(writers.join());
    REQUIRE(torn == 0);
}

TEST_CASE("killed at any step of changing it, a process leaves the value before or after", "[shared][value]") {
    const mp::Value<large> l(filled(1));
    const mp::Value<int> small(1);
    const auto steps = testing::kill_at_every_step(
        [&] {
            l.store(filled(2));
            l.update([](const large&) { return filled(3); });
            l.with_lock([](large& x) { x = filled(4); });
            ++small;
        },
        [&](unsigned) {
            REQUIRE(whole(l.load()));
            const int was = l.load().same[0];
            REQUIRE((was >= 1 && was <= 4));
            REQUIRE((small >= 1 && small <= 2));
            l.store(filled(1)); // takes the lock from the dead
            REQUIRE(l.load().same[0] == 1);
            REQUIRE_FALSE(l.get_lock().locked());
            small = 1;
        });
    REQUIRE(steps >= 15);
}

TEST_CASE("who dies with the lock of a Value is told to who takes the lock himself", "[shared][value]") {
    const mp::Value<int> v(1);
    testing::run_and_kill_at(0, [&] {
        v.get_lock().acquire();
        v.value() = 2;
        ::raise(SIGKILL);
    });
    REQUIRE_THROWS_AS(v.get_lock().acquire(), mp::OwnerDiedError);
    REQUIRE(v == 2);
    v.get_lock().release();
}

TEST_CASE("a RawValue is as a Value, without a lock", "[shared][value]") {
    const mp::RawValue<int> zero;
    const mp::RawValue half(0.5);
    const mp::RawValue<large> l(filled(1));
    testing::children crowd;
    crowd.start([=] {
        zero = 1;
        half.store(0.25);
        l = filled(2);
        l.value().same[0] = 3;
    });
    REQUIRE(crowd.join());
    REQUIRE(zero == 1);
    REQUIRE(half.load() == 0.25);
    REQUIRE(l.load().same[1] == 2);
    REQUIRE(l.value().same[0] == 3);
}

TEST_CASE("a Value prints as what is in it", "[shared][value]") {
    REQUIRE(fmt::format("{} {:.2f} {:>4}", mp::Value(5), mp::Value(0.126), mp::RawValue(7)) == "5 0.13    7");
}
