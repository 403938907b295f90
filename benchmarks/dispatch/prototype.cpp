// The least that two processes can do: a word each way that the other spins on, and numbers in an array. One worker, nothing but
// this one function, nobody is woken, and whoever dies takes the other with it.
#include "work.hpp"

#include <atomic>
#include <csignal>
#include <memory>
#include <new>

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int room = 1 << 17;

/// Spins; where the other needs this very processor it gets it.
template <typename F>
void until(F done) {
    for (int i = 1; !done(); ++i)
        if (i % 4096 == 0) ::sched_yield();
}

struct both {
    alignas(64) std::atomic<int> asked{0};
    alignas(64) std::atomic<int> answered{0};
    alignas(64) std::atomic<int> awake{0};
    alignas(64) int in[room];
    int out[room];
};

class two_processes {
public:
    two_processes() {
        void* memory = ::mmap(nullptr, sizeof(both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || ::pipe(turns_) != 0) throw std::bad_alloc();
        all_ = ::new (memory) both;
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            work();
        }
    }
    two_processes(const two_processes&) = delete;
    two_processes& operator=(const two_processes&) = delete;
    ~two_processes() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    void turn(bool begins) {
        if (begins) {
            all_->asked.store(0);
            all_->answered.store(0);
            if (::write(turns_[1], "", 1) != 1) throw begins;
            until([&] { return all_->awake.load() != 0; });
        } else {
            all_->asked.store(-1);
            until([&] { return all_->awake.load() == 0; });
        }
    }
    void round_trip(int times) {
        for (int i = 0; i < times; ++i) {
            all_->in[i] = i;
            all_->asked.store(i + 1, std::memory_order_release);
            until([&] { return all_->answered.load(std::memory_order_acquire) == i + 1; });
            if (all_->out[i] != i + 1) throw i;
        }
    }
    void outstanding(int tasks) {
        for (int i = 0; i < tasks; ++i) {
            all_->in[i] = i;
            all_->asked.store(i + 1, std::memory_order_release);
        }
        for (int i = 0; i < tasks; ++i) {
            until([&] { return all_->answered.load(std::memory_order_acquire) > i; });
            if (all_->out[i] != i + 1) throw i;
        }
    }

private:
    [[noreturn]] void work() {
        for (char byte = 0; ::read(turns_[0], &byte, 1) == 1;) {
            int done = 0;
            all_->awake.store(1);
            for (int asked = 0; asked >= 0;) {
                until([&] { return (asked = all_->asked.load(std::memory_order_acquire)) != done; });
                for (; done < asked; ++done) {
                    all_->out[done] = next(all_->in[done]);
                    all_->answered.store(done + 1, std::memory_order_release);
                }
            }
            all_->awake.store(0);
        }
        ::_exit(0);
    }

    both* all_ = nullptr;
    int turns_[2] = {};
    pid_t pid_ = -1;
};

} // namespace

std::vector<contender> prototype() {
    const auto made = std::make_shared<two_processes>();
    return {{.name = "two processes that spin",
             .round_trip = [made](int times) { made->round_trip(times); },
             .outstanding = [made](int tasks) { made->outstanding(tasks); },
             .turn = [made](bool begins) { made->turn(begins); }}};
}
