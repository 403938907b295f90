// Queues, handles on queues, and pipes, under chance and death.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include "stage.hpp"

namespace stress {

using namespace std::chrono_literals;

// Producers and consumers, some of whom are killed. What put() returned for comes out once, whole, in each producer's order; who
// is killed while he takes loses what he was taking.
void queues(chance& dice) {
    const unsigned producers = dice.between(1, 4);
    const unsigned consumers = dice.between(1, 4);
    const std::uint32_t each = dice.between(1, 600);
    const unsigned batch_in = dice.one_in(2) ? 1 : dice.between(2, 100);
    const unsigned batch_out = dice.one_in(2) ? 1 : dice.between(2, 100);
    const mp::Queue<parcel> line(dice.one_in(2) ? 0 : dice.between(1, 30));
    const mp::RawArray<std::uint32_t> committed(producers);
    const mp::RawArray<std::uint32_t> seen(producers * std::size_t{each});
    const mp::Event over;

    stage all;
    for (unsigned p = 0; p < producers; ++p) {
        all.enter(fate::by(dice, 3), [=] {
            for (std::uint32_t n = 0; n < each;) {
                if (batch_in == 1) {
                    line.put(parcel::make(p, n++));
                } else {
                    std::vector<parcel> some;
                    while (some.size() < batch_in && n < each) some.push_back(parcel::make(p, n++));
                    line.put_many(some);
                }
                committed[p] = n;
            }
        });
    }
    for (unsigned c = 0; c < consumers; ++c) {
        all.enter(c == 0 ? fate::none() : fate::by(dice, 3), [=] { // the first lives on, or who should make room?
            std::vector<std::int64_t> last(producers, -1);
            const auto take = [&](const parcel& got) {
                demand(got.sender < producers && got.number < each && got.whole(), "an item arrives as it was put");
                demand(last[got.sender] < got.number, "the items of one producer come in their order");
                last[got.sender] = got.number;
                std::atomic_ref(seen[got.sender * std::size_t{each} + got.number]).fetch_add(1);
            };
            for (;;) {
                if (batch_out == 1) {
                    const auto got = line.try_get_for(10ms);
                    if (got) take(*got);
                    if (!got && over.is_set() && line.empty()) break;
                } else {
                    const auto got = line.get_many(batch_out, 10ms);
                    for (const auto& one : got) take(one);
                    if (got.empty() && over.is_set() && line.empty()) break;
                }
            }
        });
    }
    unsigned dead_consumers = 0;
    unsigned at_work = producers;
    all.play([&](std::size_t i, bool killed) {
        if (i >= producers)
            dead_consumers += killed ? 1U : 0U;
        else if (--at_work == 0)
            over.set();
    });

    std::uint64_t lost = 0;
    for (unsigned p = 0; p < producers; ++p) {
        for (std::uint32_t n = 0; n < each; ++n) {
            const std::uint32_t times = seen[p * std::size_t{each} + n];
            demand(times <= 1, "no item comes twice");
            if (n < committed[p] && times == 0) ++lost;
            demand(n < committed[p] + batch_in || times == 0, "nothing comes that wasn't put");
        }
    }
    demand(lost <= dead_consumers * std::uint64_t{batch_out},
           "at most what dead consumers were taking is lost: " + std::to_string(lost) + " items, " + std::to_string(dead_consumers) + " dead");
}

// join() returns when everything has been taken and reported, or was in the hands of the dead.
void joinable_queues(chance& dice) {
    const unsigned producers = dice.between(1, 3);
    const unsigned each = dice.between(0, 400);
    const mp::JoinableQueue<unsigned> line(dice.one_in(2) ? 0 : dice.between(1, 30));
    const mp::RawArray<std::uint32_t> committed(producers);
    const mp::Value<unsigned> reported(0);
    const mp::Event over;

    stage all;
    for (unsigned p = 0; p < producers; ++p) {
        all.enter(fate::by(dice, 3), [=] {
            for (unsigned n = 0; n < each; committed[p] = ++n) line.put(n);
        });
    }
    for (int c = 0; c < 3; ++c) {
        all.enter(c == 0 ? fate::none() : fate::by(dice, 2), [=] {
            while (!over.is_set() || !line.empty()) {
                if (!line.try_get_for(10ms)) continue;
                reported += 1;
                line.task_done();
            }
        });
    }
    unsigned at_work = producers;
    unsigned dead_consumers = 0;
    all.play([&](std::size_t i, bool killed) {
        if (i >= producers) {
            dead_consumers += killed ? 1U : 0U;
        } else if (--at_work == 0) {
            line.join(); // a hang, if it waits for the dead
            over.set();
        }
    });
    line.join();
    std::uint64_t put = 0;
    for (const auto n : committed) put += n;
    demand(reported.load() + dead_consumers >= put, "what is joined has been taken");
}

// Queues, locks and values as items of a queue, whose takers and givers are killed. That none of them stays behind is for the
// census to see.
void handles(chance& dice) {
    const mp::Queue<std::tuple<mp::Queue<int>, mp::Value<int>, std::optional<mp::Lock>>> line(dice.between(0, 5));
    const unsigned rounds = dice.between(1, 150);
    const mp::Event over;

    stage all;
    all.enter(fate::by(dice, 2), [=] {
        for (unsigned i = 0; i < rounds; ++i) {
            const mp::Queue<int> inner;
            inner.put(static_cast<int>(i));
            line.put({inner, mp::Value<int>(static_cast<int>(i)), i % 2 == 0 ? std::optional<mp::Lock>(mp::Lock()) : std::nullopt});
        }
    });
    for (int c = 0; c < 2; ++c) {
        all.enter(c == 0 ? fate::none() : fate::by(dice, 2), [=] {
            for (;;) {
                const auto got = line.try_get_for(10ms);
                if (!got && over.is_set() && line.empty()) break;
                if (!got) continue;
                const auto& [inner, value, lock] = *got;
                demand(inner.get(10s) == value.load(), "a handle is of the object that was sent");
                if (lock) {
                    lock->acquire();
                    lock->release();
                }
            }
        });
    }
    all.play([&](std::size_t i, bool) {
        if (i == 0) over.set();
    });
}

// Two ends of a pipe, of which the other is killed: what was sent is received, then comes the end.
void pipes(chance& dice) {
    const std::uint32_t messages = dice.between(1, 300);
    const bool echo = dice.one_in(2);
    auto [here, there] = mp::Pipe(true);
    const mp::RawArray<std::uint32_t> sent(1);

    stage all;
    const fate end = fate::by(dice, 2);
    all.enter(end, [=, far = there, near = here]() mutable {
        near.close();
        if (echo) {
            for (std::uint32_t n = 0; n < messages; ++n) far.send(far.template recv<parcel>());
        } else {
            for (std::uint32_t n = 0; n < messages; sent[0] = ++n) far.send(parcel::make(1, n));
        }
    });
    // This end is played by another child, so that the stage can kill meanwhile.
    const mp::RawArray<std::uint32_t> received(1);
    all.enter(fate::none(), [=, near = here, far = there]() mutable {
        far.close();
        bool ended = false;
        try {
            for (std::uint32_t n = 0; n < messages; ++n) {
                if (echo) near.send(parcel::make(1, n));
                const auto got = near.template recv<parcel>();
                demand(got.sender == 1 && got.number == n && got.whole(), "a message arrives as it was sent");
                received[0] = n + 1;
            }
            static_cast<void>(near.template recv<parcel>());
        } catch (const mp::EOFError&) {
            ended = true;
        } catch (const mp::BrokenPipeError&) {
            ended = true;
        }
        demand(ended, "who holds a pipe alone hears of its end");
    });
    here.close();
    there.close();
    all.play();
    if (!end.doomed()) demand(received[0] == messages, "every message arrives");
    if (!echo) demand(received[0] >= sent[0] && received[0] <= sent[0] + 1, "what send() returned for arrives");
}

// A listener whose clients are killed, also while they prove who they are: it serves the others.
void sockets(chance& dice) {
    const std::string address = dice.one_in(2) ? "localhost:0" : std::string(1, '\0') + "stress-" + std::to_string(dice.number());
    const bool secret = dice.one_in(2);
    const std::string key = std::to_string(dice.number());
    const std::uint32_t each = dice.between(1, 50);
    const mp::RawArray<char> where(256);
    const mp::Event listening;
    const mp::Value<unsigned> served(0);
    const mp::Event over;
    const unsigned clients = dice.between(1, 4);

    stage all;
    for (unsigned c = 0; c < clients; ++c) {
        all.enter(fate::by(dice, 2), [=] {
            listening.wait();
            const std::string here(where.begin() + 1, static_cast<std::size_t>(where[0]));
            const auto to = secret ? mp::connection::Client(here, {.authkey = key}) : mp::connection::Client(here);
            for (std::uint32_t n = 0; n < each; ++n) {
                to.send(parcel::make(c, n));
                const auto got = to.recv<parcel>();
                demand(got.sender == c && got.number == n && got.whole(), "a message arrives as it was sent");
            }
            served += 1;
        });
    }
    all.enter(fate::none(), [=] {
        mp::connection::ListenerOptions options{.address = address};
        if (secret) options.authkey = key;
        mp::connection::Listener listener(options);
        const std::string here = listener.address();
        where[0] = static_cast<char>(here.size());
        std::copy(here.begin(), here.end(), where.begin() + 1);
        listening.set();
        while (!over.is_set()) {
            try {
                const auto client = listener.try_accept_for(50ms);
                while (client) client->send(client->recv<parcel>());
            } catch (const mp::EOFError&) {
            } catch (const mp::BrokenPipeError&) {}
        }
    });
    unsigned left = clients;
    unsigned lost = 0;
    all.play([&](std::size_t i, bool killed) {
        if (i == clients) return;
        lost += killed ? 1U : 0U;
        if (--left == 0) over.set();
    });
    demand(served + lost >= clients, "every client that lives is served");
}

} // namespace stress
