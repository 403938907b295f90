#include <multiprocessing/serial/archive.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>

#include <support/catch.hpp>

#include "samples.hpp"

namespace mp = multiprocessing;
namespace serial = multiprocessing::serial;
using testing::dice;

// ---- How much memory was asked for ----

namespace {

thread_local std::size_t allocated = 0;

void* allocate(std::size_t n) {
    allocated += n;
    if (void* memory = std::malloc(n != 0 ? n : 1)) return memory;
    throw std::bad_alloc();
}

} // namespace

// Not inlined: the compiler would see free() meet new and warn, not knowing that this new is that malloc().
[[gnu::noinline]] void* operator new(std::size_t n) { return allocate(n); }
[[gnu::noinline]] void* operator new[](std::size_t n) { return allocate(n); }
[[gnu::noinline]] void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return std::malloc(n != 0 ? n : 1); }
[[gnu::noinline]] void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return std::malloc(n != 0 ? n : 1); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

/// Tries to make a T of bytes that may be anything. Whatever comes of it, memory stays in proportion: the largest element here
/// is a hundred times its shortest message, a list's node takes 32 bytes for one, and vectors double. False if it was refused.
template <typename T>
bool survives(std::span<const std::byte> bytes) {
    const std::size_t before = allocated;
    bool taken = true;
    try {
        const T value = serial::unpack<T>(bytes);
        const std::size_t after = allocated;
        static_cast<void>(serial::pack(value)); // and it is a value like others
        allocated = after;
    } catch (const mp::ProcessError&) {
        taken = false;
    }
    const std::size_t used = allocated - before;
    if (used > 4096 + 256 * bytes.size())
        FAIL(bytes.size() << " bytes took " << used << " of memory as " << std::string(serial::type_name<T>()));
    return taken;
}

using hostile_types = testing::type_list<
    bool, std::string, std::u32string, std::vector<bool>, std::vector<double>, std::vector<std::string>,
    std::vector<std::vector<std::vector<short>>>, std::vector<testing::nothing>, std::vector<testing::page>,
    std::vector<testing::silent>, std::vector<testing::account>, std::vector<std::unique_ptr<std::string>>,
    std::array<std::string, 3>, std::list<std::string>, std::deque<std::string>, std::forward_list<std::string>,
    std::valarray<double>, std::map<std::string, int>, std::multimap<char, std::string>, std::unordered_map<std::string, double>,
    std::unordered_multiset<signed char>, std::priority_queue<int>, std::optional<std::string>,
    std::variant<int, std::string, std::vector<int>>, std::variant<std::monostate, testing::tree>,
    std::tuple<int, std::string, bool>, std::vector<std::shared_ptr<int>>, std::chrono::year_month_day, std::bitset<100>,
    std::error_code, std::filesystem::path, testing::gappy, testing::tree, testing::chain>;

} // namespace

TEST_CASE("a message cut short is refused, wherever it is cut", "[serial][archive]") {
    INFO("SERIAL_SEED=" << dice::seed());
    testing::for_each_type(hostile_types(), []<typename T>() {
        dice d(dice::seed());
        for (int i = 0; i < 10; ++i) {
            const auto bytes = serial::pack(testing::sample<T>(d));
            if (bytes.size() > 500) continue;
            for (std::size_t n = 0; n < bytes.size(); ++n)
                if (survives<T>(std::span(bytes).first(n)))
                    FAIL(n << " of " << bytes.size() << " bytes were taken for a " << std::string(serial::type_name<T>()));
        }
    });
}

TEST_CASE("damaged bytes give a value or an error", "[serial][archive]") {
    INFO("SERIAL_SEED=" << dice::seed());
    testing::for_each_type(hostile_types(), []<typename T>() {
        dice d(dice::seed());
        for (int i = 0; i < 40; ++i) {
            auto bytes = serial::pack(testing::sample<T>(d));
            for (std::size_t flips = 1 + d.below(4); flips > 0 && !bytes.empty(); --flips)
                bytes[d.below(bytes.size())] ^= static_cast<std::byte>(1U << d.below(8));
            survives<T>(bytes);
        }
    });
}

TEST_CASE("a count is never believed", "[serial][archive]") {
    testing::for_each_type(hostile_types(), []<typename T>() {
        dice d(dice::seed());
        for (int i = 0; i < 5; ++i) {
            const auto good = serial::pack(testing::sample<T>(d));
            if (good.size() > 500) continue;
            for (const std::uint64_t lie : {std::uint64_t{0xffffffffffffffff}, std::uint64_t{1} << 62, std::uint64_t{1} << 40,
                                            std::uint64_t{1} << 32, std::uint64_t{good.size()}, std::uint64_t{good.size()} + 1})
                for (std::size_t at = 0; at + sizeof lie <= good.size(); ++at) {
                    auto bytes = good;
                    std::memcpy(bytes.data() + at, &lie, sizeof lie);
                    survives<T>(bytes);
                }
        }
    });
}

namespace {

/// Much larger than the fewest bytes that it might take.
class wide {
public:
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(numbers_);
    }

private:
    std::array<double, 1000> numbers_{};
};

} // namespace

