// expect: the function can't be called with these arguments
#include <multiprocessing/pool.hpp>

int twice(int x);

void mistake(multiprocessing::Pool& pool) { static_cast<void>(pool.apply_async(twice, "two")); }
