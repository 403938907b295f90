// Boost.Interprocess: interprocess_mutex, interprocess_condition, interprocess_semaphore.
#include "contender.hpp"

#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>

namespace ipc = boost::interprocess;

namespace {

struct mutex {
    void lock() { m.lock(); }
    void unlock() { m.unlock(); }
    ipc::interprocess_mutex& m = in_shared_memory<ipc::interprocess_mutex>();
};

struct condition final : doorbell {
    void tell() override {
        const ipc::scoped_lock<ipc::interprocess_mutex> held(m);
        told = true;
        c.notify_one();
    }
    void wait() override {
        ipc::scoped_lock<ipc::interprocess_mutex> held(m);
        while (!told) c.wait(held);
        told = false;
    }
    ipc::interprocess_mutex& m = in_shared_memory<ipc::interprocess_mutex>();
    ipc::interprocess_condition& c = in_shared_memory<ipc::interprocess_condition>();
    bool& told = in_shared_memory<bool>(false);
};

struct semaphore final : doorbell {
    void tell() override { s.post(); }
    void wait() override { s.wait(); }
    ipc::interprocess_semaphore& s = in_shared_memory<ipc::interprocess_semaphore>(0u);
};

} // namespace

contenders boost_interprocess() {
    mutex m;
    long& number = in_shared_memory<long>(0);
    return {.locks = {lock<mutex>("Boost interprocess_mutex")},
            .doorbells = {waking<condition>("Boost interprocess_condition"),
                          waking<semaphore>("Boost interprocess_semaphore", true)},
            .values = {{"Boost interprocess_mutex: +=", [m, &number](long n) mutable {
                            for (long i = 0; i < n; ++i) {
                                m.lock();
                                number += 1;
                                m.unlock();
                            }
                        }}}};
}
