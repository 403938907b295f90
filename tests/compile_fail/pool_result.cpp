// expect: what the function returns can't travel back from a worker
#include <multiprocessing/pool.hpp>

int* find(int x);

void mistake(multiprocessing::Pool& pool) { static_cast<void>(pool.imap(find, {1, 2})); }
