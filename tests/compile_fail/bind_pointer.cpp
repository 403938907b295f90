// expect: a raw pointer doesn't travel
#include <multiprocessing/serialization.hpp>

void fill(int* numbers, int count);
auto mistake(int* numbers) { return multiprocessing::bind(&fill, numbers); }
