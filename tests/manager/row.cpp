#include <multiprocessing/manager/row.hpp>

#include <algorithm>
#include <csignal>
#include <optional>
#include <random>
#include <string>
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

using texts = std::vector<std::string>;

manager::items packed(const texts& all) {
    manager::items made;
    for (const auto& each : all) made.pack(each);
    return made;
}
texts some(const manager::row& r, std::int64_t first, std::int64_t last) {
    manager::items found;
    r.read_some(first, last, found);
    texts all;
    for (std::size_t i = 0; i < found.size(); ++i) all.push_back(found.unpack<std::string>(i));
    return all;
}
texts all(const manager::row& r) { return some(r, 0, manager::row::end); }
std::optional<std::string> get(const manager::row& r, std::int64_t i) {
    manager::item out;
    if (!r.get(i, out)) return std::nullopt;
    return out.unpack<std::string>();
}
void append(const manager::row& r, const std::string& x) { r.append(manager::item(x).view()); }

std::string text_of(std::size_t n, char c) { return std::string(n, c); }
std::uint64_t objects() { return memory::family::here().objects(); }

} // namespace

TEST_CASE("a row keeps items in their order", "[manager][row]") {
    const auto r = manager::row::make();
    CHECK(r.size() == 0);
    CHECK_FALSE(get(r, 0));
    CHECK_FALSE(r.take(-1, nullptr));
    append(r, "a");
    append(r, text_of(100, 'b'));
    append(r, text_of(4000, 'c'));
    CHECK(get(r, 0) == "a");
    CHECK(get(r, -1) == text_of(4000, 'c'));
    CHECK_FALSE(get(r, 3));
    CHECK_FALSE(get(r, -4));
    r.insert(0, manager::item(std::string("first")).view());
    r.insert(-100, manager::item(std::string("before")).view());
    r.insert(100, manager::item(std::string("last")).view());
    CHECK(all(r) == texts{"before", "first", "a", text_of(100, 'b'), text_of(4000, 'c'), "last"});
    r.reverse();
    CHECK(get(r, 0) == "last");
    CHECK(r.set(1, manager::item(text_of(5000, 'd')).view()));
    CHECK_FALSE(r.set(6, manager::item(std::string("?")).view()));
    r.splice(1, 3, packed({"x", "y", "z"}));
    CHECK(all(r) == texts{"last", "x", "y", "z", "a", "first", "before"});
    CHECK(some(r, -3, -1) == texts{"a", "first"});
    CHECK(some(r, 5, 2).empty());
    r.clear();
    CHECK(r.size() == 0);
    r.extend(packed({"1", text_of(3000, '2'), text_of(3000, '3')}));
    CHECK(all(r) == texts{"1", text_of(3000, '2'), text_of(3000, '3')});
}

TEST_CASE("a row is what a vector would be, whatever is done to it", "[manager][row]") {
    const std::uint64_t before = objects();
    {
        const auto r = manager::row::make();
        texts model;
        std::mt19937 random(3);
        constexpr std::size_t sizes[] = {0, 4, 40, 700, 2000, 9, 1024};
        const auto text = [&](int i) { return text_of(sizes[random() % 7], static_cast<char>('a' + i % 26)); };
        const auto position = [&] { return static_cast<std::ptrdiff_t>(random() % (model.size() + 1)); };
        for (int i = 0; i < random_steps; ++i) {
            const std::string x = text(i);
            const auto at = position();
            const bool in = at < static_cast<std::ptrdiff_t>(model.size());
            switch (random() % 9) {
            case 0:
            case 1:
                append(r, x);
                model.push_back(x);
                break;
            case 2:
                r.insert(at, manager::item(x).view());
                model.insert(model.begin() + at, x);
                break;
            case 3: {
                manager::item out;
                REQUIRE(r.take(at, &out) == in);
                if (!in) break;
                REQUIRE(out.unpack<std::string>() == model[static_cast<std::size_t>(at)]);
                model.erase(model.begin() + at);
                break;
            }
            case 4:
                REQUIRE(r.set(at, manager::item(x).view()) == in);
                if (in) model[static_cast<std::size_t>(at)] = x;
                break;
            case 5: {
                const auto last = std::max(at, position());
                const texts with(random() % 4, x);
                r.splice(at, last, packed(with));
                model.erase(model.begin() + at, model.begin() + last);
                model.insert(model.begin() + at, with.begin(), with.end());
                break;
            }
            case 6:
                r.reverse();
                std::reverse(model.begin(), model.end());
                break;
            case 7: {
                manager::items found;
                const auto seen = r.read_some(0, manager::row::end, found);
                std::vector<std::uint32_t> order;
                texts next;
                for (std::uint32_t k = 0; k < model.size(); ++k)
                    if (random() % 20 != 0) order.push_back(k);
                std::shuffle(order.begin(), order.end(), random);
                for (const auto k : order) next.push_back(model[k]);
                REQUIRE(r.arrange(order, seen));
                REQUIRE((!r.arrange({}, seen) || model.empty()));
                model = next;
                break;
            }
            default:
                REQUIRE(get(r, at) == (in ? std::optional(model[static_cast<std::size_t>(at)]) : std::nullopt));
                if (model.size() > 60) {
                    r.splice(10, 55, {});
                    model.erase(model.begin() + 10, model.begin() + 55);
                }
            }
            REQUIRE(r.size() == model.size());
            if (i % 97 == 0) REQUIRE(all(r) == model);
        }
        CHECK(all(r) == model);
    }
    CHECK(objects() == before);
}

