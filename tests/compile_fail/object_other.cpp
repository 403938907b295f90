// expect: an mp::Object can't be made of this type
#include <multiprocessing/serialization.hpp>

struct point {
    int x, y;
};

multiprocessing::Object make(const point& it) { return multiprocessing::Object(it); }
