// expect: the callable must be callable with these arguments
#include <multiprocessing/serialization.hpp>

#include <string>

void resize(int width);
auto mistake() { return multiprocessing::serial::pack_call(&resize, std::string("wide")); }
