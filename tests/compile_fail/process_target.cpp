// expect: the target of a Process must be callable with the arguments that follow it
#include <multiprocessing/process.hpp>

void greet(const char* name, int times);

void mistake() {
    multiprocessing::Process p(greet, "bob");
}
