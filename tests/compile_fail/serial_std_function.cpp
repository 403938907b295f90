// expect: a function isn't data
#include <functional>
#include <map>

#include <multiprocessing/serialization.hpp>

void send(const std::map<int, std::function<void()>>& it) { (void)multiprocessing::serial::pack(it); }
