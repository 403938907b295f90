// CPython's test_multiprocessing: _TestMyManager, _TestManagerRestart, TestManagerExceptions, _test_process.initializer; the rows
// T130 to T137, T176, T201 of what BaseManager, register and proxies do, under each start method.

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <multiprocessing/manager/base_manager.hpp>
#include <multiprocessing/process/process.hpp>
#include <multiprocessing/queues.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"

namespace mp = multiprocessing;
using mp::StartMethod;
using namespace std::chrono_literals;

namespace {

/// What starts each manager, with what its method makes once and keeps made before anything is counted.
mp::ManagerOptions each_way() {
    const auto method = GENERATE(StartMethod::fork, StartMethod::spawn, StartMethod::forkserver);
    if (method == StartMethod::forkserver) {
        mp::Process first({.start_method = method}, [] {});
        first.start();
        first.join();
        testing::settle();
    }
    return {.start_method = method, .shutdown_timeout = 60s}; // the exit code of one that was too slow isn't 0
}

class Foo {
public:
    std::string f() const { return "f()"; }
    int g() { throw std::range_error("g()"); }
    std::string h() const { return "h()"; } // nobody registers it
};

class Counter {
public:
    explicit Counter(int start = 0) : value_(start) {}
    Counter(int start, const std::string& name) : value_(start), name_(name) {}
    int add(int n) { return value_ += n; }
    const std::string& name() const noexcept { return name_; }
    Counter copy() const { return *this; }
    std::unique_ptr<Counter> child() const { return std::make_unique<Counter>(value_ + 1, name_ + "'s"); }
    void name_it(const char* name) { name_ = name; }

private:
    int value_ = 0;
    std::string name_ = "nameless";
};

/// Python's baz(): an iterator.
class Range {
public:
    explicit Range(int end) : end_(end) {}
    int next() {
        if (at_ == end_) throw mp::StopIteration("");
        ++at_;
        return (at_ - 1) * (at_ - 1);
    }

private:
    int at_ = 0;
    int end_;
};

struct MyManager : mp::BaseManager {
    explicit MyManager(mp::ManagerOptions options) : mp::BaseManager(std::move(options)) {
        register_type<Foo>("Foo").method<&Foo::f>("f").method<&Foo::g>("g");
        register_type<Counter>("Counter")
            .method<&Counter::add>("add")
            .method<&Counter::name>("name")
            .method<&Counter::name_it>("name_it")
            .method<&Counter::child>("child", "Counter")
            .method<&Counter::copy>("copy", "Counter")
            .method("twice", [](Counter& c, int n) { return 2 * c.add(n); });
        register_type<Range>("Range").method<&Range::next>("next");
    }
    [[nodiscard]] mp::Proxy<Counter> counter(int start) const { return create<Counter>("Counter", start); }
};

} // namespace

TEST_CASE("T130, T131, T132: what is registered can be called, returns, and throws its own type; nothing else can be called",
          "[conformance][base_manager]") {
    static_assert(mp::manager::detail::spelled_name<&Foo::f>() == "f"); // for a client that has registered nothing
    static_assert(mp::manager::detail::spelled_name<&Counter::name>() == "name");
    MyManager manager(each_way());
    manager.start();
    const auto foo = manager.create<Foo>("Foo");
    CHECK(foo.call<std::string>("f") == "f()");
    CHECK(foo.call<&Foo::f>() == "f()");
    CHECK_THROWS_AS(foo.call<&Foo::g>(), std::range_error);
    CHECK_THROWS_AS(foo.call("g"), mp::RemoteError);
    try {
        foo.call("g");
    } catch (const mp::RemoteError& error) {
        CHECK(error.type_name() == "std::range_error");
        CHECK(error.message() == "g()");
        CHECK(error.pid() == manager.pid());
    }
    CHECK_THROWS_AS(foo.call<std::string>("h"), mp::RemoteError);
    CHECK_THROWS_AS(foo.call<std::string>("h"), mp::ValueError);
    CHECK_THROWS_AS(foo.call("__init__"), mp::ValueError);
    CHECK_THROWS_AS(foo.call(""), mp::ValueError);

    CHECK_THROWS_AS(manager.create("Bar"), mp::ValueError);
    CHECK_THROWS_AS(manager.create<Counter>("Foo"), mp::TypeError);
    CHECK_THROWS_AS(manager.create<Foo>("Foo", 1), mp::TypeError);
}

