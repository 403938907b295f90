// Pools, managers and start methods, under chance and death.

#include <csignal>
#include <cstdint>
#include <map>
#include <numeric> // std::iota
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <multiprocessing/managers.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/serialization.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include "stage.hpp"

namespace stress {

using namespace std::chrono_literals;

namespace {

enum class end : std::uint32_t { none, now, soon, error };

struct task {
    std::uint64_t number;
    end how;
    unsigned step;
};

std::uint64_t outcome(std::uint64_t number) { return number * number + 1; }

void meet(const task& t) {
    switch (t.how) {
    case end::none: break;
    case end::now: ::raise(SIGKILL); break;
    case end::soon: testing::arm(t.step); break; // somewhere in what the worker does next
    case end::error: throw std::out_of_range(std::to_string(t.number));
    }
}

std::uint64_t carry_out(const task& t) {
    meet(t);
    return outcome(t.number);
}

std::string carry_out_in_words(const std::string& number, const task& t) {
    meet(t);
    return number + " is done";
}

std::vector<task> make_tasks(chance& dice, bool deadly) {
    std::vector<task> tasks(dice.between(0, dice.one_in(3) ? 5000 : 60));
    for (std::size_t i = 0; i < tasks.size(); ++i) tasks[i] = {i, end::none, 0};
    if (deadly && !tasks.empty()) {
        for (unsigned n = dice.between(0, 3); n > 0; --n) {
            task& victim = tasks[dice.between(0, static_cast<unsigned>(tasks.size()) - 1)];
            victim.how = static_cast<end>(dice.between(1, 3));
            victim.step = dice.between(1, 1U << dice.between(1, 8));
        }
    }
    return tasks;
}

/// The value, if the task is one that may have one; or an error that says what it was.
template <typename F>
void check_one(const task& t, bool deadly, F get) {
    try {
        const std::uint64_t got = get();
        demand(got == outcome(t.number), "a result is that of its task");
        demand(t.how != end::now && t.how != end::error, "who dies or throws has no result");
    } catch (const mp::WorkerLostError&) {
        demand(deadly, "no worker is lost that nobody has killed");
    } catch (const std::out_of_range& error) {
        demand(t.how == end::error && error.what() == std::to_string(t.number), "an error is that of its task");
    }
}

void one_call(chance& dice, mp::Pool& pool, bool deadly) {
    const auto tasks = make_tasks(dice, deadly);
    const mp::MapOptions how{.chunksize = dice.one_in(2) ? 0 : dice.between(1, 50), .retries = dice.one_in(2) ? 0 : dice.between(1, 3)};
    const auto all_right = [&](const std::vector<std::uint64_t>& results) {
        demand(results.size() == tasks.size(), "as many results as tasks");
        for (std::size_t i = 0; i < tasks.size(); ++i) check_one(tasks[i], deadly, [&] { return results[i]; });
    };
    const auto may_fail = [&](auto call) {
        try {
            call();
        } catch (const mp::WorkerLostError&) {
            demand(deadly, "no worker is lost that nobody has killed");
        } catch (const std::out_of_range&) {
            demand(deadly, "only what a task throws is thrown");
        }
    };
    switch (dice.between(0, 6)) {
    case 0: may_fail([&] { all_right(pool.map(carry_out, tasks, how)); }); break;
    case 1: may_fail([&] { all_right(pool.map_async(carry_out, tasks, how).get()); }); break;
    case 2: {
        auto results = pool.imap(carry_out, tasks, how);
        for (const auto& t : tasks) check_one(t, deadly, [&] { return results.next(); });
        break;
    }
    case 3: {
        std::vector<mp::AsyncResult<std::uint64_t>> results;
        for (const auto& t : tasks) results.push_back(pool.apply_async(how, carry_out, t));
        for (std::size_t i = 0; i < tasks.size(); ++i) check_one(tasks[i], deadly, [&] { return results[i].get(); });
        break;
    }
    case 4: {
        std::vector<std::pair<std::string, task>> pairs;
        for (const auto& t : tasks) pairs.emplace_back(std::to_string(t.number), t);
        may_fail([&] {
            const auto results = pool.starmap(carry_out_in_words, pairs, how);
            for (std::size_t i = 0; i < results.size(); ++i) demand(results[i] == std::to_string(i) + " is done", "a result is that of its task");
        });
        break;
    }
    case 5: {
        mp::RawArray<std::uint64_t> out(tasks.size() + 1);
        may_fail([&] {
            pool.map_into(carry_out, tasks, out, how);
            for (std::size_t i = 0; i < tasks.size(); ++i) check_one(tasks[i], deadly, [&] { return out[i]; });
        });
        break;
    }
    default:
        may_fail([&] {
            std::uint64_t expected = 0;
            for (const auto& t : tasks) expected += outcome(t.number);
            const auto sum = [](std::uint64_t a, std::uint64_t b) { return a + b; };
            demand(pool.map_reduce(carry_out, sum, tasks, std::uint64_t{0}, how) == expected, "every task is added once");
        });
    }
}

mp::StartMethod some_method(chance& dice) {
    if (!dice.one_in(4)) return mp::StartMethod::fork;
    return dice.one_in(2) ? mp::StartMethod::spawn : mp::StartMethod::forkserver;
}

class tally {
public:
    long add(long n) { return sum_ += n; }
    long sum() const { return sum_; }

private:
    long sum_ = 0;
};

int send_back(mp::Queue<std::string> to, const std::string& text, std::optional<int> code) {
    to.put(text);
    if (code) mp::exit(*code);
    return 0;
}

} // namespace

// Calls of all kinds, some tasks of which kill their worker: each ends as documented, and the pool is as before.
void pools(chance& dice) {
    mp::Pool pool(mp::PoolOptions{.processes = dice.between(1, 4), .start_method = some_method(dice),
                                  .maxtasksperchild = dice.one_in(4) ? std::optional<mp::pool::whole_number>(dice.between(20, 400)) : std::nullopt});
    const std::size_t size = pool.size();
    bool deadly = false; // from then on: who is armed in one call may fall in a later one
    for (unsigned call = dice.between(1, 8); call > 0; --call) {
        deadly = dice.one_in(2) || deadly;
        one_call(dice, pool, deadly);
    }
    std::vector<task> tasks(100, task{7, end::none, 0});
    for (;;) {
        try {
            for (const auto x : pool.map(carry_out, tasks)) demand(x == outcome(7), "the pool works after it has lost workers");
            break;
        } catch (const mp::WorkerLostError&) {}
    }
    demand(pool.size() == size && pool.pids().size() == size, "the pool is at its full strength");
    if (dice.one_in(2)) pool.close();
    else pool.terminate();
    pool.join();
}

// What clients of a manager have done stays, whoever of them is killed.
void managers(chance& dice) {
    mp::SyncManager manager(mp::ManagerOptions{.start_method = some_method(dice)});
    manager.register_type<tally>("tally").method<&tally::add>("add").method<&tally::sum>("sum");
    manager.start();
    const unsigned clients = dice.between(1, 4);
    const int each = static_cast<int>(dice.between(1, 200));
    const auto counts = manager.dict<std::string, int>();
    const auto entries = manager.list<std::pair<int, int>>();
    const auto registered = manager.create<tally>("tally");
    const mp::RawArray<int> done(clients);

    stage all;
    for (unsigned c = 0; c < clients; ++c) {
        all.enter(fate::by(dice, 2), [=, name = std::to_string(c)] {
            for (int i = 0; i < each; ++i) {
                counts.update(name, [](int n) { return n + 1; });
                entries.append({static_cast<int>(c), i});
                registered.call<&tally::add>(1L);
                done[c] = i + 1;
            }
        });
    }
    all.play();
    std::vector<int> next(clients, 0);
    for (const auto& [client, number] : entries.copy()) demand(next[static_cast<std::size_t>(client)]++ == number, "a list has each entry once, in order");
    long sum = 0;
    for (unsigned c = 0; c < clients; ++c) {
        const int spare = all.was_killed(c) ? 1 : 0;
        const int counted = counts.get(std::to_string(c), 0);
        demand(counted >= done[c] && counted <= done[c] + spare, "a dict loses and doubles nothing");
        demand(next[c] >= done[c] && next[c] <= done[c] + spare, "a list loses nothing");
        sum += done[c];
    }
    const long added = registered.call<&tally::sum>();
    demand(added >= sum && added <= sum + static_cast<long>(all.killed()), "a registered object loses and doubles no call");
}

// Processes by all methods, which send something, and end well, with a code, or by a signal.
void starts(chance& dice) {
    const mp::Queue<std::string> back;
    std::vector<mp::Process> processes;
    std::vector<std::optional<int>> codes;
    std::map<std::string, int> expected;
    for (unsigned n = dice.between(1, 5); n > 0; --n) {
        const std::string text(dice.between(0, 100), static_cast<char>('a' + n));
        codes.push_back(dice.one_in(2) ? std::optional<int>() : std::optional<int>(static_cast<int>(dice.between(0, 255))));
        processes.emplace_back(mp::ProcessOptions{.daemon = true, .start_method = some_method(dice)}, send_back, back, text, codes.back());
        processes.back().start();
        ++expected[text];
    }
    const bool kill_one = dice.one_in(3);
    if (kill_one) processes[0].kill();
    for (std::size_t i = 0; i < processes.size(); ++i) {
        processes[i].join();
        const int code = *processes[i].exitcode();
        demand(code == codes[i].value_or(0) || (kill_one && i == 0 && code == -SIGKILL), "a process ends with the code that it gave");
    }
    std::size_t arrived = 0;
    while (const auto text = back.try_get()) {
        demand(expected[*text]-- > 0, "what was sent arrives, once");
        ++arrived;
    }
    demand(arrived + (kill_one ? 1U : 0U) >= processes.size(), "what was put before its producer ended is there");
}

} // namespace stress
