// expect: can't be made again from what arrives of it
#include <multiprocessing/serialization.hpp>

struct failure {
    explicit failure(int code);
    const char* why;
};

void start() { multiprocessing::register_exception<failure>(); }
