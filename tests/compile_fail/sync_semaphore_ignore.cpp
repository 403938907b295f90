// expect: no matching (member )?function for call to .*acquire
#include <multiprocessing/synchronize.hpp>

bool mistake(multiprocessing::Semaphore& semaphore) {
    return semaphore.acquire(true, multiprocessing::ignore); // it has no owner
}
