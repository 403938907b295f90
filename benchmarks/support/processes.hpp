// Processes that are forked to be measured, and the cores that they run on.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/family.hpp>

using cores = std::vector<int>;

/// The first two that this program may run on, or the one.
inline cores two_cores() {
    cpu_set_t allowed;
    ::sched_getaffinity(0, sizeof allowed, &allowed);
    cores found;
    for (int i = 0; i < CPU_SETSIZE && found.size() < 2; ++i)
        if (CPU_ISSET(i, &allowed)) found.push_back(i);
    if (found.size() < 2) {
        std::puts("there is one core: nothing that is said of two is true");
        found.push_back(found[0]);
    }
    return found;
}

/// This process there from now on; anywhere, when no core is named.
inline void pin(const cores& where) {
    if (where.empty()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int core : where) CPU_SET(core, &set);
    ::sched_setaffinity(0, sizeof set, &set);
}

/// This process there, while it lasts.
class pinned {
public:
    explicit pinned(const cores& where) {
        ::sched_getaffinity(0, sizeof before_, &before_);
        pin(where);
    }
    pinned(const pinned&) = delete;
    pinned& operator=(const pinned&) = delete;
    ~pinned() { ::sched_setaffinity(0, sizeof before_, &before_); }

private:
    cpu_set_t before_;
};

/// Processes that run until they are joined. Members of the family, so that they may use what is ours.
class crew {
public:
    template <typename Body>
    void start(const cores& where, Body body) {
        multiprocessing::memory::birth birth;
        std::fflush(nullptr);
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            pin(where);
            body();
            ::_exit(0);
        }
        birth.in_parent(child);
        all_.emplace_back(child, birth.slot());
    }
    void join() {
        for (const auto& [child, seat] : all_) {
            int status = 0;
            ::waitpid(child, &status, 0);
            multiprocessing::memory::bury(seat);
            if (status != 0) {
                std::puts("a process failed");
                std::exit(1);
            }
        }
        all_.clear();
    }

private:
    std::vector<std::pair<pid_t, multiprocessing::memory::seat>> all_;
};
