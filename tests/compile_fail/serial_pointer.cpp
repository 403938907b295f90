// expect: a raw pointer doesn't travel
#include <multiprocessing/serialization.hpp>

void send(int* where) { (void)multiprocessing::serial::pack(where); }
