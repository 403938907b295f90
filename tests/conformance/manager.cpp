// CPython's _TestContainers and TestSyncManagerTypes rows (T085..T095, T241..T252), and locks of the dead, under each start method.
#include <multiprocessing/managers.hpp>

#include <atomic>
#include <csignal>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <unistd.h>

#include <multiprocessing/context.hpp>
#include <multiprocessing/dummy.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"

namespace mp = multiprocessing;
using mp::StartMethod;
using namespace std::chrono_literals;

namespace {

// As in conformance/context.cpp.
mp::Context each_context() {
    const auto method = GENERATE(StartMethod::fork, StartMethod::spawn, StartMethod::forkserver);
    const mp::Context ctx(method);
    if (method == StartMethod::forkserver) {
        auto first = ctx.Process([] {});
        first.start();
        first.join();
        testing::settle();
    }
    return ctx;
}

StartMethod method_of(const mp::Context& ctx) {
    return ctx.get_start_method() == "fork"    ? StartMethod::fork
           : ctx.get_start_method() == "spawn" ? StartMethod::spawn
                                               : StartMethod::forkserver;
}
mp::Manager manager_of(const mp::Context& ctx) { return mp::Manager({.start_method = method_of(ctx)}); }

// None of the assertions runs in a child: a child says 0 if all was as it should be, or the number of the first that wasn't.
struct checker {
    int n = 0, failed = 0;
    void operator()(bool is) {
        ++n;
        if (!is && failed == 0) failed = n;
    }
    ~checker() {
        if (failed != 0) mp::exit(failed);
    }
};

template <typename F, typename... Args>
int run(const mp::Context& ctx, F f, Args... args) {
    auto p = ctx.Process(f, args...);
    p.start();
    p.join();
    return p.exitcode().value_or(-1);
}

/// A manager that was started, or a client of it by its address, whose objects are the server's.
struct near_or_far {
    explicit near_or_far(const mp::Context& ctx)
        : ways(options_of(ctx)), server(ways) {
        if (!is_far) return;
        client.emplace(mp::ManagerOptions{.address = server.address(), .authkey = "abracadabra"});
        client->connect();
    }
    const mp::SyncManager* operator->() const { return client ? &*client : &server; }

