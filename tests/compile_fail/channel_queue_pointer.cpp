// expect: a raw pointer doesn't travel
#include <multiprocessing/queues.hpp>

void mistake(multiprocessing::Queue<int*>& q, int* where) { q.put(where); }
