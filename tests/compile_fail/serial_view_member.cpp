// expect: a view .*doesn't travel
#include <multiprocessing/serialization.hpp>

struct request {
    int id;
    std::span<const double> samples;
};

multiprocessing::serial::writer& send(multiprocessing::serial::writer& out, const request& it) { return out(it); }
