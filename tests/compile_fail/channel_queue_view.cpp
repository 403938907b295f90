// expect: view
#include <string_view>

#include <multiprocessing/queues.hpp>

std::string_view mistake(multiprocessing::Queue<std::string_view>& q) { return q.get(); }
