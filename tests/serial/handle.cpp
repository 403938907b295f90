#include <multiprocessing/serial/types/handle.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include <multiprocessing/memory/family.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/bind.hpp>
#include <multiprocessing/sync/barrier.hpp>

#include <support/catch.hpp>

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
namespace serial = multiprocessing::serial;

namespace {

/// As the library's shared objects are.
class counter {
public:
    counter() : state_(memory::handle<std::atomic<int>>::create(0)) {}
    int next() { return ++*state_; }
    int load() const { return *state_; } // a name of cereal's convention, which means nothing here

private:
    friend struct memory::access;
    explicit counter(memory::nothing_t) noexcept {}
    auto parts() noexcept { return std::tie(state_); }

    memory::handle<std::atomic<int>> state_;
};

class limited_counter {
public:
    explicit limited_counter(int most) : most_(most) {}
    int next() { return counter_.next() % most_; }

private:
    friend struct memory::access;
    explicit limited_counter(memory::nothing_t) noexcept : counter_(memory::access::empty<counter>()), most_(1) {}
    auto parts() noexcept { return std::tie(counter_, most_); }

    counter counter_;
    int most_;
};

struct job {
    std::string name;
    counter done;
    std::vector<counter> others;
};

static_assert(mp::Serializable<counter>);
static_assert(mp::Serializable<limited_counter>);
static_assert(mp::Serializable<job>);
static_assert(mp::Serializable<memory::handle<double[]>>);

} // namespace

TEST_CASE("a shared object stays the same object when it has travelled", "[serial][handle]") {
    counter here;
    here.next();
    counter there = serial::unpack_message<counter>(serial::pack_message(here));
    CHECK(there.next() == 2);
    CHECK(here.next() == 3);
}

TEST_CASE("shared objects travel inside of other things", "[serial][handle]") {
    job here{"sum", {}, std::vector<counter>(100)};
    const auto message = serial::pack_message(here);
    CHECK(message.shares.size() == 101);
    job there = serial::unpack_message<job>(message);
    here.done.next();
    here.others[99].next();
    CHECK(there.name == "sum");
    CHECK(there.done.load() == 1);
    CHECK(there.others.size() == 100);
    CHECK(there.others[99].load() == 1);
    CHECK(there.others[98].load() == 0);

    limited_counter few(3);
    few.next();
    few.next();
    auto again = serial::unpack_message<limited_counter>(serial::pack_message(few));
    CHECK(again.next() == 0);
}

TEST_CASE("a message keeps what it names, and no longer", "[serial][handle]") {
    const auto before = memory::family::here().objects();
    {
        auto message = serial::pack_message(counter());
        CHECK(memory::family::here().objects() == before + 1);
        serial::message moved = std::move(message);
        CHECK(serial::unpack_message<counter>(moved).next() == 1);
    }
    CHECK(memory::family::here().objects() == before);
}

TEST_CASE("an empty handle travels as one", "[serial][handle]") {
    const memory::handle<int> none;
    CHECK_FALSE(serial::unpack_message<memory::handle<int>>(serial::pack_message(none)));
}

TEST_CASE("bytes alone can't hold a shared object", "[serial][handle]") {
    CHECK_THROWS_AS(serial::pack(counter()), mp::NotPortableError);
    CHECK_THROWS_WITH(serial::pack(job{}), testing::contains("shared object"));
}

TEST_CASE("a message that names what didn't come along is refused", "[serial][handle]") {
    auto message = serial::pack_message(counter());
    auto without = message;
    without.shares.clear();
    CHECK_THROWS_AS(serial::unpack_message<counter>(without), mp::ProcessError);
    auto other = message;
    other.bytes[0] = std::byte{2};
    CHECK_THROWS_AS(serial::unpack_message<counter>(other), mp::ProcessError);
    auto small = message;
    small.shares[0] = memory::handle<char>::create('x'); // too small to be a number
    CHECK_THROWS_AS(serial::unpack_message<counter>(small), mp::ProcessError);
}

TEST_CASE("a barrier's action comes out of a message only if shared objects came with it", "[serial][handle]") {
    static int acted = 0;
    using mp::sync::action;
    for (const action& made : {action([] { ++acted; }), action(mp::bind([](int by) { acted += by; }, 1))}) {
        acted = 0;
        const auto message = serial::pack_message(mp::Barrier(1, made));
        serial::unpack_message<mp::Barrier>(message).wait();
        CHECK(acted == 1);
        // As it could come over a network.
        CHECK_THROWS_AS(serial::unpack_message<action>(serial::pack_message(made)), mp::ProcessError);
        CHECK_THROWS_AS(serial::unpack<action>(serial::pack(made)), mp::ProcessError);

        auto wrong = message;
        wrong.bytes[sizeof(std::uint32_t)] = std::byte{3};
        CHECK_THROWS_AS(serial::unpack_message<mp::Barrier>(wrong), mp::ProcessError);
        for (std::size_t size = 0; size < message.bytes.size(); ++size) {
            wrong.bytes.assign(message.bytes.begin(), message.bytes.begin() + static_cast<std::ptrdiff_t>(size));
            CHECK_THROWS_AS(serial::unpack_message<mp::Barrier>(wrong), mp::ProcessError);
        }
        CHECK(acted == 1);
    }
    CHECK_FALSE(serial::unpack<action>(serial::pack(action())));
    CHECK_FALSE(serial::unpack<action>(serial::pack(action(static_cast<void (*)()>(nullptr)))));
    CHECK_THROWS_AS(serial::pack_message(mp::Barrier(1, [n = 1]() mutable { ++n; })), mp::NotPortableError);
}
