// expect: a reference doesn't travel
#include <functional>

#include <multiprocessing/serialization.hpp>

void send(std::vector<std::reference_wrapper<int>> it) { (void)multiprocessing::serial::pack(it); }
