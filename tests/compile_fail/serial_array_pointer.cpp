// expect: a smart pointer to an array doesn't travel
#include <multiprocessing/serialization.hpp>

void send(const std::unique_ptr<double[]>& it) { (void)multiprocessing::serial::pack(it); }
