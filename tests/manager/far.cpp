// What a manager's server has for clients over a network: queues, locks and what one waits for; and what a death leaves of them.
#include <multiprocessing/manager/manager.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include <multiprocessing/process/exit.hpp>
#include <multiprocessing/process/process.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"
#include "support/kill_at_every_step.hpp"

namespace mp = multiprocessing;
namespace manager = multiprocessing::manager;
namespace serial = multiprocessing::serial;
using namespace std::chrono_literals;

namespace {

std::string socket_path() { return "/tmp/mp-far-" + std::to_string(::getpid()); }

mp::ManagerOptions with_key(std::string address) {
    return {.address = std::move(address), .authkey = "abracadabra", .shutdown_timeout = 60s};
}

/// A server, and this process as a client of it by its address.
struct both {
    explicit both(std::string address = "localhost:0") : server(with_key(std::move(address))), client(with_key(server.address())) {
        testing::settle(); // what authenticates is loaded
        client.connect();
    }
    mp::Manager server;
    mp::SyncManager client;
};

template <typename Condition>
bool comes_true(Condition condition) {
    for (int i = 0; i < 10'000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

/// A child that does something with the proxies, says so, and waits to be killed.
template <typename F, typename... Proxies>
mp::Process started_and_stuck(F f, const Proxies&... proxies) {
    mp::Event done;
    mp::Process child([](mp::Event told, F does, Proxies... with) {
        does(with...);
        told.set();
        for (;;) ::pause();
    }, done, f, proxies...);
    child.start();
    done.wait();
    return child;
}

void kill(mp::Process& child) {
    child.kill();
    child.join();
}

/// A child in a call that waits: so far as one can know from outside.
template <typename F, typename... Proxies>
mp::Process started_to_wait(F f, const Proxies&... proxies) {
    mp::Event about_to;
    mp::Process child([](mp::Event told, F does, Proxies... with) {
        told.set();
        does(with...);
        for (;;) ::pause();
    }, about_to, f, proxies...);
    child.start();
    about_to.wait();
    std::this_thread::sleep_for(10ms); // so that it waits, most of the time
    return child;
}

} // namespace

TEST_CASE("a queue over a network: in order, bounded, in bulk, of any type that is bytes", "[manager][far]") {
    both m(GENERATE(false, true) ? socket_path() : "localhost:0");
    const auto q = m.client.Queue<std::string>(3);
    CHECK_FALSE(q.is_near());
    q.put("one");
    q.put("two", 1s);
    CHECK(q.try_put(std::string(2'000'000, 'x')));
    CHECK(q.full());
    CHECK(q.qsize() == 3);
    CHECK_FALSE(q.try_put("four"));
    CHECK_THROWS_AS(q.put_nowait("four"), mp::Full);
    CHECK_THROWS_AS(q.put("four", true, 2ms), mp::Full);
    std::thread later([&] { q.put("four"); }); // waits for room
    CHECK(q.get() == "one");
    CHECK(q.get(true, 1s) == "two");
    CHECK(q.get_nowait().size() == 2'000'000);
    later.join();
    CHECK(q.try_get() == "four");
    CHECK(q.empty());
    CHECK_THROWS_AS(q.get(false), mp::Empty);
    CHECK_THROWS_AS(q.get(2ms), mp::Empty);

    const auto numbers = m.client.Queue<int>();
    std::vector<int> all(10'000);
    std::iota(all.begin(), all.end(), 0);
    numbers.put_many(all);
    CHECK(numbers.qsize() == 10'000);
    CHECK(numbers.get_many(0).empty());
    CHECK(numbers.get_many(20'000) == all);
    CHECK(numbers.get_many(5, 1ms).empty());
    const auto large = m.client.Queue<std::string>(); // more than one message takes
    large.put_many(std::vector<std::string>(5, std::string(7'000'000, 'x')));
    CHECK(large.get_many(10).size() == 5);

    const auto objects = m.client.Queue();
    objects.put({1, "two", nullptr});
    CHECK(objects.get() == mp::Object({1, "two", nullptr}));

    const mp::QueueProxy<double> wrong(numbers.far());
    numbers.put(7);
    numbers.put(8);
    CHECK_THROWS_AS(wrong.get(), mp::TypeError);
    CHECK_THROWS_AS(wrong.get_many(2), mp::TypeError);
    CHECK(comes_true([&] { return numbers.qsize() == 2; })); // what can't be used goes back
    CHECK(numbers.get_many(2) == std::vector<int>{7, 8});
    CHECK_THROWS_AS(m.client.Queue<mp::Event>().put(mp::Event()), mp::NotPortableError);
    CHECK_THROWS_AS(numbers.far().call("#done", {}), mp::ValueError);
    CHECK_THROWS_AS(numbers.far().call("#get", {}), mp::ProcessError);
    CHECK_THROWS_AS(numbers.far().call("get", {}), mp::ValueError);
}

TEST_CASE("A143: a queue that a server registers is its family's, and everybody's by get_queue()", "[manager][far]") {
    mp::Queue<std::string> tasks;
    mp::JoinableQueue<int> jobs(1);
    mp::BaseManager server(with_key("localhost:0"));
    server.register_type("get_tasks", [tasks] { return tasks; });
    server.register_type("get_jobs", [jobs] { return jobs; });
    mp::Manager local;
    const auto table = local.dict<std::string, int>({{"a", 1}});
    const auto row = local.list<int>({1, 2});
    const auto number = local.Value<int>(3);
    const auto numbers = local.Array<int>({4, 5});
    const auto names = local.Namespace({{"x", 6}});
    server.register_type("get_table", [table] { return table; });
    server.register_type("get_row", [row] { return row; });
    server.register_type("get_number", [number] { return number; });
    server.register_type("get_numbers", [numbers] { return numbers; });
    server.register_type("get_names", [names] { return names; });
    server.start();
    testing::settle();
    mp::BaseManager client(with_key(server.address())); // has registered nothing
    client.connect();
    const mp::QueueProxy<std::string> there = client.create<mp::Queue<std::string>>("get_tasks");
    there.put("from afar");
    CHECK(tasks.get() == "from afar");
    tasks.put("back");
    tasks.put("again");
    CHECK(there.qsize() == 2);
    CHECK(there.get_many(5) == std::vector<std::string>{"back", "again"});
    CHECK_THROWS_AS(there.get(2ms), mp::Empty);
    std::thread late([&] { tasks.put("late"); });
    CHECK(there.get() == "late");
    late.join();
    CHECK_THROWS_AS(client.create<mp::Queue<int>>("get_tasks"), mp::TypeError);
    CHECK_THROWS_AS(mp::QueueProxy<int>(there.far()).put(1), mp::TypeError);

    const mp::JoinableQueueProxy<int> work = client.create<mp::JoinableQueue<int>>("get_jobs");
    work.put(1);
    CHECK(jobs.full());
    CHECK_THROWS_AS(work.put(2, 2ms), mp::Full);
    CHECK_FALSE(work.join(2ms));
    CHECK(work.get() == 1);
    CHECK_FALSE(jobs.join(2ms));
    work.task_done();
    jobs.join();
    work.join();
    CHECK_THROWS_AS(work.task_done(), mp::ValueError);

    const mp::DictProxy<std::string, int> far_table = client.create<mp::DictProxy<std::string, int>>("get_table");
    far_table["b"] = far_table["a"] + 1;
    CHECK(table["b"] == 2);
    const mp::ListProxy<int> far_row = client.create<mp::ListProxy<int>>("get_row");
    far_row.append(3);
    CHECK(row[2] == 3);
    const mp::ValueProxy<int> far_number = client.create<mp::ValueProxy<int>>("get_number");
    far_number.set(30);
    CHECK(number.get() == 30);
    const mp::ArrayProxy<int> far_numbers = client.create<mp::ArrayProxy<int>>("get_numbers");
    far_numbers[0] = 40;
    CHECK(numbers[0] == 40);
    const mp::Namespace far_names = client.create<mp::Namespace>("get_names");
    far_names["y"] = 7;
    CHECK(names.get<int>("y") == 7);
}

TEST_CASE("a client is killed while it waits for an item, or before it said that it has it: no item is lost", "[manager][far][deaths]") {
    both m;
    const auto q = m.client.JoinableQueue<int>();
    for (int round = 0; round < 5; ++round) { // it waits
        auto child = started_to_wait([](mp::JoinableQueueProxy<int> its) { static_cast<void>(its.get()); }, q);
        if (round % 2 == 0) kill(child);
        else child.kill();
        q.put(round);
        child.join();
        CHECK(q.get() == round);
        q.task_done();
    }
    q.put_many({1, 2, 3});
    const auto take_two = [](mp::JoinableQueueProxy<int> its) {
        its.far().call("#get", its.far().pack(std::pair(std::uint64_t{2}, std::int64_t{-1})));
    };
    auto child = started_and_stuck(take_two, q);
    CHECK(q.qsize() == 1);
    CHECK(q.get() == 3);
    kill(child);
    CHECK(comes_true([&] { return q.qsize() == 2; }));
    CHECK(q.get_many(3) == std::vector<int>{1, 2}); // first again, and in their order
    for (int i = 0; i < 3; ++i) q.task_done();
    q.join();

    // What it has and didn't report counts as dealt with.
    q.put(4);
    auto other = started_and_stuck([](mp::JoinableQueueProxy<int> its) { static_cast<void>(its.get()); }, q);
    CHECK_FALSE(q.join(2ms));
    std::thread waits([&] { q.join(); });
    kill(other);
    waits.join();
    CHECK(q.empty());
}

TEST_CASE("a client is killed at every step of get() over a network: the item is there again, unless it had said that it has it",
          "[manager][far][deaths]") {
    both m;
    const auto q = m.client.Queue<int>();
    int were_lost = 0;
    unsigned k = 1;
    for (;; ++k) {
        INFO("killed at step " << k);
        q.put(7);
        if (!testing::run_and_kill_at(k, [&] { static_cast<void>(q.get()); })) break;
        const bool had_it = std::string(testing::last_step()) == "far_items_had";
        were_lost += had_it ? 1 : 0;
        if (!had_it) REQUIRE(q.get(60s) == 7);
        REQUIRE(q.empty());
    }
    CHECK(k > 3);
    CHECK(were_lost == 1);
    CHECK(q.empty()); // who lived took it
}

TEST_CASE("the same with a queue that the server's family works on", "[manager][far][deaths]") {
    mp::JoinableQueue<int> jobs(2);
    mp::BaseManager server(with_key("localhost:0"));
    server.register_type("get_jobs", [jobs] { return jobs; });
    server.start();
    testing::settle();
    mp::BaseManager client(with_key(server.address()));
    client.connect();
    const mp::JoinableQueueProxy<int> q = client.create<mp::JoinableQueue<int>>("get_jobs");
    auto waiting = started_to_wait([](mp::JoinableQueueProxy<int> its) { static_cast<void>(its.get()); }, q);
    waiting.kill();
    jobs.put(1);
    waiting.join();
    CHECK(jobs.get() == 1);
    jobs.task_done();
    jobs.put(2);
    auto child = started_and_stuck(
        [](mp::JoinableQueueProxy<int> its) { its.far().call("#get", its.far().pack(std::pair(std::uint64_t{1}, std::int64_t{-1}))); }, q);
    jobs.put(3);
    jobs.put(4); // full
    kill(child);
    CHECK(q.get() == 3); // where there is room now for what was given back
    q.task_done();
    std::set<int> rest{jobs.get(), jobs.get()};
    CHECK(rest == std::set<int>{2, 4});
    jobs.task_done();
    CHECK_FALSE(jobs.join(2ms));
    jobs.task_done();
    CHECK(jobs.join(20s));
    CHECK_THROWS_AS(jobs.task_done(), mp::ValueError);
}

TEST_CASE("many clients put and get over a network, and some of them are killed: what the living put and get is whole",
          "[manager][far][deaths]") {
    both m;
    const auto q = m.client.Queue<int>(50);
    const auto taken = m.client.Queue<int>();
    constexpr int items = 300;
    const auto get_for_ever = [](mp::QueueProxy<int> from, mp::QueueProxy<int> to) {
        for (;;) {
            const int x = from.get(); // a death between these two loses it
            if (x < 0) return;
            to.put(x);
        }
    };
    mp::Process producer([](mp::QueueProxy<int> to) {
        for (int i = 0; i < items; ++i) to.put(i);
    }, q);
    std::vector<mp::Process> consumers;
    for (int i = 0; i < 4; ++i) consumers.emplace_back(get_for_ever, q, taken);
    producer.start();
    for (auto& each : consumers) each.start();
    while (taken.qsize() < 20) std::this_thread::yield();
    kill(consumers[0]);
    while (taken.qsize() < 60) std::this_thread::yield();
    kill(consumers[1]);
    producer.join();
    q.put_many({-1, -1});
    for (std::size_t i = 2; i < 4; ++i) consumers[i].join();
    CHECK(comes_true([&] { return taken.qsize() + q.qsize() + 2 >= items; })); // one item of each that was killed
    auto all = taken.get_many(items);
    while (const auto left = q.try_get()) all.push_back(*left);
    const std::set<int> different(all.begin(), all.end());
    CHECK(different.size() == all.size()); // none twice
    CHECK(different.size() >= items - 2);
}

TEST_CASE("locks over a network: taken by one at a time, released by whoever may, free when the client is dead", "[manager][far][deaths]") {
    both m;
    const auto lock = m.client.Lock();
    const auto nesting = m.client.RLock();
    const auto sum = m.client.Value<int>(0);
    const auto add = [&] {
        for (int i = 0; i < 50; ++i) {
            const std::scoped_lock held(lock);
            sum.set(sum.get() + 1);
        }
    };
    std::thread other(add);
    add();
    other.join();
    CHECK(sum.get() == 100);

    CHECK(nesting.acquire());
    CHECK(nesting.try_lock());
    bool was_refused = false, was_had = true;
    std::thread([&] {
        was_had = nesting.acquire(2ms) || nesting.acquire(false);
        try {
            nesting.release();
        } catch (const mp::ValueError&) {
            was_refused = true;
        }
    }).join();
    CHECK(was_refused);
    CHECK_FALSE(was_had);
    nesting.release();
    CHECK(nesting.locked());
    nesting.release();
    CHECK_FALSE(nesting.locked());
    CHECK_THROWS_AS(nesting.release(), mp::ValueError);
    lock.acquire();
    std::thread([&] { lock.release(); }).join();
    CHECK_THROWS_AS(lock.release(), mp::ValueError);

    for (const auto& each : {lock, nesting}) {
        auto holder = started_and_stuck([](mp::AcquirerProxy its) { its.acquire(); }, each);
        auto waiter = started_to_wait([](mp::AcquirerProxy its) { its.acquire(); }, each);
        CHECK_FALSE(each.acquire(false));
        waiter.kill();
        holder.kill();
        CHECK(each.acquire());
        each.release();
        waiter.join();
        holder.join();
        CHECK(each.acquire(20s)); // the one that waited never has it
        each.release();
    }
}

TEST_CASE("semaphores over a network: what the dead had comes back when it is asked for", "[manager][far][deaths]") {
    both m;
    const auto tokens = m.client.Semaphore(2);
    const auto bounded = m.client.BoundedSemaphore(1);
    auto holder = started_and_stuck([](mp::SemaphoreProxy s, mp::BoundedSemaphoreProxy b) {
        s.acquire();
        s.acquire();
        b.acquire();
    }, tokens, bounded);
    CHECK(tokens.locked());
    CHECK(tokens.recover() == 0);
    auto waiter = started_to_wait([](mp::SemaphoreProxy s) { s.acquire(); }, tokens);
    kill(waiter);
    kill(holder);
    CHECK_FALSE(bounded.acquire(2ms));
    unsigned back = 0;
    CHECK(comes_true([&] { return (back += tokens.recover()) == 2; }));
    CHECK(tokens.get_value() == 2);
    CHECK(bounded.recover() == 1);
    CHECK_THROWS_AS(bounded.release(), mp::ValueError);
    tokens.release(3);
    CHECK(tokens.get_value() == 5);
    CHECK_THROWS_AS(tokens.release(0), mp::ValueError);
    CHECK_THROWS_AS(tokens.release(2147483647), mp::ValueError);
}

TEST_CASE("conditions over a network: notified are the living, those who wait longest first", "[manager][far][deaths]") {
    both m;
    const auto changed = m.client.Condition();
    const auto stock = m.client.Value<int>(0);
    const auto told = m.client.Queue<int>();
    const auto take_one = [](mp::ConditionProxy c, mp::ValueProxy<int> n, mp::QueueProxy<int> to) {
        const std::scoped_lock held(c);
        to.put(0);
        c.wait_for([&] { return n.get() > 0; });
        n.set(n.get() - 1);
        to.put(1);
    };
    std::vector<mp::Process> all;
    for (int i = 0; i < 3; ++i) all.emplace_back(take_one, changed, stock, told);
    for (auto& each : all) each.start();
    for (int i = 0; i < 3; ++i) CHECK(told.get() == 0);
    {
        const std::scoped_lock held(changed); // had when all three wait
        changed.acquire();                    // wait() gives it up however often it is held
        stock.set(2);
        all[0].kill();
        changed.notify();
        changed.notify();
        changed.release();
    }
    all[0].join();
    // Was the dead one the first to be notified, that was passed on to another, or is by the next notify().
    while (told.qsize() < 2) {
        const std::scoped_lock held(changed);
        changed.notify();
        changed.wait(1ms); // it may be this one
    }
    for (std::size_t i = 1; i < 3; ++i) all[i].join();
    CHECK(stock.get() == 0);

    // One dies that holds it, with another waiting for it.
    auto holder = started_and_stuck([](mp::ConditionProxy c) { c.acquire(); }, changed);
    std::thread waits([&] {
        const std::scoped_lock held(changed);
        changed.notify_all();
    });
    kill(holder);
    waits.join();
}

TEST_CASE("a barrier over a network: all go on, the last one acts, and a party that dies breaks it", "[manager][far][deaths]") {
    both m;
    std::atomic<int> acted = 0;
    const auto barrier = m.client.Barrier(3, [&] { ++acted; });
    std::atomic<int> sum = 0;
    std::vector<std::thread> all;
    for (int i = 0; i < 3; ++i)
        all.emplace_back([&] {
            for (int round = 0; round < 5; ++round) sum += barrier.wait();
        });
    for (auto& each : all) each.join();
    CHECK(sum == 15);
    CHECK(acted == 5);

    const auto wait_there = [](mp::BarrierProxy b) { b.wait(); };
    auto waiter = started_to_wait(wait_there, barrier);
    CHECK(comes_true([&] { return barrier.n_waiting() == 1; }));
    std::thread killer([&] {
        while (barrier.n_waiting() < 2) std::this_thread::yield();
        kill(waiter);
    });
    CHECK_THROWS_AS(barrier.wait(), mp::BrokenBarrierError);
    killer.join();
    CHECK(barrier.broken());
    CHECK_THROWS_AS(barrier.wait(), mp::BrokenBarrierError);
    barrier.reset();
    CHECK_FALSE(barrier.broken());

    // The action throws; who acts dies; it is aborted.
    const auto bad = m.client.Barrier(1, [] { throw std::range_error("no"); });
    CHECK_THROWS_AS(bad.wait(), std::range_error);
    CHECK(bad.broken());
    const auto pair = m.client.Barrier(2);
    auto actor = started_to_wait([](manager::remote its) { mp::BarrierProxy(its, [] { for (;;) ::pause(); }).wait(); }, pair.far());
    CHECK(comes_true([&] { return pair.n_waiting() == 1; }));
    mp::Process first(wait_there, pair); // and now the actor is the first: the second acts, who has no action
    first.start();
    first.join();
    kill(actor);
    CHECK_FALSE(pair.broken());
    auto one = started_to_wait([](mp::BarrierProxy b) {
        try {
            b.wait();
        } catch (const mp::BrokenBarrierError&) {
            mp::exit(7);
        }
    }, pair);
    CHECK(comes_true([&] { return pair.n_waiting() == 1; }));
    auto last = started_to_wait([](manager::remote its) { mp::BarrierProxy(its, [] { for (;;) ::pause(); }).wait(); }, pair.far());
    CHECK(comes_true([&] { return pair.n_waiting() == 2; }));
    kill(last); // in its action
    one.join();
    CHECK(one.exitcode() == 7);
}

TEST_CASE("the server is killed, or shut down: whoever waits in a call gets an EOFError at once", "[manager][far][deaths]") {
    const bool is_killed = GENERATE(false, true);
    std::optional<both> m(std::in_place);
    const auto q = m->client.Queue<int>();
    const auto lock = m->client.Lock();
    const auto event = m->client.Event();
    const auto tokens = m->client.Semaphore(0);
    const auto barrier = m->client.Barrier(2);
    const auto changed = m->client.Condition();
    lock.acquire();
    std::atomic<int> told = 0, in = 0;
    const auto waits = [&](auto f) {
        return std::thread([&, f] {
            ++in;
            try {
                f();
            } catch (const mp::EOFError&) {
                ++told;
            }
        });
    };
    std::vector<std::thread> all;
    all.push_back(waits([&] { static_cast<void>(q.get()); }));
    all.push_back(waits([&] { lock.acquire(); }));
    all.push_back(waits([&] { event.wait(); }));
    all.push_back(waits([&] { tokens.acquire(); }));
    all.push_back(waits([&] { barrier.wait(); }));
    all.push_back(waits([&] {
        changed.acquire();
        changed.wait();
    }));
    while (in < 6) std::this_thread::yield();
    std::this_thread::sleep_for(30ms); // so that they wait, most of the time
    if (is_killed) {
        ::kill(*m->server.pid(), SIGKILL);
        m->server.join();
    } else {
        m->server.shutdown();
        CHECK(m->server.exitcode() == 0);
    }
    for (auto& each : all) each.join();
    CHECK(told == 6);
    CHECK_THROWS_AS(q.put(1), mp::EOFError);
    CHECK_THROWS_AS(lock.release(), mp::EOFError);
}

TEST_CASE("proxies travel to children that are no copies, who work with the same", "[manager][far]") {
    both m;
    const auto q = m.client.Queue<std::string>();
    const auto near = m.server.Queue<std::string>();
    const auto ready = m.client.Event();
    mp::Process child({.start_method = mp::StartMethod::spawn},
                      [](mp::QueueProxy<std::string> far_one, mp::QueueProxy<std::string> near_one, mp::EventProxy told) {
                          far_one.put(near_one.get() + " and back");
                          near_one.put("near");
                          told.set();
                      },
                      q, near, ready);
    near.put("there");
    child.start();
    ready.wait();
    CHECK(q.get() == "there and back");
    child.join();
    CHECK(child.exitcode() == 0);
    CHECK(near.is_near());
    const mp::Queue<std::string> plain = near;
    CHECK(plain.get() == "near");
    CHECK(near != m.server.Queue<std::string>());
    CHECK(m.server.number_of_objects() == 2);
}
