#include <multiprocessing/pool/log.hpp>

#include <map>
#include <string>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace memory = multiprocessing::memory;
namespace pool = multiprocessing::pool;

namespace {

pool::chunk open_job(pool::board& all) {
    pool::job& which = all.job_at(0);
    which.grains = 1;
    which.count = 1;
    which.grain = 1;
    all.open(0);
    return *all.claim(0, 0);
}

std::string text_of(std::uint64_t item) { return std::string(item * 37 % 9000, static_cast<char>('a' + item % 26)); }

void append(pool::board& all, const pool::chunk& work, memory::seat owner, std::uint64_t from, std::uint64_t to) {
    pool::log_writer log(all, 0, owner);
    for (auto i = from; i < to; ++i) {
        const std::string text = text_of(i);
        log.append(0, work, i, [&](std::span<std::byte> room) {
            if (text.size() <= room.size()) std::memcpy(room.data(), text.data(), text.size());
            return text.size();
        });
    }
}

std::map<std::uint64_t, std::string> read(pool::board& all) {
    pool::log_reader log;
    log.take(all, 0);
    std::map<std::uint64_t, std::string> found;
    log.for_each([&](std::uint64_t item, std::span<const std::byte> bytes) {
        REQUIRE(found.emplace(item, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())).second);
    });
    return found;
}

} // namespace

TEST_CASE("a log holds records of any size, and its owner keeps them when the worker is gone", "[pool][log]") {
    const auto me = memory::family::here().self();
    const auto before = memory::family::here().objects();
    {
        pool::board all(1);
        const auto work = open_job(all);
        testing::run_and_kill_at(0, [&] { append(all, work, me, 0, 300); });
        testing::run_and_kill_at(0, [&] { append(all, work, me, 300, 310); }); // its successor goes on
        const auto found = read(all);
        REQUIRE(found.size() == 310);
        for (const auto& [item, text] : found) REQUIRE(text == text_of(item));
        REQUIRE(read(all).empty());
    }
    REQUIRE(memory::family::here().objects() == before);
}

TEST_CASE("killed at every step of appending, a worker leaves whole records and no block", "[pool][log]") {
    const auto me = memory::family::here().self();
    const auto before = memory::family::here().objects();
    pool::board all(1);
    const auto work = open_job(all);
    std::size_t most = 0;
    const auto steps = testing::kill_at_every_step(
        [&] { append(all, work, me, 0, 8); },
        [&](unsigned) {
            pool::recover_parcel(all.station_of(0),
                                 [&](memory::object_name name) { return pool::is_in_log(all, 0, 0, name); });
            const auto found = read(all);
            std::uint64_t next = 0;
            for (const auto& [item, text] : found) {
                REQUIRE(item == next++);
                REQUIRE(text == text_of(item));
            }
            most = std::max(most, found.size());
            REQUIRE(memory::family::here().objects() == before + 1);
        });
    REQUIRE(steps > 20);
    REQUIRE(most >= 7);
    static_cast<void>(read(all));
}

TEST_CASE("a log that was scribbled on is an error, not a crash", "[pool][log]") {
    const auto me = memory::family::here().self();
    pool::board all(1);
    const auto work = open_job(all);
    testing::run_and_kill_at(0, [&] { append(all, work, me, 1, 2); });
    memory::records records(memory::commons::here());
    auto* block = static_cast<pool::log_block*>(records.payload(records.find(all.log_of(0, 0))));
    SECTION("the record is longer than the block") {
        const std::uint64_t huge = ~std::uint64_t{0};
        std::memcpy(block->bytes() + 8, &huge, 8);
    }
    SECTION("the block ends inside a record") { block->used = 12; }
    REQUIRE_THROWS_AS(read(all), multiprocessing::ProcessError);
}
