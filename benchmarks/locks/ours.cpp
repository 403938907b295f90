// Lock, RLock, Semaphore; Event, Condition; Value and RawArray.
#include "contender.hpp"

#include <array>

#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

namespace mp = multiprocessing;

namespace {

struct event final : doorbell {
    void tell() override { e.set(); }
    void wait() override { e.wait(); }
    void rearm() override { e.clear(); }
    mp::Event e;
};

struct condition final : doorbell {
    void tell() override {
        c.acquire();
        told.value() = true;
        c.notify();
        c.release();
    }
    void wait() override {
        c.acquire();
        c.wait_for([this] { return told.value(); });
        told.value() = false;
        c.release();
    }
    mp::Condition c;
    mp::RawValue<bool> told{false};
};

struct semaphore final : doorbell {
    void tell() override { s.release(); }
    void wait() override { s.acquire(); }
    mp::Semaphore s{0};
};

struct large {
    std::array<long, 25> numbers;
};

constexpr long elements = 1024;

} // namespace

contenders ours() {
    const mp::Value<long> number(0);
    const mp::Value<large> wide(large{});
    const mp::RawArray<long> raw(elements);
    return {.locks = {lock<mp::Lock>("ours, Lock"), lock<mp::RLock>("ours, RLock"),
                      lock<mp::Semaphore>("ours, Semaphore(1)")},
            .doorbells = {waking<event>("ours, Event"), waking<condition>("ours, Condition"),
                          waking<semaphore>("ours, Semaphore", true)},
            .values = {{"ours, Value<long>: load",
                        [=](long n) {
                            for (long i = 0; i < n; ++i) happened(number.load());
                        }},
                       {"ours, Value<long>: +=",
                        [=](long n) {
                            for (long i = 0; i < n; ++i) number += 1;
                        }},
                       {"ours, Value of 200 bytes: load",
                        [=](long n) {
                            for (long i = 0; i < n; ++i) happened(wide.load().numbers[24]);
                        }},
                       {"ours, RawArray<long>: element", [=](long n) {
                            for (long i = 0; i < n; ++i) happened(raw[static_cast<std::size_t>(i % elements)]);
                        }}}};
}
