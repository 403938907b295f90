// CPython's _TestValue and the values of _TestSharedCTypes, under fork. T081, an invalid type code, is a matter of the
// compiler here: tests/compile_fail.
#include <multiprocessing/sharedctypes.hpp>

#include <mutex>

#include <multiprocessing/process.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;

namespace {

/// Sets them in a child.
template <template <typename> typename V>
void check_set_in_child() {
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
    mp::Process p([=] {
        i = 24234;
        d = -4.25;
        h.store(-24);
        q = std::int64_t{1} << 34;
        c.value() = 'y';
    });
    p.start();
    p.join();
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
    check_set_in_child<mp::Value>();
    check_set_in_child<mp::RawValue>();
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
    const mp::Value<int> x(7);
    const mp::Value<double> y(1.0 / 3);
    const mp::Value<long long> z(std::int64_t{1} << 33);
    const mp::Value<Foo> foo({3, 2, std::int64_t{1} << 33});
    const mp::RawValue<Foo> raw({3, 2, 1});
    mp::Process p([=] {
        x *= 2;
        y *= 2;
        z *= 2;
        foo.with_lock([](Foo& f) {
            f.x *= 2;
            f.y *= 2;
            f.z *= 2;
        });
        raw.value().x *= 2;
    });
    p.start();
    p.join();
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

TEST_CASE("A102, otherwise: v += 1 is atomic", "[conformance][value]") {
    const mp::Value<int> v(0);
    const auto add = [=] {
        for (int i = 0; i < 10'000; ++i) v += 1;
    };
    std::vector<mp::Process> all;
    for (int i = 0; i < 3; ++i) {
        all.emplace_back(add);
        all.back().start();
    }
    for (auto& p : all) p.join();
    REQUIRE(v == 30'000);
}
