#include <multiprocessing/channel/queue.hpp>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/count_up.hpp"
#include "support/kill_at_every_step.hpp"

namespace mp = multiprocessing;
namespace memory = multiprocessing::memory;
using namespace std::chrono_literals;

namespace {

std::uint64_t objects() { return memory::family::here().objects(); }

struct page {
    int number = 0;
    std::vector<std::string> lines;
    friend bool operator==(const page&, const page&) = default;
};

struct fickle { // can't be written
    template <typename Archive>
    void save(Archive&) const {
        throw std::string("no");
    }
    template <typename Archive>
    void load(Archive&) {}
};

} // namespace

TEST_CASE("values of all kinds go through a queue", "[channel][queue]") {
    const auto before = objects();
    {
        mp::Queue<page> pages;
        const page small{1, {"a", "b"}}, large{2, std::vector<std::string>(1000, std::string(50, 'x'))};
        pages.put(small);
        pages.put(large);
        REQUIRE(pages.get() == small);
        REQUIRE(pages.get() == large);
        mp::Queue<std::string> texts;
        for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 100, 111, 112, 113, 1000, 1072, 1073, 10'000, 1'000'000}) {
            texts.put(std::string(n, 'y'));
            REQUIRE(texts.get() == std::string(n, 'y'));
        }
        mp::Queue<std::array<char, 3000>> arrays;
        std::array<char, 3000> array{};
        array[2999] = 'z';
        arrays.put(array);
        REQUIRE(arrays.get() == array);
        mp::Queue<std::array<char, 100'000>> large_arrays;
        const auto large_array = std::make_unique<std::array<char, 100'000>>();
        large_array->back() = 'z';
        large_arrays.put(*large_array);
        REQUIRE(large_arrays.get() == *large_array);
    }
    REQUIRE(objects() == before);
}

TEST_CASE("strings of a kilobyte get cells of their own size after a while", "[channel][queue]") {
    mp::Queue<std::string> q;
    for (int i = 0; i < 1000; ++i) q.put(std::string(1000, static_cast<char>('a' + i % 26)));
    q.put("short");
    for (int i = 0; i < 1000; ++i) REQUIRE(q.get() == std::string(1000, static_cast<char>('a' + i % 26)));
    REQUIRE(q.get() == "short");
}

TEST_CASE("a queue is an item of a queue", "[channel][queue]") {
    const auto before = objects();
    {
        mp::Queue<mp::Queue<int>> mailboxes;
        {
            mp::Queue<int> mine;
            mine.put(5);
            mailboxes.put(mine);
            mine.put(6);
        }
        auto theirs = mailboxes.get();
        REQUIRE(theirs.get() == 5);
        REQUIRE(theirs.get() == 6);
        theirs.put(7);
        mailboxes.put(theirs);
        mailboxes.put(theirs);
        theirs = mailboxes.get();
        REQUIRE(theirs == mailboxes.get());
        REQUIRE(theirs.get() == 7);
    }
    REQUIRE(objects() == before);
}

TEST_CASE("a queue sent to a process that its sender doesn't outlive", "[channel][queue]") {
    const auto before = objects();
    {
        mp::Queue<std::pair<int, mp::Queue<std::string>>> requests;
        testing::run_and_kill_at(0, [&] {
            mp::Queue<std::string> answers;
            answers.put("of the dead");
            requests.put({1, answers});
        });
        auto [number, answers] = requests.get();
        REQUIRE(number == 1);
        REQUIRE(answers.get() == "of the dead");
    }
    REQUIRE(objects() == before);
}

TEST_CASE("put_many and get_many move as many as are asked for, in order", "[channel][queue]") {
    for (const int maxsize : {0, 1, 7, 1000}) {
        mp::Queue<int> q(maxsize);
        const auto numbers = testing::count_up(0, 1000);
        std::thread producer([&] { q.put_many(numbers); });
        std::vector<int> got;
        while (got.size() < 1000) {
            const auto some = q.get_many(std::min<std::size_t>(77, 1000 - got.size()));
            REQUIRE(!some.empty());
            got.insert(got.end(), some.begin(), some.end());
        }
        producer.join();
        REQUIRE(got == numbers);
        REQUIRE(q.empty());
        REQUIRE(q.get_many(10, 1ms).empty());
        REQUIRE(q.get_many(0).empty());
    }
    mp::Queue<std::string> texts;
    texts.put_many(std::vector<std::string>{"a", "b", "c"});
    REQUIRE(texts.get_many(2) == std::vector<std::string>{"a", "b"});
    REQUIRE(texts.get_many(2) == std::vector<std::string>{"c"});
}

TEST_CASE("an item that can't be written uses up nothing", "[channel][queue]") {
    mp::Queue<std::variant<std::monostate, fickle, int>> q(1);
    REQUIRE_THROWS_AS(q.put(fickle()), std::string);
    REQUIRE(q.empty());
    q.put(3);
    REQUIRE(q.full());
    REQUIRE(std::get<int>(q.get()) == 3);
    REQUIRE(q.empty());
}

TEST_CASE("an unbounded queue that held much gives the memory back", "[channel][queue][slow]") {
    auto& all = memory::commons::here();
    mp::Queue<std::vector<char>> q;
    const std::vector<char> large(1 << 20, 'x');
    q.put(large);
    static_cast<void>(q.get());
    const auto before = all.resident_bytes();
    constexpr int n = MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER() ? 128 : 4096; // 4 GiB
    for (int i = 0; i < n; ++i) q.put(large);
    REQUIRE(all.resident_bytes() > before + (n - 40) * large.size());
    for (int i = 0; i < n; ++i) static_cast<void>(q.get());
    REQUIRE(q.empty());
    REQUIRE(all.resident_bytes() < before + (40 << 20)); // what is kept warm for the next burst
}

TEST_CASE("a burst of messages of 64 KiB gives its memory back too", "[channel][queue][slow]") {
    auto& all = memory::commons::here();
    mp::Queue<std::vector<char>> q;
    const std::vector<char> middling(64 << 10, 'x');
    q.put(middling);
    static_cast<void>(q.get());
    const auto before = all.resident_bytes();
    for (int i = 0; i < 4096; ++i) q.put(middling);
    for (int i = 0; i < 4096; ++i) static_cast<void>(q.get());
    REQUIRE(all.resident_bytes() < before + (40 << 20));
}

TEST_CASE("whoever waits for an item uses no processor", "[channel][queue]") {
    mp::Queue<int> q;
    std::atomic<long> used{-1};
    std::thread reader([&] {
        const auto now = [] {
            timespec time{};
            ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
            return time.tv_sec * 1'000'000'000 + time.tv_nsec;
        };
        const long before = now();
        static_cast<void>(q.get());
        used = now() - before;
    });
    std::this_thread::sleep_for(500ms);
    q.put(1);
    reader.join();
    REQUIRE(used < 50'000'000); // a tenth: what a busy one uses is all
}

TEST_CASE("threads wait for room and for items", "[channel][queue]") {
    mp::Queue<std::string> q(2);
    std::vector<std::thread> threads;
    std::atomic<int> got{0};
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) q.put(std::string(static_cast<std::size_t>(i % 200), 'x'));
        });
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) got += q.get().size() <= 200;
        });
    }
    for (auto& t : threads) t.join();
    REQUIRE(got == 6000);
    REQUIRE(q.empty());
}
