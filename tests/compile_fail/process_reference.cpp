// expect: pass std::ref\(x\) for a parameter that is a reference
#include <multiprocessing/process.hpp>

void count(int& total);

void mistake() {
    int total = 0;
    multiprocessing::Process p(count, total);
}
