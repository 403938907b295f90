// expect: a raw pointer doesn't travel
#include <multiprocessing/serialization.hpp>

struct adder {
    int* total;
    void operator()(int n) const { *total += n; }
};
auto mistake(adder f) { return multiprocessing::bind(f, 1); }