TEST_CASE("room for many large elements is made as they come", "[serial][archive]") {
    std::vector<std::byte> bytes(100000);
    const std::uint64_t as_many_as_bytes = bytes.size() - sizeof(std::uint64_t);
    std::memcpy(bytes.data(), &as_many_as_bytes, sizeof as_many_as_bytes);
    CHECK_FALSE(survives<std::vector<wide>>(bytes));
    CHECK_FALSE(survives<std::list<wide>>(bytes));
}

TEST_CASE("bytes from nowhere give a value or an error", "[serial][archive]") {
    INFO("SERIAL_SEED=" << dice::seed());
    testing::for_each_type(hostile_types(), []<typename T>() {
        dice d(dice::seed());
        for (int i = 0; i < 100; ++i) {
            std::vector<std::byte> bytes(d.below(200));
            for (auto& each : bytes) each = static_cast<std::byte>(d.coin() ? d.below(3) : d.word());
            survives<T>(bytes);
        }
    });
}

TEST_CASE("values deep in each other are refused before the stack ends", "[serial][archive]") {
    const auto nested = [](unsigned levels) {
        testing::chain it;
        for (unsigned i = 1; i < levels; ++i) it = {0, std::make_unique<testing::chain>(std::move(it))};
        return it;
    };
    const auto deepest = nested(serial::deepest_nesting);
    CHECK(serial::unpack<testing::chain>(serial::pack(deepest)) == deepest);
    CHECK_THROWS_AS(serial::pack(nested(serial::deepest_nesting + 1)), mp::ValueError);

    // What no writer of ours would send: a chain of a million, and a tree that is one.
    std::vector<std::byte> bytes;
    for (int i = 0; i < 1000000; ++i) bytes.insert(bytes.end(), {std::byte{}, std::byte{}, std::byte{}, std::byte{}, std::byte{1}});
    CHECK_THROWS_WITH(serial::unpack<testing::chain>(bytes), testing::contains("1000 deep"));
    serial::writer tree;
    for (int i = 0; i < 1000000; ++i) {
        tree.number(0);
        tree.count(1);
    }
    CHECK_THROWS_WITH(serial::unpack<testing::tree>(std::move(tree).take()), testing::contains("1000 deep"));
}

TEST_CASE("an error says what was wrong, where, and in what", "[serial][archive]") {
    const std::vector<std::string> lines = {"one", "two"};
    auto bytes = serial::pack(lines);
    bytes.pop_back();
    CHECK_THROWS_WITH(serial::unpack<std::vector<std::string>>(bytes),
                      "malformed std::vector<std::string>, byte 27 of 29: a count of 3 where 2 bytes are left");
    bytes = serial::pack(lines);
    bytes.push_back(std::byte{});
    CHECK_THROWS_WITH(serial::unpack<std::vector<std::string>>(bytes), testing::contains("byte 30 of 31: 1 bytes too many"));
    CHECK_THROWS_WITH(serial::unpack<int>(std::span(bytes).first(3)), testing::contains("4 bytes wanted where 3 are left"));
}

TEST_CASE("a value that fits is written to its place, one that doesn't is measured", "[serial][archive]") {
    INFO("SERIAL_SEED=" << dice::seed());
    dice d(dice::seed());
    for (int i = 0; i < 300; ++i) {
        const auto value = testing::sample<std::vector<testing::page>>(d);
        const auto bytes = serial::pack(value);
        REQUIRE(serial::packed_size(value) == bytes.size());

        std::vector<std::byte> place(bytes.size() + 16, std::byte{0xcc});
        REQUIRE(serial::pack_into(place, value) == bytes.size());
        REQUIRE(std::equal(bytes.begin(), bytes.end(), place.begin()));
        REQUIRE(place[bytes.size()] == std::byte{0xcc}); // nothing behind it is touched

        const std::size_t less = d.below(bytes.size());
        std::vector<std::byte> small(bytes.size() + 16, std::byte{0xcc});
        REQUIRE(serial::pack_into(std::span(small).first(less), value) == bytes.size());
        REQUIRE(std::all_of(small.begin() + static_cast<std::ptrdiff_t>(less), small.end(),
                            [](std::byte each) { return each == std::byte{0xcc}; }));
    }
}

TEST_CASE("an archive that grows holds what was written, in pieces of any size", "[serial][archive]") {
    INFO("SERIAL_SEED=" << dice::seed());
    dice d(dice::seed());
    for (int i = 0; i < 50; ++i) {
        serial::writer out;
        std::vector<std::byte> expected;
        for (std::size_t pieces = d.below(60); pieces > 0; --pieces) {
            std::vector<std::byte> piece(1 + (d.coin() ? d.below(10) : d.below(600)));
            for (auto& each : piece) each = static_cast<std::byte>(d.word());
            out.bytes(piece.data(), piece.size());
            expected.insert(expected.end(), piece.begin(), piece.end());
            REQUIRE(out.size() == expected.size());
        }
        REQUIRE(std::move(out).take() == expected);
    }
}

