#include <multiprocessing/manager/set.hpp>
#include <multiprocessing/manager/table.hpp>

#include <csignal>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/handle.hpp>

#include "support/catch.hpp"
#include "support/kill_at_every_step.hpp"

namespace mp = multiprocessing;
namespace manager = multiprocessing::manager;
namespace memory = multiprocessing::memory;

namespace {

// Sanitized, each of the many children takes long.
constexpr bool sanitized = MULTIPROCESSING_THREAD_SANITIZER() || MULTIPROCESSING_ADDRESS_SANITIZER();
constexpr int random_steps = sanitized ? 3'000 : 20'000;

struct key {
    explicit key(const std::string& text) : packed(text) {}
    operator manager::table_key() const { return {packed.view(), packed.bytes().size()}; } // NOLINT
    manager::item packed;
};

void set(const manager::table& t, const std::string& k, const std::string& v) { t.set(key(k), manager::item(v).view()); }
std::optional<std::string> get(const manager::table& t, const std::string& k) {
    manager::item out;
    if (!t.get(key(k), out)) return std::nullopt;
    return out.unpack<std::string>();
}
bool erase(const manager::table& t, const std::string& k) { return t.take(key(k), nullptr); }

using pairs = std::vector<std::pair<std::string, std::string>>;
pairs all(const manager::table& t) {
    manager::items keys, values;
    t.read_all(&keys, &values);
    pairs found;
    for (std::size_t i = 0; i < keys.size(); ++i) found.emplace_back(keys.unpack<std::string>(i), values.unpack<std::string>(i));
    return found;
}

std::string text_of(std::size_t n, char c) { return std::string(n, c); }
// Some stand in a word, some in the arena, some in objects of their own.
constexpr std::size_t sizes[] = {0, 30, 2, 200, 3000, 15, 1016, 100'000};

pid_t start(memory::birth& birth) {
    const pid_t child = ::fork();
    child == 0 ? birth.in_child() : birth.in_parent(child);
    return child;
}

std::uint64_t objects() { return memory::family::here().objects(); }

} // namespace

TEST_CASE("a table holds what was put into it, in that order", "[manager][table]") {
    const auto t = manager::table::make();
    CHECK(t.size() == 0);
    CHECK_FALSE(get(t, "a"));
    CHECK_FALSE(erase(t, "a"));
    set(t, "b", "1");
    set(t, "a", "2");
    set(t, "c", text_of(500, 'c'));
    set(t, "b", text_of(5000, 'b'));
    CHECK(t.size() == 3);
    CHECK(get(t, "a") == "2");
    CHECK(get(t, "b") == text_of(5000, 'b'));
    CHECK(all(t) == pairs{{"b", text_of(5000, 'b')}, {"a", "2"}, {"c", text_of(500, 'c')}});
    CHECK(erase(t, "b"));
    set(t, "b", "again");
    CHECK(all(t) == pairs{{"a", "2"}, {"c", text_of(500, 'c')}, {"b", "again"}});
    manager::item k, v;
    CHECK(t.take_last(k, v));
    CHECK(k.unpack<std::string>() == "b");
    t.clear();
    CHECK(t.size() == 0);
    CHECK(all(t).empty());
    CHECK_FALSE(t.take_last(k, v));
    set(t, "d", "4");
    CHECK(all(t) == pairs{{"d", "4"}});
}

TEST_CASE("a table is what a list of pairs would be, whatever is done to it", "[manager][table]") {
    const std::uint64_t before = objects();
    {
        const auto t = manager::table::make();
        pairs model;
        std::mt19937 random(7);
        const auto find = [&](const std::string& k) {
            return std::find_if(model.begin(), model.end(), [&](const auto& each) { return each.first == k; });
        };
        for (int i = 0; i < random_steps; ++i) {
            const auto number = random() % 60;
            const std::string k = number == 7 ? text_of(2000, 'k') : "key " + std::to_string(number) + text_of(number, '.');
            const std::string v = text_of(sizes[random() % 7], static_cast<char>('a' + i % 26));
            const auto at = find(k);
            manager::item out;
            switch (random() % 8) {
            case 0:
            case 1:
            case 2:
                set(t, k, v);
                at == model.end() ? model.emplace_back(k, v) : std::pair<std::string, std::string>(k, at->second = v);
                break;
            case 3:
                REQUIRE(t.take(key(k), &out) == (at != model.end()));
                if (at == model.end()) break;
                REQUIRE(out.unpack<std::string>() == at->second);
                model.erase(at);
                break;
            case 4:
                REQUIRE(t.set_default(key(k), manager::item(v).view(), out) == (at != model.end()));
                if (at != model.end()) REQUIRE(out.unpack<std::string>() == at->second);
                else model.emplace_back(k, v);
                break;
            case 5: {
                const manager::item expected(std::string(at != model.end() && i % 2 == 0 ? at->second : "?"));
                const bool will = at != model.end() && i % 2 == 0;
                REQUIRE(t.exchange(key(k), &expected, manager::item(v).view()) == will);
                if (will) at->second = v;
                break;
            }
            case 6: {
                manager::item last;
                if (random() % 10 != 0) break;
                REQUIRE(t.take_last(last, out) == !model.empty());
                if (model.empty()) break;
                REQUIRE(last.unpack<std::string>() == model.back().first);
                model.pop_back();
                break;
            }
            default:
                REQUIRE(get(t, k) == (at == model.end() ? std::nullopt : std::optional(at->second)));
                REQUIRE(t.contains(key(k)) == (at != model.end()));
                if (random() % 1000 == 0) {
                    t.clear();
                    model.clear();
                }
            }
            REQUIRE(t.size() == model.size());
            if (i % 97 == 0) REQUIRE(all(t) == model);
        }
        CHECK(all(t) == model);
    }
    CHECK(objects() == before);
}

TEST_CASE("a table grows, and what it took before is given back", "[manager][table]") {
    const auto t = manager::table::make();
    for (int i = 0; i < 50'000; ++i) set(t, std::to_string(i), "value " + std::to_string(i));
    CHECK(t.size() == 50'000);
    for (int i = 0; i < 50'000; i += 7) CHECK(get(t, std::to_string(i)) == "value " + std::to_string(i));
    const std::uint64_t held = objects();
    for (int i = 0; i < 50'000; ++i) {
        REQUIRE(erase(t, std::to_string(i)));
        set(t, std::to_string(i), text_of(static_cast<std::size_t>(i) % 100, 'x'));
    }
    CHECK(objects() == held); // a root and an arena, as before
    CHECK(all(t).size() == 50'000);
}

TEST_CASE("shared objects in a table live as long as they are in it", "[manager][table]") {
    const std::uint64_t before = objects();
    {
        const auto t = manager::table::make();
        {
            auto number = memory::handle<int>::create(41);
            t.set(key("n"), manager::item(number).view());
            t.set(key("m"), manager::item(std::vector{number, number}).view());
        }
        CHECK(objects() > before + 1);
        manager::item out;
        REQUIRE(t.get(key("n"), out));
        auto number = out.unpack<memory::handle<int>>();
        CHECK(++*number == 42);
        REQUIRE(t.take(key("n"), nullptr));
        REQUIRE(t.get(key("m"), out));
        CHECK(*out.unpack<std::vector<memory::handle<int>>>()[1] == 42);
        set(t, "m", "nothing");
        CHECK(*number == 42);
        t.set(key("t"), manager::item(number).view());
        for (int i = 0; i < 100; ++i) set(t, std::to_string(i), "makes it grow");
        number = {};
        REQUIRE(t.get(key("t"), out));
        CHECK(*out.unpack<memory::handle<int>>() == 42);
    }
    CHECK(objects() == before);
}

TEST_CASE("who is killed while it changes a table leaves the old value or the new", "[manager][table][deaths]") {
    const std::size_t old_size = GENERATE(std::size_t{3}, std::size_t{40}, std::size_t{3000});
    const std::size_t new_size = GENERATE(std::size_t{3}, std::size_t{40}, std::size_t{3000});
    enum class what { replaced, added, removed, popped, cleared, grown };
    const auto action = GENERATE(what::replaced, what::added, what::removed, what::popped, what::cleared, what::grown);
    if (old_size != new_size && action != what::replaced && action != what::grown) return;
    if (sanitized && (old_size != new_size || old_size == 40)) return;
    INFO("action " << static_cast<int>(action) << ", " << old_size << " to " << new_size << " bytes");

    const std::string before = text_of(old_size, 'o'), after = text_of(new_size, 'n');
    const std::uint64_t at_first = objects();
    std::optional<manager::table> t;
    const auto fill = [&] {
        t.emplace(manager::table::make());
        set(*t, "first", "1");
        set(*t, "it", before);
        if (action == what::grown)
            for (int i = 0; i < 6; ++i) set(*t, std::to_string(i), "1"); // eight records are all there are
    };
    const pairs last = {{"first", "1"}, {"it", before}};
    const auto act = [&] {
        manager::item k, v;
        switch (action) {
        case what::replaced: return set(*t, "it", after);
        case what::added: return set(*t, "another", after);
        case what::removed: return static_cast<void>(erase(*t, "it"));
        case what::popped: return static_cast<void>(t->take_last(k, v));
        case what::cleared: return t->clear();
        case what::grown: return set(*t, "another", after);
        }
    };
    pairs expected_old, expected_new;
    fill();
    const std::uint64_t usual = objects();
    expected_old = all(*t);
    act();
    expected_new = all(*t);
    const std::uint64_t usual_after = objects();
    REQUIRE(expected_old != expected_new);

    unsigned old_ones = 0, new_ones = 0;
    fill();
    const unsigned steps = testing::kill_at_every_step(act, [&](unsigned) {
        INFO("after " << testing::last_step());
        const auto seen_unlocked = get(*t, "it");
        const pairs now = all(*t);
        if (now != expected_old && now != expected_new) CHECK(now == expected_old);
        now == expected_old ? ++old_ones : ++new_ones;
        CHECK(t->size() == now.size());
        if (action != what::cleared && action != what::removed && action != what::popped)
            CHECK((seen_unlocked == before || seen_unlocked == after));
        set(*t, "first", "2"); // it works from now on, and nothing is left over
        CHECK(get(*t, "first") == "2");
        if (now == expected_old) CHECK(objects() == usual);
        else CHECK((objects() == usual_after || action == what::cleared));
        fill();
    });
    CHECK(steps > 2);
    CHECK(old_ones > 0);
    CHECK(new_ones > 0);
    t.reset();
    CHECK(objects() == at_first);
}

TEST_CASE("who is killed while it changes a set leaves the old elements or the new", "[manager][table][deaths]") {
    const std::uint64_t at_first = objects();
    std::optional<mp::SetProxy<std::string>> s;
    const std::string longer(sanitized ? 40 : 3000, 'x');
    const bool adds = GENERATE(true, false);
    const auto fill = [&] {
        s.emplace(manager::dict_store(manager::table::make()));
        s->update({"a", "b"});
        if (!adds) s->add(longer);
    };
    fill();
    const unsigned steps = testing::kill_at_every_step([&] { adds ? s->add(longer) : s->discard(longer); }, [&](unsigned) {
        INFO("after " << testing::last_step());
        const bool is = s->contains(longer);
        CHECK(s->copy().len() == (is ? 3 : 2));
        CHECK(s->len() == (is ? 3 : 2));
        CHECK(s->add(longer) == !is);
        CHECK(s->copy() == manager::plain_set<std::string>{"a", "b", longer});
        fill();
    });
    CHECK(steps > 2);
    s.reset();
    CHECK(objects() == at_first);
}

TEST_CASE("who is killed while it mends doesn't matter either", "[manager][table][deaths]") {
    const auto t = manager::table::make();
    set(t, "it", text_of(2000, 'a'));
    const std::uint64_t usual = objects();
    constexpr unsigned stride = sanitized ? 9 : 3; // another beginning for each k, so every j comes
    for (unsigned k = 1;; k += sanitized ? 4 : 1) {
        const bool died = testing::run_and_kill_at(k, [&] { set(t, "it", text_of(2000, 'b')); });
        if (!died) break;
        for (unsigned j = 1 + k % stride; testing::run_and_kill_at(j, [&] { set(t, "it", text_of(2000, 'c')); }); j += stride) {
            INFO("killed at " << k << " and " << j << ", " << testing::last_step());
            const auto now = get(t, "it");
            REQUIRE((now == text_of(2000, 'a') || now == text_of(2000, 'b') || now == text_of(2000, 'c')));
            set(t, "it", text_of(2000, 'a'));
            REQUIRE(objects() == usual);
            static_cast<void>(testing::run_and_kill_at(k, [&] { set(t, "it", text_of(2000, 'b')); }));
        }
    }
}

TEST_CASE("no reader ever sees half a value, while processes write and are killed", "[manager][table][deaths]") {
    const auto t = manager::table::make();
    for (char c = 'a'; c < 'i'; ++c) set(t, std::string(1, c), text_of(20, c));
    auto over = memory::handle<std::atomic<bool>>::create(false);
    auto torn = memory::handle<std::atomic<int>>::create(0);

    const auto write = [&] {
        std::mt19937 random(static_cast<unsigned>(::getpid()));
        while (!*over) {
            const auto letter = static_cast<char>('a' + random() % 8);
            set(t, std::string(1, letter), text_of(random() % 50 == 0 ? 2000 : random() % 90, letter));
            if (random() % 3 == 0) {
                const std::string extra = "x" + std::to_string(random() % 40);
                random() % 2 == 0 ? set(t, extra, extra) : static_cast<void>(erase(t, extra));
            }
        }
    };
    const auto read = [&] {
        for (unsigned i = 0; !*over; ++i) {
            const auto letter = static_cast<char>('a' + i % 8);
            const auto seen = get(t, std::string(1, letter));
            if (!seen || seen->find_first_not_of(letter) != std::string::npos) ++*torn;
        }
    };
    std::vector<std::pair<pid_t, memory::seat>> readers;
    for (int i = 0; i < 2; ++i) {
        memory::birth birth;
        const pid_t child = start(birth);
        if (child == 0) {
            read();
            ::_exit(0);
        }
        readers.emplace_back(child, birth.slot());
    }
    for (int round = 0; round < (sanitized ? 5 : 40); ++round) {
        pid_t child = 0;
        memory::seat seat;
        {
            memory::birth birth;
            child = start(birth);
            if (child == 0) {
                write();
                ::_exit(0);
            }
            seat = birth.slot();
        }
        const auto version = t.state()->version.load();
        while (t.state()->version.load() < version + 200) std::this_thread::yield();
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        memory::bury(seat);
        for (char c = 'a'; c < 'i'; ++c) {
            const auto seen = get(t, std::string(1, c));
            REQUIRE(seen);
            REQUIRE(seen->find_first_not_of(c) == std::string::npos);
        }
    }
    *over = true;
    for (const auto& [child, seat] : readers) {
        ::waitpid(child, nullptr, 0);
        memory::bury(seat);
    }
    CHECK(*torn == 0);
}

TEST_CASE("threads may use a table too", "[manager][table]") {
    const auto t = manager::table::make();
    std::vector<std::thread> all_of_them;
    for (int id = 0; id < 4; ++id)
        all_of_them.emplace_back([&t, id] {
            for (int i = 0; i < 1000; ++i) {
                set(t, std::to_string(id * 1000 + i), std::to_string(i));
                if (!get(t, std::to_string(id * 1000 + i / 2))) return;
            }
        });
    for (auto& each : all_of_them) each.join();
    CHECK(t.size() == 4000);
}

TEST_CASE("a table that somebody has scribbled on is an error, not a crash", "[manager][table]") {
    auto t = manager::table::make();
    for (int i = 0; i < 20; ++i) set(t, std::to_string(i), text_of(static_cast<std::size_t>(i) * 5, 'x'));
    const memory::object_name root = t.state()->root.load();
    auto* const head = static_cast<manager::root_header*>(memory::family::here().payload(static_cast<memory::object_id>(root) - 1));
    const auto look_at_all = [&] {
        for (int i = 0; i < 20; ++i) {
            try {
                static_cast<void>(get(t, std::to_string(i)));
            } catch (const mp::ProcessError&) {
            }
        }
        try {
            set(t, "3", text_of(70, 'y'));
            set(t, "new", "z");
            static_cast<void>(all(t));
        } catch (const mp::ProcessError&) {
        } catch (const std::bad_alloc&) {
        }
    };
    SECTION("the root's name") {
        t.state()->root.store(root + 5);
        CHECK_THROWS_AS(set(t, "1", "x"), mp::ProcessError);
        t.state()->root.store(~std::uint64_t{0});
        CHECK_THROWS_AS(set(t, "1", "x"), mp::ProcessError);
        t.state()->root_at.store(~std::uint64_t{0} - 7);
        CHECK_THROWS_AS(get(t, "1"), mp::ProcessError);
        t.state()->root_at.store(13);
        CHECK_THROWS_AS(get(t, "1"), mp::ProcessError);
        t.state()->root.store(root);
    }
    SECTION("its head, word by word") {
        auto* const words = reinterpret_cast<std::uint64_t*>(head);
        for (std::size_t i = 0; i < sizeof *head / 8; ++i)
            for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{7}, ~std::uint64_t{0}, std::uint64_t{1} << 40}) {
                const std::uint64_t good = std::exchange(words[i], bad);
                for (int n = 0; n < 20; ++n) try {
                        static_cast<void>(get(t, std::to_string(n)));
                    } catch (const mp::ProcessError&) {
                    }
                try {
                    static_cast<void>(all(t));
                } catch (const mp::ProcessError&) {
                }
                words[i] = good;
            }
        CHECK(all(t).size() == 20);
    }
    SECTION("its records and its index") {
        std::mt19937_64 random(11);
        auto* const words = reinterpret_cast<std::uint64_t*>(head + 1);
        const std::size_t n = (head->capacity * sizeof(manager::table_record) + head->index_size * 4) / 8;
        for (int round = 0; round < 3000; ++round) {
            std::uint64_t& word = words[random() % n];
            const std::uint64_t good = std::exchange(word, round % 3 == 0 ? random() : round % 3 == 1 ? ~random() % 64 : word ^ std::uint64_t{1} << random() % 60);
            for (int k = 0; k < 20; ++k) try {
                    static_cast<void>(get(t, std::to_string(k)));
                } catch (const mp::ProcessError&) {
                }
            try {
                static_cast<void>(all(t));
            } catch (const mp::ProcessError&) {
            }
            word = good;
        }
        for (int round = 0; round < 200; ++round) words[random() % n] = random();
        look_at_all();
    }
}
