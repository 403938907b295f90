// expect: no matching (member )?function for call to .*acquire
#include <multiprocessing/synchronize.hpp>

bool mistake(multiprocessing::Lock& lock) {
    return lock.acquire(5); // of what?
}