    const bool is_far = GENERATE(false, true);
    const mp::ManagerOptions ways;
    mp::Manager server;
    std::optional<mp::SyncManager> client;

private:
    mp::ManagerOptions options_of(const mp::Context& ctx) const {
        return {.address = is_far ? "localhost:0" : "", .authkey = "abracadabra", .start_method = method_of(ctx)};
    }
};

template <typename T>
std::string printed(const T& x) {
    return fmt::format("{}", x);
}

std::vector<int> range(int n) {
    std::vector<int> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

} // namespace

TEST_CASE("T085: lists", "[conformance][manager]") {
    mp::Manager manager;
    auto a = manager.list(range(10));
    CHECK(printed(a) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
    auto b = manager.list();
    CHECK(printed(b) == "[]");
    b.extend(range(5));
    CHECK(printed(b) == "[0, 1, 2, 3, 4]");
    CHECK(b[2] == 2);
    CHECK(printed(b.slice(2, 10)) == "[2, 3, 4]");
    CHECK(printed(b.slice(-2)) == "[3, 4]");
    CHECK(printed(b.slice({}, {}, -2)) == "[4, 2, 0]");
    CHECK(printed(b.slice(10, 2, -1)) == "[4, 3]");
    b *= 2;
    CHECK(printed(b) == "[0, 1, 2, 3, 4, 0, 1, 2, 3, 4]");
    CHECK(printed(b + mp::list{5, 6}) == "[0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6]");
    CHECK(printed(a) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
    CHECK_THROWS_AS(a[10].get(), std::out_of_range);
    CHECK_THROWS_AS(a[-11] = 1, std::out_of_range);
    CHECK_THROWS_AS(manager.list().pop(), std::out_of_range);
}

TEST_CASE("T086, T088, T092, T093: lists and dicts in each other", "[conformance][manager]") {
    mp::Manager manager;
    auto inner = manager.list<int>({1, 2});
    auto outer = manager.list<mp::ListProxy<int>>();
    outer.append(inner);
    inner.append(3);
    CHECK(printed(outer[0]) == "[1, 2, 3]");
    CHECK_THAT(printed(outer), testing::contains("[<ListProxy object, typeid 'list' at 0x"));
    outer[0]->append(4);
    outer[0][0] = 100;
    CHECK(printed(inner) == "[100, 2, 3, 4]");
    outer.append(manager.list<int>({7})); // no other handle is left
    CHECK(outer[1]->pop() == 7);
    CHECK(outer[1]->empty());
    const auto taken = outer.pop(0);
    CHECK(taken == inner);
    outer.clear();
    CHECK(inner[3] == 4);

    using either = std::variant<std::vector<int>, mp::ListProxy<int>>; // T093: a list as a copy, and one as a proxy
    auto mixed = manager.list<either>();
    mixed.append(std::vector<int>{1, 2});
    mixed.append(inner);
    CHECK(std::get<std::vector<int>>(mixed[0].get()) == std::vector<int>{1, 2});
    std::get<mp::ListProxy<int>>(mixed[1].get()).append(5);
    CHECK(inner[-1] == 5);
}

TEST_CASE("T087, T090: going through what changes meanwhile is going through what was there", "[conformance][manager]") {
    mp::Manager manager;
    auto l = manager.list<int>({1, 2, 3});
    int sum = 0;
    for (const int x : l) {
        sum += x;
        l.append(x);
    }
    CHECK(sum == 6);
    CHECK(l.len() == 6);
    auto d = manager.dict<int, int>({{1, 10}, {2, 20}});
    for (const int key : d) d[key + 100] = key;
    CHECK(printed(d) == "{1: 10, 2: 20, 101: 1, 102: 2}");
}

TEST_CASE("T089, T091: dicts", "[conformance][manager]") {
    mp::Manager manager;
    auto d = manager.dict();
    std::vector<std::pair<mp::Object, mp::Object>> pairs;
    for (int i = 65; i < 70; ++i) {
        d[i] = std::string(1, static_cast<char>(i));
        pairs.emplace_back(i, std::string(1, static_cast<char>(i)));
    }
    CHECK(printed(d) == "{65: 'A', 66: 'B', 67: 'C', 68: 'D', 69: 'E'}");
    CHECK(printed(d.copy()) == printed(d));
    CHECK(d.items() == pairs);
    CHECK(d.keys().size() == 5);
    CHECK(d.values()[4] == "E");
    std::ostringstream out;
    out << d;
    CHECK(out.str() == printed(d));

    auto nested = manager.dict<std::string, mp::DictProxy<>>();
    nested["d"] = d;
    nested["d"]["x"] = 1;
    CHECK(d["x"] == 1);
    d["y"] = 2;
    CHECK(nested["d"]["y"] == 2);
}

TEST_CASE("keys are equal where they are in Python", "[conformance][manager]") {
    mp::Manager manager;
    auto d = manager.dict();
    d[true] = "a";
    d[1] = "b";
    CHECK(printed(d) == "{True: 'b'}");
    d[2.0] = "c";
    CHECK(d.contains(2));
    CHECK(d[2] == "c");
    d["2"] = "d";
    d[0.5] = "e";
    d[nullptr] = "f";
    CHECK(printed(d) == "{True: 'b', 2.0: 'c', '2': 'd', 0.5: 'e', None: 'f'}");
    CHECK(d.pop(1.0) == "b");
    CHECK(printed(d.keys()[0]) == "2.0");
    CHECK_THROWS_WITH((d[mp::Object{1, 2}] = 1), "unhashable type: 'list'");
    CHECK_THROWS_AS(d.at("none"), std::out_of_range);
    auto locks = manager.dict<mp::Lock, int>();
    CHECK_THROWS_AS(locks[mp::Lock()] = 1, mp::TypeError);
}

TEST_CASE("sets: what a child does to one that its parent sees", "[conformance][manager]") {
    const auto ctx = each_context();
    const near_or_far manager(ctx);
    INFO(ctx.get_start_method() << (manager.is_far ? ", far" : ""));
    const auto s = manager->set<std::string>({"b", "a", "b"});
    CHECK(printed(s) == "{'b', 'a'}");
    const int code = run(
        ctx,
        [](mp::SetProxy<std::string> o) {
            checker check;
            check(o.len() == 2 && o.contains("a") && !o.contains("z") && !o.empty());
            check(o.add("c") && !o.add("c"));
            check(o.discard("b") && !o.discard("b"));
            o.update({"d", "e", "d"});
            check(o.pop() == "e");
            std::string all;
            for (const auto& each : o) all += each;
            check(all == "acd");
        },
        s);
    CHECK(code == 0);
    CHECK(printed(s) == "{'a', 'c', 'd'}");
    s.remove("c");
    CHECK_THROWS_AS(s.remove("c"), std::out_of_range);
    s.clear();
    CHECK(printed(s) == "set()");
    CHECK_THROWS_WITH(s.pop(), "pop from an empty set");
    if (!manager.is_far) return;
    CHECK(manager.server.number_of_objects() == 1);
}

TEST_CASE("sets: unions, differences, and what they have of one another", "[conformance][manager]") {
    const near_or_far manager{mp::Context(StartMethod::fork)};
    const auto low = manager->set<int>({0, 1, 2, 3, 4}), odd = manager->set<int>(std::vector{1, 3, 5});
    CHECK(printed(low | odd) == "{0, 1, 2, 3, 4, 5}");
    CHECK(printed(low & odd) == "{1, 3}");
    CHECK(printed(low - odd) == "{0, 2, 4}");
    CHECK(printed(low ^ odd) == "{0, 2, 4, 5}");
    CHECK(low.union_({7, 8}).len() == 7);
    CHECK(low.intersection(std::vector{2, 3, 9}) == (low & low.copy().intersection({3, 2})));
    CHECK(odd.difference({5}) == (odd.copy() & low));
    CHECK(odd.symmetric_difference({5, 6}) == mp::manager::plain_set<int>{6, 3, 1});
    CHECK((odd - odd).empty());
    CHECK(low.isdisjoint({5, 6}));
    CHECK_FALSE(low.isdisjoint(odd));
    CHECK(low.issuperset({0, 4}));
    CHECK_FALSE(low.issuperset(odd));
    CHECK(odd.issubset(std::vector{1, 2, 3, 4, 5}));
    CHECK((low & odd) < low);
    CHECK((low | odd) >= odd);
    CHECK(low <= low);
    CHECK_FALSE(low < low);
    CHECK_FALSE(low > odd);

    const auto same = low, equal = manager->set<int>(low);
    CHECK(same == low);
    CHECK_FALSE(equal == low);
    CHECK(equal.copy() == low.copy());
    equal |= odd;
    CHECK(equal.len() == 6);
    equal -= low;
    CHECK(printed(equal) == "{5}");
    equal ^= odd;
    CHECK(printed(equal) == "{1, 3}");
    equal &= mp::manager::plain_set<int>{3, 4};
    CHECK(printed(equal) == "{3}");

    const auto o = manager->set({true, 2.0, "x", nullptr});
    CHECK_FALSE(o.add(1));
    CHECK(o.contains(2));
    CHECK(printed(o) == "{True, 2.0, 'x', None}");
    CHECK(printed(o & manager->set({2, 1})) == "{True, 2.0}");
    CHECK_THROWS_WITH(o.add(mp::Object{1, 2}), "unhashable type: 'list'");
    std::ostringstream out;
    out << o - o;
    CHECK(out.str() == "set()");
    if (manager.is_far) return;
    const auto sets = manager->dict<std::string, mp::SetProxy<int>>();
    sets["odd"] = odd;
    sets["odd"]->add(7);
    CHECK(odd.contains(7));
    CHECK(printed(sets).starts_with("{'odd': <SetProxy object, typeid 'set' at 0x"));
    manager->Queue<mp::SetProxy<int>>().put(odd);
}

TEST_CASE("T094: queues in lists and dicts", "[conformance][manager]") {
    const auto ctx = each_context();
    auto manager = manager_of(ctx);
    auto queues = manager.list<mp::Queue<std::string>>();
    queues.append(manager.Queue<std::string>());
    auto by_name = manager.dict<std::string, mp::Queue<std::string>>();
    by_name["q"] = queues[0];
    CHECK(run(ctx, [](mp::DictProxy<std::string, mp::Queue<std::string>> d) { d["q"].get().put("through the dict"); }, by_name) == 0);
    CHECK(queues[0].get().get() == "through the dict");
}

TEST_CASE("T095, T252: Namespaces", "[conformance][manager]") {
    const auto ctx = each_context();
    auto manager = manager_of(ctx);
    auto ns = manager.Namespace();
    ns["name"] = "Bob";
    ns["job"] = "Builder";
    ns["_hidden"] = "hidden";
    ns.erase("job");
    CHECK(printed(ns) == "Namespace(name='Bob')");
    CHECK(ns.hasattr("name"));
    CHECK_FALSE(ns.hasattr("job"));
    CHECK_THROWS_WITH(ns.at("job"), "'Namespace' object has no attribute 'job'");
    CHECK_THROWS_AS(ns.erase("job"), std::out_of_range);
    const int code = run(
        ctx,
        [](mp::Namespace n) {
            checker check;
            check(n.get<std::string>("name") == "Bob");
            n["x"] = 1;
            n["x"] += 2;
        },
        ns);
    CHECK(code == 0);
    CHECK(ns.get<int>("x") == 3);
    CHECK(printed(manager.Namespace({{"y", 2}, {"x", 1}})) == "Namespace(x=1, y=2)");
}

TEST_CASE("T241, T243, T244, T245: what waits and locks", "[conformance][manager]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    const near_or_far manager(ctx);
    auto event = manager->Event();
    event.set();
    auto rlock = manager->RLock();
    auto tokens = manager->Semaphore();
    auto bounded = manager->BoundedSemaphore();
    auto changed = manager->Condition();
    auto barrier = manager->Barrier(5);
    const int code = run(
        ctx,
        [](mp::EventProxy e, mp::AcquirerProxy r, mp::SemaphoreProxy s, mp::BoundedSemaphoreProxy b, mp::ConditionProxy c,
           mp::BarrierProxy barrier_) {
            checker check;
            check(e.is_set());
            e.wait();
            e.clear();
            check(r.acquire());
            check(r.acquire());
            r.release();
            r.release();
            s.acquire();
            b.acquire();
            check(s.get_value() == 0 && b.locked() && !b.acquire(false) && !s.acquire(1ms));
            c.acquire();
            check(c.locked() && !c.wait(1ms) && !c.wait_for([] { return false; }, 1ms));
            c.notify();
            c.notify_all();
            c.release();
            check(barrier_.parties() == 5 && barrier_.n_waiting() == 0 && !barrier_.broken());
            barrier_.reset();
        },
        event, rlock, tokens, bounded, changed, barrier);
    CHECK(code == 0);
    CHECK_FALSE(event.is_set());
    CHECK_FALSE(rlock.locked());
    CHECK_THROWS_AS(rlock.release(), mp::ValueError);
    tokens.release();
    bounded.release();
    CHECK_THROWS_AS(bounded.release(), mp::ValueError);
    CHECK(tokens.get_value() == 1);
    CHECK_THROWS_AS(changed.notify(), mp::ValueError);
    CHECK_THROWS_AS(changed.wait(), mp::ValueError);
    CHECK_THROWS_AS(manager->Barrier(0), mp::ValueError);
    CHECK_THROWS_AS(manager->Semaphore(-1), mp::ValueError);
    barrier.abort();
    CHECK_THROWS_AS(barrier.wait(), mp::BrokenBarrierError);
    CHECK(barrier.broken());
    barrier.reset();
    CHECK_THROWS_AS(barrier.wait(1ms), mp::BrokenBarrierError);
    int acted = 0;
    CHECK(manager->Barrier(1, [&] { ++acted; }).wait() == 0);
    CHECK(acted == 1);
    CHECK_THROWS_AS(manager->Barrier(2, {}, 1ms).wait(), mp::BrokenBarrierError);
}

TEST_CASE("T242: a lock that one process has taken another one may release", "[conformance][manager]") {
    const auto ctx = each_context();
    const near_or_far manager(ctx);
    auto lock = manager->Lock();
    auto taken = manager->Event();
    auto released = manager->Event();
    auto p = ctx.Process(
        [](mp::AcquirerProxy l, mp::EventProxy is_taken, mp::EventProxy is_released) {
            l.acquire();
            is_taken.set();
            is_released.wait();
            l.acquire();
            l.release();
        },
        lock, taken, released);
    p.start();
    taken.wait();
    CHECK(lock.locked());
    CHECK_FALSE(lock.acquire(false));
    CHECK_FALSE(lock.acquire(10ms));
    lock.release();
    released.set();
    p.join();
    CHECK(p.exitcode() == 0);
    CHECK_THROWS_AS(lock.release(), mp::ValueError);
    const std::scoped_lock guard(lock);
    CHECK(lock.locked());
}

TEST_CASE("a lock of a manager is free again when its holder dies", "[conformance][manager][deaths]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    const near_or_far manager(ctx);
    for (auto lock : {manager->Lock(), manager->RLock()}) {
        auto taken = manager->Event();
        auto p = ctx.Process(
            [](mp::AcquirerProxy l, mp::EventProxy is_taken) {
                l.acquire();
                is_taken.set();
                for (;;) ::pause();
            },
            lock, taken);
        p.start();
        taken.wait();
        CHECK_FALSE(lock.acquire(false));
        // One waits while it happens, and gets it.
        std::atomic<bool> got{false};
        std::thread waiter([&] {
            lock.acquire();
            got = true;
            lock.release();
        });
        p.kill();
        p.join();
        waiter.join();
        CHECK(got);
        CHECK(lock.acquire());
        lock.release();
    }
}

TEST_CASE("many take a manager's lock in turn, and some are killed", "[conformance][manager][deaths]") {
    mp::Manager manager;
    auto lock = manager.Lock();
    auto sum = manager.Value<int>(0);
    auto inside = manager.Value<int>(0);
    const mp::Context ctx(StartMethod::fork);
    const auto work = [](mp::AcquirerProxy l, mp::ValueProxy<int> total, mp::ValueProxy<int> in, int n) {
        checker check;
        for (int i = 0; i < n; ++i) {
            const std::scoped_lock held(l);
            in = static_cast<int>(::getpid());
            total.set(total.get() + 1);
            check(in.get() == static_cast<int>(::getpid()));
        }
    };
    std::vector<mp::Process> all;
    for (int i = 0; i < 3; ++i) all.push_back(ctx.Process(work, lock, sum, inside, 300));
    for (int i = 0; i < 3; ++i) all.push_back(ctx.Process(work, lock, sum, inside, 1'000'000'000));
    for (auto& each : all) each.start();
    for (std::size_t i = 3; i < 6; ++i) {
        const int before = sum.get();
        while (sum.get() < before + 20) std::this_thread::yield();
        all[i].kill();
    }
    for (auto& each : all) each.join();
    for (std::size_t i = 0; i < 3; ++i) CHECK(all[i].exitcode() == 0);
    CHECK(sum.get() >= 900);
    CHECK(lock.acquire());
    lock.release();
}

namespace {

// What a pool of the server runs. Functions, since each lambda would be a type of its own.
int square(int x) { return x * x; }
int refuse_two(int x) { return x == 2 ? throw std::range_error("two") : x; }
int parent() { return static_cast<int>(::getppid()); }
int die() { return ::raise(SIGKILL); }
int sleep_long() { return std::this_thread::sleep_for(1h), 0; }

} // namespace

TEST_CASE("T246: a pool of the server, for a child too", "[conformance][manager]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    auto manager = manager_of(ctx);
    const auto pool = manager.Pool(2);
    CHECK(pool.size() == 2);
    const int code = run(
        ctx,
        [](mp::PoolProxy p) {
            checker check;
            check(p.map(square, range(5)) == std::vector<int>{0, 1, 4, 9, 16});
            check(p.apply(parent) != ::getpid());
            check(p.pids().size() == 2);
        },
        pool);
    CHECK(code == 0);
    if (ctx.get_start_method() == "fork") CHECK(pool.apply(parent) == *manager.pid());
    CHECK(pool.starmap([](int a, int b) { return a * b; }, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}) == std::vector<int>{2, 12});
    CHECK_THROWS_AS(pool.map(refuse_two, range(5)), std::range_error);
    const auto later = pool.map_async(square, range(100), 10);
    CHECK(later.get()[99] == 99 * 99);
    CHECK(later.successful());
    const auto bad = pool.map_async(refuse_two, range(5));
    bad.wait();
    CHECK(bad.ready());
    CHECK_FALSE(bad.successful());
    CHECK_THROWS_AS(bad.get(), std::range_error);
    const auto slow = pool.apply_async(sleep_long);
    CHECK_FALSE(slow.wait(1ms));
    CHECK_THROWS_AS(slow.get(1ms), mp::TimeoutError);
    CHECK_THROWS_AS(slow.successful(), mp::ValueError);
    CHECK_THROWS_AS(pool.apply(die), mp::WorkerLostError);
    CHECK(pool.apply(parent) > 0);
    int captured = code;
    CHECK_THROWS_AS(pool.apply([captured] { return captured; }), mp::NotPortableError);
    CHECK_THROWS_AS(pool.join(), mp::ValueError);
    pool.terminate();
    pool.join();
    CHECK_THROWS_AS(pool.apply(parent), mp::ValueError);
    CHECK_THROWS_AS(manager.Pool(0), mp::ValueError);

    // The workers end with the last proxy, and with the server.
    std::vector<pid_t> pids;
    {
        const auto other = manager.Pool({.processes = 1, .nice = 1});
        pids = other.pids();
    }
    REQUIRE(pids.size() == 1);
    CHECK(manager.number_of_objects() == 4); // the pool, and three results
    while (::kill(pids[0], 0) == 0) std::this_thread::sleep_for(1ms); // the watchdog's, if it doesn't end
}

TEST_CASE("T247: queues", "[conformance][manager]") {
    const auto ctx = each_context();
    const near_or_far manager(ctx);
    auto q = manager->Queue<int>(2);
    auto j = manager->JoinableQueue<int>(2);
    for (int i : {0, 1}) {
        q.put(i);
        j.put(i);
    }
    const int code = run(
        ctx,
        [](mp::QueueProxy<int> queue, mp::JoinableQueueProxy<int> joinable) {
            checker check;
            check(queue.qsize() == 2 && queue.full() && !queue.try_put(3) && !joinable.join(1ms));
            check(queue.get() == 0 && queue.get() == 1 && queue.empty());
            check(joinable.get() == 0);
            joinable.task_done();
            check(joinable.get() == 1);
            joinable.task_done();
        },
        q, j);
    CHECK(code == 0);
    CHECK(q.empty());
    CHECK_FALSE(q.full());
    j.join();
    CHECK_THROWS_AS(j.task_done(), mp::ValueError);
    CHECK_THROWS_AS(q.get(false), mp::Empty);
    CHECK_THROWS_AS(q.get(1ms), mp::Empty);
    CHECK_FALSE(q.try_get_for(1ms));
    q.put_many({1, 2});
    CHECK_THROWS_AS(q.put(3, false), mp::Full);
    CHECK_THROWS_AS(q.put(3, 1ms), mp::Full);
    CHECK(q.get_many(5) == std::vector<int>{1, 2});
    CHECK(q.get_many(5, 1ms).empty());
}

TEST_CASE("T248: what a child does to a list its parent sees", "[conformance][manager]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    auto manager = manager_of(ctx);
    auto l = manager.list();
    l.append("a");
    l.append("b");
    l.append("a");
    const int code = run(
        ctx,
        [](mp::ListProxy<> o) {
            checker check;
            check(o.count("a") == 2);
            check(o.index("b") == 1);
            o += mp::list{"x", "y"};
            check(printed(o.copy()) == "['a', 'b', 'a', 'x', 'y']");
            check(o.pop() == "y");
            check(o.pop(0) == "a");
            o.remove("x");
            o.insert(0, "0");
            o.sort();
            check(printed(o) == "['0', 'a', 'b']");
            o.reverse();
            o.set_slice(0, 1, {1, 2});
            o[0] = mp::Object(3.5);
            check(printed(o * 2) == "[3.5, 2, 'a', '0', 3.5, 2, 'a', '0']");
            o.erase(1, 3);
        },
        l);
    CHECK(code == 0);
    CHECK(printed(l) == "[3.5, '0']");
    CHECK_THROWS_AS(l.remove("none"), mp::ValueError);
    CHECK_THROWS_AS(l.sort(), mp::TypeError); // a float and a str, as in Python
    CHECK(printed(l) == "[3.5, '0']");
    l.clear();
    CHECK(l.len() == 0);
}

TEST_CASE("T249: what a child does to a dict its parent sees", "[conformance][manager]") {
    const auto ctx = each_context();
    INFO(ctx.get_start_method());
    auto manager = manager_of(ctx);
    auto d = manager.dict<std::string, int>({{"a", 1}, {"b", 2}});
    const int code = run(
        ctx,
        [](mp::DictProxy<std::string, int> o) {
            checker check;
            check(o.len() == 2 && o["a"] == 1 && o.at("b") == 2);
            check(o.get("z", 9) == 9 && o.get("a", 9) == 1 && !o.try_get("z"));
            check(o.keys() == std::vector<std::string>{"a", "b"} && o.values() == std::vector<int>{1, 2});
            check(o.copy() == std::map<std::string, int>{{"a", 1}, {"b", 2}});
            check(o.setdefault("c", 3) == 3 && o.setdefault("c", 4) == 3);
            o.update({{"d", 4}, {"a", 10}});
            check(o.popitem() == std::pair<std::string, int>("d", 4));
            check(o.pop("b") == 2 && o.pop("b", 7) == 7 && !o.erase("b"));
            o["a"] += 5;
            ++o["c"];
            check(o.update("n", [](int n) { return n + 1; }) == 1);
        },
        d);
    CHECK(code == 0);
    CHECK(printed(d) == "{'a': 15, 'c': 4, 'n': 1}");
    CHECK_THROWS_AS(d.pop("b"), std::out_of_range);
    d.clear();
    CHECK_THROWS_AS(d.popitem(), std::out_of_range);
}

TEST_CASE("T250, T251: Values and Arrays", "[conformance][manager]") {
    const auto ctx = each_context();
    auto manager = manager_of(ctx);
    auto v = manager.Value<int>(1);
    auto text = manager.Value<std::string>("red");
    auto a = manager.Array<int>(range(4));
    const int code = run(
        ctx,
        [](mp::ValueProxy<int> value, mp::ValueProxy<std::string> colour, mp::ArrayProxy<int> all) {
            checker check;
            check(value.get() == 1 && value == 1);
            value.value() = 2;
            colour = "green";
            check(all.len() == 4 && all[3] == 3 && all[-1] == 3);
            all[0] = -1;
        },
        v, text, a);
    CHECK(code == 0);
    CHECK(v.get() == 2);
    CHECK(v.update([](int n) { return n * 10; }) == 20);
    CHECK(text.get() == "green");
    CHECK(printed(v) == "Value('i', 20)");
    CHECK(printed(a) == "array('i', [-1, 1, 2, 3])");
    CHECK_THROWS_AS(a[4] = 1, std::out_of_range);
    CHECK(manager.Array<double>(3).to_vector() == std::vector<double>(3));
}

TEST_CASE("counting by update() loses nothing", "[conformance][manager]") {
    const auto ctx = each_context();
    auto manager = manager_of(ctx);
    auto counts = manager.dict<std::string, int>();
    std::vector<mp::Process> all;
    for (int i = 0; i < 3; ++i)
        all.push_back(ctx.Process(
            [](mp::DictProxy<std::string, int> c) {
                for (int n = 0; n < 400; ++n) c.update(n % 2 == 0 ? "even" : "odd", [](int before) { return before + 1; });
            },
            counts));
    for (auto& each : all) each.start();
    for (auto& each : all) each.join();
    CHECK(counts.copy() == std::map<std::string, int>{{"even", 600}, {"odd", 600}});
}

TEST_CASE("what a manager makes outlives it, and before it is started it makes nothing", "[conformance][manager]") {
    auto d = mp::Manager().dict<std::string, int>({{"a", 1}});
    CHECK(d["a"] == 1);
    mp::SyncManager manager;
    CHECK_THROWS_AS(manager.dict(), mp::ValueError);
    CHECK_THROWS_AS(manager.Lock(), mp::ValueError);
    manager.start();
    auto l = manager.list({1, 2});
    manager.shutdown();
    CHECK_THROWS_AS(manager.list(), mp::ValueError);
    CHECK(printed(l) == "[1, 2]");
    mp::Manager one;
    mp::Manager other = std::move(one);
    CHECK(other.dict().empty());
}

TEST_CASE("a child may make more with its parent's manager", "[conformance][manager]") {
    mp::Manager manager;
    auto by_name = manager.dict<std::string, mp::ListProxy<int>>();
    auto p = mp::Context(StartMethod::fork).Process([&] { by_name["the child's"] = manager.list<int>({1, 2}); });
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    CHECK(printed(by_name["the child's"]) == "[1, 2]");
}

TEST_CASE("over a network the same dicts and lists stand in the server", "[conformance][manager]") {
    mp::SyncManager manager({.address = "localhost:0", .authkey = "abracadabra"});
    manager.start();
    mp::SyncManager client({.address = manager.address(), .authkey = "abracadabra"});
    client.connect();
    auto d = client.dict<std::string, int>({{"a", 1}, {"b", 2}});
    d["a"] += 4;
    CHECK(printed(d) == "{'a': 5, 'b': 2}");
    CHECK(d.setdefault("c", 3) == 3);
    CHECK(d.setdefault("c", 4) == 3);
    CHECK(d.update("c", [](int n) { return n * 2; }) == 6);
    CHECK(d.pop("b") == 2);
    CHECK(d.contains("a"));
    CHECK_FALSE(d.erase("b"));
    CHECK(d.popitem() == std::pair<std::string, int>("c", 6));
    CHECK(d.len() == 1);
    CHECK_THROWS_AS(d.at("none"), std::out_of_range);
    auto o = client.dict({{true, "yes"}});
    CHECK(o[1] == "yes");
    o[nullptr] = std::string(5000, 'x');
    CHECK(o[nullptr].as<std::string>().size() == 5000);
    o.clear();
    CHECK(printed(o) == "{}");

    auto l = client.list({3, 1, 2});
    l.sort();
    l.append("x");
    l.insert(0, "y");
    CHECK(printed(l) == "['y', 1, 2, 3, 'x']");
    CHECK(l.pop(0) == "y");
    l.remove("x");
    l.reverse();
    l[0] = 30;
    l += {40, 50};
    CHECK(printed(l.slice(0, 2)) == "[30, 2]");
    CHECK(printed(l) == "[30, 2, 1, 40, 50]");
    CHECK(printed(client.Namespace({{"x", 1}})) == "Namespace(x=1)");
    auto v = client.Value<int>(4);
    v.update([](int n) { return n + 1; });
    CHECK(v.get() == 5);
    auto queues = client.list<mp::Queue<int>>();
    CHECK_THROWS_AS(queues.append(mp::Queue<int>()), mp::NotPortableError);
    const auto queue_of_queues = client.Queue<mp::QueueProxy<int>>(); // T094, with the server's own
    const auto q = client.Queue<int>();
    queue_of_queues.put(q);
    const auto same = queue_of_queues.get();
    CHECK(same == q);
    same.put(5);
    CHECK(q.get() == 5);
    CHECK_THROWS_AS(mp::Queue<int>(q), mp::NotPortableError);
    CHECK_THROWS_AS(client.Pool(2), mp::NotPortableError);
    CHECK_THROWS_AS(client.create_remote("Pool", mp::PoolProxy::call_that_makes({})), mp::ValueError); // no function comes from there
    CHECK_THROWS_AS(client.Queue<mp::Lock>().put(mp::Lock()), mp::NotPortableError);

    auto of_lists = client.dict<std::string, mp::ListProxy<int>>();
    of_lists["near"] = client.list<int>({1}); // nobody but the dict has it
    of_lists["near"]->append(2);
    CHECK(printed(*of_lists.try_get("near")) == "[1, 2]");
    CHECK_THROWS_AS(of_lists.set("x", mp::Manager().list<int>()), mp::NotPortableError);
    of_lists.clear();

    // A proxy travels: the child works in the same server.
    const mp::Context ctx(StartMethod::fork);
    CHECK(run(ctx, [](mp::DictProxy<std::string, int> theirs) { theirs["from the child"] = 1; }, d) == 0);
    CHECK(d["from the child"] == 1);
    CHECK(manager.number_of_objects() == 8);
}

TEST_CASE("T093 over a network: proxies in dicts and lists keep what they refer to, as long as they are there", "[conformance][manager]") {
    mp::SyncManager manager({.address = "localhost:0", .authkey = "abracadabra"});
    manager.start();
    mp::SyncManager client({.address = manager.address(), .authkey = "abracadabra"});
    client.connect();
    const mp::Context ctx(StartMethod::fork);
    using inner = mp::DictProxy<std::string, int>;
    auto d = client.dict<std::string, inner>();
    auto l = client.list<std::pair<int, std::vector<inner>>>();
    const auto come_to = [&](std::size_t n) { // what is dropped is told without waiting
        for (int i = 0; i < 2000 && client.number_of_objects() != n; ++i) std::this_thread::sleep_for(5ms);
        return client.number_of_objects() == n;
    };
    REQUIRE(come_to(2));

    d["a"] = client.dict<std::string, int>({{"x", 1}});
    CHECK(come_to(3));
    d["a"]["x"] += 1;
    CHECK(printed(d["a"].get()) == "{'x': 2}");
    const auto kept = d.at("a");
    d["a"] = client.dict<std::string, int>(); // another one
    CHECK(come_to(4));
    CHECK(printed(kept) == "{'x': 2}");
    d.set("b", kept);
    CHECK(d.pop("a").empty());
    CHECK(come_to(3));
    CHECK(d.at("b") == kept);
    CHECK(d.setdefault("b", client.dict<std::string, int>()) == kept);
    CHECK(d.setdefault("c", client.dict<std::string, int>({{"y", 5}})).at("y") == 5);
    CHECK(d.update("c", [&](const inner&) { return kept; }, kept) == kept);
    CHECK(come_to(3));

    // What a process leaves that is gone, by itself or killed.
    CHECK(run(ctx, [](mp::DictProxy<std::string, inner> theirs, mp::SyncManager m) { theirs["child"] = m.dict<std::string, int>({{"z", 7}}); },
              d, client) == 0);
    CHECK(d["child"]["z"] == 7);
    auto killed = ctx.Process([=] {
        const auto mine = d.at("child");
        l.append({1, {mine, kept, client.dict<std::string, int>()}});
        std::raise(SIGKILL);
    });
    killed.start();
    killed.join();
    CHECK(come_to(5));
    CHECK(l.at(0).second.at(1) == kept);
    CHECK(l[0].get().second[0]["z"] == 7);
    l.extend({{2, {kept}}, {3, {}}});
    CHECK(l.pop().second.empty());
    CHECK(l.pop(0).second.at(2).empty());
    CHECK(come_to(4));
    CHECK(l.to_vector().at(0).second.at(0) == kept);
    CHECK(d.values().size() == 3);
    CHECK(d.copy().at("child").at("z") == 7);
    CHECK(d.popitem().first == "child");

    // In each other, and then gone.
    auto outer = client.dict<std::string, mp::DictProxy<std::string, inner>>();
    outer["d"] = client.dict<std::string, inner>();
    outer["d"]->set("deep", client.dict<std::string, int>({{"q", 1}}));
    CHECK(outer["d"]["deep"].get().at("q") == 1);
    CHECK(come_to(6));
    outer = client.dict<std::string, mp::DictProxy<std::string, inner>>();
    CHECK(come_to(4));
    d.clear();
    l.clear();
    CHECK(come_to(4)); // d, l, outer, kept

    auto q = client.Queue<inner>();
    q.put(client.dict<std::string, int>({{"r", 2}}));
    q.put(client.dict<std::string, int>());
    CHECK(come_to(7));
    CHECK(q.get().at("r") == 2);
    CHECK(come_to(6));
    q = client.Queue<inner>();
    CHECK(come_to(5));
}

TEST_CASE("A188: a dummy manager makes the same for threads, and serves what is registered", "[conformance][manager][dummy]") {
    struct counter {
        int n = 0;
        int add(int k) { return n += k; }
    };
    const mp::dummy::Manager manager([](mp::SyncManager& m) { m.register_type<counter>("counter").method<&counter::add>("add"); });
    const auto d = manager.dict<std::string, int>();
    const auto lock = manager.Lock();
    const auto tasks = manager.Queue<int>();
    mp::dummy::Process p([&] {
        const std::scoped_lock held(lock);
        d["a"] = tasks.get();
    });
    p.start();
    tasks.put(5);
    p.join();
    CHECK(printed(d) == "{'a': 5}");
    const auto one = manager.create<counter>("counter");
    CHECK(one.call<&counter::add>(2) == 2);
    CHECK(one.call<&counter::add>(2) == 4);
    CHECK(manager.number_of_objects() == 1);
    CHECK(manager.Pool(2).map(square, {1, 2}) == std::vector<int>{1, 4});
    const mp::dummy::Manager unused;
}
