// expect: (no matching|cannot convert|no viable|could not convert)
#include <string>

#include <multiprocessing/queues.hpp>

void mistake(multiprocessing::Queue<int>& q) { q.put(std::string("text")); }
