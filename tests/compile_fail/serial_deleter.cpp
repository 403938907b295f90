// expect: a deleter of its own doesn't travel
#include <multiprocessing/serialization.hpp>

struct closer {
    void operator()(int*) const;
};

void send(const std::unique_ptr<int, closer>& it) { (void)multiprocessing::serial::pack(it); }
