// Locks, semaphores, conditions, barriers and values, under chance and death.

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include "stage.hpp"

namespace stress {

using namespace std::chrono_literals;

namespace {

/// Whoever died with it: held.
template <typename L>
bool take(const L& lock) {
    try {
        lock.acquire();
        return true;
    } catch (const mp::OwnerDiedError&) {
        return false;
    }
}

template <typename L>
void under_lock(chance& dice, const L& lock) {
    const unsigned each = dice.between(1, 2000);
    const unsigned players = dice.between(2, 5);
    const mp::RawArray<std::uint64_t> pair(2);
    const mp::RawArray<std::uint32_t> inside(1);
    const mp::RawArray<std::uint64_t> done(players);

    stage all;
    for (unsigned p = 0; p < players; ++p) {
        all.enter(fate::by(dice, 2), [=] {
            for (unsigned i = 0; i < each; ++i) {
                if (!take(lock)) { // is told, and puts right what the dead one left
                    inside[0] = 0;
                    demand(pair[0] == pair[1] || pair[0] == pair[1] + 1, "only the dead one was in there");
                    pair[1] = pair[0];
                }
                demand(std::atomic_ref(inside[0]).exchange(1) == 0, "one at a time");
                demand(pair[0] == pair[1], "what a lock protects is whole, or one is told");
                ++pair[0];
                ++pair[1];
                done[p] = i + 1;
                inside[0] = 0;
                lock.release();
            }
        });
    }
    all.play();
    static_cast<void>(take(lock));
    lock.release();
    std::uint64_t sum = 0;
    for (const auto n : done) sum += n;
    demand(pair[0] >= sum && pair[0] <= sum + all.killed(), "nothing done under a lock is lost");
}

} // namespace

void locks(chance& dice) {
    if (dice.one_in(2))
        under_lock(dice, mp::Lock());
    else
        under_lock(dice, mp::RLock());
}

// Tokens that dead processes took are back after recover(); without deaths there are never more holders than tokens.
void semaphores(chance& dice) {
    const int tokens = static_cast<int>(dice.between(1, 4));
    const unsigned players = dice.between(2, 5);
    const unsigned each = dice.between(1, 1000);
    const unsigned deaths = dice.one_in(2) ? 2 : 1'000'000'000;
    const mp::BoundedSemaphore semaphore(tokens);
    const mp::Value<int> holders(0);

    stage all;
    bool doomed = false;
    for (unsigned p = 0; p < players; ++p) {
        const fate end = fate::by(dice, deaths);
        doomed = doomed || end.doomed();
        all.enter(end, [=] {
            for (unsigned i = 0; i < each; ++i) {
                semaphore.acquire();
                const int now = ++holders;
                demand(deaths == 2 || now <= tokens, "not more holders than tokens");
                --holders;
                semaphore.release();
            }
        });
    }
    all.play([&](std::size_t, bool killed) {
        if (killed) static_cast<void>(semaphore.recover());
    });
    demand(doomed || semaphore.get_value() == tokens, "every token that was given back is there");
    static_cast<void>(semaphore.recover());
    demand(semaphore.get_value() == tokens, "every token of the dead is there after recover()");
}

// Things to take, announced one by one: nobody sleeps on while there is one, whoever dies.
void conditions(chance& dice) {
    const unsigned takers = dice.between(1, 5);
    const std::uint64_t things = dice.between(1, 500);
    const bool everybody = dice.one_in(3);
    const mp::Condition changed;
    const mp::RawArray<std::uint64_t> stock(3); // how many there are, have been made, have been taken
    const mp::RawArray<std::uint64_t> taken(takers);
    const auto wait = [=](auto until) {
        while (!until()) {
            try {
                changed.wait();
            } catch (const mp::OwnerDiedError&) {} // and has the lock
        }
    };

    stage all;
    all.enter(fate::none(), [=] {
        for (std::uint64_t i = 0; i < things; ++i) {
            static_cast<void>(take(changed));
            ++stock[0];
            ++stock[1];
            everybody ? changed.notify_all() : changed.notify();
            changed.release();
        }
        static_cast<void>(take(changed));
        changed.notify_all(); // that there won't be more
        changed.release();
    });
    for (unsigned t = 0; t < takers; ++t) {
        all.enter(t == 0 ? fate::none() : fate::by(dice, 2), [=] {
            for (;;) {
                static_cast<void>(take(changed));
                wait([&] { return stock[0] > 0 || stock[1] == things; });
                if (stock[0] == 0) break;
                --stock[0];
                ++taken[t];
                changed.release();
            }
            changed.release();
        });
    }
    all.play();
    std::uint64_t sum = 0;
    for (const auto n : taken) sum += n;
    demand(stock[0] == 0 && sum <= things && sum + all.killed() >= things, "everything that was announced is taken, once");
}

// Nobody passes a barrier before all have come; when one dies the others are told.
void barriers(chance& dice) {
    const unsigned parties = dice.between(1, 5);
    const unsigned rounds = dice.between(1, 300);
    const mp::Barrier barrier(static_cast<int>(parties));
    const mp::RawArray<std::uint32_t> came(rounds);
    constexpr int told = 7;

    stage all;
    for (unsigned p = 0; p < parties; ++p) {
        all.enter(fate::by(dice, 4), [=] {
            for (unsigned r = 0; r < rounds; ++r) {
                std::atomic_ref(came[r]).fetch_add(1);
                try {
                    barrier.wait();
                } catch (const mp::BrokenBarrierError&) {
                    mp::exit(told);
                }
                demand(std::atomic_ref(came[r]).load() == parties, "nobody passes before all have come");
            }
        });
    }
    const auto abort = [&](std::size_t, bool killed) {
        if (killed) barrier.abort(); // who dies elsewhere than at the barrier isn't missed there
    };
    all.play(abort, {told});
    if (all.killed() == 0) demand(came[rounds - 1] == parties && !barrier.broken(), "without a death it never breaks");
}

// Sums that lose nothing, and a large value that is never seen half written.
void values(chance& dice) {
    using large = std::array<std::uint64_t, 25>;
    const unsigned players = dice.between(2, 5);
    const unsigned each = dice.between(1, 3000);
    const mp::Value<std::uint64_t> sum(0);
    const mp::Value<large> whole{};
    const mp::Array<int> slots(8);
    const mp::RawArray<std::uint64_t> done(players);

    stage all;
    for (unsigned p = 0; p < players; ++p) {
        all.enter(fate::by(dice, 2), [=] {
            for (unsigned i = 0; i < each; ++i) {
                sum += 1;
                done[p] = i + 1;
                if (i % 8 == p) {
                    large next;
                    next.fill(i);
                    whole.store(next);
                }
                const large seen = whole.load();
                for (const auto x : seen) demand(x == seen[0], "a value is never half written");
                slots.set(i % slots.size(), static_cast<int>(i));
            }
        });
    }
    all.play();
    std::uint64_t counted = 0;
    for (const auto n : done) counted += n;
    demand(sum >= counted && sum <= counted + all.killed(), "no += is lost or doubled");
}

} // namespace stress
