// CPython's _TestValue and the values of _TestSharedCTypes, under each start method. T081, an invalid type code, is a matter
// of the compiler here: tests/compile_fail.
#include <multiprocessing/sharedctypes.hpp>

#include <mutex>
#include <thread>
#include <vector>

#include <multiprocessing/process.hpp>
#include <multiprocessing/synchronize.hpp>

#include "support/catch.hpp"
#include "support/each_context.hpp"

namespace mp = multiprocessing;

namespace {

/// Sets them in a child.
template <template <typename> typename V>
void check_set_in_child(const testing::context& ctx) {
    const V<int> i(4343);
    const V<double> d(3.625);
    const V<short> h(-232);
    const V<long long> q(std::int64_t{1} << 33);
    const V<char> c('x');
    REQUIRE(i.load() == 4343);
    REQUIRE(d.load() == 3.625);
    REQUIRE(h.load() == -232);
    REQUIRE(q.load() == std::int64_t{1} << 33);
    REQUIRE(c.load() == 'x');
    auto p = ctx.Process(
        [](V<int> number, V<double> real, V<short> small, V<long long> large, V<char> letter) {
            number = 24234;
            real = -4.25;
            small.store(-24);
            large = std::int64_t{1} << 34;
            letter.value() = 'y';
        },
        i, d, h, q, c);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(i.load() == 24234);
    REQUIRE(d.load() == -4.25);
    REQUIRE(h.load() == -24);
    REQUIRE(q.load() == std::int64_t{1} << 34);
    REQUIRE(c.load() == 'y');
}

template <typename T>
concept HasLock = requires(const T& shared) {
    shared.get_lock();
};

struct Foo {
    int x;
    double y;
    long long z;
};

} // namespace

TEST_CASE("T079: what a child assigns, its parent sees", "[conformance][value]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    check_set_in_child<mp::Value>(ctx);
    check_set_in_child<mp::RawValue>(ctx);
}

TEST_CASE("T080: a lock of its own, another's, or none", "[conformance][value]") {
    const mp::Value<int> own(5);
    const mp::RLock lock;
    const mp::Value<int> with(5, lock);
    REQUIRE(with.get_lock() == lock);
    REQUIRE_FALSE(own.get_lock() == lock);
    const std::scoped_lock guard(own.get_lock());
    REQUIRE(own.get_lock().locked());
    static_assert(!HasLock<mp::RawValue<int>>);
}

TEST_CASE("T164: a child doubles everything", "[conformance][value]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Value<int> x(7);
    const mp::Value<double> y(1.0 / 3);
    const mp::Value<long long> z(std::int64_t{1} << 33);
    const mp::Value<Foo> foo({3, 2, std::int64_t{1} << 33});
    const mp::RawValue<Foo> raw({3, 2, 1});
    auto p = ctx.Process(
        [](mp::Value<int> i, mp::Value<double> d, mp::Value<long long> q, mp::Value<Foo> all, mp::RawValue<Foo> bare) {
            i *= 2;
            d *= 2;
            q *= 2;
            all.with_lock([](Foo& f) {
                f.x *= 2;
                f.y *= 2;
                f.z *= 2;
            });
            bare.value().x *= 2;
        },
        x, y, z, foo, raw);
    p.start();
    p.join();
    REQUIRE(p.exitcode() == 0);
    REQUIRE(x == 14);
    REQUIRE(y.load() == 2.0 / 3);
    REQUIRE(z.load() == std::int64_t{1} << 34);
    REQUIRE(foo.load().x == 6);
    REQUIRE(foo.load().y == 4);
    REQUIRE(foo.load().z == std::int64_t{1} << 34);
    REQUIRE(raw.load().x == 6);
}

TEST_CASE("T165: a copy of a value is independent of it", "[conformance][value]") {
    const mp::Value<Foo> foo({2, 5.0, std::int64_t{1} << 33});
    const mp::Value<Foo> bar(foo.load());
    foo.with_lock([](Foo& f) { f = {0, 0, 0}; });
    REQUIRE(bar.load().x == 2);
    REQUIRE(bar.load().y == 5.0);
    REQUIRE(bar.load().z == std::int64_t{1} << 33);
}

TEST_CASE("A102, otherwise: v += 1 is atomic, from threads of several processes", "[conformance][value]") {
    const auto ctx = testing::each_context();
    INFO(ctx.get_start_method());
    const mp::Value<int> v(0);
    const mp::Value<Foo> foo({0, 0, 0});
    const mp::Barrier all_here(3);
    constexpr int additions = 100'000, turns = 5000;
    const auto add = [](mp::Value<int> number, mp::Value<Foo> all, mp::Barrier meet) {
        meet.wait();
        const auto each = [&] {
            for (int i = 0; i < additions; ++i) number += 1;
            for (int i = 0; i < turns; ++i) {
                all.with_lock([&](Foo& f) {
                    const int before = f.x;
                    if (i % 50 == 0) std::this_thread::yield(); // who isn't kept out comes in now
                    ++f.z;
                    f.x = before + 1;
                });
            }
        };
        std::thread other(each);
        each();
        other.join();
    };
    std::vector<mp::Process> others;
    for (int i = 0; i < 2; ++i) {
        others.push_back(ctx.Process(add, v, foo, all_here));
        others.back().start();
    }
    add(v, foo, all_here);
    for (auto& p : others) {
        p.join();
        REQUIRE(p.exitcode() == 0);
    }
    REQUIRE(v == 6 * additions);
    REQUIRE(foo.load().x == 6 * turns);
    REQUIRE(foo.load().z == 6 * turns);
}
