// expect: an aggregate with a const or reference member
#include <multiprocessing/serialization.hpp>

struct window {
    std::string& text;
    int width;
};

void send(const window& it) { (void)multiprocessing::serial::pack(it); }
