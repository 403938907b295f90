// expect: a union doesn't travel
#include <multiprocessing/serialization.hpp>

union number {
    int whole;
    double real;
};
struct cell {
    number value;
};

void send(const cell& it) { (void)multiprocessing::serial::pack(it); }