TEST_CASE("arguments are deduced, converted or checked, and copied", "[conformance][base_manager]") {
    MyManager manager(each_way());
    manager.start();
    CHECK(manager.create<Counter>("Counter").call<&Counter::add>(1) == 1);
    const auto counter = manager.create<Counter>("Counter", 5, "five");
    CHECK(counter.call<&Counter::add>(3) == 8);
    CHECK(counter.call<&Counter::add>(short{1}) == 9); // converted by who calls
    CHECK(counter.call<int>("add", 1) == 10);
    CHECK(counter.call<int>("twice", 5) == 30);
    CHECK(counter.call<&Counter::name>() == "five");
    counter.call<&Counter::name_it>("ten");
    counter.call("name_it", "eleven");
    CHECK(counter.call<std::string>("name") == "eleven");
    counter.call("add", 1); // what it returns is dropped

    CHECK_THROWS_AS(counter.call<int>("add", 1L), mp::TypeError);
    CHECK_THROWS_AS(counter.call<int>("add"), mp::TypeError);
    CHECK_THROWS_AS(counter.call<int>("add", 1, 2), mp::TypeError);
    CHECK_THROWS_AS(counter.call<long>("add", 1), mp::TypeError);
    CHECK_THROWS_AS(counter.call<int>("name_it", "x"), mp::TypeError);
    CHECK_THROWS_AS(manager.create<Counter>("Counter", "five"), mp::TypeError);
    CHECK(counter.call<int>("add", 0) == 17); // the call of which the result was refused was carried out
}

TEST_CASE("T133: an iterator can be gone through from elsewhere", "[conformance][base_manager]") {
    MyManager manager(each_way());
    manager.start();
    const auto range = manager.create<Range>("Range", 4);
    std::vector<int> all;
    try {
        for (;;) all.push_back(range.call<&Range::next>());
    } catch (const mp::StopIteration&) {
    }
    CHECK(all == std::vector<int>{0, 1, 4, 9});
}

TEST_CASE("a method's result can be an object that stays where it is", "[conformance][base_manager]") {
    MyManager manager(each_way());
    manager.start();
    const auto counter = manager.counter(1);
    const auto child = counter.call<&Counter::child>(); // what can't travel is a Proxy
    static_assert(std::is_same_v<decltype(child), const mp::Proxy<Counter>>);
    CHECK(child.call<&Counter::add>(1) == 3);
    CHECK(child.call<&Counter::name>() == "nameless's");
    CHECK(counter.call<mp::Proxy<Counter>>("copy").call<&Counter::add>(0) == 1);
    CHECK(child != counter);
    CHECK(manager.number_of_objects() == 2);
}

TEST_CASE("T134: shutdown ends the server with exit code 0; its destructor does the same", "[conformance][base_manager]") {
    const auto way = each_way();
    MyManager manager(way);
    CHECK_THROWS_AS(manager.counter(1), mp::ValueError);
    CHECK_THROWS_AS(manager.shutdown(), mp::ValueError);
    manager.start();
    CHECK_THROWS_AS(manager.start(), mp::ProcessError);
    CHECK_THROWS_AS(manager.connect(), mp::ProcessError);
    CHECK_THROWS_AS(manager.register_type<Foo>("Other"), mp::ProcessError);
    CHECK_FALSE(manager.exitcode().has_value());
    CHECK_FALSE(manager.join(0ms));
    const auto counter = manager.counter(1);
    manager.shutdown();
    CHECK(manager.exitcode() == 0);
    manager.shutdown();
    manager.join();
    CHECK_THROWS_AS(manager.start(), mp::ProcessError);
    CHECK_THROWS_AS(counter.call<&Counter::add>(1), mp::EOFError);
    CHECK_THROWS_AS(manager.counter(1), mp::EOFError);

    std::optional<MyManager> other(way);
    other->start();
    CHECK(other->counter(3).call<&Counter::add>(1) == 4);
    const auto copy = *other;
    other.reset();
    CHECK(copy.create<Counter>("Counter", 1).call<&Counter::add>(1) == 2); // the copy keeps the server
}

