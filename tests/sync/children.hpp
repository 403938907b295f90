// Processes that a test starts, members of its family.
#pragma once

#include <csignal>
#include <cstdio>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/memory/family.hpp>

namespace testing {

class children {
public:
    children() = default;
    children(const children&) = delete;
    children& operator=(const children&) = delete;
    ~children() {
        for (const auto& [pid, seat] : all_) ::kill(pid, SIGKILL);
        static_cast<void>(join());
    }

    /// Ends with 0 when `body` returns, 42 when it throws.
    template <typename Body>
    pid_t start(Body body) {
        multiprocessing::memory::birth birth;
        std::fflush(nullptr);
        const pid_t child = ::fork();
        if (child == 0) {
            birth.in_child();
            try {
                body();
            } catch (...) {
                ::_exit(42);
            }
            ::_exit(0);
        }
        birth.in_parent(child);
        all_.emplace_back(child, birth.slot());
        return child;
    }

    /// Waits for one; its status.
    int join(pid_t child) {
        for (auto one = all_.begin(); one != all_.end(); ++one) {
            if (one->first != child) continue;
            const int status = reap(*one);
            all_.erase(one);
            return status;
        }
        return -1;
    }
    int kill(pid_t child) {
        ::kill(child, SIGKILL);
        return join(child);
    }
    /// Kills all; whether each was alive.
    bool kill() {
        bool good = true;
        while (!all_.empty()) {
            const int status = kill(all_.back().first);
            good = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && good;
        }
        return good;
    }
    /// Waits for all; whether each ended with 0.
    bool join() {
        bool good = true;
        for (const auto& one : all_) good = reap(one) == 0 && good;
        all_.clear();
        return good;
    }

private:
    using member = std::pair<pid_t, multiprocessing::memory::seat>;

    static int reap(const member& one) {
        int status = -1;
        while (::waitpid(one.first, &status, 0) < 0) {}
        multiprocessing::memory::bury(one.second);
        return status;
    }

    std::vector<member> all_;
};

} // namespace testing
