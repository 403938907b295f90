// The C library's mutexes in shared memory, plain and robust, and its condition variable.
#include "contender.hpp"

#include <cerrno>

#include <pthread.h>

namespace {

template <bool robust>
struct mutex {
    mutex() {
        pthread_mutexattr_t attributes;
        ::pthread_mutexattr_init(&attributes);
        ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        if (robust) ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        ::pthread_mutex_init(&m, &attributes);
        ::pthread_mutexattr_destroy(&attributes);
    }
    void lock() {
        if (::pthread_mutex_lock(&m) == EOWNERDEAD) ::pthread_mutex_consistent(&m);
    }
    void unlock() { ::pthread_mutex_unlock(&m); }
    pthread_mutex_t& m = in_shared_memory<pthread_mutex_t>();
};

struct condition final : doorbell {
    condition() {
        pthread_condattr_t attributes;
        ::pthread_condattr_init(&attributes);
        ::pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        ::pthread_cond_init(&c, &attributes);
        ::pthread_condattr_destroy(&attributes);
    }
    void tell() override {
        m.lock();
        told = true;
        ::pthread_cond_signal(&c);
        m.unlock();
    }
    void wait() override {
        m.lock();
        while (!told) ::pthread_cond_wait(&c, &m.m);
        told = false;
        m.unlock();
    }
    mutex<false> m;
    pthread_cond_t& c = in_shared_memory<pthread_cond_t>();
    bool& told = in_shared_memory<bool>(false);
};

} // namespace

contenders pthreads() {
    return {.locks = {lock<mutex<false>>("pthread_mutex"), lock<mutex<true>>("pthread_mutex, robust")},
            .doorbells = {waking<condition>("pthread_cond")}};
}
