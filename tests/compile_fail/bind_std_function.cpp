// expect: a function isn't data
#include <multiprocessing/serialization.hpp>

#include <functional>

auto mistake(const std::function<int(int)>& f) { return multiprocessing::bind(f, 1); }