TEST_CASE("several values make one message", "[serial][archive]") {
    serial::writer out;
    out(1, std::string("two")) & std::vector{3.0};
    out << true;
    const auto bytes = std::move(out).take();
    serial::reader reader(bytes, "several");
    int one = 0;
    std::string two;
    std::vector<double> three;
    bool four = false;
    reader(one, two) & three;
    CHECK_THROWS_WITH(reader.finish(), testing::contains("malformed several, byte 31 of 32: 1 bytes too many"));
    reader >> four;
    reader.finish();
    CHECK(one == 1);
    CHECK(two == "two");
    CHECK(three == std::vector{3.0});
    CHECK(four);
}

TEST_CASE("a vector of numbers is its count and its memory", "[serial][archive]") {
    const std::vector<double> numbers{1, 2, 3};
    const auto bytes = serial::pack(numbers);
    REQUIRE(bytes.size() == sizeof(std::uint64_t) + 3 * sizeof(double));
    CHECK(std::memcmp(bytes.data() + sizeof(std::uint64_t), numbers.data(), 3 * sizeof(double)) == 0);

    std::vector<double> many(1000000, 0.5);
    const std::size_t before = allocated;
    const auto large = serial::pack(many);
    CHECK(allocated - before == large.size()); // at once, and for nothing else
}

TEST_CASE("a message that knows its type is received as no other", "[serial][archive]") {
    const auto bytes = serial::pack_tagged(std::map<std::string, int>{{"one", 1}});
    CHECK(serial::unpack_tagged<std::map<std::string, int>>(bytes) == std::map<std::string, int>{{"one", 1}});
    CHECK(bytes.size() == serial::packed_size_tagged(std::map<std::string, int>{{"one", 1}}));
    CHECK_THROWS_AS(serial::unpack_tagged<std::string>(bytes), mp::TypeError);
    CHECK_THROWS_WITH(serial::unpack_tagged<std::vector<std::string>>(bytes),
                      "a message of type std::map<std::string, int> can't be received as std::vector<std::string>");
    for (std::size_t n = 0; n < bytes.size(); ++n)
        CHECK_THROWS_AS((serial::unpack_tagged<std::map<std::string, int>>(std::span(bytes).first(n))), mp::ProcessError);

    std::vector<std::byte> place(bytes.size());
    CHECK(serial::pack_tagged_into(place, std::map<std::string, int>{{"one", 1}}) == bytes.size());
    CHECK(place == bytes);
}

namespace {

struct holder {
    int a = 0;
    std::vector<const char*> names;
};
struct referrer {
    int& to;
};
struct derived_aggregate : testing::point {
    int more = 0;
};
struct declared;

} // namespace

TEST_CASE("the concept tells what travels", "[serial][archive]") {
    using mp::Serializable;
    STATIC_REQUIRE(Serializable<int>);
    STATIC_REQUIRE(Serializable<const int>);
    STATIC_REQUIRE(Serializable<testing::tree>);
    STATIC_REQUIRE(Serializable<std::map<std::string, std::vector<testing::account>>>);
    STATIC_REQUIRE(Serializable<std::array<std::optional<std::tuple<int, std::string>>, 3>>);
    STATIC_REQUIRE_FALSE(Serializable<int*>);
    STATIC_REQUIRE_FALSE(Serializable<int&>);
    STATIC_REQUIRE_FALSE(Serializable<const char*>);
    STATIC_REQUIRE_FALSE(Serializable<void>);
    STATIC_REQUIRE_FALSE(Serializable<int()>);
    STATIC_REQUIRE_FALSE(Serializable<int (*)()>);
    STATIC_REQUIRE_FALSE(Serializable<int testing::page::*>);
    STATIC_REQUIRE_FALSE(Serializable<std::string_view>);
    STATIC_REQUIRE_FALSE(Serializable<std::span<const int>>);
    STATIC_REQUIRE_FALSE(Serializable<std::initializer_list<int>>);
    STATIC_REQUIRE_FALSE(Serializable<std::reference_wrapper<int>>);
    STATIC_REQUIRE_FALSE(Serializable<std::function<int()>>);
    STATIC_REQUIRE_FALSE(Serializable<std::weak_ptr<int>>);
    STATIC_REQUIRE_FALSE(Serializable<std::unique_ptr<int[]>>);
    STATIC_REQUIRE_FALSE(Serializable<std::unique_ptr<int, void (*)(int*)>>);
    STATIC_REQUIRE_FALSE(Serializable<std::tuple<int&>>);
    STATIC_REQUIRE_FALSE(Serializable<holder>);
    STATIC_REQUIRE_FALSE(Serializable<std::vector<std::map<int, holder>>>);
    STATIC_REQUIRE_FALSE(Serializable<referrer>);
    STATIC_REQUIRE_FALSE(Serializable<derived_aggregate>);
    STATIC_REQUIRE_FALSE(Serializable<std::vector<declared*>>);
    STATIC_REQUIRE_FALSE(Serializable<std::atomic<int>>);
}
