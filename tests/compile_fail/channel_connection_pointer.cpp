// expect: a raw pointer doesn't travel
#include <multiprocessing/connection.hpp>

void mistake(multiprocessing::Connection& c, const char* text) { c.send(text); }
