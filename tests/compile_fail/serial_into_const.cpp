// expect: can't load into something const
#include <multiprocessing/serialization.hpp>

int receive(multiprocessing::serial::reader& in) {
    const int value = 0;
    in(value);
    return value;
}
