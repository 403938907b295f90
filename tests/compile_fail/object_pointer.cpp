// expect: an mp::Object can't be made of a pointer
#include <multiprocessing/serialization.hpp>

void put(const multiprocessing::Object&);
void send(int* where) { put(where); }
