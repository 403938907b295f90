// sem_t.
#include "contender.hpp"

#include <semaphore.h>

namespace {

struct semaphore {
    explicit semaphore(unsigned tokens = 1) { ::sem_init(&s, 1, tokens); }
    void lock() {
        while (::sem_wait(&s) != 0) {}
    }
    void unlock() { ::sem_post(&s); }
    sem_t& s = in_shared_memory<sem_t>();
};

struct token final : doorbell {
    void tell() override { s.unlock(); }
    void wait() override { s.lock(); }
    semaphore s{0};
};

} // namespace

contenders posix_semaphore() {
    return {.locks = {lock<semaphore>("sem_t(1)")}, .doorbells = {waking<token>("sem_t", true)}};
}
