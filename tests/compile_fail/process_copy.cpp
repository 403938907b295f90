// expect: (deleted|no matching constructor)
#include <multiprocessing/process.hpp>

void mistake(multiprocessing::Process& p) {
    multiprocessing::Process copy(p);
}