TEST_CASE("who is killed while it changes a row leaves the old items or the new", "[manager][row][deaths]") {
    enum class what { set, appended, extended, inserted, popped, removed, cleared, reversed, grown, spliced };
    const auto action = GENERATE(what::set, what::appended, what::extended, what::inserted, what::popped, what::removed,
                                 what::cleared, what::reversed, what::grown, what::spliced);
    const std::size_t size = GENERATE(std::size_t{5}, std::size_t{60}, std::size_t{2500});
    if (sanitized && size == 60) return;
    INFO("action " << static_cast<int>(action) << ", " << size << " bytes");
    const std::uint64_t at_first = objects();
    std::optional<manager::row> r;
    const std::string x = text_of(size, 'x');
    const auto fill = [&] {
        r.emplace(manager::row::make());
        r->extend(packed({text_of(size, '0'), "1", text_of(2000, '2'), text_of(size, '3')}));
        if (action == what::grown) while (r->size() < 8) append(*r, "more");
    };
    const auto act = [&] {
        switch (action) {
        case what::set: return static_cast<void>(r->set(3, manager::item(x).view()));
        case what::appended: return append(*r, x);
        case what::extended: return r->extend(packed({x, "y", x}));
        case what::inserted: return r->insert(1, manager::item(x).view());
        case what::popped: return static_cast<void>(r->take(-1, nullptr));
        case what::removed: return static_cast<void>(r->take(0, nullptr));
        case what::cleared: return r->clear();
        case what::reversed: return r->reverse();
        case what::grown: return append(*r, x);
        case what::spliced: return r->splice(0, 3, packed({x, x}));
        }
    };
    fill();
    const texts expected_old = all(*r);
    const std::uint64_t usual_old = objects();
    act();
    const texts expected_new = all(*r);
    const std::uint64_t usual_new = objects();
    REQUIRE(expected_old != expected_new);

    unsigned old_ones = 0, new_ones = 0;
    fill();
    const unsigned steps = testing::kill_at_every_step(act, [&](unsigned) {
        INFO("after " << testing::last_step());
        const texts now = all(*r);
        if (now != expected_old && now != expected_new) CHECK(now == expected_old);
        now == expected_old ? ++old_ones : ++new_ones;
        CHECK(r->size() == now.size());
        CHECK(objects() == (now == expected_old ? usual_old : usual_new));
        append(*r, "it works");
        CHECK(get(*r, -1) == "it works");
        fill();
    });
    CHECK(steps > 2);
    CHECK(old_ones > 0);
    CHECK(new_ones > 0);
    r.reset();
    CHECK(objects() == at_first);
}

TEST_CASE("several processes may append at once", "[manager][row]") {
    const auto r = manager::row::make();
    std::vector<std::pair<pid_t, memory::seat>> children;
    for (int id = 0; id < 3; ++id) {
        memory::birth birth;
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            for (int i = 0; i < 500; ++i) append(r, std::to_string(id) + ":" + std::to_string(i));
            ::_exit(0);
        }
        birth.in_parent(child);
        children.emplace_back(child, birth.slot());
    }
    for (const auto& [child, seat] : children) {
        ::waitpid(child, nullptr, 0);
        memory::bury(seat);
    }
    CHECK(r.size() == 1500);
    int next[3] = {0, 0, 0};
    for (const std::string& each : all(r)) {
        const int id = each[0] - '0';
        CHECK(each == std::to_string(id) + ":" + std::to_string(next[id]++));
    }
}

TEST_CASE("a row that somebody has scribbled on is an error, not a crash", "[manager][row]") {
    auto r = manager::row::make();
    for (std::size_t i = 0; i < 20; ++i) append(r, text_of(i * 5, 'x'));
    const memory::object_name root = r.state()->root.load();
    auto* const head = static_cast<manager::root_header*>(memory::family::here().payload(static_cast<memory::object_id>(root) - 1));
    auto* const words = reinterpret_cast<std::uint64_t*>(head);
    const std::size_t n = (sizeof *head + head->capacity * sizeof(manager::row_record)) / 8;
    std::mt19937_64 random(5);
    for (std::size_t i = 0; i < 2000; ++i) {
        std::uint64_t& word = words[i % n];
        const std::uint64_t good = word;
        word = i / n % 2 == 0 ? random() : random() % 100;
        for (std::int64_t k = 0; k < 20; ++k) try {
                static_cast<void>(get(r, k));
            } catch (const mp::ProcessError&) {
            }
        try {
            static_cast<void>(all(r));
        } catch (const mp::ProcessError&) {
        }
        word = good;
    }
    CHECK(all(r).size() == 20);
}
