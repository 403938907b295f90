// expect: an aggregate with a base class can't be taken apart
#include <multiprocessing/serialization.hpp>

struct point {
    int x, y;
};
struct pixel : point {
    int color;
};

void send(const pixel& it) { (void)multiprocessing::serial::pack(it); }
