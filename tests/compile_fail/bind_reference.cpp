// expect: a reference doesn't travel
#include <multiprocessing/serialization.hpp>

#include <functional>

void count(int& total);
auto mistake(int& total) { return multiprocessing::bind(&count, std::ref(total)); }
