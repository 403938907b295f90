// expect: a function isn't data
#include <multiprocessing/serialization.hpp>

void send(int (*function)(int)) { (void)multiprocessing::serial::pack(function); }
