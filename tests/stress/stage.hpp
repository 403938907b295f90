// What the programs of the soak have in common: chance, promises, and children that may be killed.
#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>

#include "support/steps.hpp"

namespace stress {

namespace mp = multiprocessing;

/// Everything that is left to chance comes out of one number, so that it can be had again.
class chance {
public:
    explicit chance(std::uint64_t seed) : engine_(seed) {}
    /// From `least` to `most`.
    unsigned between(unsigned least, unsigned most) { return least + static_cast<unsigned>(engine_() % (most - least + 1)); }
    bool one_in(unsigned n) { return engine_() % n == 0; }
    std::uint64_t number() { return engine_(); }

private:
    std::mt19937_64 engine_;
};

/// A promise of the library that wasn't kept.
struct broken_promise : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void demand(bool kept, const std::string& promise) {
    if (!kept) throw broken_promise("not kept: " + promise);
}

/// How a child is to end: by itself, at its n-th step in shared memory, or after so long.
struct fate {
    unsigned step = 0;
    std::chrono::microseconds after{0};
    [[nodiscard]] bool doomed() const { return step != 0 || after.count() != 0; }

    static fate none() { return {}; }
    static fate by(chance& dice, unsigned one_in) {
        if (!dice.one_in(one_in)) return {};
        if (dice.one_in(2)) return {.step = 1 + dice.between(0, 1U << dice.between(2, 11)), .after = {}};
        return {.step = 0, .after = std::chrono::microseconds(dice.between(1, 1U << dice.between(4, 15)))};
    }
};

/// Children that play a program together. Those that aren't doomed must come to its end.
class stage {
public:
    template <typename F>
    void enter(fate end, F body) {
        fates_.push_back(end);
        actors_.emplace_back(mp::ProcessOptions{.daemon = true}, [end, body]() mutable {
            if (end.step != 0) testing::arm(end.step);
            body();
        });
    }

    /// Starts them all, kills those whose time has come, and waits until all have ended. `at_end` is called for each, with its
    /// number and whether it was killed; codes beside 0 with which a child may end by itself are those in `allowed`.
    void play(const std::function<void(std::size_t, bool)>& at_end = {}, const std::vector<int>& allowed = {}) {
        using clock = std::chrono::steady_clock;
        for (auto& each : actors_) each.start();
        const auto begin = clock::now();
        std::vector<bool> ended(actors_.size());
        for (std::size_t left = actors_.size(); left > 0;) {
            std::vector<int> sentinels;
            std::vector<std::size_t> whose;
            auto next = clock::time_point::max();
            for (std::size_t i = 0; i < actors_.size(); ++i) {
                if (ended[i]) continue;
                sentinels.push_back(actors_[i].sentinel());
                whose.push_back(i);
                if (fates_[i].after.count() == 0) continue;
                if (const auto when = begin + fates_[i].after; when <= clock::now()) {
                    actors_[i].kill();
                } else {
                    next = std::min(next, when);
                }
            }
            const auto ready = next == clock::time_point::max() ? mp::connection::wait(sentinels)
                                                                : mp::connection::wait(sentinels, next - clock::now());
            for (std::size_t k = 0; k < whose.size(); ++k) {
                const std::size_t i = whose[k];
                if (std::find(ready.begin(), ready.end(), sentinels[k]) == ready.end()) continue;
                actors_[i].join();
                ended[i] = true;
                --left;
                const int code = *actors_[i].exitcode();
                const bool killed = code == -SIGKILL && fates_[i].doomed();
                const bool good = code == 0 || killed || std::find(allowed.begin(), allowed.end(), code) != allowed.end();
                demand(good, "child " + std::to_string(i) + " ends with 0, not " + std::to_string(code));
                if (killed) ++killed_;
                if (at_end) at_end(i, killed);
            }
        }
    }

    [[nodiscard]] unsigned killed() const { return killed_; }
    [[nodiscard]] std::size_t size() const { return actors_.size(); }
    [[nodiscard]] bool was_killed(std::size_t i) const { return actors_[i].exitcode() == -SIGKILL; }

private:
    std::vector<mp::Process> actors_;
    std::vector<fate> fates_;
    unsigned killed_ = 0;
};

/// Bytes that tell whether they are whole: all follow from the first two numbers.
struct parcel {
    std::uint32_t sender = 0;
    std::uint32_t number = 0;
    std::vector<unsigned char> bytes;

    static parcel make(std::uint32_t sender, std::uint32_t number) {
        parcel made{sender, number, std::vector<unsigned char>(size_of(number))};
        for (std::size_t i = 0; i < made.bytes.size(); ++i) made.bytes[i] = made.byte(i);
        return made;
    }
    [[nodiscard]] bool whole() const {
        if (bytes.size() != size_of(number)) return false;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            if (bytes[i] != byte(i)) return false;
        return true;
    }

private:
    static std::size_t size_of(std::uint32_t number) {
        constexpr std::size_t sizes[] = {0, 3, 50, 8, 900, 0, 5000, 17, 100, 40'000};
        return number % 97 == 96 ? 400'000 : sizes[number % std::size(sizes)];
    }
    [[nodiscard]] unsigned char byte(std::size_t i) const { return static_cast<unsigned char>(i * 7 + sender + number); }
};

// The programs. Each is a process of its own, which may be killed as a whole.
void queues(chance& dice);
void joinable_queues(chance& dice);
void handles(chance& dice);
void pipes(chance& dice);
void sockets(chance& dice);
void locks(chance& dice);
void semaphores(chance& dice);
void conditions(chance& dice);
void barriers(chance& dice);
void values(chance& dice);
void pools(chance& dice);
void managers(chance& dice);
void starts(chance& dice);

} // namespace stress
