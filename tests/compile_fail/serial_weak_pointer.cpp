// expect: a std::weak_ptr doesn't travel
#include <multiprocessing/serialization.hpp>

struct child {
    std::weak_ptr<int> parent;
};

void send(const child& it) { (void)multiprocessing::serial::pack(it); }
