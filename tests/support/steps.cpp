#include "support/steps.hpp"

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include <sys/mman.h>
#include <unistd.h>

namespace {

// What the parent reads after the child is dead, so it lies in memory that both have.
struct shared_record {
    std::atomic<unsigned> seen;
    std::atomic<char> name[64]; // written by a process that may be killed in between: then it is a mixture, but ends
};

shared_record& record() noexcept {
    // Made before main() and so before any fork(): see `made_early`.
    static auto* const made = [] {
        void* const place =
            ::mmap(nullptr, sizeof(shared_record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (place == MAP_FAILED) {
            std::perror("cannot map the page that steps are counted in");
            std::abort();
        }
        return new (place) shared_record{};
    }();
    return *made;
}

[[maybe_unused]] const shared_record& made_early = record();

std::atomic<pid_t> armed_process = 0; // 0: nobody. A forked child inherits its parent's pid here, which isn't its own.
std::atomic<unsigned> deadly = 0;

void note(const char* name) noexcept {
    constexpr std::size_t last = sizeof(shared_record::name) - 1;
    auto& place = record().name;
    for (std::size_t i = 0; i < last; ++i) {
        place[i].store(name[i], std::memory_order_relaxed);
        if (name[i] == '\0') return;
    }
}

} // namespace

namespace testing {

void arm(unsigned k) noexcept {
    record().seen = 0;
    note("");
    deadly = k;
    armed_process = ::getpid();
}

void disarm() noexcept {
    armed_process = 0;
}

unsigned steps_seen() noexcept {
    return record().seen;
}

const char* last_step() noexcept {
    static_assert(sizeof(std::atomic<char>) == sizeof(char));
    return reinterpret_cast<const char*>(&record().name);
}

} // namespace testing

namespace multiprocessing::testing {

// Called from signal handlers and between fork() and exec too: nothing here allocates, locks or changes errno.
void step(const char* name) noexcept {
    const pid_t armed = armed_process.load(std::memory_order_relaxed);
    if (armed == 0 || armed != ::getpid()) return;
    const unsigned number = record().seen.fetch_add(1) + 1;
    note(name);
    if (number == deadly) {
        ::kill(armed, SIGKILL);
        for (;;) ::pause(); // the other instructions of a killed process are not part of any test
    }
}

} // namespace multiprocessing::testing
