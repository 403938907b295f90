#include <multiprocessing/channel/ring.hpp>

#include <algorithm>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace channel = multiprocessing::channel;
namespace memory = multiprocessing::memory;
namespace os = multiprocessing::os;
using channel::ring;

namespace {

std::uint64_t objects() { return memory::family::here().objects(); }

// A message: its number, then bytes that follow from it.
std::vector<std::byte> message(std::uint64_t number, std::size_t size) {
    std::vector<std::byte> bytes(std::max<std::size_t>(size, 8));
    for (std::size_t i = 8; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(number * 31 + i);
    std::memcpy(bytes.data(), &number, 8);
    return bytes;
}

ring::result try_send(ring& to, const std::vector<std::byte>& bytes, std::span<const memory::holding> shares = {}) {
    if (bytes.size() <= to.longest() && shares.empty())
        return to.try_send(0, bytes.size(), [&](std::uint64_t, std::byte* body) {
            std::memcpy(body, bytes.data(), bytes.size());
            return channel::cell_header{bytes.size()};
        });
    auto parcel = to.make_parcel(bytes.size(), shares.size());
    std::memcpy(parcel.bytes().data(), bytes.data(), bytes.size());
    parcel.enclose(shares);
    return to.try_send(0, 8, [&](std::uint64_t, std::byte* body) { return to.enclose(parcel, body); });
}

struct received {
    std::vector<std::byte> bytes;
    std::vector<memory::holding> shares;
    bool lost = false; // a block that wasn't there

    std::uint64_t number() const {
        std::uint64_t n = 0;
        if (bytes.size() >= 8) std::memcpy(&n, bytes.data(), 8);
        return n;
    }
    bool whole() const { return !lost && bytes == message(number(), bytes.size()); }
};

ring::result try_receive(ring& from, received& to, bool closer = true) {
    channel::parcel block;
    const auto result = from.try_receive(
        [&](const channel::cell_header& header, const std::byte* body) {
            if (header.block) {
                block = from.adopt(header, body);
                to.lost = !block;
            } else {
                to.bytes.assign(body, body + header.size);
            }
        },
        closer);
    if (block) {
        to.bytes.assign(block.bytes().begin(), block.bytes().end());
        to.shares = block.enclosed();
        from.put_away(std::move(block));
    }
    return result;
}

std::vector<received> drain(ring& from) {
    std::vector<received> all;
    for (;;) {
        received next;
        if (try_receive(from, next) != ring::result::done) return all;
        all.push_back(std::move(next));
    }
}

const std::vector<std::size_t> sizes{8, 100, 5000, 8, 300'000};

} // namespace

TEST_CASE("what goes in comes out, in order, of any size", "[channel][ring]") {
    const auto before = objects();
    {
        ring r(100, 0);
        for (int round = 0; round < 3; ++round) {
            std::uint64_t number = 1;
            for (const std::size_t size : std::initializer_list<std::size_t>{8, 9, 84, 112, 113, 1072, 1073, 4096, 100'000, 1'000'000, 8})
                REQUIRE(try_send(r, message(number++, size)) == ring::result::done);
            REQUIRE(r.size() == number - 1);
            const auto all = drain(r);
            REQUIRE(all.size() == number - 1);
            for (std::size_t i = 0; i < all.size(); ++i) {
                REQUIRE(all[i].number() == i + 1);
                REQUIRE(all[i].whole());
            }
            REQUIRE(r.size() == 0);
        }
    }
    REQUIRE(objects() == before);
}

TEST_CASE("a ring with messages in it takes them along when it ends", "[channel][ring]") {
    const auto before = objects();
    {
        ring r(8, 0);
        for (const auto size : sizes) REQUIRE(try_send(r, message(1, size)) == ring::result::done);
        REQUIRE(objects() >= before + 4);
    }
    REQUIRE(objects() == before);
}

TEST_CASE("an unbounded ring grows, shrinks when it is empty, and gives its memory back", "[channel][ring]") {
    auto& all = memory::commons::here();
    ring r(8, 0);
    for (std::uint64_t n = 1; n <= 1000; ++n) REQUIRE(try_send(r, message(n, 8)) == ring::result::done);
    static_cast<void>(drain(r));
    const auto bytes = all.resident_bytes();
    const auto kept = objects();
    constexpr std::uint64_t many = 200'000;
    for (int round = 0; round < 3; ++round) {
        for (std::uint64_t n = 1; n <= many; ++n)
            if (try_send(r, message(n, 8)) != ring::result::done) FAIL("no room");
        REQUIRE(r.size() == many);
        REQUIRE(all.resident_bytes() > bytes + many * 64);
        for (std::uint64_t n = 1; n <= many; ++n) {
            received next;
            if (try_receive(r, next) != ring::result::done || next.number() != n) FAIL("out of order at " << n);
        }
        received none;
        REQUIRE(try_receive(r, none) == ring::result::not_now);
        REQUIRE(all.resident_bytes() < bytes + (1 << 20));
        REQUIRE(objects() <= kept + 16); // the rooms' addresses
    }
}

TEST_CASE("whoever looked at one life of a room can't take it in its next", "[channel][ring]") {
    ring r(8, 0);
    const auto smallest = [&] { return r.state()->rooms[0].phase.load(); };
    std::vector<std::uint64_t> seen{smallest()};
    for (int life = 0; life < 3; ++life) {
        // Full: it goes on in larger rooms, until it is empty.
        for (std::uint64_t n = 1; n <= 20'000; ++n) REQUIRE(try_send(r, message(n, 8)) == ring::result::done);
        REQUIRE(drain(r).size() == 20'000);
        REQUIRE((smallest() & 3) == channel::room::open);
        seen.push_back(smallest());
    }
    std::sort(seen.begin(), seen.end());
    REQUIRE(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}

TEST_CASE("a bounded ring takes as many as it may, exactly", "[channel][ring]") {
    for (const std::uint64_t capacity : {1u, 2u, 3u, 255u, 256u, 1000u}) {
        ring r(8, capacity);
        for (int round = 0; round < 3; ++round) {
            for (std::uint64_t n = 0; n < capacity; ++n) REQUIRE(try_send(r, message(n, 8)) == ring::result::done);
            REQUIRE(try_send(r, message(0, 8)) == ring::result::not_now);
            received first;
            REQUIRE(try_receive(r, first) == ring::result::done);
            REQUIRE(try_send(r, message(capacity, 8)) == ring::result::done);
            REQUIRE(try_send(r, message(0, 8)) == ring::result::not_now);
            REQUIRE(drain(r).size() == capacity);
        }
    }
}

TEST_CASE("when messages are often too long for a cell, longer cells are used", "[channel][ring]") {
    ring r(100, 0);
    REQUIRE(r.longest() == 112);
    for (int i = 0; i < 20; ++i) r.note_oversized(500);
    REQUIRE(r.longest() == 1072);
    for (const auto size : sizes) REQUIRE(try_send(r, message(7, size)) == ring::result::done);
    const auto all = drain(r);
    REQUIRE(all.size() == sizes.size());
    for (const auto& each : all) REQUIRE(each.whole());
}

TEST_CASE("batches are sent and received whole", "[channel][ring]") {
    ring r(8, 0);
    std::uint64_t next = 0, expected = 0;
    for (int round = 0; round < 200; ++round) {
        const unsigned batch = static_cast<unsigned>(round) % 8;
        const auto first = next;
        next += std::uint64_t{1} << batch;
        REQUIRE(r.try_send(batch, 8, [&](std::uint64_t i, std::byte* body) {
            const std::uint64_t value = first + i;
            std::memcpy(body, &value, 8);
            return channel::cell_header{8};
        }) == ring::result::done);
        std::vector<std::uint64_t> some;
        some.reserve(128);
        const std::size_t most = static_cast<std::size_t>(round) % 100 + 1;
        static_cast<void>(r.try_receive(
            [&](const channel::cell_header&, const std::byte* body) {
                std::memcpy(&some.emplace_back(), body, 8);
            },
            false, most));
        REQUIRE(some.size() <= most);
        for (const auto value : some) REQUIRE(value == expected++);
    }
    for (const auto& each : drain(r)) REQUIRE(each.number() == expected++);
    REQUIRE(next == expected);
}

TEST_CASE("killed at any step of sending, a process has sent the messages before, and leaves nothing else", "[channel][ring]") {
    ring r(100, 0);
    const auto send_all = [&] {
        std::uint64_t number = 1;
        for (const auto size : sizes)
            if (try_send(r, message(number++, size)) != ring::result::done) throw 1;
    };
    send_all();
    static_cast<void>(drain(r));
    r.trim();
    const auto before = objects();
    const auto steps = testing::kill_at_every_step(send_all, [&](unsigned) {
        const auto held = r.size();
        REQUIRE(try_send(r, message(77, 8)) == ring::result::done); // from others it goes on
        auto all = drain(r);
        REQUIRE(!all.empty());
        REQUIRE(all.back().number() == 77);
        all.pop_back();
        REQUIRE(all.size() <= held);
        REQUIRE(all.size() + 1 >= held); // what was begun counts until it is met
        for (std::size_t i = 0; i < all.size(); ++i) {
            REQUIRE(all[i].number() == i + 1);
            REQUIRE(all[i].whole());
        }
        REQUIRE(r.size() == 0);
        r.trim();
        REQUIRE(objects() == before);
    });
    REQUIRE(steps >= 50);
}

TEST_CASE("killed at any step of receiving, a process loses one message at most", "[channel][ring]") {
    ring r(100, 0);
    auto done = memory::handle<std::atomic<std::uint64_t>>::create(0u);
    const auto fill = [&] {
        *done = 0;
        std::uint64_t number = 1;
        for (const auto size : sizes) REQUIRE(try_send(r, message(number++, size)) == ring::result::done);
    };
    fill();
    static_cast<void>(drain(r));
    r.trim();
    const auto before = objects();
    fill();
    const auto steps = testing::kill_at_every_step(
        [&] {
            for (std::size_t i = 0; i < sizes.size(); ++i) {
                received next;
                if (try_receive(r, next) != ring::result::done || !next.whole() || next.number() != i + 1) throw 1;
                ++*done;
            }
        },
        [&](unsigned) {
            const auto all = drain(r);
            REQUIRE(all.size() + *done + 1 >= sizes.size());
            REQUIRE(all.size() + *done <= sizes.size());
            std::uint64_t number = sizes.size() - all.size();
            for (const auto& each : all) {
                REQUIRE(each.number() == ++number);
                REQUIRE(each.whole());
            }
            REQUIRE(r.size() == 0);
            r.trim();
            REQUIRE(objects() == before);
            fill();
        });
    REQUIRE(steps >= 30);
}

TEST_CASE("killed at any step of opening, leaving and giving back rooms, a process stops nobody", "[channel][ring]") {
    if (MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER()) return; // more than a thousand forks
    ring r(3000, 0); // 16 cells a room: rooms of more than 256 KiB come soon
    const auto steps = testing::kill_at_every_step(
        [&] {
            for (std::uint64_t n = 1; n <= 150; ++n)
                if (try_send(r, message(n, 3000)) != ring::result::done) throw 1;
            for (std::uint64_t n = 1; n <= 150; ++n) {
                received next;
                if (try_receive(r, next) != ring::result::done || next.number() != n) throw 2;
            }
            received none;
            if (try_receive(r, none) != ring::result::not_now) throw 3;
        },
        [&](unsigned) {
            const auto all = drain(r);
            for (std::size_t i = 1; i < all.size(); ++i) REQUIRE(all[i].number() == all[i - 1].number() + 1);
            for (const auto& each : all) REQUIRE(each.whole());
            for (std::uint64_t n = 1; n <= 20; ++n) REQUIRE(try_send(r, message(n, 3000)) == ring::result::done);
            REQUIRE(drain(r).size() == 20);
            REQUIRE(r.size() == 0);
        });
    REQUIRE(steps >= 1000);
}

TEST_CASE("killed at any step of a batch, a process has sent or received all of it or nothing", "[channel][ring]") {
    ring r(8, 64);
    const auto sent = testing::kill_at_every_step(
        [&] {
            static_cast<void>(r.try_send(3, 8, [&](std::uint64_t i, std::byte* body) {
                std::memcpy(body, &i, 8);
                return channel::cell_header{8};
            }));
        },
        [&](unsigned) {
            const auto all = drain(r);
            REQUIRE((all.empty() || all.size() == 8));
            for (std::size_t i = 0; i < all.size(); ++i) REQUIRE(all[i].number() == i);
            REQUIRE(r.size() == 0);
        });
    REQUIRE(sent >= 4);
    static_cast<void>(drain(r));
    const auto refill = [&] {
        for (std::uint64_t n = 0; n < 8; ++n) REQUIRE(try_send(r, message(n, 8)) == ring::result::done);
    };
    refill();
    const auto taken = testing::kill_at_every_step(
        [&] {
            std::uint64_t sum = 0;
            static_cast<void>(r.try_receive(
                [&](const channel::cell_header&, const std::byte* body) {
                    std::uint64_t value = 0;
                    std::memcpy(&value, body, 8);
                    sum += value;
                },
                false, 8));
            if (sum != 28) throw 1;
        },
        [&](unsigned) {
            const auto all = drain(r);
            REQUIRE((all.empty() || all.size() == 8));
            REQUIRE(r.size() == 0);
            refill();
        });
    REQUIRE(taken >= 4);
}

TEST_CASE("objects in a message live as long as it does, whoever has died", "[channel][ring]") {
    ring r(100, 0);
    static_cast<void>(drain(r));
    const auto before = objects();
    {
        auto shared = memory::handle<int>::create(42);
        const memory::holding shares[] = {shared, shared};
        REQUIRE(try_send(r, message(1, 20), shares) == ring::result::done);
        shared = {};
    }
    {
        // From a process that is dead by the time it is read.
        testing::run_and_kill_at(0, [&] {
            auto theirs = memory::handle<int>::create(43);
            const memory::holding shares[] = {theirs};
            if (try_send(r, message(2, 20), shares) != ring::result::done) throw 1;
        });
        memory::family::here().bury_the_dead();
        auto all = drain(r);
        REQUIRE(all.size() == 2);
        REQUIRE(all[0].shares.size() == 2);
        REQUIRE(*memory::handle<int>(all[0].shares[1]) == 42);
        REQUIRE(all[1].shares.size() == 1);
        REQUIRE(*memory::handle<int>(all[1].shares[0]) == 43);
        REQUIRE(objects() == before + 2);
    }
    REQUIRE(objects() == before);
    {
        // Never received: they end with the ring.
        ring other(100, 0);
        auto shared = memory::handle<int>::create(44);
        const memory::holding shares[] = {shared};
        REQUIRE(try_send(other, message(1, 20), shares) == ring::result::done);
    }
    REQUIRE(objects() == before);
}

TEST_CASE("killed at any step of sending and receiving objects, a process neither frees nor leaks one", "[channel][ring]") {
    ring r(100, 0);
    auto kept = memory::handle<int>::create(1);
    const auto before = objects();
    const auto steps = testing::kill_at_every_step(
        [&] {
            {
                auto own = memory::handle<int>::create(2);
                const memory::holding shares[] = {own, kept};
                if (try_send(r, message(1, 20), shares) != ring::result::done) throw 1;
            }
            received back;
            if (try_receive(r, back) != ring::result::done || back.shares.size() != 2) throw 2;
            if (*memory::handle<int>(back.shares[0]) != 2 || *memory::handle<int>(back.shares[1]) != 1) throw 3;
        },
        [&](unsigned) {
            for (const auto& each : drain(r)) {
                REQUIRE(each.shares.size() == 2);
                REQUIRE(*memory::handle<int>(each.shares[0]) == 2);
                REQUIRE(*memory::handle<int>(each.shares[1]) == 1);
            }
            REQUIRE(objects() == before);
            REQUIRE(*kept == 1);
        });
    REQUIRE(steps >= 60);
    kept = {};
    REQUIRE(objects() == before - 1);
}

TEST_CASE("threads send and receive at once", "[channel][ring]") {
    for (const std::uint64_t capacity : {0u, 3u, 300u}) {
        ring r(100, capacity);
        constexpr std::uint64_t each = 3000;
        std::atomic<std::uint64_t> sum{0}, count{0}, bad{0};
        std::vector<std::thread> threads;
        for (std::uint64_t t = 0; t < 2; ++t) {
            threads.emplace_back([&, t] {
                for (std::uint64_t n = 0; n < each; ++n) {
                    const auto what = message(t << 32 | n, n % 7 == 0 ? 3000 : 8);
                    r.wait_for_room([&] { return try_send(r, what); }, os::deadline::never());
                }
            });
            threads.emplace_back([&] {
                std::uint64_t last[2] = {0, 0};
                for (std::uint64_t n = 0; n < each; ++n) {
                    received next;
                    r.wait_for_message([&](bool closer) { return try_receive(r, next, closer); }, os::deadline::never());
                    bad += !next.whole();
                    auto& before = last[next.number() >> 32];
                    bad += (next.number() & 0xffffffff) + 1 <= before;
                    before = (next.number() & 0xffffffff) + 1;
                    sum += next.number() & 0xffffffff;
                    ++count;
                }
            });
        }
        for (auto& t : threads) t.join();
        REQUIRE(bad == 0);
        REQUIRE(count == 2 * each);
        REQUIRE(sum == each * (each - 1));
        REQUIRE(r.size() == 0);
    }
}