TEST_CASE("T201: the initializer runs once, in the server; what it throws is thrown by start()", "[conformance][base_manager]") {
    const auto way = each_way();
    const mp::Queue<int> told;
    {
        MyManager manager(way);
        manager.start([](const mp::Queue<int>& to, int what) { mp::Queue<int>(to).put(what); }, told, 7);
        CHECK(mp::Queue<int>(told).get() == 7);
        CHECK(manager.counter(3).call<&Counter::add>(1) == 4);
        CHECK(mp::Queue<int>(told).empty());
    }
    MyManager manager(way);
    CHECK_THROWS_AS(manager.start([] { throw std::out_of_range("not today"); }), std::out_of_range);
    CHECK_THROWS_AS(manager.start([] { ::raise(SIGKILL); }), mp::ProcessError);
    CHECK_THROWS_AS(manager.counter(1), mp::ValueError);
    manager.start(); // it can be tried again
    CHECK(manager.counter(3).call<&Counter::add>(1) == 4);
}

TEST_CASE("T176: the server ignores SIGINT, and is called by its class", "[conformance][base_manager]") {
    MyManager manager(each_way());
    manager.start();
    const auto counter = manager.counter(1);
    REQUIRE(::kill(*manager.pid(), SIGINT) == 0);
    CHECK(counter.call<&Counter::add>(1) == 2);
    CHECK(fmt::format("{}", counter).find("MyManager-") != std::string::npos);
}

TEST_CASE("proxies and managers travel to children, in queues, and in each other", "[conformance][base_manager]") {
    const auto way = each_way();
    MyManager manager(way);
    manager.start();
    const auto counter = manager.counter(1);
    mp::Queue<mp::Proxy<Counter>> queue;
    mp::Process child({.start_method = way.start_method},
                      [](mp::BaseManager its, mp::Proxy<Counter> by_argument, mp::Queue<mp::Proxy<Counter>> by_queue) {
                          by_argument.call<&Counter::add>(10);
                          auto other = its.create<Counter>("Counter", 100);
                          other.call<&Counter::add>(by_argument.call<&Counter::add>(1));
                          by_queue.put(other);
                      },
                      static_cast<const mp::BaseManager&>(manager), counter, queue);
    child.start();
    child.join();
    CHECK(child.exitcode() == 0);
    const auto other = queue.get();
    CHECK(counter.call<&Counter::add>(0) == 12);
    CHECK(other.call<&Counter::add>(0) == 112);
    CHECK(manager.number_of_objects() == 2);
}

TEST_CASE("a callable makes objects, or gives one that there is", "[conformance][base_manager]") {
    mp::BaseManager manager(each_way());
    manager.register_type("make", [](int n) { return Counter(n, "made"); }).method<&Counter::add>("add").method<&Counter::name>("name");
    manager
        .register_type("the_one",
                       []() -> Counter& {
                           static Counter one(40);
                           return one;
                       })
        .method<&Counter::add>("add");
    manager.register_type("shared", [] { return std::make_shared<Counter>(2); }).method<&Counter::add>("add");
    manager.register_type("queue", [] { return mp::Queue<int>(); })
        .method("put", [](mp::Queue<int>& q, int x) { q.put(x); })
        .method("get", [](mp::Queue<int>& q) { return q.get(); });
    manager.start();
    CHECK(manager.create<Counter>("make", 5).call<&Counter::name>() == "made");
    CHECK(manager.create<Counter>("the_one").call<&Counter::add>(1) == 41);
    CHECK(manager.create<Counter>("the_one").call<&Counter::add>(1) == 42);
    CHECK(manager.create<Counter>("shared").call<&Counter::add>(1) == 3);
    CHECK_THROWS_AS(manager.create<Counter>("make", "five"), mp::TypeError);
    const auto queue = manager.create<mp::Queue<int>>("queue");
    queue.call("put", 5);
    CHECK(queue.call<int>("get") == 5);
}
